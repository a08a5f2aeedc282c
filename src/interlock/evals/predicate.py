"""What an argument, or a part of it, must be: a small closed set of predicates on JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from interlock.core.canonical import Json, at_pointer, canonical
from interlock.errors import BadInput
from interlock.registry.schema import Schema, compile_schema

_MISSING = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicate:
    """All that is said here must hold; a predicate that says nothing holds wherever something is.

    Attributes:
        equals: The value is this one, by its canonical form: `(value,)`, so that null can be said; empty for any.
        matches: The value is a text in which this pattern is found; compiled for an engine of linear time.
        between: The value is a number from the first to the second, both included; None for no bound.
        contains: The value is a text with this part in it, or a list with this element.
        absent: Nothing is there.
    """

    equals: tuple[Json, ...] = ()
    matches: Pattern | None = None
    between: tuple[float | None, float | None] | None = None
    contains: tuple[Json, ...] = ()
    absent: bool = False

    def __str__(self) -> str:
        """The predicate as a report has it."""
        said = [f"equals {_text(value)}" for value in self.equals]
        if self.matches is not None:
            said.append(f"matches {self.matches.source!r}")
        if self.between is not None:
            low, high = self.between
            said.append(f"is from {'any' if low is None else f'{low:g}'} to {'any' if high is None else f'{high:g}'}")
        said += [f"contains {_text(part)}" for part in self.contains]
        return " and ".join(said) or ("is absent" if self.absent else "is there")

    def holds(self, value: object) -> bool:
        """Whether it holds of this value."""
        if self.absent:
            return value is _MISSING
        if value is _MISSING:
            return False
        return (
            all(canonical(value) == canonical(wanted) for wanted in self.equals)
            and (self.matches is None or self.matches.found(value))
            and (self.between is None or _between(value, *self.between))
            and all(_contains(value, part) for part in self.contains)
        )


class Pattern:
    """A regular expression that no text can make slow.

    Attributes:
        source: As it is written.

    Raises:
        DefinitionError: It is none, or one that a linear engine does not take.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._schema: Schema = compile_schema({"type": "string", "pattern": source})

    def found(self, value: object) -> bool:
        """Whether the value is a text in which the pattern is found; false for one too long to look through."""
        return isinstance(value, str) and self._schema.affords(value) and self._schema.is_valid(value)


Where = Mapping[str, Predicate]
"""RFC 6901 pointers into the arguments, the empty one for all of them, each with what must hold there."""


def broken(where: Where, arguments: object) -> list[str]:
    """What does not hold of some arguments, in words; nothing where all does."""
    return [
        f"{place or '(all)'} {predicate}, and is {_shown(found)}"
        for place, predicate in where.items()
        if not predicate.holds(found := _at(arguments, place))
    ]


def _at(arguments: object, place: str) -> object:
    try:
        return at_pointer(arguments, place)
    except BadInput:
        return _MISSING


def _between(value: object, low: float | None, high: float | None) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (low is None or value >= low) and (high is None or value <= high)


def _contains(value: object, part: Json) -> bool:
    if isinstance(value, str):
        return isinstance(part, str) and part in value
    return isinstance(value, list) and any(canonical(each) == canonical(part) for each in value)


def _shown(value: object) -> str:
    return "not there" if value is _MISSING else _text(value)


def _text(value: object) -> str:
    text = canonical(value).decode()
    return text if len(text) <= 120 else f"{text[:120]}…"

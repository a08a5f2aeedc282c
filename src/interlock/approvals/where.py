"""What a grant says about arguments: predicates on their leaves, from a closed list. Pure.

    {"/customer_id": {"equals": "cus_7"}, "/amount_cents": {"at_least": 1, "at_most": 5000}, "/note": {"any": true}}

A call satisfies it where every predicate holds *and* every leaf of its arguments is at or below a pointer: what
nobody has said anything about is not granted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from interlock.core.canonical import Json, at_pointer, canonical, check_json, pointer
from interlock.errors import BadInput

CLAUSES_MAX = 64
ONE_OF_MAX = 50
TEXT_MAX = 1000
"""Characters of a prefix or a domain; also bytes of a value's canonical form."""

_MISSING = object()
_OWN_BOUNDARIES = frozenset("/-_:.# ")
_POINTER = re.compile(r"(/([^~/]|~[01])*)+")
_ADDRESS = re.compile(r"[A-Za-z0-9.#$&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+)")
_DOMAIN = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")

Check = Callable[[object], bool]
"""Whether a value satisfies a predicate."""


class Clause(NamedTuple):
    """One predicate on one part of the arguments.

    Attributes:
        pointer: RFC 6901 pointer of the part; never the whole.
        kind: A key of `PREDICATES`.
        operand: What it is held against.
    """

    pointer: str
    kind: str
    operand: Json


@dataclass(frozen=True, slots=True)
class Where:
    """Predicates in their one order. Made by `where_of`.

    Attributes:
        clauses: By pointer and kind; every operand is acceptable.
    """

    clauses: tuple[Clause, ...]
    _covered: frozenset[str] = field(init=False, repr=False, compare=False)
    _checks: tuple[tuple[str, str | None, Check], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        asked = [clause for clause in self.clauses if clause.kind != "any"]
        checks = tuple(
            (clause.pointer, _key(clause.pointer), PREDICATES[clause.kind](clause.operand)) for clause in asked
        )
        object.__setattr__(self, "_covered", frozenset(clause.pointer for clause in self.clauses))
        object.__setattr__(self, "_checks", checks)

    def matches(self, arguments: Mapping[str, Any]) -> bool:
        """Whether these arguments satisfy every predicate and have no part that none is about.

        What is missing satisfies no predicate; `any` asks nothing of what is missing.
        """
        for where, key, check in self._checks:
            if not check(_part(arguments, where) if key is None else arguments.get(key, _MISSING)):
                return False
        return self._covers(arguments, [])

    def as_json(self) -> dict[str, Json]:
        """The predicates as events keep them: `where_of` reads it back as the same."""
        said: dict[str, Any] = {}
        for clause in self.clauses:
            said.setdefault(clause.pointer, {})[clause.kind] = clause.operand
        return said

    def _covers(self, value: object, path: list[str | int]) -> bool:
        if path and pointer(path) in self._covered:
            return True
        if isinstance(value, Mapping) and (value or not path):
            return all(self._covers(part, [*path, key]) for key, part in value.items())
        if isinstance(value, list) and value:
            return all(self._covers(part, [*path, index]) for index, part in enumerate(value))
        return False


def where_of(said: object) -> Where:
    """The predicates that a document says.

    Raises:
        BadInput: A pointer, a predicate or what it is held against is not acceptable; it names which.
    """
    if not isinstance(said, Mapping):
        raise _bad("must be an object of pointers", "Write it as {pointer: {predicate: value}}.")
    check_json(said)
    clauses = []
    for where, predicates in said.items():
        if not _POINTER.fullmatch(where):
            raise _bad(f"{where!r} is no RFC 6901 pointer to a part", "Begin it with a slash: /customer_id.")
        if not isinstance(predicates, Mapping) or not predicates:
            raise _bad(f"{where} has no predicate", f"Say one of {', '.join(PREDICATES)}, any.")
        if "any" in predicates and (len(predicates) > 1 or predicates["any"] is not True):
            raise _bad(f"{where}: any stands alone and is true", 'Write {"any": true}, or the other predicates.')
        for kind, operand in predicates.items():
            if kind != "any" and kind not in PREDICATES:
                raise _bad(f"{where}: no predicate is called {kind!r}", f"Say one of {', '.join(PREDICATES)}, any.")
            clauses.append(Clause(where, kind, _acceptable(where, kind, operand)))
    if len(clauses) > CLAUSES_MAX:
        raise _bad(f"{len(clauses)} predicates", f"At most {CLAUSES_MAX}.")
    return Where(tuple(sorted(clauses, key=lambda clause: (clause.pointer, clause.kind))))


def is_number(value: object) -> bool:
    """Whether a JSON value is a number; true and false are none."""
    return type(value) is int or type(value) is float


def exactly(value: int | float) -> Decimal:  # JSON has both, and what is said is exact in both
    """A JSON number as the decimal that its canonical text says: 0.1 is a tenth."""
    return Decimal(repr(value))


def distinct(values: Iterable[Json]) -> list[Json]:
    """JSON values, each once, in their one order: numbers by their size, then the others by their canonical text."""
    texts = {canonical(value): value for value in values}
    return [texts[text] for text in sorted(texts, key=lambda text: _place(text, texts[text]))]


def sentences(where: Where) -> list[tuple[str, str]]:
    """Each predicate for a person: where, and what must hold there."""
    words = {"equals": "is", "one_of": "is one of", "at_most": "at most", "at_least": "at least", "prefix": "begins"}
    said = []
    for clause in where.clauses:
        told = (
            "anything"
            if clause.kind == "any"
            else f"{words.get(clause.kind, clause.kind)} {json.dumps(clause.operand, ensure_ascii=True)}"
        )
        said.append((clause.pointer, told))
    return said


def domain_of(value: object) -> str:
    """The domain of a plain mail address, in small letters; empty for anything else.

    Plain: one address, ASCII, no display name, no quotes, no routing (`%`, `!`).
    """
    found = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    return found[1].lower() if found else ""


def _place(text: bytes, value: Json) -> tuple[bool, Decimal, bytes]:
    number = is_number(value)
    return not number, exactly(value) if number else Decimal(0), text  # type: ignore[arg-type]  # as is_number says


def _acceptable(where: str, kind: str, operand: Any) -> Json:
    """The operand in its canonical form."""
    if kind in ("at_most", "at_least") and not is_number(operand):
        raise _bad(f"{where}: {kind} {operand!r} is no number", "Give a number.")
    if kind == "prefix" and not (isinstance(operand, str) and 0 < len(operand) <= TEXT_MAX):
        raise _bad(f"{where}: prefix {operand!r}", f"Give a text of 1 to {TEXT_MAX} characters.")
    if kind == "prefix" and "://" in operand and not operand.partition("://")[2].strip("/"):
        raise _bad(f"{where}: prefix {operand!r} names no host", "Say which: https://shop.example/.")
    if kind == "domain" and not (isinstance(operand, str) and _DOMAIN.fullmatch(operand)):
        raise _bad(f"{where}: domain {operand!r}", "Give it in small letters without an @: shop.example.")
    values = operand if kind == "one_of" else [operand]
    if kind == "one_of" and not (isinstance(operand, list) and 0 < len(operand) <= ONE_OF_MAX):
        raise _bad(f"{where}: one_of", f"Give a list of 1 to {ONE_OF_MAX} values.")
    if any(len(canonical(value)) > TEXT_MAX for value in values):
        raise _bad(f"{where}: a value of more than {TEXT_MAX} bytes", "Grant something narrower.")
    return distinct(values) if kind == "one_of" else operand


def _bad(what: str, remedy: str) -> BadInput:
    return BadInput(f"where: {what}", code="grant.where", remedy=remedy)


def _key(where: str) -> str | None:
    """The argument that a pointer names; None for one that leads into it."""
    return where[1:].replace("~1", "/").replace("~0", "~") if where.count("/") == 1 else None


def _part(arguments: Mapping[str, Any], where: str) -> object:
    try:
        return at_pointer(arguments, where)
    except BadInput:
        return _MISSING


def _equals(operand: Json) -> Check:
    return _one_of([operand])


def _one_of(operand: Any) -> Check:
    if all(isinstance(value, str) for value in operand):
        texts = frozenset(operand)
        return lambda value: type(value) is str and value in texts
    wanted = frozenset(canonical(value) for value in operand)
    return lambda value: value is not _MISSING and canonical(value) in wanted


def _at_most(operand: Any) -> Check:
    bound = exactly(operand)
    return lambda value: is_number(value) and exactly(value) <= bound  # type: ignore[arg-type]


def _at_least(operand: Any) -> Check:
    bound = exactly(operand)
    return lambda value: is_number(value) and exactly(value) >= bound  # type: ignore[arg-type]


def _prefix(operand: Any) -> Check:
    """A text prefix that ends where something ends.

    The text is the prefix itself, or goes on with a slash, or the prefix ends with one of `/ - _ : . #` or a space.
    What follows neither climbs (`..`, a backslash, an escape with `%`) nor hides anything; and a URL is matched only
    by a prefix that has its host.
    """

    def check(value: object) -> bool:
        if not isinstance(value, str) or not value.startswith(operand):
            return False
        rest = value[len(operand) :]
        if not rest:
            return True
        url = "://" in value
        if rest[0] != "/" and operand[-1] not in ("/" if url else _OWN_BOUNDARIES):
            return False
        if url and "://" not in operand:
            return False
        return ".." not in (operand[-1] + rest) and not set("\\%") & set(rest) and rest.isprintable()

    return check


def _domain(operand: Any) -> Check:
    return lambda value: domain_of(value) == operand


PREDICATES: Mapping[str, Callable[[Json], Check]] = {
    "equals": _equals,
    "one_of": _one_of,
    "at_most": _at_most,
    "at_least": _at_least,
    "prefix": _prefix,
    "domain": _domain,
}
"""Every predicate by name; beside them only `any`, which asks nothing and says that it asks nothing."""

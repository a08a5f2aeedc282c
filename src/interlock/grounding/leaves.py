"""A result, leaf by leaf, and which record of it each leaf belongs to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from interlock.core.canonical import Json
from interlock.grounding.normal import normal
from interlock.grounding.typed import fits

KEYS: Final = "/~keys"
"""The step that stands for the keys of an object, which no pointer can name."""

_DEPTH_MAX: Final = 64
_NESTED_MAX: Final = 2
_SHAPED_MAX: Final = 64
_WORDS_MAX: Final = 8


class Leaf(NamedTuple):
    """One scalar of a result, or one key.

    Attributes:
        pointer: RFC 6901, with the numbers of items; of a key, that of its object and `/~keys`.
        glob: The same with `*` for each item.
        record: Number of the record that it belongs to; 0 for what stands in none of a list.
        value: A text, number or truth value; never None.
        nested: It stands in a JSON text within the result.
        key: Of a key, the glob of what stands under it; else empty.
    """

    pointer: str
    glob: str
    record: int
    value: str | int | float | bool
    nested: bool = False
    key: str = ""


class Walk:
    """One walk through one result. Records are the items of lists, and the values of an object of objects.

    Attributes:
        records: How many records of lists were met.
    """

    def __init__(self, value: Json, *, opened: bool = False) -> None:
        """Look at a result.

        Args:
            opened: A text that is JSON counts as what it says.
        """
        self.records = 0
        if opened and isinstance(value, str):
            value = _parsed(value, value)
        self._value = value

    def leaves(self) -> Iterator[Leaf]:
        """Every leaf, with the keys of objects, in order."""
        yield from self._walk(self._value, "", "", 0, 0)

    def _walk(self, value: Any, pointer: str, glob: str, record: int, depth: int) -> Iterator[Leaf]:
        if value is None or depth > _DEPTH_MAX:
            return
        if isinstance(value, Mapping):
            apart = len(value) > 1 and all(isinstance(part, Mapping) for part in value.values())
            for key, part in value.items():
                step = "/" + str(key).replace("~", "~0").replace("/", "~1")
                mine = self._next() if apart else record
                yield Leaf(pointer + KEYS, glob + KEYS, mine, str(key), key=glob + step)
                yield from self._walk(part, pointer + step, glob + step, mine, depth + 1)
        elif isinstance(value, list | tuple):
            for at, part in enumerate(value):
                mine = self._next() if not pointer or isinstance(part, Mapping | list) else record
                yield from self._walk(part, f"{pointer}/{at}", glob + "/*", mine, depth + 1)
        else:
            yield Leaf(pointer, glob, record, value)

    def _next(self) -> int:
        self.records += 1
        return self.records


def nested(leaf: Leaf, depth: int = 1) -> Iterator[Leaf]:
    """What a JSON text says that stands in a leaf, two deep; all of it belongs to nobody's record."""
    if not isinstance(leaf.value, str) or depth > _NESTED_MAX or (value := _parsed(leaf.value, None)) is None:
        return
    for part in Walk(value).leaves():
        inner = Leaf(leaf.pointer, leaf.glob, leaf.record, part.value, nested=True)
        yield inner
        yield from nested(inner, depth + 1)


def keeps_shape(value: object, shape: str) -> bool:
    """Whether a leaf may be a field of a record: short, plain, one line, in its shape, no link but a declared one."""
    if not isinstance(value, str):
        return fits(value, shape)
    if not value or len(value) > _SHAPED_MAX or len(value.split()) > _WORDS_MAX or not value.isprintable():
        return False
    if not value.isascii() and normal(value, exact=True) != " ".join(value.split()):
        return False
    return (shape == "url" or not _is_link(value)) and fits(value, shape)


def _is_link(value: str) -> bool:
    return "://" in value or "www." in value.lower()


def _parsed(text: str, otherwise: Json) -> Json:
    if text.lstrip()[:1] not in ("{", "["):
        return otherwise
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        return otherwise
    return value

"""Fields of trusted records, and which of those records the user pointed at."""

from __future__ import annotations

import re
from bisect import insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from interlock.core.provenance import Evidence, Level
from interlock.grounding.typed import Typed
from interlock.grounding.words import Words

Key = str | Typed
"""What equal values share: the normal form of a text, or the one form of its kind."""

_PLACES_MAX: Final = 4
_ANCHOR_MIN: Final = 4
_AMOUNT_MAX: Final = Decimal(10) ** 12
_TOKEN: Final = re.compile(r"\w+")
_STOP: Final = frozenset(
    "about after again also been before both contact could data date done email every file first from have here home"
    " into item just last like list made mail make message more most much name need next none note only open order"
    " other over past paid pending please same send sent should some sure task than that their them then there these"
    " they this time today tomorrow total true false type under until user very want were what when where which will"
    " with work would year yesterday your active closed draft inbox read unread status title true urgent".split()
)
"""Words of any sentence, and states that many records share: no record is pointed at by one of them."""


@dataclass(slots=True)
class Field:
    """Where a value stands in trusted records.

    Attributes:
        level: The most that a place of it has of itself, without what the user pointed at.
        directory: A list of who belongs to the tenant has it.
        places: Where, the first four in order.
    """

    level: Level = Level.RECORD
    directory: bool = False
    places: list[Evidence] = field(default_factory=list)

    def stand(self, place: Evidence, level: Level, *, directory: bool) -> None:
        """It stands in a further place."""
        self.level, self.directory = max(self.level, level), self.directory or directory
        if place not in self.places:
            insort(self.places, place)
            del self.places[_PLACES_MAX:]


class Records:
    """Fields of records by value.

    A record is pointed at where the words name one of its fields. Where several records share the field that is
    named, what all of them say alike is pointed at, and nothing else: a planted record can take away, never give.
    """

    def __init__(self, words: Words) -> None:
        self._words = words
        self._fields: dict[Key, Field] = {}
        self._numbers: dict[Typed, None] = {}
        self._waiting: dict[str, set[str]] = {}
        self._shared: dict[str, frozenset[tuple[str, Key]]] = {}
        self._pointed: set[str] = set()
        self._called: dict[str, set[tuple[Key, ...]]] = {}
        self._anchored: set[Key] | None = None

    def field(self, keys: Iterable[Key]) -> tuple[Field, Level] | None:
        """The best field that has one of the keys, and its level with what the user pointed at."""
        best: tuple[Field, Level] | None = None
        for key in keys:
            if found := self._fields.get(key):
                level = self._level(key, found)
                if best is None or level > best[1]:
                    best = found, level
        return best

    def add(self, keys: tuple[Key, ...], place: Evidence, level: Level, *, directory: bool = False) -> None:
        """A value stands in a trusted record."""
        for key in keys:
            self._fields.setdefault(key, Field()).stand(place, level, directory=directory)
            if isinstance(key, Typed) and key.kind in ("number", "money"):
                self._numbers[key] = None

    def numbers(self) -> Iterator[tuple[Decimal, Level, Evidence]]:
        """Every number of the records that may be an amount, with its level and its first place."""
        for key in self._numbers:
            amount = Decimal(key.text.rpartition(" ")[2])
            if abs(amount) < _AMOUNT_MAX:
                found = self._fields[key]
                yield amount, self._level(key, found), found.places[0]

    def record(self, pairs: frozenset[tuple[str, Key]]) -> None:
        """All fields of one record: name of the field and key of its value."""
        for _, key in pairs:
            if isinstance(key, str) and _may_anchor(key):
                self._shared[key] = self._shared.get(key, pairs) & pairs
                self._await(key)
                self._anchored = None if key in self._pointed else self._anchored

    def name(self, name: str, keys: tuple[Key, ...]) -> None:
        """A value has a name in itself: the local part of an address or a word of it, a part of a person's name."""
        if _may_anchor(name):
            self._called.setdefault(name, set()).add(keys)
            self._await(name)
            self._anchored = None

    def heard(self, tokens: Iterable[str]) -> None:
        """The user said something that has these tokens."""
        self._anchored = None
        for token in tokens:
            for name in self._waiting.get(token, ()):
                self._point(name)

    def _await(self, name: str) -> None:
        """Find it, now or later, in the words."""
        token = first_token(name)
        waiting = self._waiting.setdefault(token, set())
        if name not in waiting:
            waiting.add(name)
            if token in self._words.tokens:
                self._point(name)

    def _point(self, name: str) -> None:
        """The words may name it: what every record shares that bears it is pointed at."""
        if name not in self._pointed and self._words.names(name) is not None:
            self._pointed.add(name)
            self._anchored = None

    def _level(self, key: Key, found: Field) -> Level:
        if self._anchored is None:
            self._anchored = set()
            for name in self._pointed:
                self._anchored.update(each for _, each in self._shared.get(name, ()))
                if len(called := self._called.get(name, ())) == 1 and self._words.calls(
                    name
                ):  # two that are called so: neither is meant
                    self._anchored.update(*called)
        return max(found.level, Level.ANCHORED) if key in self._anchored else found.level


def first_token(name: str) -> str:
    """The first word of a normal form; itself where it has none."""
    found = _TOKEN.search(name)
    return found[0] if found else name


def _may_anchor(name: str) -> bool:
    """Whether naming it points at a record: long enough, with a letter, no word of any sentence."""
    return len(name) >= _ANCHOR_MIN and any(map(str.isalpha, name)) and name not in _STOP

"""The leaves that the events make beside those that were sealed: which event was changed, taken, put in or moved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from interlock.ledger.findings import Finding, Found
from interlock.ledger.merkle import HASH_BYTES, TILE_HASHES, Load

_KEPT_MAX = 65_536
"""Differences that are kept; with more the first of them still have their kind."""

_TOLD_MAX = 100
"""Differences of one kind that are told one by one."""


class Place(NamedTuple):
    """An event in its chain, as far as its header says."""

    chain: str
    seq: int


class Leaves:
    """The events' leaves, held one after the other against those of the tree.

    Args:
        load: Reads a tile of the tree.
        size: Leaves that the tree has.

    Attributes:
        differ: Whether any differs.
    """

    def __init__(self, load: Load, size: int) -> None:
        self.differ = False
        self._load = load
        self._size = size
        self._no = -1
        self._tile = b""
        self._made: dict[bytes, tuple[int, Place]] = {}  # leaves of events that are not what was sealed there
        self._sealed: dict[bytes, int] = {}  # what was sealed there
        self._beyond: set[bytes] = set()  # leaves behind the last sealed one: an event may have been pushed there
        self._last = 0

    def skip(self, upto: int) -> None:
        """Begin after a position."""
        self._last = upto

    def take(self, pos: int, leaf: bytes, place: Place) -> None:
        """The event at a position makes this leaf. Positions come in order; one that is left out has no event."""
        for gap in range(self._last + 1, min(pos, self._size + 1)):
            self._differs(gap, b"", Place("", 0))
        self._last = pos
        if pos > self._size:
            if self.differ and len(self._beyond) < _KEPT_MAX:
                self._beyond.add(leaf)
        elif self._leaf(pos) != leaf:
            self._differs(pos, leaf, place)

    def end(self) -> None:
        """No more events come."""
        for gap in range(self._last + 1, self._size + 1):
            self._differs(gap, b"", Place("", 0))
            if len(self._sealed) >= _KEPT_MAX:
                break

    def sealed(self, pos: int) -> bytes:
        """The leaf that was sealed at a position; empty where the tree has none."""
        return self._leaf(pos)

    def explain(self, events: int) -> Iterator[Found]:
        """What became of the leaves that differ, where the tree is known to be the one that was signed.

        Args:
            events: Position of the last event.
        """
        edited, missing, extra, moved, truncated = self._sorted(events)
        said = "is not the event that was sealed there"
        yield from _told(Finding.HEADER, f"the event at position {{}} {said}", edited)
        yield from _told(Finding.MISSING, "the event that was sealed at position {} is gone", missing)
        yield from _told(Finding.EXTRA, "the event at position {} was never sealed", extra)
        yield from _told(Finding.ORDER, "the event at position {} was sealed at another one", moved)
        if truncated:
            what = f"{len(truncated)} events from position {truncated[0][0]} on are gone"
            yield Found(Finding.TRUNCATED, what, truncated[0][0])

    def _sorted(self, events: int) -> tuple[list[tuple[int, Place]], ...]:
        made_at = {pos: (leaf, place) for leaf, (pos, place) in self._made.items()}
        edited, missing, extra, moved, truncated = [], [], [], [], []
        nowhere = Place("", 0)
        for leaf, pos in self._sealed.items():
            if leaf in self._made or leaf in self._beyond:
                continue
            other = made_at.get(pos)
            if other is not None and other[0] not in self._sealed:
                edited.append((pos, other[1]))
            elif pos > events:
                truncated.append((pos, nowhere))
            else:
                missing.append((pos, nowhere))
        was_edited = {pos for pos, _ in edited}
        before = 0
        for leaf, (pos, place) in self._made.items():
            was = self._sealed.get(leaf)
            if was is None:
                if pos not in was_edited:
                    extra.append((pos, place))
            else:
                if was < before:
                    moved.append((pos, place))
                before = max(before, was)
        if not (edited or missing or extra or moved or truncated) and self._made:
            moved = list(self._made.values())[:1]  # a leaf that stands twice
        return edited, missing, extra, moved, truncated

    def _differs(self, pos: int, leaf: bytes, place: Place) -> None:
        self.differ = True
        if len(self._sealed) >= _KEPT_MAX:
            return
        self._sealed.setdefault(self._leaf(pos), pos)
        if leaf:
            self._made.setdefault(leaf, (pos, place))

    def _leaf(self, pos: int) -> bytes:
        no, at = divmod(pos - 1, TILE_HASHES)
        if no != self._no:
            self._no, self._tile = no, self._load(0, no)
        return self._tile[at * HASH_BYTES : (at + 1) * HASH_BYTES]


def _told(finding: Finding, said: str, places: list[tuple[int, Place]]) -> Iterator[Found]:
    for pos, place in sorted(places)[:_TOLD_MAX]:
        yield Found(finding, said.format(pos), pos, *place)
    if len(places) > _TOLD_MAX:
        yield Found(finding, f"and so are {len(places) - _TOLD_MAX} more", sorted(places)[_TOLD_MAX][0])

"""Events held against their chains, and against the file's own index of them, one after the other."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from interlock.ledger.findings import Finding, Found
from interlock.ledger.sqlite_audit import Audited
from interlock.ledger.strictly import Read, read_strictly

_ENDS_MAX = 65_536
"""Chains whose ends are remembered; the end of another one is looked up in the file."""


class Chains:
    """The ends of the chains so far."""

    def __init__(self, audited: Audited, begun: bool) -> None:
        self._audited = audited
        self._ends: OrderedDict[str, tuple[int, bytes, int]] = OrderedDict()
        self._look = begun  # whether an end that is not known may stand in the file

    def follow(self, pos: int, read: Read) -> Iterator[Found]:
        """Take the next event; what is wrong with its place in its chain."""
        chain, seq, prev = read.chain, read.seq, bytes.fromhex(read.fields["prev_hash"])
        before = self._ends.pop(chain, None)
        if before is None:
            before = self._before(chain, seq, pos) if self._look and seq > 1 else (0, b"", 0)
        last, last_hash, last_pos = before
        if seq == last + 1:
            if prev != last_hash:
                what = "this event or the one after it was changed" if last_pos else "it does not begin its chain"
                yield Found(Finding.HEADER, what, last_pos or pos, chain, last or seq)
        elif seq > last:
            yield Found(Finding.MISSING, f"events {last + 1} to {seq - 1} of the chain are gone", pos, chain, seq)
        else:
            yield Found(Finding.EXTRA, f"number {seq} of the chain stands already", pos, chain, seq)
        self._ends[chain] = (seq, read.hash, pos) if seq > last else before
        if len(self._ends) > _ENDS_MAX:
            self._ends.popitem(last=False)
            self._look = True

    def _before(self, chain: str, seq: int, pos: int) -> tuple[int, bytes, int]:
        at = self._audited.log.position(chain, seq - 1)
        if at is None or at >= pos:
            return 0, b"", 0
        headers = self._audited.log.headers(at - 1, 1)
        read = read_strictly(headers[0] if headers else None)
        return (read.seq, read.hash, at) if read.chain == chain and read.seq == seq - 1 else (0, b"", 0)


class Extents:
    """The file's index of chains, read along with the events."""

    def __init__(self, audited: Audited, start: int, end: int) -> None:
        self._end = end
        self._told = False
        self._damage: list[Found] = []
        self._rows = audited.rows(_EXTENTS, self._damage.append, start, end)
        self._row: tuple[Any, ...] | None = None
        self._upto = start - 1

    def take(self, pos: int, read: Read, tell: Callable[[Found], None]) -> int:
        """Hold the index against the next event; number of its chain there, 0 where the index does not know it."""
        while self._row is None or pos > self._upto:
            row = next(self._rows, None)
            if row is None:
                self._wrong(f"no chain has the event at position {pos}", pos, read, tell)
                return 0
            first, last, at = row[3:]
            if not all(type(number) is int for number in row[3:]) or last < first or at > pos:
                self._wrong("the index of chains has a row that leads nowhere", pos, read, tell)
                return 0
            self._row, self._upto = row, at + last - first
        no, name, tenant, first, _, at = self._row
        if (name, tenant, first + pos - at) != (read.chain, read.fields.get("tenant"), read.seq) and not read.why:
            self._wrong(f"the index of chains has another event at position {pos}", pos, read, tell)
        return int(no)

    def end(self, tell: Callable[[Found], None]) -> None:
        """No more events come."""
        if not self._told and next(self._rows, None) is not None:
            tell(Found(Finding.PROJECTION, "the index of chains leads beyond the events"))
        for found in self._damage:
            tell(found)

    def _wrong(self, what: str, pos: int, read: Read, tell: Callable[[Found], None]) -> None:
        if not self._told:  # one wrong row puts all that follows out of step
            self._told = True
            tell(Found(Finding.PROJECTION, what, pos, read.chain, read.seq))


_EXTENTS = """
SELECT chain.no, chain.name, chain.tenant, extent.first, extent.last, extent.pos
FROM extent LEFT JOIN chain ON chain.no = extent.chain
WHERE extent.pos + extent.last - extent.first >= ? AND extent.pos <= ? ORDER BY extent.pos
"""

"""Results of reads, kept in memory for as long as their tools allow, and never told to anybody else.

What is kept is what the tool returned, before it was screened, so that each call's result passes the screens that
are in force then. Who may have it was decided before it is looked for, for each call anew: so the key names the
principal, but not the roles by which policy let it pass.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from interlock.core.call import ValidCall
from interlock.core.canonical import digest
from interlock.core.clock import SECOND_US, Clock


class Asked(NamedTuple):
    """When a tool was asked for a result, and by which call.

    Attributes:
        reading: How often each of its tags had been raised then (`ledger.tags`).
        mono_s, wall_us: What both clocks said when the call began: the answer is not older than that.
        run_id, call_id: The call that asked.
    """

    reading: tuple[int, ...]
    mono_s: float
    wall_us: int
    run_id: str
    call_id: str

    def age_us(self, clock: Clock) -> int:
        """Microseconds since then by the clock that says more: one that was set back makes nothing younger (T38)."""
        by_mono_us = int((clock.mono_s() - self.mono_s) * SECOND_US)
        return max(by_mono_us, clock.wall_us() - self.wall_us)

    def serves(self, reading: tuple[int, ...], cache_s: float, clock: Clock) -> bool:
        """Whether its answer may be told now: nothing was written since, and it is not too old."""
        return self.reading == reading and self.age_us(clock) <= cache_s * SECOND_US


class Kept(NamedTuple):
    """One result.

    Attributes:
        asked: When, and by whom.
        text: What the tool returned, canonical.
    """

    asked: Asked
    text: bytes


def cache_key(valid: ValidCall) -> bytes:
    """SHA-256 of who asks, what, and with which arguments, each with its length, so that no two meet (defect 28).

    A tool sees of its principal the id and the tenant; its digest stands for all that it is.
    """
    who = valid.call.principal
    return digest("interlock/cache/1", who.tenant.encode(), who.id.encode(), valid.tool.identity, valid.text)


class Cache:
    """What is kept, within bounds: the result that was not asked for the longest goes first.

    Args:
        entries_max: Results; 0 keeps none.
        bytes_max: Bytes of all of them; a larger single one is not kept.
    """

    def __init__(self, clock: Clock, entries_max: int, bytes_max: int) -> None:
        self._clock = clock
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, key: bytes, reading: tuple[int, ...], cache_s: float) -> Kept | None:
        """The result of this key, if it may be told now; one that may not any more is dropped."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if not kept.asked.serves(reading, cache_s, self._clock):
            self.drop(key)
            return None
        self._kept.move_to_end(key)
        return kept

    def keep(self, key: bytes, kept: Kept) -> None:
        """Keep a result in the place of the one before it."""
        self.drop(key)
        if len(kept.text) > self._bytes_max:
            return
        self._kept[key] = kept
        self._bytes += len(kept.text)
        while len(self._kept) > self._entries_max or self._bytes > self._bytes_max:
            self._bytes -= len(self._kept.popitem(last=False)[1].text)

    def drop(self, key: bytes) -> None:
        """Forget the result of this key, if there is one."""
        known = self._kept.pop(key, None)
        if known is not None:
            self._bytes -= len(known.text)

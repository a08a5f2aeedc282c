"""Events as they are committed, by this process or another: for live pages, measures and alerts.

One task looks for new events while anybody waits for them, and reads each once, for all. What was read last is kept;
whoever follows has a position of their own in it and nothing else, so that a slow one holds up nobody. One that falls
behind what is kept, or begins far back, reads the store for itself until it has caught up.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator
from typing import Self

import anyio

from interlock.core.event import Event, Kind
from interlock.errors import LedgerError, StoreUnavailable
from interlock.ledger.store import Store

Batch = list[tuple[int, Event]]
"""Events in the order of their commits, each with its position; at least one. Shared by all: nobody may change it."""

LOOK_EVERY_S = 0.05
"""Seconds between two looks for new events: how long after its commit an event is told, at most, on an idle machine."""

RETRY_S = 1.0
"""Seconds until a store that could not be read is read again."""

BATCH_MAX = 1000
"""Events of one batch."""

KEPT_MAX = 4096
"""Events that are kept for whoever is a little behind; beyond it the oldest batches are let go of."""


class Feed:
    """What is committed to one store, told to any number of followers. It belongs to one event loop.

    Followers are told what is new only while `run` runs (`beside(feed.run)`), and end when it does.

    Args:
        look_every_s, retry_s: See `LOOK_EVERY_S` and `RETRY_S`.

    Attributes:
        problem: Why the store could not be read last; empty where it could.
    """

    def __init__(self, store: Store, look_every_s: float = LOOK_EVERY_S, retry_s: float = RETRY_S) -> None:
        self.problem = ""
        self._store = store
        self._look_every_s = look_every_s
        self._retry_s = retry_s
        self._kept: list[Batch] = []
        self._ends: list[int] = []
        self._start = self._end = -1
        self._waiting = 0
        self._wanted = anyio.Event()
        self._news = anyio.Event()
        self._over = False

    def follow(self, after: int | None = None) -> Following:
        """Everything that is committed above a position, in order, until the feed ends.

        Args:
            after: Position of the last event that is known already, 0 for all there are; None for what is committed
                from this call on. One that no event has is taken for that of the newest: it is of another ledger.

        Raises:
            StoreUnavailable: The position of the newest event cannot be read.
        """
        assert after is None or after >= 0, "positions count from 1"
        newest = self._store.position()
        return Following(self, newest if after is None else min(after, newest))

    async def run(self) -> None:
        """Look for new events and tell whoever follows, until cancelled; then all of them end."""
        self._over = False
        try:
            while True:
                if not self._waiting:
                    self._wanted = anyio.Event()
                    await self._wanted.wait()
                if await self._look() < BATCH_MAX:
                    await anyio.sleep(self._retry_s if self.problem else self._look_every_s)
        finally:
            self._over = True
            self._tell()

    async def above(self, position: int) -> Batch | None:
        """The events right above a position, as soon as there are any; None where the feed has ended.

        Raises:
            LedgerError: One of them is damaged. A store that cannot be read is waited for.
        """
        await anyio.lowlevel.checkpoint()
        while not self._over:
            if self._start <= position < self._end:
                return self._from_kept(position)
            if self._end < position and (not self._waiting or self._end < 0) and position == self._newest():
                self._start_at(position)
            if position == self._end or (self._waiting and 0 <= self._end < position):
                await self._wait()
            else:
                found = await self._read(position)
                if len(found) < BATCH_MAX and not self.problem:
                    self._caught_up(position, found)
                if found:
                    return found
                if self.problem:
                    await anyio.sleep(self._retry_s)
        return None

    async def _look(self) -> int:
        """Read what is new, and keep it; how much it was."""
        end = self._end
        if (newest := self._newest()) <= end:
            self.problem = "" if newest >= 0 else self.problem
            return 0
        try:
            found = await self._read(end)
        except LedgerError:
            # Damaged. Nothing is kept, so that each follower reads by itself, and meets the damage itself.
            self._start_at(-1)
            self._tell()
            return 0
        if found and end == self._end:
            self._keep(found)
            self._tell()
        return len(found)

    def _newest(self) -> int:
        """Position of the newest event; -1 where the store cannot say."""
        try:
            return self._store.position()
        except StoreUnavailable as error:
            self.problem = str(error)
            return -1

    async def _read(self, after: int) -> Batch:
        """The next events of the store; none where there are none or it cannot be read."""
        try:
            found = await self._store.follow(after, BATCH_MAX)
        except StoreUnavailable as error:
            self.problem = str(error)
            return []
        self.problem = ""
        return found

    async def _wait(self) -> None:
        self._waiting += 1
        self._wanted.set()
        try:
            await self._news.wait()
        finally:
            self._waiting -= 1

    def _caught_up(self, position: int, found: Batch) -> None:
        """Somebody read what is new for himself: where nobody waits for it yet, go on from there, for all."""
        if self._end < 0 or (self._end < position and not self._waiting):
            self._start_at(position)
            if found:
                self._keep(found)

    def _start_at(self, position: int) -> None:
        """Keep nothing, and look for what comes above a position."""
        self._kept.clear()
        self._ends.clear()
        self._start = self._end = position

    def _keep(self, batch: Batch) -> None:
        if any(event.fact.kind is Kind.REDACT for _, event in batch):
            self._start_at(self._end)  # what was read before may hold what was erased since
        self._kept.append(batch)
        self._end = batch[-1][0]
        self._ends.append(self._end)
        while sum(map(len, self._kept)) > KEPT_MAX:
            del self._kept[0]
            self._start = self._ends.pop(0)

    def _from_kept(self, after: int) -> Batch:
        batch = self._kept[bisect_right(self._ends, after)]
        return batch if batch[0][0] > after else [entry for entry in batch if entry[0] > after]

    def _tell(self) -> None:
        news, self._news = self._news, anyio.Event()
        news.set()


class Following(AsyncIterator[Batch]):
    """One follower: `async for batch in feed.follow(after)`. It holds nothing, and need not be closed.

    Attributes:
        position: Of the last event handed out; at first, that from which it follows.
    """

    def __init__(self, feed: Feed, position: int) -> None:
        self.position = position
        self._feed = feed

    def __aiter__(self) -> Self:
        """Itself."""
        return self

    async def __anext__(self) -> Batch:
        """The next batch, when there is one."""
        batch = await self._feed.above(self.position)
        if batch is None:
            raise StopAsyncIteration
        self.position = batch[-1][0]
        return batch

"""Figures, counts and alerts kept current beside an open plane.

    async with open_telemetry(plane.plane, feed, settings.alerts) as telemetry:
        telemetry.measures.over(tenant, since_us, until_us)
        await telemetry.alerts.standing(tenant)
        await telemetry.exposition()                    # needs the extra `server`

What is committed from now on is counted as it is told by the feed; what stood in the ledger before is read beside that,
the newest day first, so that the figures of today are there first (`Measures.complete_from_us`).
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import anyio
import anyio.to_thread
from anyio.lowlevel import checkpoint

from interlock.alert_settings import AlertSettings
from interlock.core.event import Event
from interlock.engine.beside import tasks_beside
from interlock.errors import LedgerError
from interlock.ledger.feed import Feed
from interlock.ledger.store import Store
from interlock.pipeline import Plane
from interlock.telemetry.alert_patterns import Past
from interlock.telemetry.alerts import Alerts
from interlock.telemetry.measures import Measures
from interlock.telemetry.measures_buckets import DAY_US
from interlock.telemetry.measures_fold import Fold
from interlock.telemetry.measures_totals import Row, Totals
from interlock.telemetry.present import Known, Present, present

logger = logging.getLogger("interlock.telemetry")

HISTORY_DAYS: Final = 31
"""Days of the past that are read at the start."""

WARM: Final = 2_000
"""Events before the start that are counted as those after it, so that the calls on their way then are known."""

PAGE: Final = 100
"""Events that are read at once of the past: a few milliseconds, in which a request may have to wait."""

RESTS: Final = 3
"""How many times as long as it worked it rests between two pages of the past, so that requests have the machine. What
it waited for others meanwhile counts as work: the busier a process is, the longer it rests."""

TURN: Final = 25
"""Events that are counted before others have a turn of the event loop: about half a millisecond."""

LOOK_EVERY_S: Final = 30.0
"""Seconds between two looks for what is out of the ordinary."""

Pause = Callable[[float], Awaitable[object]]


class Telemetry:
    """What is known of a deployment, as numbers.

    Attributes:
        measures: Figures over time, for people.
        totals: Counts since the process began, for programs.
        alerts: What is out of the ordinary.
    """

    def __init__(self, plane: Plane, settings: AlertSettings) -> None:
        self.measures = Measures(plane.clock)
        self.totals = Totals()
        self.alerts = Alerts(plane, self.measures, settings)
        self._plane = plane
        self._fold = Fold()
        self._start = 0

    @property
    def store(self) -> Store:
        """The ledger."""
        return self._plane.ledger.store

    async def present(self) -> Present:
        """How things stand now.

        Raises:
            StoreUnavailable: The ledger cannot be read.
        """
        measures = self.measures
        budgets = {tenant: measures.budgets(tenant) for tenant in measures.tenants()}
        standing = [(about.tenant, about.rule) for about in await self.alerts.all_standing()]
        return await present(
            self._plane, self.store, Known(measured=measures.position, budgets=budgets, alerts=standing)
        )

    async def exposition(self, tenants: frozenset[str] | None = None) -> bytes:
        """What Prometheus is told; see `prometheus.exposition`.

        Raises:
            MissingExtra: It needs the extra `server`.
            StoreUnavailable: The ledger cannot be read.
        """
        rows = list(self.totals.rows(tenants))
        return await anyio.to_thread.run_sync(_exposition, rows, await self.present(), tenants)

    async def follow(self, feed: Feed) -> None:
        """Count what is committed, until the feed ends or an event cannot be read, which is told in the log."""
        self._start = self.store.position()
        try:
            async for batch in feed.follow(max(0, self._start - WARM)):
                await self._count(batch, self._fold, None)
                self.measures.position = batch[-1][0]
        except LedgerError as error:
            logger.error("figures stop at event %s: %s", self.measures.position, error)

    async def look_back(self, days: int, pause: Pause) -> None:
        """Count what stood in the ledger before, the newest day first; rests `RESTS` times as long as it works.

        Args:
            pause: Rests so many seconds.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        end = max(0, self._start - WARM)
        now_us = self._plane.clock.wall_us()
        for day in range(1, days + 1):
            if not end:
                break
            since_us = now_us - day * DAY_US
            begin = await position_at(self.store, since_us, end)
            await self._read_back(begin, end, pause)
            self.measures.complete_from_us, end = since_us, begin
        self.measures.complete_from_us = 0 if not end else min(self.measures.complete_from_us, now_us - days * DAY_US)

    async def look(self) -> None:
        """Look for what is out of the ordinary once; what cannot be read or written is told, and looked at again."""
        try:
            await self.alerts.look()
        except LedgerError as error:
            logger.warning("alerts: %s", error)

    async def _read_back(self, begin: int, end: int, pause: Pause) -> None:
        fold, past, after, clock = Fold(), Past(), begin, self._plane.clock
        tenants: set[str] = set()
        while after < end:
            before_s = clock.mono_s()
            page = [entry for entry in await self.store.follow(after, min(PAGE, end - after)) if entry[0] <= end]
            if not page:
                break
            await self._count(page, fold, past)
            tenants.update(event.tenant for _, event in page)
            after = page[-1][0]
            await pause(RESTS * (clock.mono_s() - before_s))
        self.alerts.noted(past, tenants)

    async def _count(self, batch: Sequence[tuple[int, Event]], fold: Fold, past: Past | None) -> None:
        for first in range(0, len(batch), TURN):
            counted = []
            for position, event in batch[first : first + TURN]:
                counts = fold.counts(event)
                if counts:
                    counted.append((event.tenant, event.at_us, counts))
                    if past is None and position > self._start:
                        self.totals.add(event.tenant, counts)
                self.alerts.note(event, counts, past)
            self.measures.add(counted)
            await checkpoint()


@asynccontextmanager
async def open_telemetry(
    plane: Plane, feed: Feed, settings: AlertSettings | None = None, days: int = HISTORY_DAYS
) -> AsyncIterator[Telemetry]:
    """Figures, counts and alerts beside a plane, for as long as the block lasts.

    Args:
        feed: Tells what is committed; it runs already.
        settings: When people are told; None for the defaults.
        days: Of the past that are read; 0 for none.
    """
    telemetry = Telemetry(plane, settings or AlertSettings())
    async with tasks_beside() as tasks:
        tasks.start_soon(telemetry.follow, feed)
        tasks.start_soon(_look_back, telemetry, days)
        tasks.start_soon(_keep_looking, telemetry)
        yield telemetry


async def position_at(store: Store, at_us: int, end: int) -> int:
    """Position of the newest event up to `end` that is older than a moment; 0 where none is.

    By halving: the order of commits is the order of time but for clocks that differ, which is near enough for figures.
    """
    low, high = 0, end
    while low < high:
        middle = (low + high) // 2
        found = await store.follow(middle, 1)
        if found and found[0][0] <= end and found[0][1].at_us < at_us:
            low = middle + 1
        else:
            high = middle
    return low


def _exposition(rows: Sequence[Row], now: Present, tenants: frozenset[str] | None) -> bytes:
    from interlock.telemetry.prometheus import exposition  # brings the extra

    return exposition(rows, now, tenants)


async def _look_back(telemetry: Telemetry, days: int) -> None:
    await checkpoint()  # `follow` says first where it begins
    with suppress(LedgerError):  # what is damaged `verify` tells; figures are what could be read
        await telemetry.look_back(days, anyio.sleep)


async def _keep_looking(telemetry: Telemetry) -> None:
    while True:
        await anyio.sleep(LOOK_EVERY_S)
        await telemetry.look()

"""Delivers spans and metrics to a collector, at least once, for as long as a block lasts.

The ledger is the queue: what was not delivered yet stands there, so that a collector that is slow or down costs no
memory and holds up nobody, and a process that is killed goes on where the last one stopped. What was sent and not
noted is sent again, as the same spans.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import anyio
import anyio.to_thread

from interlock.core.clock import Clock
from interlock.core.event import Event
from interlock.core.trace import sampled
from interlock.errors import LedgerError, StoreUnavailable
from interlock.ledger.feed import RETRY_S, Batch, Feed
from interlock.ledger.store import Store
from interlock.telemetry.otel_metrics import Metrics
from interlock.telemetry.otel_place import Place
from interlock.telemetry.otel_send import Collector, Taken, Verdict
from interlock.telemetry.otel_wire import TYPE, Wire, refused_points, refused_spans
from interlock.telemetry.span import Span
from interlock.telemetry.spans import Spans, is_run
from interlock.telemetry.spans_call import View
from interlock.telemetry.told import Told

logger = logging.getLogger("interlock.telemetry")

SPANS_MAX: Final = 512
"""Spans of one request."""

EVENTS_MAX: Final = 5000
"""Events that are gathered before they are sent, however soon they came."""

RUNS_MAX: Final = 2000
"""Runs whose fold is kept; one that is let go of is read again when it goes on."""

BACKOFF_MIN_S: Final = 0.5
BACKOFF_MAX_S: Final = 60.0
"""Seconds between two tries to reach a collector, doubled with each, unless it asks for more."""

AFTER_MAX_S: Final = 300.0
"""A collector that asks to be left alone for longer is not obeyed."""

LOOK_EVERY_S: Final = 5.0
"""Seconds after which a process that does not export looks whether the one that does is gone."""

LAST_WORD_S: Final = 3.0
"""Seconds that delivering may still take when the block is left; the rest is for the next process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an exporter works with.

    Attributes:
        store: The ledger.
        feed: Tells what is committed to it.
        collector: Where to.
        wire: Writes the requests.
        view: What spans are made by.
        place: How far it was.
        clock: Both clocks.
        runs: Which part of all runs is told as spans.
        every_s: Seconds in which events are gathered.
        backfill: Whether a deployment that never exported begins with its first event.
        jitter: A number from -1 to 1, by which pauses vary.
    """

    store: Store
    feed: Feed
    collector: Collector
    wire: Wire
    view: View
    place: Place
    clock: Clock
    runs: float = 1.0
    every_s: float = 1.0
    backfill: bool = False
    jitter: Callable[[], float] = lambda: 0.0


class Exporter:
    """Follows the ledger and delivers what it says. Use `run` in a task, and `stop` to end it."""

    def __init__(self, terms: Terms) -> None:
        self.told = Told()
        self._terms = terms
        self._runs: OrderedDict[str, Spans] = OrderedDict()
        self._metrics = Metrics()
        self._waiting: list[Span] = []
        self._counted = False
        self._read = self._first = 0
        self._since_us = terms.clock.wall_us()
        self._stopped = anyio.Event()

    def begin(self) -> None:
        """Where nothing was exported before: what is committed from now on is.

        Raises:
            StoreUnavailable: The ledger cannot be read.
        """
        self._first = self._terms.store.position()

    def stop(self) -> None:
        """Have it end: what is committed by now is delivered first, as far as that is possible soon."""
        self._stopped.set()

    async def run(self) -> None:
        """Deliver until it is stopped. Whatever goes wrong, nobody else hears of it but the log."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch, tasks.cancel_scope)
                await self._unharmed(self._follow)
                tasks.cancel_scope.cancel()
            if self.told.exporting:
                with anyio.move_on_after(LAST_WORD_S):
                    await self._unharmed(self._rest)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(LAST_WORD_S):
                await self._terms.collector.close()
                await anyio.to_thread.run_sync(self._terms.place.release)

    async def _unharmed(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work that ends where the ledger is damaged or its folder cannot be written: calls go on without."""
        try:
            await work()
        except (LedgerError, OSError) as error:
            self.told.exporting = False
            self._trouble(f"{type(error).__name__}: {error}")

    async def _watch(self, scope: anyio.CancelScope) -> None:
        await self._stopped.wait()
        scope.cancel()

    async def _follow(self) -> None:
        terms, told = self._terms, self.told
        while not await anyio.to_thread.run_sync(terms.place.take):
            await anyio.sleep(LOOK_EVERY_S)
        kept = await anyio.to_thread.run_sync(terms.place.read)
        # One that no event has is of another ledger, or of this one as it was before it was restored.
        first = 0 if terms.backfill else self._first
        told.position = first if kept is None else min(kept, terms.store.position())
        self._read = told.position
        await self._note(told.position)
        told.exporting = True
        while (batch := await self._gathered()) is not None:
            await self._deliver(batch)

    async def _gathered(self) -> Batch | None:
        """What was committed since, and what follows in a while; None where the feed has ended."""
        feed = self._terms.feed
        batch = await feed.above(self._read)
        if batch is None:
            return None
        gathered = list(batch)
        with anyio.move_on_after(self._terms.every_s):
            while len(gathered) < EVENTS_MAX and (more := await feed.above(gathered[-1][0])) is not None:
                gathered += more
        return gathered

    async def _rest(self) -> None:
        await self._flush()  # what was cut off: its events are read already
        while batch := await self._terms.store.follow(self._read, EVENTS_MAX):
            await self._deliver(batch)

    async def _deliver(self, batch: Batch) -> None:
        """Deliver what some events end, and note that it was.

        Cut off, it leaves what was not delivered yet in `_waiting`: the folds have absorbed these events.
        """
        for position, event in batch:
            for span in await self._spans(event):
                self._metrics.count(span)
                self._counted = True
                if sampled(span.run_id, self._terms.runs):
                    self._waiting.append(span)
            self._read = position
        await self._flush()

    async def _flush(self) -> None:
        while self._waiting:
            spans = self._waiting[:SPANS_MAX]
            await self._send_spans(spans)
            del self._waiting[: len(spans)]
        if self._counted:
            await self._send_metrics()
            self._counted = False
        if self._read > self.told.position:
            await self._note(self._read)

    async def _note(self, position: int) -> None:
        self.told.position = position
        try:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._terms.place.write, position)
        except OSError as error:
            self._trouble(f"how far it is cannot be kept: {error.strerror}")

    async def _spans(self, event: Event) -> list[Span]:
        """The spans that an event ends. A run that is not known here is read from its beginning first."""
        chain = event.chain
        if not is_run(chain):
            return []
        spans = self._runs.get(chain)
        if spans is None:
            spans = Spans(chain, self._terms.view)
            if event.seq > 1:
                for before in await self._read_run(chain):
                    if before.seq < event.seq:
                        spans.absorb(before)
            self._runs[chain] = spans
        self._runs.move_to_end(chain)
        found = spans.absorb(event)
        while len(self._runs) > RUNS_MAX:
            self._runs.popitem(last=False)
        if spans.over:
            del self._runs[chain]
        return found

    async def _read_run(self, chain: str) -> list[Event]:
        """A run from its beginning; a store that cannot be read just now is waited for.

        Raises:
            LedgerError: An event of it is damaged.
        """
        while True:
            try:
                return await self._terms.store.read(chain)
            except StoreUnavailable as error:
                self._trouble(f"the ledger cannot be read: {error}")
                await anyio.sleep(RETRY_S)

    async def _send_spans(self, spans: Sequence[Span]) -> None:
        body = self._terms.wire.spans(spans)
        taken = await self._sent("/v1/traces", body, refused_spans)
        if taken.verdict is Verdict.TOO_LARGE and len(spans) > 1:
            half = len(spans) // 2
            await self._send_spans(spans[:half])
            await self._send_spans(spans[half:])
            return
        if taken.verdict is Verdict.TAKEN:
            self.told.spans += len(spans) - taken.refused
        self._lost(len(spans) if taken.verdict is not Verdict.TAKEN else taken.refused, taken)

    async def _send_metrics(self) -> None:
        histograms = list(self._metrics)
        if histograms:
            body = self._terms.wire.metrics(histograms, self._since_us, self._terms.clock.wall_us())
            taken = await self._sent("/v1/metrics", body, refused_points)
            points = sum(len(each.series) for each in histograms)
            self._lost(points if taken.verdict is not Verdict.TAKEN else taken.refused, taken)

    async def _sent(self, path: str, body: bytes, refused: Callable[[bytes], int]) -> Taken:
        """Send until it was taken or refused for good; what waits meanwhile waits in the ledger."""
        pause_s = BACKOFF_MIN_S
        while True:
            taken = await self._terms.collector.post(path, body, TYPE, refused)
            if taken.verdict is not Verdict.LATER:
                self.told.problem = ""
                self.told.requests += 1
                return taken
            self._trouble(taken.why)
            wait_s = max(min(taken.after_s, AFTER_MAX_S), pause_s * (1 + 0.2 * self._terms.jitter()))
            await anyio.sleep(wait_s)
            pause_s = min(2 * pause_s, BACKOFF_MAX_S)

    def _lost(self, count: int, taken: Taken) -> None:
        if count:
            self.told.lost += count
            logger.warning("%d spans or points were refused for good: the collector %s", count, taken.why)

    def _trouble(self, why: str) -> None:
        if self.told.problem != why:  # said once, not at every try
            logger.warning("nothing is exported for now: %s", why)
        self.told.problem = why

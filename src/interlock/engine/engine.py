"""The engine of one process: reads what is due, advances it, keeps this worker's claims alive."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import anyio
from anyio.abc import TaskGroup

from interlock.core.clock import SECOND_US, Clock, SystemClock
from interlock.core.due import Due
from interlock.engine.watch import LoopWatch
from interlock.errors import InterlockError, LedgerError

logger = logging.getLogger("interlock.engine")

Advance = Callable[[str, str], Awaitable[object]]
"""Advances a run, given its id and tenant; idempotent."""

PAGE = 500
"""Rows of what is due that are read at once."""

BACKOFF_MAX_S = 8.0
"""Seconds that a run waits at most which is still due after it was advanced."""

BLOCKED_S = 5.0
"""Seconds without a turn of the event loop after which the log says who blocks it."""


class Agenda(Protocol):
    """What an engine reads and keeps alive: all of the ledger that it knows."""

    async def due(self, limit: int = 100, after: Due | None = None, ahead_s: float = 0) -> Sequence[Due]:
        """What is due now or within `ahead_s`, earliest first, from behind `after` on."""
        ...

    async def renew(self, worker: str, lease_s: float) -> None:
        """Extend every unlapsed claim of a worker."""
        ...


class Engine(Protocol):
    """Calls `advance` at least once when something is due."""

    async def run(self, agenda: Agenda, worker: str, advance: Advance | None) -> None:
        """Work until `stop`, then drain. Without an `advance`, only keep this worker's claims."""
        ...

    def wake(self) -> None:
        """Something became due a moment ago: look now."""
        ...

    def stop(self) -> None:
        """Take nothing new, let what runs end, then return from `run`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How an engine works. Times in seconds.

    Attributes:
        every_s: Between two looks, where nothing is due earlier and nobody wakes it.
        lease_s: A claim of this worker holds so long without being renewed.
        at_once: Runs advanced at the same time; further ones wait in the ledger, not in memory.
        drain_s: What is being advanced may still take so long after `stop`; then it is cancelled.
    """

    every_s: float = 0.25
    lease_s: float = 30.0
    at_once: int = 32
    drain_s: float = 10.0


class _Waits(NamedTuple):
    """A run that was still due after it was advanced.

    Attributes:
        due: What it was due for.
        tries: How often it was advanced for that.
        until_s: Not before this time of the event loop.
    """

    due: frozenset[Due]
    tries: int
    until_s: float


class InProcessEngine:
    """Looks for what is due; several processes on one ledger exclude each other by claims.

    A run that is still due after it was advanced (another worker holds it, its tool is not here, it failed) waits
    twice as long each time, and keeps no other from its turn.
    """

    def __init__(self, clock: Clock, pace: Pace = Pace()) -> None:  # it is frozen
        self._clock = clock
        self._pace = pace
        self._slots = anyio.Semaphore(pace.at_once)
        self._busy: set[str] = set()
        self._waits: dict[str, _Waits] = {}
        self._woken = anyio.Event()
        self._stopped = anyio.Event()
        self._looking = anyio.CancelScope()
        self._advances: anyio.CancelScope | None = None

    async def run(self, agenda: Agenda, worker: str, advance: Advance | None) -> None:
        """Work until `stop` or until cancelled: drained in either case when it returns.

        What cannot be read or advanced now is tried again.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._work, agenda, worker, advance)
            try:
                await self._stopped.wait()
            finally:
                self.stop()

    async def look(self, agenda: Agenda, advance: Advance) -> None:
        """Advance everything that is due now, each run once, and wait for all of it.

        Raises:
            LedgerError: What is due cannot be read.
        """
        due, _ = await self._due(agenda)
        async with anyio.create_task_group() as advances:
            self._advances = advances.cancel_scope
            with self._looking:
                await self._start(due, advance, advances)

    def wake(self) -> None:
        """See `Engine.wake`."""
        self._woken.set()

    def stop(self) -> None:
        """See `Engine.stop`. What still runs after `drain_s` is cancelled, which records what may have left."""
        self._stopped.set()
        self._looking.cancel()
        if self._advances is not None:
            self._advances.deadline = min(self._advances.deadline, anyio.current_time() + self._pace.drain_s)

    async def _work(self, agenda: Agenda, worker: str, advance: Advance | None) -> None:
        """Shielded, so that whoever is cancelled does not cut off what can still end by itself.

        The watch goes by the machine: it is a thread, and a loop that waits for a test to move the time blocks nobody.
        """
        with anyio.CancelScope(shield=True), LoopWatch(SystemClock(), BLOCKED_S) as watch:
            async with anyio.create_task_group() as upkeep:
                upkeep.start_soon(self._renew, agenda, worker)
                upkeep.start_soon(watch.beat)
                async with anyio.create_task_group() as advances:
                    self._advances = advances.cancel_scope
                    with self._looking:
                        if advance is None:
                            await anyio.sleep_forever()
                        else:
                            await self._look_again_and_again(agenda, advance, advances)
                upkeep.cancel_scope.cancel()

    async def _look_again_and_again(self, agenda: Agenda, advance: Advance, advances: TaskGroup) -> None:
        told = False
        while True:
            self._woken = anyio.Event()
            started_s = anyio.current_time()
            pause_s = self._pace.every_s
            try:
                due, pause_s = await self._due(agenda)
                told = False
                # A long list of what cannot be advanced is not read more than half of the time.
                pause_s = max(pause_s, anyio.current_time() - started_s)
                await self._start(due, advance, advances)
            except LedgerError as error:
                if not told:
                    logger.warning("what is due cannot be read: %s", error)
                told = True
            with anyio.move_on_after(pause_s):
                await self._woken.wait()

    async def _due(self, agenda: Agenda) -> tuple[dict[tuple[str, str], frozenset[Due]], float]:
        """What every run is due for now, and how many seconds from now to look again."""
        now_us, pause_s = self._clock.wall_us(), self._pace.every_s
        found: dict[tuple[str, str], set[Due]] = {}
        after: Due | None = None
        while True:
            page = await agenda.due(PAGE, after, pause_s)
            for due in page:
                if due.at_us > now_us:
                    pause_s = min(pause_s, (due.at_us - now_us) / SECOND_US)
                else:
                    found.setdefault((due.run_id, due.tenant), set()).add(due)
            if len(page) < PAGE:
                return {run: frozenset(why) for run, why in found.items()}, pause_s
            after = page[-1]

    async def _start(
        self, due: dict[tuple[str, str], frozenset[Due]], advance: Advance, advances: TaskGroup
    ) -> None:  # fmt: skip
        """Start advancing every run whose turn it is, as slots become free."""
        waited = {run_id for run_id, _ in due}
        self._waits = {run_id: waits for run_id, waits in self._waits.items() if run_id in waited}
        for (run_id, tenant), why in due.items():
            if run_id not in self._busy and self._its_turn(run_id, why):
                await self._slots.acquire()
                self._busy.add(run_id)
                advances.start_soon(self._advance, advance, run_id, tenant)

    def _its_turn(self, run_id: str, due: frozenset[Due]) -> bool:
        """Whether a run need not wait; if so, it is put off for the case that it is still due afterwards."""
        waits, now_s = self._waits.get(run_id), anyio.current_time()
        tries = 0
        if waits is not None and waits.due == due:
            if now_s < waits.until_s:
                return False
            tries = waits.tries
        put_off_s = min(self._pace.every_s * 2 ** min(tries, 16), BACKOFF_MAX_S)
        self._waits[run_id] = _Waits(due, tries + 1, now_s + put_off_s)
        return True

    async def _advance(self, advance: Advance, run_id: str, tenant: str) -> None:
        try:
            await advance(run_id, tenant)
        except InterlockError as error:
            logger.warning("run %s could not be advanced: %s", run_id, error)
        except Exception:  # a defect that one run brings to light must not stop the others
            logger.exception("run %s could not be advanced: a defect of Interlock", run_id)
        finally:
            self._busy.discard(run_id)
            self._slots.release()

    async def _renew(self, agenda: Agenda, worker: str) -> None:
        while True:
            await anyio.sleep(self._pace.lease_s / 3)
            with suppress(LedgerError):  # a claim that lapses is fenced by its epoch
                await agenda.renew(worker, self._pace.lease_s)

"""The engine of one process: reads what is due, advances it, keeps this worker's claims alive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

import anyio

from interlock.core.run import Due
from interlock.errors import InterlockError, LedgerError

Advance = Callable[[str, str], Awaitable[object]]
"""Advances a run, given its id and tenant; idempotent."""


class Agenda(Protocol):
    """What an engine reads and keeps alive: all of the ledger that it knows."""

    async def due(self, limit: int = 100) -> Sequence[Due]:
        """What is due now, earliest first."""
        ...

    async def renew(self, worker: str, lease_s: float) -> None:
        """Extend every unlapsed claim of a worker."""
        ...


class Engine(Protocol):
    """Calls `advance` at least once when something is due."""

    async def run(self, agenda: Agenda, worker: str, advance: Advance) -> None:
        """Work until cancelled."""
        ...


class InProcessEngine:
    """Looks for what is due at an interval; several processes on one ledger exclude each other by claims.

    Args:
        every_s: Seconds between two looks.
        lease_s: Seconds that a claim of this worker holds without being renewed.
        at_once: Runs advanced at the same time.
    """

    def __init__(self, *, every_s: float = 0.25, lease_s: float = 30.0, at_once: int = 16) -> None:
        self._every_s = every_s
        self._lease_s = lease_s
        self._at_once = at_once

    async def run(self, agenda: Agenda, worker: str, advance: Advance) -> None:
        """Work until cancelled. What cannot be read or advanced now is tried again at the next look."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._renew, agenda, worker)
            while True:
                with suppress(LedgerError):
                    await self.look(agenda, advance)
                await anyio.sleep(self._every_s)

    async def look(self, agenda: Agenda, advance: Advance) -> int:
        """Advance everything that is due now, each run once; how many there were."""
        runs = dict.fromkeys((due.run_id, due.tenant) for due in await agenda.due())
        slots = anyio.CapacityLimiter(self._at_once)

        async def one(run_id: str, tenant: str) -> None:
            async with slots:
                with suppress(InterlockError):  # one run's trouble is no reason to leave the others waiting
                    await advance(run_id, tenant)

        async with anyio.create_task_group() as tasks:
            for run_id, tenant in runs:
                tasks.start_soon(one, run_id, tenant)
        return len(runs)

    async def _renew(self, agenda: Agenda, worker: str) -> None:
        while True:
            await anyio.sleep(self._lease_s / 3)
            with suppress(LedgerError):  # a claim that lapses is fenced by its epoch
                await agenda.renew(worker, self._lease_s)

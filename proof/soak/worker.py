"""One process of the soak: its workers reserve and settle side by side, until they are done or it is killed."""

from __future__ import annotations

import mmap
import random
import struct
from pathlib import Path

import anyio

from interlock.core.clock import SystemClock
from interlock.errors import DuplicateFact, GuardRefused, NotFound, StoreUnavailable
from interlock.ledger.conversation import Conversation, Ledger
from interlock.ledger.reservation import reserve, settle, settled
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import Claim
from interlock.limits.budget import Budgets
from proof.soak.plan import IN_RUN, TENANT, Plan, day_us, principal, rate, run_id, started, subject

COUNTED = ("tried", "reserved", "over budget", "over rate", "abandoned", "taken up")
"""What is counted of each worker."""

_WIDTH = 8 * len(COUNTED)


class Counts:
    """Counters that all processes see, and that a killed one leaves as they were."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._shared = mmap.mmap(-1, _WIDTH * workers)

    def get(self, worker: int, what: str) -> int:
        """One counter."""
        found: int = struct.unpack_from("q", self._shared, self._place(worker, what))[0]
        return found

    def add(self, worker: int, what: str, more: int = 1) -> None:
        """Count on. A worker is in one process at a time."""
        struct.pack_into("q", self._shared, self._place(worker, what), self.get(worker, what) + more)

    def total(self, what: str) -> int:
        """One counter of all workers."""
        return sum(self.get(worker, what) for worker in range(self._workers))

    def _place(self, worker: int, what: str) -> int:
        return worker * _WIDTH + 8 * COUNTED.index(what)


def work(plan: Plan, process: int, folder: Path, counts: Counts) -> None:
    """Do what this process's workers have left to do."""
    anyio.run(_work, plan, process, folder, counts)


async def _work(plan: Plan, process: int, folder: Path, counts: Counts) -> None:
    store = SqliteStore(folder / "ledger.db", SystemClock(), busy_s=60)
    try:
        ledger, budgets = Ledger(store), plan.budgets
        async with anyio.create_task_group() as tasks:
            for worker in plan.lanes(process):
                tasks.start_soon(_Lane(plan, worker, counts).run, ledger, budgets, Claim(f"process_{process}", 600))
    finally:
        await store.close()


class _Lane:
    """One worker."""

    def __init__(self, plan: Plan, worker: int, counts: Counts) -> None:
        self._plan, self._worker, self._counts = plan, worker, counts
        self._principal = principal(worker)

    async def run(self, ledger: Ledger, budgets: Budgets, claim: Claim) -> None:
        """Every try that is left; the first thing is what a killed process has left of this worker."""
        conversation: Conversation | None = None
        while (number := self._counts.get(self._worker, "tried")) < self._plan.reservations:
            if conversation is None or number % IN_RUN == 0:
                conversation = await self._conversation(ledger, claim, run_id(self._worker, number))
            await self._try(conversation, budgets, number)
            self._counts.add(self._worker, "tried")

    async def _conversation(self, ledger: Ledger, claim: Claim, run: str) -> Conversation:
        try:
            conversation = await ledger.conversation(run, TENANT)
        except NotFound:
            return await ledger.open(run, TENANT, started(self._worker, run), claim)
        await conversation.claim(claim)
        for ref in list(conversation.state.reservations):
            if random.Random(ref).random() < 0.5:  # the others are left to a recovery
                fact = settled(conversation, ref, {}, "worker lost")
                assert fact is not None, "it is open"
                await conversation.append([fact])
                self._counts.add(self._worker, "taken up")
        return conversation

    async def _try(self, conversation: Conversation, budgets: Budgets, number: int) -> None:
        wish, run, ref = self._plan.wish(self._worker, number), conversation.state, f"try_{self._worker}_{number}"
        charges = budgets.charges(self._principal, run, {"units": wish.amount}, day_us(number))
        rates = (rate(self._worker).change(subject(self._worker, run.run_id)),)
        try:
            await reserve(conversation, ref, charges, rates)
        except GuardRefused as refused:
            self._counts.add(self._worker, "over rate" if refused.wait_us else "over budget")
        except DuplicateFact:
            pass  # a killed process had reserved it, and not counted it yet
        except StoreUnavailable as error:
            assert error.code == "ledger.locked", error  # nothing stands
        else:
            self._counts.add(self._worker, "reserved")
            if wish.actual is None:
                self._counts.add(self._worker, "abandoned")
            else:
                await settle(conversation, ref, {"units": wish.actual})

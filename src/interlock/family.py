"""A run and those that it started: gone on with together by whoever holds the first, and ended together.

Each of them is a run of its own, which any engine goes on with: nothing of this is needed for that. It is here for
those who want to know what came of the first one, and for whom there may be no engine.
"""

from __future__ import annotations

from dataclasses import dataclass

import anyio

from interlock.agent.report import cancelled, report
from interlock.core.run import RunState
from interlock.errors import InterlockError
from interlock.ledger.conversation import Conversation
from interlock.ledger.store import Claim
from interlock.pipeline import Plane
from interlock.runs import advance


@dataclass(frozen=True, slots=True)
class Family:
    """One run, and all below it.

    Attributes:
        plane: Where they are known.
        claim: Under which this worker goes on with them.
        run_id, tenant: Which run, whose.
    """

    plane: Plane
    claim: Claim
    run_id: str
    tenant: str

    async def go_on(self) -> None:
        """Go on until the run is over, or nothing here can be done for it: a person is waited for, or another worker.

        Raises:
            LedgerError: Something could not be recorded; what was recorded before stands.
        """
        while True:
            await advance(self.plane, self.claim, self.run_id, self.tenant)
            run = (await self._conversation()).state
            if run.status == "cancelled":  # whoever cancelled it may have been lost before it said so
                await report(self.plane, run, "cancelled", done=False)
            below = awaited(run)
            if run.status != "open" or not below:
                return
            await self._together(below)
            run = (await self._conversation()).state
            if awaited(run) == below:
                return

    async def waiting(self) -> tuple[str, ...]:
        """Ids of the approval requests that the runs below this one wait for."""
        found: tuple[str, ...] = ()
        for child in await self._children():
            run = (await child._conversation()).state
            found += tuple(call.approval_id for call in run.calls.values() if call.status == "held")
            found += await child.waiting()
        return found

    async def cancel(self, by: str, reason: str) -> None:
        """End the run here and now, and all below it; nothing happens to one that is over.

        Where this process is just working on it, that is not waited for: it finds out before its next step, and what
        is under way is recorded.
        """
        conversation = await self._conversation()
        if conversation.advancing.locked():
            await self._end(conversation, by, reason)
        else:
            async with conversation.advancing:
                await self._end(conversation, by, reason)
        for child in await self._children():
            await child.cancel(by, reason)
        if not conversation.advancing.locked():
            await advance(self.plane, self.claim, self.run_id, self.tenant)  # tells the held calls

    async def _end(self, conversation: Conversation, by: str, reason: str) -> None:
        await conversation.refresh()
        run = conversation.state
        if run.status != "finished":  # told first: killed in between, its starter goes on, and this one finds out
            await report(self.plane, run, "cancelled", done=False)
        if run.status == "open":
            await conversation.append_outside(cancelled(run, by, reason))

    async def _together(self, below: list[str]) -> None:
        failed: list[InterlockError] = []

        async def one(run_id: str) -> None:
            try:
                await Family(self.plane, self.claim, run_id, self.tenant).go_on()
            except InterlockError as error:
                failed.append(error)  # told as itself, not within the task group's
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            for run_id in below:
                tasks.start_soon(one, run_id)
        if failed:
            raise failed[0]

    async def _children(self) -> list[Family]:
        run = (await self._conversation()).state
        return [Family(self.plane, self.claim, run_id, self.tenant) for run_id in awaited(run)]

    async def _conversation(self) -> Conversation:
        conversation = await self.plane.ledger.conversation(self.run_id, self.tenant)
        await conversation.refresh()
        return conversation


def awaited(run: RunState) -> list[str]:
    """The runs that a run has started and that have not reported."""
    return [call.awaits for call in run.calls.values() if call.awaits]

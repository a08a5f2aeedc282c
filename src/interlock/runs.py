"""Runs: started and advanced. Advancing is idempotent: asking twice does what is due once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from typing import Any

import anyio

from interlock.agent.report import ORPHANED, cancelled, orphaned
from interlock.core.call import Outcome, OutcomeKind, ToolCall
from interlock.core.canonical import canonical
from interlock.core.ids import named_call_id
from interlock.core.message import Proposal
from interlock.core.principal import Principal
from interlock.core.progress import HeardOfRun
from interlock.core.trace import TraceContext, trace_context
from interlock.errors import Conflict, NotFound, StaleClaim
from interlock.ledger.conversation import Conversation
from interlock.ledger.store import Claim
from interlock.pipeline import Plane, call_tool, call_tools
from interlock.recovery import SUSPECT_FROM, do_what_is_due, due, overdue
from interlock.starting import Start, begun


class Run:
    """One conversation whose tool calls pass the path: the library's face.

    Attributes:
        run_id: Which; name it to come back to it.
        principal: On whose behalf.
    """

    def __init__(self, plane: Plane, conversation: Conversation, principal: Principal) -> None:
        self.run_id = conversation.state.run_id
        self.principal = principal
        self._plane = plane
        self._conversation = conversation

    async def call(
        self,
        tool: str,
        arguments: str | bytes | Mapping[str, Any] | None = None,
        *,
        name: str = "",
        dry_run: bool = False,
        trace: str = "",
        tracestate: str = "",
    ) -> Outcome:
        """Run one tool call on the path.

        Args:
            tool: The tool's name.
            arguments: JSON text or object, as the model proposed it.
            name: Your name of this call: asking again by it gets the recorded outcome and runs nothing.
            dry_run: Validate and decide only.
            trace: The `traceparent` (W3C) of whoever proposes it: its span is below that one, and linked to the run's.
                Empty for the run's own trace; what is none is passed over.
            tracestate: What belongs to that.

        Raises:
            LedgerError: It could not be recorded; before an effect, nothing has run.
        """
        context = trace_context(trace, tracestate)
        return await call_tool(self._proposed(tool, arguments, name, dry_run=dry_run, trace=context), self._plane)

    async def rehearse(
        self, tool: str, arguments: str | bytes | Mapping[str, Any] | None = None, *, name: str = ""
    ) -> Outcome:  # fmt: skip
        """Make a call if it only reads; else only validate and decide it.

        The code of one that was not made and would be, at once or after an approval, begins with `rehearsal.`.

        Args:
            tool, arguments, name: As of `call`.

        Raises:
            LedgerError: It could not be recorded.
        """
        found = self._plane.registry.find(tool)
        return await self.call(tool, arguments, name=name, dry_run=found is not None and found.tool.needs_intent)

    async def calls(
        self, proposals: Sequence[Proposal], *, name: str = "", trace: str = "", tracestate: str = ""
    ) -> list[Outcome]:  # fmt: skip
        """Run calls that were proposed together: all decided before any runs, reads together, writes in order.

        A proposal's id names it within the batch: `{"$result": "id", "pointer": "/path"}` in a later one's
        arguments stands for a part of its result.

        Args:
            name: Your name of the batch: asking again by it gets the recorded outcomes and runs nothing.
            trace, tracestate: As of `call`, for each of them.

        Raises:
            BadInput: More than 64, an id twice, or a reference to no earlier call. Nothing has run.
        """
        context = trace_context(trace, tracestate)
        made = [
            (proposal.id, self._proposed(proposal.tool, proposal.arguments, in_batch(name, place), trace=context))
            for place, proposal in enumerate(proposals, 1)
        ]
        return await call_tools(made, self._plane)

    async def wait(self, outcome: Outcome, *, timeout_s: float = 60.0) -> Outcome:
        """The outcome of a held call once somebody decided it, or as it stands when the time is up.

        Of a call that somebody edited, it is that of the call made in its place.

        Needs an engine, or somebody else, that advances the run.

        Raises:
            NotFound: It is the outcome of another run's call.
        """
        await self._conversation.refresh()
        if outcome.call_id not in self._conversation.state.calls:
            raise NotFound(f"no call {outcome.call_id!r} in run {self.run_id}", code="call.not_found")
        call_id = outcome.call_id
        with anyio.move_on_after(timeout_s):
            while True:
                await self._conversation.refresh()
                told = self._conversation.state.calls[call_id].outcome
                if told is not None and told.instead:
                    call_id = told.instead
                    continue
                # by what was told, not by the status: while an approved call runs, it was told nothing newer than held
                if told is not None and told.kind is not OutcomeKind.HELD:
                    return told
                outcome = outcome if told is None else told
                await anyio.sleep(0.05)
        return outcome

    async def finish(self) -> None:
        """End the run: nothing more can be called in it. For one that is kept; any other ends when it is left.

        Raises:
            Conflict: A call of it waits, for a person or for what is under way; the run stays open.
            LedgerError: It could not be recorded.
        """
        await self._conversation.refresh()
        if self._conversation.state.status == "open":
            if _waits(self._conversation):
                raise Conflict(
                    f"a call of run {self.run_id} waits", code="run.waiting",
                    remedy="Have it decided or settled first, or cancel the run.",
                )  # fmt: skip
            await self._conversation.finish("finished")

    def listening(self, heard: HeardOfRun) -> AbstractContextManager[None]:
        """Hear how far the calls of this run are, for as long as the block lasts, where their tools say so.

        Args:
            heard: Told the call's id and its report.
        """
        return self._plane.executor.listeners.to_run(self.run_id, heard)

    def _proposed(
        self, tool: str, arguments: str | bytes | Mapping[str, Any] | None, name: str, *,
        dry_run: bool = False, trace: TraceContext | None,
    ) -> ToolCall:  # fmt: skip
        call_id = named_call_id(self.run_id, name) if name else self._plane.new_id("call")
        if arguments is None:
            arguments = {}
        elif not isinstance(arguments, str | bytes | Mapping):
            arguments = canonical(arguments)  # a list or a number is refused by the gate, as its text would be
        return ToolCall(
            run_id=self.run_id, call_id=call_id, tool=tool, arguments=arguments,
            principal=self.principal, name=name, dry_run=dry_run, trace=trace,
        )  # fmt: skip


def in_batch(name: str, place: int) -> str:
    """The name of a call of a batch that its client named; empty where it did not."""
    return f"{name}/{place}" if name else ""


@asynccontextmanager
async def open_run(
    plane: Plane, claim: Claim, principal: Principal, start: Start, run_id: str
) -> AsyncIterator[Run]:  # fmt: skip
    """A run, claimed by this worker until it is left. It is finished then, unless a call of it still waits.

    Args:
        start: What a new one is started with.
        run_id: The principal's own run to come back to; empty for a new one. One that is over runs nothing
            new, and tells what became of its calls.

    Raises:
        NotFound: No such run of this principal, or no such parent.
        StaleClaim: Somebody works on it now.
        Conflict: The parent is over, or its name belongs to a run that was started with something else.
        BadInput: It cannot be started so; see `starting.started`.
    """
    if run_id:
        conversation = await _returned_to(plane, principal, run_id, claim)
    else:
        conversation, new = await begun(plane, claim, principal, start)
        if not new:
            conversation = await _returned_to(plane, principal, conversation.state.run_id, claim)
    try:
        yield Run(plane, conversation, principal)
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(5):
            await leave(conversation, claim)


async def advance(plane: Plane, claim: Claim, run_id: str, tenant: str) -> bool:
    """Do what is due in a run: settle what a lost worker left open, run what was approved, end what expired.

    Then whatever drives it goes on, and says when it is over; a run that nothing drives is finished when nothing is
    left of it. What this process has no tool for waits for one that has. Where workers
    were lost over it again and again before anything came of it, it is advanced alone, and then given up on.

    Returns:
        Whether this worker could work on it; False where another one holds it, and then nothing was done.

    Raises:
        NotFound: No such run of this tenant.
        LedgerError: Something could not be recorded; what was done before stands.
    """
    conversation = await plane.ledger.conversation(run_id, tenant)
    async with conversation.advancing:
        await conversation.refresh()
        ours = conversation.epoch == 0
        nothing = not due(plane, conversation) and not overdue(plane, conversation) and not _driven(plane, conversation)
        if nothing and not (ours and _over(conversation)):
            return True  # a claim for nothing would be an event for nothing, at every look
        suspect = conversation.state.vain >= SUSPECT_FROM
        try:
            async with plane.ledger.company.join(alone=suspect):
                if ours:
                    try:
                        await conversation.claim(claim._replace(why="advance"))
                    except StaleClaim:
                        return False
                run = conversation.state
                if run.principal and run.status == "open" and due(plane, conversation) and await orphaned(plane, run):
                    await conversation.append(cancelled(run, run.principal.id, ORPHANED))  # before what was approved
                await do_what_is_due(plane, conversation)
                if suspect:
                    await _drive(plane, conversation)
            await _drive(plane, conversation)  # an agent's turns take long: they keep nobody from being alone
            if ours or conversation.left:
                await _finish(conversation, "nothing left")
        finally:
            if ours or conversation.left or conversation.state.waits:
                with anyio.CancelScope(shield=True), anyio.move_on_after(5):
                    await conversation.release()
    return True


async def _returned_to(plane: Plane, principal: Principal, run_id: str, claim: Claim) -> Conversation:
    conversation = await own_run(plane, principal, run_id)
    if (driver := conversation.state.driver) != "calls":
        raise Conflict(f"run {run_id} is driven by its {driver}", code="run.driven", remedy="Come back to it by that.")
    async with conversation.advancing:  # of two who come back at once, one finds it claimed
        if conversation.epoch:
            raise StaleClaim(f"run {run_id} is open in this process already")
        if conversation.state.status == "open":
            await conversation.claim(claim)
    return conversation


async def own_run(plane: Plane, principal: Principal, run_id: str) -> Conversation:
    """The run of that id.

    Raises:
        NotFound: It is not this principal's.
    """
    conversation = await plane.ledger.conversation(run_id, principal.tenant)
    await conversation.refresh()
    state = conversation.state
    if state.principal is None or state.principal.id != principal.id:
        raise NotFound(
            f"no run {run_id!r} of {principal.id!r}",
            code="run.not_found",
            remedy="List runs with `interlock runs list`.",
        )
    return conversation


def _driven(plane: Plane, conversation: Conversation) -> bool:
    """Whether what drives the run is known here and has something to do."""
    driver = plane.drivers.get(conversation.state.driver)
    return driver is not None and conversation.state.status == "open" and driver.due(conversation)


async def _drive(plane: Plane, conversation: Conversation) -> None:
    if _driven(plane, conversation):
        await plane.drivers[conversation.state.driver].drive(plane, conversation)


def _over(conversation: Conversation) -> bool:
    """Whether an open run that nothing drives has no call left that anything can happen to."""
    state = conversation.state
    if state.driver != "calls" or state.kept:
        return False
    return state.status == "open" and not _waits(conversation)


def _waits(conversation: Conversation) -> bool:
    """Whether a call of the run is under way, or waits for somebody."""
    state = conversation.state
    waiting = state.reservations or any(call.status != "closed" for call in state.calls.values())
    return bool(waiting or conversation.on_the_way)


async def leave(conversation: Conversation, claim: Claim) -> None:
    """Finish the run where nothing of it waits, and give its claim back.

    Where this process is advancing the run, that works under the same claim and gives it back when it is over: else
    what it has under way would look lost to another worker. Where the claim was lost meanwhile and nobody holds the
    run now, what is left is done under a claim of its own.
    """
    try:
        conversation.advancing.acquire_nowait()
    except anyio.WouldBlock:
        conversation.left = True
        return
    try:
        try:
            await _finish(conversation, "left")
        except StaleClaim:
            with suppress(StaleClaim):
                await conversation.claim(claim)
                await _finish(conversation, "left")
        finally:
            await conversation.release()
    finally:
        conversation.advancing.release()


async def _finish(conversation: Conversation, reason: str) -> None:
    await conversation.refresh()
    if _over(conversation):
        await conversation.finish(reason)

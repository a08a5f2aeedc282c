"""What is next in a saga, done: steps forward, compensations in the reverse order, and a word on how it ended.

Every step and every compensation is an ordinary call with an id of its own that follows from the saga, so that whoever
goes on with it, after whatever crash, asks for the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from interlock.core.call import Outcome, ToolCall
from interlock.core.call_state import CallState
from interlock.core.event import Fact, Kind
from interlock.core.ids import named_call_id
from interlock.core.references import filled
from interlock.core.run import VAIN_MAX, RunState
from interlock.core.tool import Tool
from interlock.core.undo import undo_id, undo_name
from interlock.errors import BadInput, DuplicateFact
from interlock.ledger.conversation import Conversation
from interlock.pipeline import Plane, call_in_order, call_tool
from interlock.saga.standing import SagaStatus, Standing, StepStatus, Undoing, UndoStatus

_ENDS: Final = (SagaStatus.COMPLETED, SagaStatus.COMPENSATED)
"""How a saga is over; in any other way it waits for somebody."""


@dataclass(frozen=True, slots=True)
class Forward:
    """Do these steps, each after those that it needs."""

    needs: dict[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Ask nobody any more whether this held step may run: the saga goes back. What somebody said already is done."""

    call: CallState


@dataclass(frozen=True, slots=True)
class Undo:
    """Undo this step, or say what came of that."""

    undoing: Undoing


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing is left to do now: the saga is over, or waits for somebody."""

    status: SagaStatus


Move = Forward | Withdraw | Undo | Rest


class SagaDriver:
    """Drives the runs of sagas; see `pipeline.Driver`.

    Args:
        plane: Where the tools are found.
    """

    def __init__(self, plane: Plane) -> None:
        self._plane = plane

    def due(self, conversation: Conversation) -> bool:
        """See `Driver.due`."""
        return self.next(conversation.state) is not None

    async def drive(self, plane: Plane, conversation: Conversation) -> None:
        """See `Driver.drive`."""
        if conversation.state.vain > VAIN_MAX:  # whatever is next ends its worker before anything is recorded
            await conversation.append([Fact(Kind.RUN_WAITING, {"for": [], "code": "recovery.quarantined"})])
            return
        while (move := self.next(conversation.state)) is not None:
            before = conversation.state.seq
            await self._do(move, conversation)
            await conversation.refresh()
            if conversation.state.seq == before:
                return  # somebody else has it in hand

    def next(self, run: RunState) -> Move | None:
        """What is to be done here and now; None where that is nothing, or for a process that has the tool."""
        standing = self.standing(run)
        if standing.back:
            move = _next_back(standing)
            if isinstance(move, Undo) and move.undoing.status is UndoStatus.OPEN and not self._has(move.undoing.call):
                return None
        else:
            move = Forward(standing.ahead) if standing.ahead else Rest(standing.status)
        if isinstance(move, Forward):
            needs = self._here(standing, move.needs)
            return Forward(needs) if needs else None
        resting = isinstance(move, Rest) and move.status not in _ENDS and run.waits
        return None if resting or run.status != "open" else move

    def standing(self, run: RunState) -> Standing:
        """How the saga of a run stands."""
        return Standing(run, self._tool)

    def _tool(self, name: str) -> Tool | None:
        found = self._plane.registry.find(name)
        return None if found is None else found.tool

    def _known(self, name: str) -> bool:
        return name in self._plane.registry or name in self._plane.registry.withdrawn

    def _has(self, call: CallState) -> bool:
        return call.undo is not None and self._known(call.undo.tool)

    def _here(self, standing: Standing, needs: dict[str, frozenset[str]]) -> dict[str, frozenset[str]]:
        """Of those steps the ones that this process has the tools for, up to the first ones that it has not."""
        here: dict[str, frozenset[str]] = {}
        for name, needed in needs.items():
            if self._known(standing.steps[name].step.tool) and needed <= here.keys():
                here[name] = needed
        return here

    async def _do(self, move: Move, conversation: Conversation) -> None:
        run = conversation.state
        match move:
            case Forward(needs):
                await self._forward(needs, conversation)
            case Withdraw(call):
                await self._withdraw(call, conversation)
            case Undo(undoing) if undoing.status is UndoStatus.OPEN:
                await call_tool(_undoing_call(run, undoing), self._plane)
            case Undo(undoing):
                try:
                    await conversation.append([_said(run, undoing)])
                except DuplicateFact:
                    await conversation.read_tail()
            case Rest(status) if status in _ENDS:
                await conversation.finish(status.value)
            case Rest(status):
                body = {"for": _waited_for(self.standing(run)), "status": status.value, "seen": run.seq}
                await conversation.append([Fact(Kind.RUN_WAITING, body)])

    async def _forward(self, needs: dict[str, frozenset[str]], conversation: Conversation) -> None:
        run = conversation.state

        def made(name: str) -> ToolCall | None:
            now = self.standing(run)
            going_on = not now.back or now.steps[name].status is StepStatus.RUNNING
            return _step_call(now, name) if going_on else None

        def done(name: str, outcome: Outcome) -> bool:
            return self.standing(run).steps[name].status is StepStatus.DONE

        await call_in_order(needs, made, done, self._plane)

    async def _withdraw(self, call: CallState, conversation: Conversation) -> None:
        run = conversation.state
        asked = run.approvals[call.approval_id]
        assert run.principal is not None, "a run that is driven was started"
        if asked.status == "pending":
            body = {"by": "saga", "reason": "the saga goes back"}
            fact = Fact(Kind.APPROVAL_WITHDRAWN, body, call.call_id, call.step, approval_id=asked.approval_id)
            await conversation.append([fact])
        parked = ToolCall(
            run_id=run.run_id, call_id=call.call_id, tool=asked.request["tool"]["name"],
            arguments=asked.request["text"], principal=run.principal, parent_id=call.parent_id,
            edited_by=call.edited_by,
        )  # fmt: skip
        await call_tool(parked, self._plane)


def _next_back(standing: Standing) -> Move:
    """The next thing on the way back: what is on its way ends first, then the last that was done is undone first."""
    open_ = {}
    for name, stand in standing.steps.items():
        if stand.status is StepStatus.RUNNING:
            open_[name] = frozenset[str]()
        elif stand.status is StepStatus.HELD:
            assert stand.call is not None, "what is held was called"
            return Withdraw(stand.call)
    if open_:
        return Forward(open_)
    for undoing in standing.undoings:
        if undoing.status is UndoStatus.OPEN:
            return Undo(undoing)
        if undoing.status is UndoStatus.HELD:
            break  # what was done before it waits for it: the order is kept
        said = undoing.call.undone, undoing.call.undone_turn
        if undoing.status is UndoStatus.DONE and said[0] != "done":
            return Undo(undoing)
        if undoing.status is UndoStatus.FAILED and said != ("failed", standing.run.turn + 1):
            return Undo(undoing)
    return Rest(standing.status)


def _step_call(standing: Standing, step: str) -> ToolCall:
    run = standing.run
    assert run.principal is not None, "a run that is driven was started"
    name = standing.name_of(step)
    stand = standing.steps[step]
    arguments: dict[str, Any] = {}
    lacks = ""
    try:
        arguments = filled(dict(stand.step.arguments), standing.values, run.course["input"], with_input=True)
    except (BadInput, KeyError) as error:
        lacks = str(error)
    return ToolCall(
        run_id=run.run_id, call_id=named_call_id(run.run_id, name), tool=stand.step.tool, arguments=arguments,
        principal=run.principal, name=name, parent_id=standing.tried_before(step), lacks=lacks,
    )  # fmt: skip


def _undoing_call(run: RunState, undoing: Undoing) -> ToolCall:
    """The compensation: an ordinary call, of which the one that it undoes is the parent."""
    call, outcome = undoing.call, undoing.of.outcome
    assert call.undo is not None and outcome is not None and run.principal is not None, "it took effect, or may have"
    return ToolCall(
        run_id=run.run_id, call_id=undo_id(run.run_id, call.call_id, run.turn, undoing.nth), tool=call.undo.tool,
        arguments=call.undo.derived(outcome.value), principal=run.principal,
        name=undo_name(call.call_id, run.turn, undoing.nth), parent_id=call.call_id,
    )  # fmt: skip


def _said(run: RunState, undoing: Undoing) -> Fact:
    """What came of undoing a step: what tables show, and what people are told of."""
    call = undoing.call
    assert call.undo is not None, "it was to be undone"
    body = {"by": undoing.last.call_id if undoing.last is not None else "", "tool": call.undo.tool}
    outcome = "done" if undoing.status is UndoStatus.DONE else "failed"
    if undoing.why:
        body["code"] = undoing.why
    return Fact(Kind.CALL_COMPENSATED, body, call.call_id, call.step, run.turn + 1, outcome=outcome)


def _waited_for(standing: Standing) -> list[str]:
    """Ids of the approval requests and of the calls that somebody must say something about."""
    calls = [stand.call for stand in standing.steps.values() if stand.call is not None]
    calls += [undoing.last for undoing in standing.undoings if undoing.last is not None]
    failed = [undoing.call.call_id for undoing in standing.undoings if undoing.status is UndoStatus.FAILED]
    held = [call.approval_id for call in calls if call.status == "held"]
    return [*held, *(call.call_id for call in calls if call.status == "unknown"), *failed]

"""What is due in a run, and how it is done: lost calls are settled, answered ones run, and deadly ones given up on."""

from __future__ import annotations

from dataclasses import replace

from interlock.core.approval import OVER, ApprovalState
from interlock.core.call import Outcome, OutcomeKind, ToolCall, outcome_to_json
from interlock.core.call_state import CallState
from interlock.core.clock import SECOND_US
from interlock.core.event import Fact, Kind
from interlock.core.run import SETTLED_WITHIN_S, VAIN_MAX
from interlock.ledger.conversation import Conversation
from interlock.ledger.recall import edited_call_id
from interlock.ledger.reservation import settled
from interlock.pipeline import Plane, call_tool

SUSPECT_FROM = 2
"""Lost workers from which on a run is advanced alone, so that it takes no other with it."""


def due(plane: Plane, conversation: Conversation) -> list[CallState]:
    """The calls that something can be done about here and now."""
    return [call for call in conversation.state.calls.values() if _is_due(plane, conversation, call)]


def _is_due(plane: Plane, conversation: Conversation, call: CallState) -> bool:
    if call.status == "intent":
        return call.call_id not in conversation.on_the_way and _can_settle(plane, call)
    return call.status == "held" and _ripe(plane, conversation.state.approvals[call.approval_id])


def _can_settle(plane: Plane, call: CallState) -> bool:
    """Whether a lost call can be taken up here: its tool is known, if only as removed, or nothing will be sent."""
    return call.after_loss == "person" or call.tool in plane.registry or call.tool in plane.registry.withdrawn


def _ripe(plane: Plane, asked: ApprovalState) -> bool:
    """Whether a held call can go on: it expired, or was answered and its tool is known here, if only as removed."""
    if plane.approvals.clock.wall_us() >= asked.request["expires_us"] and asked.status != "edited":
        return True
    if asked.status in OVER - {"edited"}:
        return True
    tool = asked.request["tool"]["name"]
    return asked.status != "pending" and (tool in plane.registry or tool in plane.registry.withdrawn)


def overdue(plane: Plane, conversation: Conversation) -> list[str]:
    """Reservations of what is no call that nobody settled in time: whoever made them was lost."""
    since_us = plane.approvals.clock.wall_us() - SETTLED_WITHIN_S * SECOND_US
    return [ref for ref, (at_us, _) in conversation.state.reservations.items() if at_us <= since_us]


async def do_what_is_due(plane: Plane, conversation: Conversation) -> None:
    """Call by call, in their order, so that the first one is what workers were lost over, if any were."""
    await conversation.refresh()
    lost = [settled(conversation, ref, {}, "worker lost") for ref in overdue(plane, conversation)]
    if lost:  # in full: it may have been spent
        await conversation.append([fact for fact in lost if fact is not None])
    calls = due(plane, conversation)
    if calls and conversation.state.vain > VAIN_MAX:
        await _quarantine(conversation, calls.pop(0))
    for call in calls:
        if _is_due(plane, conversation, call):  # still: what was made in an edited call's place went on with that one
            await _settled_or_run(plane, conversation, call)


async def _settled_or_run(plane: Plane, conversation: Conversation, call: CallState) -> None:
    if call.status == "intent":
        await _taken_up(plane, conversation, call)
    else:
        await _answered(plane, conversation, conversation.state.approvals[call.approval_id])


async def _taken_up(plane: Plane, conversation: Conversation, call: CallState) -> None:
    """Let a call whose worker was lost after its intent pass every gate again, and be settled as its tool declares.

    Its arguments are those that were decided: the intent binds them.
    """
    state = conversation.state
    assert state.principal is not None, "a run that has calls was started"
    decided = [
        event.fact.body["arguments"]
        for event in await plane.ledger.store.read(state.run_id)
        if event.fact.kind is Kind.CALL_DECIDED and event.fact.call_id == call.call_id
    ]
    assert decided, "what an open call needs is never erased"
    lost = ToolCall(
        run_id=state.run_id, call_id=call.call_id, tool=call.tool, arguments=decided[-1],
        principal=state.principal, parent_id=call.parent_id, edited_by=call.edited_by,
    )  # fmt: skip
    await call_tool(lost, plane)


async def _answered(plane: Plane, conversation: Conversation, asked: ApprovalState) -> None:
    """Let a held call that was decided, or whose time is up, go through every gate again."""
    if asked.status == "pending":
        await conversation.append([Fact(Kind.APPROVAL_EXPIRED, {}, asked.call_id, approval_id=asked.approval_id)])
    state = conversation.state
    assert state.principal is not None, "a run that has calls was started"
    call = state.calls[asked.call_id]
    parked = ToolCall(
        run_id=state.run_id, call_id=asked.call_id, tool=asked.request["tool"]["name"],
        arguments=asked.request["text"], principal=state.principal, parent_id=call.parent_id, edited_by=call.edited_by,
        version=call.version,
    )  # fmt: skip
    if asked.status == "edited":  # before its own end: killed in between, both are asked for once more
        await call_tool(_edited(parked, asked), plane)
    await call_tool(parked, plane)


def _edited(parked: ToolCall, asked: ApprovalState) -> ToolCall:
    """The call that an approver made of a held one: a call of its own, through every gate, that they do not approve."""
    return replace(
        parked, call_id=edited_call_id(asked, parked.run_id), arguments=asked.answer["text"], parent_id=parked.call_id,
        edited_by=(*(who for who in parked.edited_by if who != asked.ended_by), asked.ended_by),
    )  # fmt: skip


async def _quarantine(conversation: Conversation, call: CallState) -> None:
    """Give a call up that ends its worker before anything of it is recorded: a person sees it, and others go on.

    What it was to do did not leave in these advances; it may have before them where it has an intent.
    """
    kind, outcome = (Kind.CALL_RESULT, "failed") if call.status == "held" else (Kind.CALL_UNKNOWN, "unknown")
    lost = conversation.state.vain - 1
    told = Outcome(
        kind=OutcomeKind(outcome), call_id=call.call_id, tool=call.tool, code="recovery.quarantined",
        message=f"{lost} workers were lost before they could run this call; it was given up on",
        next_step="Do not repeat it; tell the user that somebody must look into it.",
    )  # fmt: skip
    letter = {"code": told.code, "attempts": lost}
    await conversation.append([
        Fact(kind, {"outcome": outcome_to_json(told)}, call.call_id, call.step, lost, outcome=outcome),
        Fact(Kind.CALL_DEAD_LETTERED, letter, call.call_id, call.step, lost),
    ])  # fmt: skip

"""What is told of a call that does not run now, because of what the ledger says of it already."""

from __future__ import annotations

from dataclasses import replace

from interlock.core.approval import ApprovalState
from interlock.core.call import Outcome, OutcomeKind, Stop, ToolCall, refuse
from interlock.core.canonical import Json
from interlock.core.ids import named_call_id
from interlock.core.run import RunState

TURN_MAX = 64
"""Calls of one turn of a model that are looked at (spec: calls of a batch)."""


def lost(stopped: Outcome) -> Outcome:
    """What is told of a lost call that the gates stop today: not that nothing ran."""
    return Outcome(
        kind=OutcomeKind.UNKNOWN, call_id=stopped.call_id, tool=stopped.tool, code="execute.lost",
        message="the worker was lost while it ran this call; whether it took effect is not known, and it may not be "
        "sent again",
        next_step="Do not repeat it. It must be settled first; tell the user that its effect is not known.",
    )  # fmt: skip


def again(outcome: Outcome) -> Outcome:
    """An outcome that is told once more; nothing ran for it."""
    return replace(outcome, repeated=True)


def out_of_turn(call: ToolCall, run: RunState) -> Stop | None:
    """Why a call goes no further: its turn's message was no whole one, or its tool is none that its run may call.

    What is made for another call (a look-up, a fallback) is as its tool's operator declared it.
    """
    transcript = run.transcript
    if call.parent_id:
        return None
    if run.driver == "graph" and run.tools is not None and call.tool not in run.tools:
        return _not_offered(call, run.course["graph"]["name"])
    if transcript is None or not transcript.turns:
        return None
    turn = transcript.turns[-1]
    place = next((nth for nth, asked in enumerate(turn.calls, 1) if asked.call_id == call.call_id), 0)
    if not place:
        return None
    if turn.finish != "whole":
        return refuse(
            call, "recall.cut_off", "the message that proposed this call was cut off, so nothing of it runs",
            next_step="Propose it again, in a shorter message.", audit={"finish": turn.finish},
        )  # fmt: skip
    if turn.final:
        return refuse(call, "recall.final_turn", "no more calls are possible", next_step="Answer with what you have.")
    if place > TURN_MAX:
        return refuse(
            call, "recall.turn_too_large", f"more than {TURN_MAX} calls were proposed together",
            next_step="Look at the outcomes of the first ones, then propose fewer.", audit={"place": place},
        )  # fmt: skip
    if transcript.tools is not None and call.tool not in transcript.tools:
        return _not_offered(call, transcript.agent)
    return None


def _not_offered(call: ToolCall, who: str) -> Stop:
    return refuse(
        call, "recall.not_offered", f"you have no tool that is called {call.tool!r}",
        next_step="Use one of your tools, or say that you cannot do it.", audit={"agent": who},
    )  # fmt: skip


def erased(call: ToolCall) -> Stop:
    """The end of the way of a call that is over and whose outcome nobody can read any more."""
    return refuse(
        call, "recall.erased", "this call was made before, and what became of it has been erased",
        next_step="Do not send it under another name unless you know that it had no effect.",
    )  # fmt: skip


def being_executed(call: ToolCall) -> Stop:
    """The end of the way of a call that another process executes, or executed when it was lost."""
    outcome = Outcome(
        kind=OutcomeKind.UNKNOWN, call_id=call.call_id, tool=call.tool, code="call.open",
        message="this call is being executed, or its worker was lost while it ran",
        next_step="Ask again by the same name; do not send it under another.", repeated=True,
    )  # fmt: skip
    return Stop(gate="recall", outcome=outcome, audit={})


def edited_call_id(asked: ApprovalState, run_id: str) -> str:
    """The id of the call that is made in an edited one's place: one for each request, and nobody's to take before.

    The nonce of the request is shown to people alone, so that no client can name a call of its own like this one.
    """
    return named_call_id(run_id, f"edit/{asked.approval_id}/{asked.request['nonce']}")


def answered(call: ToolCall, asked: ApprovalState) -> Stop | None:
    """The end that its request came to, of a call that will not run; None where it may still run.

    Nothing runs, so that no gate is asked: whatever policy says by now, the person's word stands.
    """
    audit: dict[str, Json] = {"approval": asked.approval_id}
    if asked.ended_by:
        audit |= {"by": "person", "person": asked.ended_by}
    match asked.status:
        case "rejected":
            return refuse(
                call, "approve.rejected", f"a person rejected this call: {asked.words or 'no reason was given'}",
                next_step="Do not repeat it unchanged.", audit=audit,
            )  # fmt: skip
        case "edited":
            instead = edited_call_id(asked, call.run_id)
            words = f": {asked.words}" if asked.words else ""
            stop = refuse(
                call, "approve.edited", f"a person changed the arguments; the call {instead} is made instead{words}",
                next_step="Look at that call's outcome; do not propose this one again.", audit=audit,
            )  # fmt: skip
            return replace(stop, outcome=replace(stop.outcome, instead=instead))
        case "responded":
            outcome = Outcome(kind=OutcomeKind.DONE, call_id=call.call_id, tool=call.tool, value=asked.answer["value"])
            return Stop(gate="approve", outcome=outcome, audit=audit)
        case "withdrawn":
            return refuse(
                call, "approve.withdrawn", "the request for approval was withdrawn",
                next_step="Propose it again only if the user asks for it.", audit=audit,
            )  # fmt: skip
        case "expired":
            return unanswered(call, asked)
    return None


def unanswered(call: ToolCall, asked: ApprovalState) -> Stop:
    """The end of a call that nobody approved in time."""
    return refuse(
        call, "approve.expired", "nobody approved this call in time",
        next_step="Propose it again if it is still wanted.", audit={"approval": asked.approval_id},
    )  # fmt: skip

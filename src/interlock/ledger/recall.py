"""What is told of a call that does not run now, because of what the ledger says of it already."""

from __future__ import annotations

from dataclasses import replace

from interlock.core.call import Outcome, OutcomeKind, Stop, ToolCall, refuse


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

"""What a model that is not sure of a call makes of it: a question to people. It only ever adds a hold.

How sure it is stands in its turn, from when on it counts in the start of its run. Both are read from the run's fold, so
that a call which comes back with its answer is held for the same reason. What the model says releases nothing: where
policy holds a call, it is held, however sure the model is.
"""

from __future__ import annotations

from interlock.core.call import ToolCall, ValidCall
from interlock.core.decision import UNSURE, Hold
from interlock.core.run import RunState


def unsure(valid: ValidCall, run: RunState, expires_s: int) -> Hold | None:
    """Whom a call waits for because its model is not sure of it; None for nobody.

    A call of which the model did not say how sure it is counts as not sure. What a person wrote, and what only reads
    and carries nothing out, is not asked about.
    """
    transcript = run.transcript
    if transcript is None or transcript.review is None or valid.call.edited_by or not valid.tool.needs_intent:
        return None
    below, group = transcript.review
    for turn in reversed(transcript.turns):
        for asked in turn.calls:
            if asked.call_id == _proposed(valid.call, run):
                if asked.confidence is not None and asked.confidence >= below:
                    return None
                return Hold(groups=frozenset({group}), expires_s=expires_s, rules=(UNSURE,), in_person=True)
    return None


def _proposed(call: ToolCall, run: RunState) -> str:
    """The call that the model proposed: this one, or the one for which it is made."""
    call_id, parent_id = call.call_id, call.parent_id
    while parent_id:
        call_id = parent_id
        known = run.calls.get(call_id)
        parent_id = "" if known is None else known.parent_id
    return call_id

"""Whose trace a far end is told that a call belongs to."""

from __future__ import annotations

from dataclasses import dataclass

from interlock.core.call import ToolCall
from interlock.core.run import RunState
from interlock.core.trace import call_span_id, sampled, traceparent


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """What is told.

    Attributes:
        sends: Whether anything is.
        exports: Whether this deployment exports spans of its own: then the far end's are below the call's, else below
            those of whoever made the call, as if nobody stood between.
        runs: Which part of all runs is exported.
    """

    sends: bool = False
    exports: bool = False
    runs: float = 1.0

    def of(self, run: RunState, call: ToolCall) -> tuple[str, str]:
        """A `traceparent` and a `tracestate`; both empty for nothing."""
        if not self.sends:
            return "", ""
        known = run.calls.get(call.call_id)  # one that was held came with a trace then
        theirs = call.trace or (known.trace if known is not None else None) or run.trace
        if not self.exports:
            return ("", "") if theirs is None else (theirs.parent, theirs.state)
        trace_id = run.trace_id if theirs is None else theirs.trace_id
        own = call_span_id(run.run_id, call.call_id)
        return traceparent(trace_id, own, sampled(run.run_id, self.runs)), "" if theirs is None else theirs.state

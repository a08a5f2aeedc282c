"""What an agent's run does next: read off its fold, and nothing else."""

from __future__ import annotations

from enum import StrEnum

from interlock.agent.agent import AgentLimits
from interlock.agent.result import end_of, handed_over, last_calls
from interlock.core.call_state import CallState
from interlock.core.run import RunState

_FINAL = (b'"limit.calls"', b'"limit.loop"', b'"limit.budget"')
"""Codes of refusals after which a run should come to its answer: calls like these are refused from here on."""


class Step(StrEnum):
    """What is next: a turn of the model, the same without calls, the calls of the last turn, somebody, or nothing."""

    ASK = "ask"
    ANSWER = "answer"
    CALL = "call"
    WAIT = "wait"
    LISTEN = "listen"
    END = "end"
    OVER = "over"


def next_step(run: RunState, limits: AgentLimits) -> Step:
    """What comes next of an agent's run."""
    transcript = run.transcript
    assert transcript is not None, "an agent's run has a transcript"
    if run.status != "open":
        return Step.OVER
    calls = last_calls(run)
    if any(call is None or call.status in ("proposed", "intent") for call in calls):
        return Step.CALL
    if any(call is not None and (call.status == "held" or call.awaits) for call in calls):
        return Step.WAIT
    if transcript.unanswered:
        return Step.ASK
    if handed_over(run) is not None or end_of(transcript) is not None:
        return Step.LISTEN if transcript.conversation else Step.END
    if transcript.turns_since >= limits.turns_max or any(call is not None and _final(call) for call in calls):
        return Step.ANSWER
    return Step.ASK


def _final(call: CallState) -> bool:
    """Whether a refusal says that more calls are pointless. A result that only mentions the words says nothing."""
    if not any(code in call.told for code in _FINAL):
        return False
    told = call.outcome
    return told is not None and f'"{told.code}"'.encode() in _FINAL

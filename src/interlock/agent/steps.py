"""What an agent's run does next: read off its fold, and nothing else."""

from __future__ import annotations

import json
from enum import StrEnum

from interlock.agent.agent import AgentLimits
from interlock.agent.result import End, handed_over
from interlock.core.call_state import CallState
from interlock.core.message import Finish
from interlock.core.run import RunState, speaker
from interlock.core.transcript import Transcript

_FINAL = (b'"limit.calls"', b'"limit.loop"', b'"limit.budget"')
"""Codes of refusals after which a run should come to its answer: calls like these are refused from here on."""


class Step(StrEnum):
    """What is next: a turn of the model, the same without calls, the calls of the last turn, a person, or nothing."""

    ASK = "ask"
    ANSWER = "answer"
    CALL = "call"
    WAIT = "wait"
    END = "end"
    OVER = "over"


def next_step(run: RunState, limits: AgentLimits) -> Step:
    """What comes next of an agent's run."""
    transcript = run.transcript
    assert transcript is not None, "an agent's run has a transcript"
    if run.status != "open":
        return Step.OVER
    calls = _last_calls(run, transcript)
    if any(call is None or call.status in ("proposed", "intent") for call in calls):
        return Step.CALL
    if any(call is not None and (call.status == "held" or call.awaits) for call in calls):
        return Step.WAIT
    if handed_over(run) is not None or end_of(transcript) is not None:
        return Step.END
    if len(transcript.turns) >= limits.turns_max or any(call is not None and _final(call) for call in calls):
        return Step.ANSWER
    return Step.ASK


def end_now(run: RunState) -> End:
    """How a run ends whose next step is its end: as its last turn says, or as the peer's that took over."""
    assert run.transcript is not None, "an agent's run has a transcript"
    end = end_of(run.transcript)
    if (peer := handed_over(run)) is not None:
        end = End(json.loads(peer.told)["end"])
    assert end is not None, "it is not over"
    return end


def end_of(transcript: Transcript) -> End | None:
    """How the run ends with its last turn, whose calls are answered; None where another turn follows."""
    if not transcript.turns:
        return None
    last = transcript.turns[-1]
    if last.finish == Finish.DECLINED:
        return End.DECLINED
    if last.final or (last.finish == Finish.TRUNCATED and not last.calls):
        return End.LIMIT
    return None if last.calls else End.ANSWER


def _last_calls(run: RunState, transcript: Transcript) -> list[CallState | None]:
    """For each call of the last turn, the one whose outcome is its answer; None where nothing is known of it yet."""
    return [speaker(run, asked.call_id) for asked in transcript.turns[-1].calls] if transcript.turns else []


def _final(call: CallState) -> bool:
    """Whether a refusal says that more calls are pointless. A result that only mentions the words says nothing."""
    if not any(code in call.told for code in _FINAL):
        return False
    told = call.outcome
    return told is not None and f'"{told.code}"'.encode() in _FINAL

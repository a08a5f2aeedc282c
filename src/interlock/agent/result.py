"""How a run of an agent stands: its answer, or why there is none. Never a false success."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

from interlock.core.call_state import CallState
from interlock.core.message import Finish
from interlock.core.run import RunState, speaker
from interlock.core.transcript import Transcript


class End(StrEnum):
    """How a run ended, or that it has not. Only `answer` says that the agent came to its end by itself."""

    ANSWER = "answer"
    LIMIT = "limit"
    DECLINED = "declined"
    MODEL_FAILED = "model_failed"
    CANCELLED = "cancelled"
    WAITING = "waiting"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentResult:
    """What came of a run so far.

    Attributes:
        run_id: Which.
        end: How it ended; `waiting` for a person and `unfinished` are no ends.
        text: The last words of the model: the answer of a run that ended with one. At a limit it is what could be said
            with what there was, and empty where nothing could.
        waiting: Ids of the approval requests that it waits for.
        turns: Turns of the model.
        input_tokens, output_tokens: What they took, as far as providers said.
    """

    run_id: str
    end: End
    text: str = ""
    waiting: tuple[str, ...] = ()
    turns: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def answered(self) -> bool:
        """Whether the agent came to an answer by itself."""
        return self.end is End.ANSWER

    def __str__(self) -> str:
        """The answer, or why there is none."""
        return self.text if self.answered else f"{self.end.value}: {self.text or '–'}"


_ENDS = {end.value: end for end in End}


def result_of(run: RunState, below: tuple[str, ...] = ()) -> AgentResult:
    """How an agent's run stands, from its fold.

    Args:
        below: Ids of the approval requests that the runs which it started wait for.
    """
    transcript = run.transcript
    assert transcript is not None, "an agent's run has a transcript"
    waiting = tuple(call.approval_id for call in run.calls.values() if call.status == "held") + below
    end = _end(run, bool(waiting))
    return AgentResult(
        run_id=run.run_id, end=end, text=last_words(run, end),
        waiting=waiting if end is End.WAITING else (), turns=len(transcript.turns),
        input_tokens=transcript.input_tokens, output_tokens=transcript.output_tokens,
    )  # fmt: skip


def listens(run: RunState) -> bool:
    """Whether it is a conversation that has answered, and its user has the word."""
    transcript = run.transcript
    if run.status != "open" or not run.waits or transcript is None or not transcript.conversation:
        return False
    waiting = any(call is not None and (call.status == "held" or call.awaits) for call in last_calls(run))
    over = end_of(transcript) is not None or handed_over(run) is not None
    return over and not transcript.unanswered and not waiting


def last_calls(run: RunState) -> list[CallState | None]:
    """For each call of the last turn, the one whose outcome is its answer; None where nothing is known of it yet."""
    if run.transcript is None or not run.transcript.turns:
        return []
    return [speaker(run, asked.call_id) for asked in run.transcript.turns[-1].calls]


def handed_over(run: RunState) -> CallState | None:
    """The call of the last turn by which a peer has taken over, and has come to its end; None for none."""
    return next(
        (call for call in last_calls(run) if call is not None and call.starts == "peer" and call.reported), None
    )


def end_now(run: RunState) -> End:
    """How a run ends, or is answered, that has come so far: as its last turn says, or as the peer's that took over.

    Where what the peer reported was erased, nobody knows how it ended, and no answer is made of that.
    """
    assert run.transcript is not None, "an agent's run has a transcript"
    end = end_of(run.transcript)
    if (peer := handed_over(run)) is not None:
        end = End(json.loads(peer.told)["end"]) if peer.told else End.UNFINISHED
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


def last_words(run: RunState, end: End) -> str:
    """What was said last: by the model, or by the peer that took over; empty where the end is not one of words."""
    if end not in (End.ANSWER, End.LIMIT, End.DECLINED) or run.transcript is None:
        return ""
    if (peer := handed_over(run)) is not None:
        said = peer.outcome
        return str(said.value["text"]) if said is not None and isinstance(said.value, dict) else ""
    return run.transcript.turns[-1].text if run.transcript.turns else ""


def _end(run: RunState, waiting: bool) -> End:
    if run.status == "cancelled":
        return End.CANCELLED
    if run.status == "finished":
        return _ENDS.get(run.reason, End.UNFINISHED)
    if listens(run):
        return end_now(run)
    return End.WAITING if waiting and run.waits else End.UNFINISHED

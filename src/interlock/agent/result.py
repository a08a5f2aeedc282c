"""How a run of an agent stands: its answer, or why there is none. Never a false success."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from interlock.core.run import RunState


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


def result_of(run: RunState) -> AgentResult:
    """How an agent's run stands, from its fold."""
    transcript = run.transcript
    assert transcript is not None, "an agent's run has a transcript"
    waiting = tuple(call.approval_id for call in run.calls.values() if call.status == "held")
    last = transcript.turns[-1] if transcript.turns else None
    end = _end(run, bool(waiting))
    said = last is not None and end in (End.ANSWER, End.LIMIT, End.DECLINED)
    return AgentResult(
        run_id=run.run_id, end=end, text=last.text if last is not None and said else "",
        waiting=waiting if end is End.WAITING else (), turns=len(transcript.turns),
        input_tokens=transcript.input_tokens, output_tokens=transcript.output_tokens,
    )  # fmt: skip


def _end(run: RunState, waiting: bool) -> End:
    if run.status == "cancelled":
        return End.CANCELLED
    if run.status == "finished":
        return _ENDS.get(run.reason, End.UNFINISHED)
    return End.WAITING if waiting and run.waits else End.UNFINISHED

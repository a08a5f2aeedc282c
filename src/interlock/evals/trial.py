"""One trial of a case: what came of it, and what it took. It is what a report tells and a baseline keeps."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from interlock.core.canonical import Json
from interlock.evals.grade import Grade
from interlock.evals.judge import Verdict
from interlock.evals.play import Played
from interlock.evals.seen import SeenRun

ANSWER_KEPT_MAX = 2000
"""Characters of an answer that a report keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One trial.

    Attributes:
        case: Name of the case.
        number: From 1.
        run: What was seen; None where no run was found.
        grade: What of it is as it must be; None where no run was found.
        verdict: What the judge said; None where none was asked.
        injected: Faults that its tools were made to have, by tool, fault, and what came of the call.
    """

    case: str
    number: int
    run: SeenRun | None
    grade: Grade | None
    verdict: Verdict | None = None
    injected: tuple[tuple[str, str, str], ...] = ()

    @property
    def failures(self) -> tuple[str, ...]:
        """What is not as it must be. A judge that gave no verdict has not passed it."""
        if self.grade is None:
            return ("run: the ledger has none of this case",)
        said = self.verdict
        return self.grade.failures if said is None or said.passed else (*self.grade.failures, f"judge: {said}")

    @property
    def passed(self) -> bool:
        """Whether everything is as it must be."""
        return not self.failures

    def as_json(self) -> dict[str, Json]:
        """The trial as a document has it."""
        said: dict[str, Json] = {
            "number": self.number, "passed": self.passed, "failures": list(self.failures),
            "injected": [{"tool": tool, "fault": fault, "came": came} for tool, fault, came in self.injected],
        }  # fmt: skip
        if (run := self.run) is not None:
            said |= {
                "run_id": run.run_id, "end": run.end, "answer": run.answer[:ANSWER_KEPT_MAX], "steps": run.steps,
                "tokens": run.tokens, "latency_ms": run.latency_ms, "micro_usd": run.micro_usd,
                "calls": [{"tool": call.tool, "outcome": call.outcome, "code": call.code} for call in run.calls],
            }  # fmt: skip
        if self.verdict is not None:
            said["judge"] = self.verdict.as_json()
        return said


def came_of(played: Played) -> tuple[tuple[str, str, str], ...]:
    """For each fault its tool, its kind, and the outcome of the call that met it; `looked up` of a look-up."""
    outcomes = {call.call_id: call.outcome for call in played.run.calls}
    return tuple(
        (each.tool, each.fault.value, outcomes.get(each.call_id, "looked up")) for each in played.injected
    )  # fmt: skip


def faults_by_outcome(trials: list[Trial]) -> dict[str, dict[str, int]]:
    """Fault to outcome to how many calls met that one and came to this."""
    found: dict[str, Counter[str]] = {}
    for trial in trials:
        for _, fault, came in trial.injected:
            found.setdefault(fault, Counter())[came] += 1
    return {fault: dict(counts.most_common()) for fault, counts in sorted(found.items())}


def kept(trial: Trial) -> dict[str, Any]:
    """What a baseline keeps of a trial: whether it passed, and what it took."""
    run = trial.run
    taken = {} if run is None else {name: getattr(run, name) for name in TAKEN}
    return {"passed": trial.passed, **taken}


TAKEN = ("steps", "tokens", "latency_ms", "micro_usd")
"""What a run takes, as figures and baselines name it."""

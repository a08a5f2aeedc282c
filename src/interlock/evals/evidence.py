"""Whether a result is what its suite needs, and what the ledger keeps of it: figures, names and digests, no words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from interlock.errors import BadInput
from interlock.evals.compare import Comparison
from interlock.evals.evaluate import Result
from interlock.evals.trial import TAKEN, Trial
from interlock.ledger.evaluated import CASES_MAX, PLAYED, RECORDED, Evaluated, EvaluatedCase

_RUNS_MAX: Final = 10
_NAMES_MAX: Final = 20


def refusals(result: Result, comparison: Comparison | None) -> list[str]:
    """Why the answer is no, each a sentence; none where it is yes."""
    need, rate = result.suite.need, result.passed.value or 0.0
    why = [f"{100 * rate:.1f} % passed, and {100 * need.pass_rate:g} % must"] if rate < need.pass_rate else []
    if comparison is not None:
        if len(comparison.lost) > need.lost:
            why.append(f"lost against the baseline: {', '.join(comparison.lost)}")
        if comparison.passed is None:
            why.append("no case of the baseline is in the suite, so that nothing was compared")
        elif comparison.passed.worse:
            why.append(f"the pass rate fell by {-100 * comparison.passed.change:.1f} points, more than chance explains")
    return why


def fits_ledger(cases: int) -> None:
    """Refuse what would be too much of one event, before anything is played.

    Raises:
        BadInput: It has more cases than a kept result may have.
    """
    if cases > CASES_MAX:
        raise BadInput(
            f"cases: {cases:,}, and a result that is kept has {CASES_MAX:,} at most", code="eval.large",
            remedy="Divide the suite, or leave its result out of the ledger.",
        )  # fmt: skip


def evidence(result: Result, comparison: Comparison | None = None, since_us: int = 0) -> Evaluated:
    """What is kept of a result.

    Args:
        since_us: Of recorded runs, from when on they were looked at; 0 for all.
    """
    suite = result.suite
    runs = [trial.run for trial in result.trials if trial.run is not None]
    return Evaluated(
        suite=suite.name, suite_digest=suite.digest, how=RECORDED if suite.recorded else PLAYED, since_us=since_us,
        trials=result.passed.whole, passed=result.passed.part, pass_rate=suite.need.pass_rate,
        lost=None if comparison is None else comparison.lost, met=not refusals(result, comparison),
        shares={name: tuple(share) for name, share in result.shares.items()}, taken=result.taken,
        agents=_most({run.agent} for run in runs), models=_most(run.models for run in runs),
        policies=_most(run.policies for run in runs),
        cases=tuple(_case(case.name, result.of(case.name), recorded=suite.recorded) for case in suite.cases),
    )  # fmt: skip


def _case(name: str, trials: Sequence[Trial], *, recorded: bool) -> EvaluatedCase:
    failed: Counter[str] = Counter()
    for trial in trials:
        failed.update({failure.partition(":")[0] for failure in trial.failures})
    missed = [trial.run.run_id for trial in trials if trial.run is not None and not trial.passed] if recorded else []
    return EvaluatedCase(
        name=name, trials=len(trials), passed=sum(trial.passed for trial in trials), failed=dict(failed),
        runs=tuple(missed[:_RUNS_MAX]), taken={part: _sum(trials, part) for part in TAKEN},
    )  # fmt: skip


def _sum(trials: Sequence[Trial], part: str) -> int | None:
    known = [value for trial in trials if trial.run is not None and (value := getattr(trial.run, part)) is not None]
    return sum(known) if known else None


def _most(named: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Names by how many have each, the most first."""
    counts = Counter(name for names in named for name in names if name)
    return tuple(name for name, _ in counts.most_common(_NAMES_MAX))

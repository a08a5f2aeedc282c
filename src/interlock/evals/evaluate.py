"""A suite evaluated: every trial of every case, and the figures that come of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any

import anyio

from interlock.core.canonical import Json
from interlock.errors import InterlockError
from interlock.evals.grade import grade
from interlock.evals.judge import Judge, Verdict
from interlock.evals.play import Stage
from interlock.evals.seen import SeenRun
from interlock.evals.suite import Case, Suite
from interlock.evals.trial import TAKEN, Trial, came_of, faults_by_outcome, kept
from interlock.models.metered import NOTHING, Cost
from interlock.verification.calibrate import Share

Told = Callable[[Trial], Awaitable[None]]
"""Told each trial when it is over."""

Spread = dict[str, int | None]
"""Median (`p50`), 95th percentile (`p95`) and `sum` of something, and `of` how many; nulls of none."""

BASELINE = "interlock/eval/1"
"""What a kept result says that it is."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of a suite.

    Attributes:
        suite: Which.
        trials: In the order of the cases.
        judging: What the judge cost.
    """

    suite: Suite
    trials: tuple[Trial, ...]
    judging: Cost = NOTHING

    @property
    def passed(self) -> Share:
        """Trials that passed."""
        return _share(trial.passed for trial in self.trials)

    @cached_property
    def by_case(self) -> dict[str, list[Trial]]:
        """Name of a case to its trials, in the order of the suite."""
        found: dict[str, list[Trial]] = {case.name: [] for case in self.suite.cases}
        for trial in self.trials:
            found[trial.case].append(trial)
        return found

    def of(self, case: str) -> list[Trial]:
        """The trials of a case."""
        return self.by_case[case]

    @property
    def shares(self) -> dict[str, Share]:
        """Name to figure: trials whose tools were right, calls, arguments and facts that were, recovery, judged."""
        grades = [trial.grade for trial in self.trials if trial.grade is not None]
        hit = [trial for trial in self.trials if trial.injected]
        return {
            "passed": self.passed,
            "tool_selection": _share(grade.tools for grade in grades if grade.tools is not None),
            "calls": _sum(grade.calls for grade in grades),
            "arguments": _sum(grade.arguments for grade in grades),
            "facts": _sum(grade.facts for grade in grades),
            "writes_expected": _sum(grade.writes for grade in grades),
            "judged_right": _share(trial.verdict.passed for trial in self.trials if trial.verdict is not None),
            "recovered": _share(trial.passed for trial in hit),
        }

    @property
    def taken(self) -> dict[str, Spread]:
        """What a trial takes: median, 95th percentile and sum of steps, tokens, latency and money."""
        runs = [trial.run for trial in self.trials if trial.run is not None]
        return {name: _spread([value for run in runs if (value := getattr(run, name)) is not None]) for name in TAKEN}

    def as_json(self) -> dict[str, Json]:
        """The whole of it."""
        return {
            "suite": self.suite.name,
            "shares": {name: share.as_json() for name, share in self.shares.items()},
            "taken": self.taken,
            "faults": faults_by_outcome(list(self.trials)),
            "judging": self.judging._asdict(),
            "cases": [
                {
                    "name": case.name,
                    "passed": _share(trial.passed for trial in self.of(case.name)).as_json(),
                    "trials": [trial.as_json() for trial in self.of(case.name)],
                }
                for case in self.suite.cases
            ],
        }

    def baseline(self) -> dict[str, Any]:
        """What is kept to be held against later: whether each trial passed and what it took, and no word of it."""
        cases = {case.name: [kept(trial) for trial in self.of(case.name)] for case in self.suite.cases}
        return {"format": BASELINE, "suite": self.suite.name, "cases": cases}


async def evaluate(suite: Suite, stage: Stage, judge: Judge | None, told: Told, at_once: int = 1) -> Result:
    """Play every case as often as it says.

    Args:
        at_once: So many trials at the same time; they share nothing but the machine.

    Raises:
        InterlockError: See `Stage.play`; the other trials were cut off.
    """
    wanted = [(case, number) for case in suite.cases for number in range(1, case.repeat + 1)]
    trials: dict[int, Trial] = {}
    failed: list[InterlockError] = []
    left = iter(range(len(wanted)))

    async def work() -> None:
        for place in left:
            case, number = wanted[place]
            try:
                played = await stage.play(suite, case, number)
            except InterlockError as error:
                failed.append(error)  # told as itself, not within the task group's
                tasks.cancel_scope.cancel()
                return
            trials[place] = Trial(
                case=case.name, number=number, run=played.run, grade=grade(played.run, case.expect),
                verdict=await _judged(judge, case, played.run), injected=came_of(played),
            )  # fmt: skip
            await told(trials[place])

    async with anyio.create_task_group() as tasks:
        for _ in range(min(at_once, len(wanted))):
            tasks.start_soon(work)
    if failed:
        raise failed[0]
    return Result(suite=suite, trials=tuple(trials[place] for place in range(len(wanted))), judging=_spent(judge))


async def evaluate_recorded(
    suite: Suite, runs: Mapping[str, list[SeenRun]], judge: Judge | None, told: Told
) -> Result:  # fmt: skip
    """Hold recorded runs against the cases; a case of which there is none has one trial, which fails.

    Args:
        runs: For each case by name, the runs that it is about.
    """
    trials = []
    for case in suite.cases:
        found: list[SeenRun | None] = [*runs.get(case.name, ())] or [None]
        for number, run in enumerate(found, 1):
            graded = None if run is None else grade(run, case.expect)
            verdict = None if run is None else await _judged(judge, case, run)
            trial = Trial(case=case.name, number=number, run=run, grade=graded, verdict=verdict)
            trials.append(trial)
            await told(trial)
    return Result(suite=suite, trials=tuple(trials), judging=_spent(judge))


async def _judged(judge: Judge | None, case: Case, run: SeenRun) -> Verdict | None:
    return None if judge is None or not case.rubric else await judge(case.words, run.answer, case.rubric)


def _spent(judge: Judge | None) -> Cost:
    return NOTHING if judge is None else judge.spent


def _share(held: Iterable[bool]) -> Share:
    all_of = list(held)
    return Share(sum(all_of), len(all_of))


def _sum(shares: Iterable[Share]) -> Share:
    all_of = list(shares)
    return Share(sum(share.part for share in all_of), sum(share.whole for share in all_of))


def _spread(values: list[int]) -> Spread:
    """By the nearest rank."""
    if not values:
        return {"p50": None, "p95": None, "sum": None, "of": 0}
    ordered = sorted(values)
    return {
        "p50": ordered[ceil(0.5 * len(ordered)) - 1], "p95": ordered[ceil(0.95 * len(ordered)) - 1],
        "sum": sum(ordered), "of": len(ordered),
    }  # fmt: skip

"""A result held against an earlier one, case by case: what was lost and won, with paired intervals. Seeded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from interlock.core.canonical import Json, parse_json
from interlock.errors import BadInput
from interlock.evals.suite_file import LIMITS
from interlock.evals.trial import TAKEN

RESAMPLES = 2000
"""Draws of a bootstrap: enough for two digits of a 95 % interval."""

FELL = 0.5
"""By so much of its trials a case must fall to be lost, or rise to be won: half of them, and all of one."""

_CLOSED = ConfigDict(extra="forbid", frozen=True, strict=True)


class KeptTrial(BaseModel):
    """A trial as a baseline keeps it."""

    model_config = _CLOSED
    passed: bool
    steps: int | None = None
    tokens: int | None = None
    latency_ms: int | None = None
    micro_usd: int | None = None


class Baseline(BaseModel):
    """An earlier result, as `--save` wrote it."""

    model_config = _CLOSED
    format: str = Field(pattern=r"^interlock/eval/1$")
    suite: str
    cases: dict[str, list[KeptTrial]]


def load_baseline(file: Path, suite: str) -> Baseline:
    """Read an earlier result.

    Args:
        suite: Name of the suite that it must be of.

    Raises:
        BadInput: It cannot be read, is none, or is of another suite.
    """
    try:
        found = Baseline.model_validate(parse_json(file.read_bytes(), LIMITS))
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}", code="eval.baseline", remedy="Write one with --save.") from None
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise BadInput(f"{file}: {where}: {error.errors()[0]['msg']}", code="eval.baseline") from None
    except BadInput as error:
        raise BadInput(f"{file}: {error.args[0]}", code="eval.baseline", remedy="Write one with --save.") from None
    if found.suite != suite:
        raise BadInput(
            f"{file}: of the suite {found.suite!r}, not {suite!r}", code="eval.baseline", remedy="Name its own."
        )
    return found


class Difference(NamedTuple):
    """How much a mean over the cases changed.

    Attributes:
        before, now: The means, over the cases that both have.
        change: Of `now` from `before`.
        low, high: Where the change is, with 95 % confidence, if the cases were drawn at random.
    """

    before: float
    now: float
    change: float
    low: float
    high: float

    @property
    def worse(self) -> bool:
        """Whether it fell, by more than chance explains."""
        return self.high < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What changed.

    Attributes:
        lost, won: Names of cases of which half the trials or more pass less, or more, than before.
        new, gone: Names of cases that only one of both has.
        passed: The pass rate; None where they have no case in common.
        mcnemar: How likely so uneven a split of lost and won cases is by chance, two-sided and exact.
        taken: What a trial takes, by name, where both know it.
    """

    lost: tuple[str, ...]
    won: tuple[str, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]
    passed: Difference | None
    mcnemar: float
    taken: Mapping[str, Difference]

    def as_json(self) -> dict[str, Json]:
        """All of it."""
        return {
            "lost": list(self.lost), "won": list(self.won), "new": list(self.new), "gone": list(self.gone),
            "passed": None if self.passed is None else self.passed._asdict(), "mcnemar": self.mcnemar,
            "taken": {name: difference._asdict() for name, difference in self.taken.items()},
        }  # fmt: skip


def compare(before: Mapping[str, Sequence[KeptTrial]], now: Mapping[str, Sequence[KeptTrial]], seed: int) -> Comparison:
    """Hold trials against earlier ones of the same cases.

    Args:
        seed: Of the draws.
    """
    both = [name for name in now if before.get(name) and now[name]]
    rates = {name: (_rate(before[name]), _rate(now[name])) for name in both}
    lost = tuple(name for name, (was, is_now) in rates.items() if was - is_now >= FELL)
    won = tuple(name for name, (was, is_now) in rates.items() if is_now - was >= FELL)
    taken = {}
    for name in TAKEN:
        pairs = [
            (was, is_now) for case in both
            if (was := _mean(before[case], name)) is not None and (is_now := _mean(now[case], name)) is not None
        ]  # fmt: skip
        if pairs:
            taken[name] = bootstrap(pairs, seed)
    return Comparison(
        lost=lost, won=won, new=tuple(name for name in now if name not in before),
        gone=tuple(name for name in before if name not in now),
        passed=bootstrap(list(rates.values()), seed) if rates else None, mcnemar=mcnemar(len(lost), len(won)),
        taken=taken,
    )  # fmt: skip


def kept_trials(document: Mapping[str, Any]) -> dict[str, list[KeptTrial]]:
    """The trials of a result as a baseline has them."""
    return Baseline.model_validate(document).cases


def bootstrap(pairs: Sequence[tuple[float, float]], seed: int) -> Difference:
    """The mean change of pairs, with the percentiles of its means over cases drawn again with replacement."""
    changes = [now - before for before, now in pairs]
    whole, draw = len(changes), Random(seed)
    means = sorted(sum(draw.choices(changes, k=whole)) / whole for _ in range(RESAMPLES))
    low, high = means[round(0.025 * (RESAMPLES - 1))], means[round(0.975 * (RESAMPLES - 1))]
    before, now = (sum(pair[place] for pair in pairs) / whole for place in (0, 1))
    return Difference(before, now, now - before, low, high)


def mcnemar(lost: int, won: int) -> float:
    """The exact two-sided probability of a split as uneven as this one, or more, of so many changes by chance."""
    whole = lost + won
    tail: float = sum(comb(whole, each) for each in range(min(lost, won) + 1)) / 2**whole
    return min(1.0, 2 * tail)


def _rate(trials: Sequence[KeptTrial]) -> float:
    return sum(trial.passed for trial in trials) / len(trials)


def _mean(trials: Sequence[KeptTrial], name: str) -> float | None:
    values = [value for trial in trials if (value := getattr(trial, name)) is not None]
    return sum(values) / len(values) if values else None

"""When a version has failed: how many of its calls came to nothing, against what is tolerated and what it replaces.

The rule, at `CALLS_MIN` calls or more, is two one-sided exact tests at the level `LEVEL`:

1. If it failed no more often than is tolerated, so many failures would come less often than `LEVEL` (binomial).
2. If it failed no more often than what it is to replace did in the same time, so many of the failures of both would be
   its own less often than `LEVEL` (Fisher's exact test). Asked only where that one has `CALLS_MIN` calls as well: else
   nothing is known of it, and the first test decides alone.

So a far end that fails both alike takes nothing back, and a version that is a little worse, but within what is
tolerated, stays. Figures begin anew with each word of a person.

Taken back is for everybody, and calls can be made to fail. So the failures of one principal alone do it only where next
to nobody else has used the version: else those of the others, taken together, must fail more often than is tolerated.
"""

from __future__ import annotations

from math import exp, lgamma, log
from typing import NamedTuple

from interlock.core.canonical import Json

CALLS_MIN = 20
"""Calls of a version before which its figures say nothing: fewer, and one unlucky user decides."""

OTHERS_MIN = 5
"""Calls of the others before which they say nothing for a version of which one principal's calls fail."""

LEVEL = 0.001
"""How seldom chance alone may look so bad. Asked after every failure, so it is a tenth of what one look would need."""


class Figures(NamedTuple):
    """What came of the calls of one rollout.

    Attributes:
        calls, failed: Of what is rolled out: how many were made, and how many of them failed or are unknown.
        old_calls, old_failed: Of what the other principals got in the same time.
    """

    calls: int = 0
    failed: int = 0
    old_calls: int = 0
    old_failed: int = 0

    def as_json(self) -> dict[str, Json]:
        """By name."""
        return dict(self._asdict())


def has_failed(figures: Figures, tolerated: float) -> bool:
    """Whether these figures take a version back.

    Args:
        tolerated: Percent of its calls that may fail.
    """
    calls, failed, old_calls, old_failed = figures
    if calls < CALLS_MIN or beyond(failed, calls, tolerated / 100) > LEVEL:
        return False
    return old_calls < CALLS_MIN or above(failed, calls, old_failed, old_calls) <= LEVEL


def works_for(others: Figures, tolerated: float) -> bool:
    """Whether a version works for all but the principal of whom most calls failed: so it is that one's doing.

    Args:
        others: What came of the calls of all but that one.
        tolerated: Percent of its calls that may fail.
    """
    return others.calls >= OTHERS_MIN and others.failed * 100 <= others.calls * tolerated


def beyond(failed: int, calls: int, rate: float) -> float:
    """How likely at least so many of the calls fail where each fails at this rate (binomial)."""
    if failed <= calls * rate:
        return 1.0
    if rate <= 0.0:
        return 0.0
    term = exp(_choose(calls, failed) + failed * log(rate) + (calls - failed) * log(1 - rate))
    total, odds = 0.0, rate / (1 - rate)
    for number in range(failed, calls + 1):
        total += term
        term *= odds * (calls - number) / (number + 1)
        if term < total * 1e-12:
            break
    return min(1.0, total)


def above(failed: int, calls: int, old_failed: int, old_calls: int) -> float:
    """How likely at least so many of the failures of both are of the first, where both fail alike (Fisher)."""
    if failed * old_calls <= old_failed * calls:
        return 1.0
    both = failed + old_failed
    term = exp(_choose(calls, failed) + _choose(old_calls, old_failed) - _choose(calls + old_calls, both))
    total = 0.0
    for number in range(failed, min(both, calls) + 1):
        total += term
        left = both - number  # of the old one's
        term *= (calls - number) * left / ((number + 1) * (old_calls - left + 1))
        if term < total * 1e-12:
            break
    return min(1.0, total)


def _choose(whole: int, part: int) -> float:
    """Logarithm of the number of ways to take so many of the whole."""
    return lgamma(whole + 1) - lgamma(part + 1) - lgamma(whole - part + 1)

"""Durations counted by size, so that counts of several times and processes can be added and still say a percentile.

Steps grow by a twenty-fourth of a decade: what is read of a percentile is at most 5 % off, whatever the size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

PER_DECADE: Final = 24
"""Steps between a duration and ten times as much."""

STEP_MAX: Final = 14 * PER_DECADE
"""The last step: 10^14 microseconds, three years, and all above."""

_SLACK: Final = 1e-9
"""By which a logarithm may be too large for a number that stands exactly on a step's end."""


def step_of(us: int) -> int:
    """The step that a duration falls in: the first whose end is not below it.

    Args:
        us: Microseconds; what is below one counts as one.
    """
    return 0 if us <= 1 else min(STEP_MAX, math.ceil(math.log10(us) * PER_DECADE - _SLACK))


def end_of(step: int) -> float:
    """The longest duration of a step, microseconds."""
    end: float = 10.0 ** (step / PER_DECADE)
    return end


def percentiles(steps: Mapping[int, int], parts: Sequence[float]) -> list[int]:
    """Durations, in microseconds, that such parts of all did not pass; the middle of the step that each falls in.

    Args:
        steps: Step to count; 0 for each part where it is empty.
        parts: Above 0 and at most 1, rising.
    """
    whole = sum(steps.values())
    if not whole:
        return [0] * len(parts)
    found, passed, ordered = [], 0, iter(sorted(steps.items()))
    step = 0
    for part in parts:
        while passed < part * whole:
            step, count = next(ordered)
            passed += count
        found.append(round(end_of(step) * _MIDDLE) if step else 1)
    return found


_MIDDLE: Final = 10.0 ** (-0.5 / PER_DECADE)

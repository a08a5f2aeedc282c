"""Durations counted by size, so that counts of several times and processes can be added and still say a percentile.

Steps grow by a twenty-fourth of a decade: what is read of a percentile is at most 5 % off, whatever the size. The
counts of all steps are one whole number, `BITS` bits for each step: two are added as numbers are, and a bucket holds
one number for each thing that is timed.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Final

PER_DECADE: Final = 24
"""Steps between a duration and ten times as much."""

STEP_MAX: Final = 14 * PER_DECADE
"""The last step: 10^14 microseconds, three years, and all above."""

BITS: Final = 32
"""Bits of one step: four billion durations of about the same size are the most that are told right."""

Steps = int
"""How many durations fell into each step, the first step lowest."""

_SLACK: Final = 1e-9
"""By which a logarithm may be too large for a number that stands exactly on a step's end."""


def step_of(us: int) -> int:
    """The step that a duration falls in: the first whose end is not below it.

    Args:
        us: Microseconds; what is below one counts as one.
    """
    return 0 if us <= 1 else min(STEP_MAX, math.ceil(math.log10(us) * PER_DECADE - _SLACK))


def one(us: int) -> Steps:
    """The steps of one duration, microseconds."""
    return _ONE[step_of(us)]


def end_of(step: int) -> float:
    """The longest duration of a step, microseconds."""
    end: float = 10.0 ** (step / PER_DECADE)
    return end


def counts_of(steps: Steps) -> tuple[int, ...]:
    """How many durations each step has, from the first step to the last that has any."""
    number = -(-steps.bit_length() // BITS)
    return struct.unpack(f"<{number}I", steps.to_bytes(number * BITS // 8, "little"))


def count_of(steps: Steps) -> int:
    """How many durations there are."""
    return sum(counts_of(steps))


def percentiles(steps: Steps, parts: Sequence[float]) -> list[int]:
    """Durations, in microseconds, that such parts of all did not pass; the middle of the step that each falls in.

    Args:
        parts: Above 0 and at most 1, rising. 0 is told for each where there is no duration.
    """
    counts = counts_of(steps)
    whole = sum(counts)
    if not whole:
        return [0] * len(parts)
    found, passed, step = [], 0, -1
    for part in parts:
        while passed < part * whole:
            step += 1
            passed += counts[step]
        found.append(round(end_of(step) * _MIDDLE) if step else 1)
    return found


_MIDDLE: Final = 10.0 ** (-0.5 / PER_DECADE)
_ONE: Final = tuple(1 << (BITS * step) for step in range(STEP_MAX + 1))

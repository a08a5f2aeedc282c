"""When another try comes: one layer, one budget, doubling pauses."""

from __future__ import annotations

from interlock.execution.attempt import Failure

BACKOFF_S = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before the second, third, … attempt, each ± 20 % (REQUIREMENTS B11)."""

JITTER = 0.2
"""Part of a pause by which it varies, so that many who failed together do not come back together."""

RETRY_AFTER_MAX_S = 60.0
"""A far end that asks for a longer pause is not obeyed: it may be mistaken, or mean harm (fault K27)."""


def pause_s(failure: Failure, number: int, jitter: float) -> float:
    """Seconds to wait after the failed try of this number.

    Args:
        number: Of the try that failed, from 1.
        jitter: From -1 to 1.
    """
    own = BACKOFF_S[min(number, len(BACKOFF_S)) - 1] * (1 + JITTER * jitter)
    return max(own, min(failure.retry_after_s, RETRY_AFTER_MAX_S))

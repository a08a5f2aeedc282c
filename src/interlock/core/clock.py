"""Time as an input. Nothing in Interlock asks the operating system for the time except through a `Clock`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

SECOND_US = 1_000_000
"""Microseconds in a second: every stored time is in microseconds of UTC."""


class Clock(Protocol):
    """Two readings: what the wall says, and what has passed."""

    def wall_us(self) -> int:
        """Microseconds since 1970-01-01 UTC. May jump in either direction."""
        ...

    def mono_s(self) -> float:
        """Seconds since some start; never goes back. For durations only."""
        ...


class SystemClock:
    """The machine's clocks."""

    def wall_us(self) -> int:
        """The machine's wall clock, in whole microseconds."""
        return time.time_ns() // 1000

    def mono_s(self) -> float:
        """The machine's monotonic clock, in seconds."""
        return time.monotonic()


def iso(at_us: int) -> str:
    """ISO 8601 in UTC with a trailing Z, to the millisecond: for people and audit queries."""
    moment = datetime.fromtimestamp(at_us / SECOND_US, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

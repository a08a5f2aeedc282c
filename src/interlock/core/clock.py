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


class Deadlines:
    """A clock for what must end in time: its wall reads the later of the wall and of what has passed since it was made.

    So that what was promised until some moment ends then by either clock, and a wall that is set back prolongs
    nothing while this process lives (T38, fault K30).
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start_us = clock.wall_us()
        self._start_s = clock.mono_s()

    def wall_us(self) -> int:
        """The later one, microseconds UTC."""
        passed_us = int((self._clock.mono_s() - self._start_s) * SECOND_US)
        return max(self._clock.wall_us(), self._start_us + passed_us)

    def mono_s(self) -> float:
        """What has passed, in seconds."""
        return self._clock.mono_s()


def iso(at_us: int) -> str:
    """ISO 8601 in UTC with a trailing Z, to the millisecond: for people and audit queries."""
    moment = datetime.fromtimestamp(at_us / SECOND_US, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

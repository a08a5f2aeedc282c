"""A clock that a test moves."""

from __future__ import annotations

from interlock.core.clock import SECOND_US


class FrozenClock:
    """Stands still until it is moved.

    Args:
        start_us: What the wall says at first, microseconds UTC; 2026-01-01T00:00:00Z by default.
    """

    def __init__(self, start_us: int = 1_767_225_600 * SECOND_US) -> None:
        self._wall_us = start_us
        self._mono_s = 0.0

    def wall_us(self) -> int:
        """What the wall says."""
        return self._wall_us

    def mono_s(self) -> float:
        """Seconds by which it was advanced."""
        return self._mono_s

    def advance(self, seconds: float) -> None:
        """Let time pass: both readings move."""
        assert seconds >= 0, "time passes forwards; use jump_wall for a clock that is set back"
        self._wall_us += int(seconds * SECOND_US)
        self._mono_s += seconds

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock by so much, forwards or back; no time passes."""
        self._wall_us += int(seconds * SECOND_US)

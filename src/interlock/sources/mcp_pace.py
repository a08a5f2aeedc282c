"""How soon a server is asked again: to open, after it failed, and to list, after it changed its tools over and over."""

from __future__ import annotations

from typing import Final

from interlock.core.clock import Clock

PAUSE_S: Final = 0.25
PAUSE_MAX_S: Final = 60.0
"""Seconds between tries to reach a server: the first pause, and the longest; each is twice the one before."""

CALM_S: Final = 0.2
CALM_MAX_S: Final = 60.0
"""Seconds in which further words of a server that its tools changed are one word: at first, and of one that goes on."""

CHANGES_FREE: Final = 8
"""Changes soon after each other that are nothing unusual: somebody works on the server. Each costs a ledger entry."""


class Pace:
    """The pace of one server, or of a principal's own connection to it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pause_s = self._not_before_s = self._changed_s = 0.0
        self._changes = 0

    @property
    def wait_s(self) -> float:
        """Seconds until it may be tried again; 0 or less for now."""
        return self._not_before_s - self._clock.mono_s()

    @property
    def calm_s(self) -> float:
        """Seconds until it is listed again after it said that its tools changed."""
        return float(min(CALM_MAX_S, CALM_S * 2 ** max(0, self._lately() - CHANGES_FREE)))

    @property
    def restless(self) -> bool:
        """Whether it changes its tools so often that its word alone has it listed no more."""
        return self._lately() > CHANGES_FREE

    def failed(self) -> None:
        """It did not open, or ended."""
        self._pause_s = min(PAUSE_MAX_S, self._pause_s * 2 or PAUSE_S)
        self._not_before_s = self._clock.mono_s() + self._pause_s

    def opened(self) -> None:
        """It did."""
        self._pause_s = 0.0

    def at_once(self) -> None:
        """It may be tried now: something about it changed."""
        self._pause_s = self._not_before_s = 0.0

    def changed(self) -> None:
        """Its tools are others than they were."""
        self._changes = self._lately() + 1
        self._changed_s = self._clock.mono_s()

    def _lately(self) -> int:
        """Changes that came soon after each other, up to now."""
        return self._changes if self._clock.mono_s() - self._changed_s < 2 * CALM_MAX_S else 0

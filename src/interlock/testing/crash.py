"""Crash points, armed: end the process at the n-th point that it passes."""

from __future__ import annotations

import os
import signal

from interlock.core.points import NAMES


class CrashAt:
    """Kills this process, as `kill -9` would, when a point is passed.

    Args:
        point: Name of the point (`core.points.NAMES`), or None for any.
        nth: Which passing of it, from 1.
    """

    def __init__(self, point: str | None = None, nth: int = 1) -> None:
        assert point is None or point in NAMES, f"no crash point is called {point!r}; there are {', '.join(NAMES)}"
        self._point = point
        self._left = nth

    def __call__(self, point: str) -> None:
        """Pass by, or never return."""
        if self._point in (None, point):
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

"""A breaker: a far end that fails nearly always is left alone for a while, then tried by one call first."""

from __future__ import annotations

from collections import deque

WINDOW = 20
"""Newest tries that are looked at."""

ENOUGH = 10
"""Tries below which nothing is concluded."""

FAILING = 0.8
"""Part of the tries in the window that must have failed for the breaker to open.

So high that a far end which fails every third try keeps being tried: retries get through there.
"""

OPEN_S = 30.0
"""Seconds for which nothing is tried; then one call is the probe."""


class Breaker:
    """What is known of the newest tries of one far end.

    Args:
        window: Newest tries that are looked at.
        enough: Tries below which nothing is concluded.

    Attributes:
        probing: Whether somebody was admitted as the probe. Whoever learns nothing from their try sets it to False.
    """

    def __init__(self, window: int = WINDOW, enough: int = ENOUGH) -> None:
        self.probing = False
        self._enough = enough
        self._failed: deque[bool] = deque(maxlen=window)
        self._opened_s: float | None = None

    def state(self, now_s: float) -> str:
        """`closed`, `open`, `half_open` or `probing`."""
        if self._opened_s is None:
            return "closed"
        if self.probing:
            return "probing"
        return "half_open" if now_s >= self._opened_s + OPEN_S else "open"

    def rest_s(self, now_s: float) -> float:
        """Seconds until somebody may be the probe; 0 where nothing is in the way, or the probe is out."""
        return 0.0 if self._opened_s is None else max(0.0, self._opened_s + OPEN_S - now_s)

    def admit(self, now_s: float) -> bool:
        """Whether a try may be made now; where a probe is waited for, the first to ask is it."""
        state = self.state(now_s)
        if state == "half_open":
            self.probing = True
        return state in ("closed", "half_open")

    def note(self, failed: bool, now_s: float) -> None:
        """How an admitted try came out."""
        if self._opened_s is not None:
            self.probing = False
            self._failed.clear()
            self._opened_s = now_s if failed else None
            return
        self._failed.append(failed)
        tries = len(self._failed)
        if tries >= self._enough and sum(self._failed) >= FAILING * tries:
            self._opened_s = now_s

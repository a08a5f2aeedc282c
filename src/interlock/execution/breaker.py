"""Breakers: a tool whose far end fails nearly always is left alone for a while, then tried by one call first."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from interlock.core.clock import Clock
from interlock.core.tool import Tool
from interlock.execution.attempt import Failure

WINDOW = 20
"""Newest tries of a tool that are looked at."""

ENOUGH = 10
"""Tries below which nothing is concluded."""

FAILING = 0.8
"""Part of the tries in the window that must have failed for the breaker to open.

So high that a far end which fails every third try keeps being tried: retries get through there.
"""

OPEN_S = 30.0
"""Seconds for which nothing is tried; then one call is the probe."""

CUT: Final = object()
"""In an answer's place: the try was cut off and says nothing about the far end."""

_Name = tuple[str, str]


class Breakers:
    """One breaker for each tool of this process, by server and name.

    What feeds it is how a try came out, as a `Failure` or not: a value that says «error» is a value, and a
    rejection is an answer.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._breakers: dict[_Name, _Breaker] = {}

    def admit(self, tool: Tool) -> bool:
        """Whether a try may be made now; where the breaker waits for a probe, the first to ask is the probe.

        Whoever is admitted must call `over` once.
        """
        breaker = self._breakers.get((tool.server, tool.name))
        return breaker is None or breaker.admit(self._clock.mono_s())

    def shut(self, tool: Tool) -> bool:
        """Whether `admit` would say no now; takes no permit."""
        breaker = self._breakers.get((tool.server, tool.name))
        return breaker is not None and breaker.state(self._clock.mono_s()) in ("open", "probing")

    def over(self, tool: Tool, answer: object) -> None:
        """How an admitted try came out: its value, its `Failure`, or `CUT`."""
        name = (tool.server, tool.name)
        breaker = self._breakers.get(name)
        failed = isinstance(answer, Failure) and answer.kind != "rejected"
        if breaker is None:
            if not failed:
                return  # most tools never fail: nothing is kept of them
            breaker = self._breakers[name] = _Breaker()
        if answer is CUT:
            breaker.probing = False
        else:
            breaker.note(failed, self._clock.mono_s())

    def states(self) -> Mapping[_Name, str]:
        """How the breaker stands of each tool that failed: `closed`, `open`, `half_open` or `probing`."""
        now_s = self._clock.mono_s()
        return {name: breaker.state(now_s) for name, breaker in self._breakers.items()}


class _Breaker:
    """What is known of one tool's newest tries."""

    def __init__(self) -> None:
        self.probing = False
        self._failed: deque[bool] = deque(maxlen=WINDOW)
        self._opened_s: float | None = None

    def state(self, now_s: float) -> str:
        if self._opened_s is None:
            return "closed"
        if self.probing:
            return "probing"
        return "half_open" if now_s >= self._opened_s + OPEN_S else "open"

    def admit(self, now_s: float) -> bool:
        state = self.state(now_s)
        if state == "half_open":
            self.probing = True
        return state in ("closed", "half_open")

    def note(self, failed: bool, now_s: float) -> None:
        if self._opened_s is not None:
            self.probing = False
            self._failed.clear()
            self._opened_s = now_s if failed else None
            return
        self._failed.append(failed)
        tries = len(self._failed)
        if tries >= ENOUGH and sum(self._failed) >= FAILING * tries:
            self._opened_s = now_s

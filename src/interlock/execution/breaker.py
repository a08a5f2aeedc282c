"""The breakers of tools: one whose far end fails nearly always is left alone for a while."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from interlock.core.breaker import Breaker
from interlock.core.clock import Clock
from interlock.core.tool import Tool
from interlock.execution.attempt import Failure

CUT: Final = object()
"""In an answer's place: the try was cut off and says nothing about the far end."""

_Name = tuple[str, str, str]


class Breakers:
    """One breaker for each version of a tool of this process: one that is broken takes no other with it.

    What feeds it is how a try came out, as a `Failure` or not: a value that says «error» is a value, and a
    rejection is an answer.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._breakers: dict[_Name, Breaker] = {}

    def admit(self, tool: Tool) -> bool:
        """Whether a try may be made now; where the breaker waits for a probe, the first to ask is the probe.

        Whoever is admitted must call `over` once.
        """
        breaker = self._breakers.get((tool.server, tool.name, tool.version))
        return breaker is None or breaker.admit(self._clock.mono_s())

    def shut(self, tool: Tool) -> bool:
        """Whether `admit` would say no now; takes no permit."""
        breaker = self._breakers.get((tool.server, tool.name, tool.version))
        return breaker is not None and breaker.state(self._clock.mono_s()) in ("open", "probing")

    def over(self, tool: Tool, answer: object) -> None:
        """How an admitted try came out: its value, its `Failure`, or `CUT`."""
        name = (tool.server, tool.name, tool.version)
        breaker = self._breakers.get(name)
        failed = isinstance(answer, Failure) and answer.kind != "rejected"
        if breaker is None:
            if not failed:
                return  # most tools never fail: nothing is kept of them
            breaker = self._breakers[name] = Breaker()
        if answer is CUT:
            breaker.probing = False
        else:
            breaker.note(failed, self._clock.mono_s())

    def states(self) -> Mapping[_Name, str]:
        """How the breaker stands of each tool that failed: `closed`, `open`, `half_open` or `probing`."""
        now_s = self._clock.mono_s()
        return {name: breaker.state(now_s) for name, breaker in self._breakers.items()}

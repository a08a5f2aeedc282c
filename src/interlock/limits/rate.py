"""Rates: how often, over time. A guard that refills, so that nothing has to fill it and every process sees the same."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from interlock.core.clock import SECOND_US
from interlock.core.event import GuardChange
from interlock.core.guard_row import Subject, row_name
from interlock.core.tool import Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One rate that runs share: so many calls in so many seconds, and so many at once.

    In any window of W seconds at most `burst` + W × `calls` / `per_s` calls pass, whatever processes make them.

    Attributes:
        name: What people call it.
        calls, per_s: The rate.
        burst: Calls that may pass at once where none were made for a while; `calls` where 0.
        per: Each of what has as much of its own, of `core.guard_row.WHOM`; the whole tenant together where empty.
        tools: Names of the tools that it is about; all where empty.
        effects: Their effects; all where empty.
    """

    name: str
    calls: int
    per_s: float
    burst: int = 0
    per: tuple[str, ...] = ()
    tools: frozenset[str] = frozenset()
    effects: frozenset[str] = frozenset()

    def about(self, tool: Tool) -> bool:
        """Whether it counts calls of this tool."""
        return (not self.tools or tool.name in self.tools) and (not self.effects or tool.effect.value in self.effects)

    def change(self, subject: Subject) -> GuardChange:
        """What one call of this subject does to its row, or is refused."""
        add = math.ceil(self.per_s * SECOND_US / self.calls)
        row = row_name(subject, ("rate", self.name), self.per)
        return GuardChange(row, add, at_most=(self.burst or self.calls) * add, refills=True)


class Rates:
    """The rates of a deployment.

    Args:
        rates: Each with a name of its own.
    """

    def __init__(self, rates: Iterable[Rate] = ()) -> None:
        self.all = tuple(rates)
        self.by_run = any("run" in rate.per for rate in self.all)

    def changes(self, subject: Subject, tool: Tool) -> tuple[GuardChange, ...]:
        """What one call of this tool does to the rows of every rate that counts it."""
        return tuple(rate.change(subject) for rate in self.all if rate.about(tool))

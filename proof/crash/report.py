"""What was tried and found, as tables and as JSON."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from interlock.core.points import NAMES
from proof.crash.combination import CLASSES, PLACES, combination
from proof.crash.crew import Found
from proof.crash.judge import KINDS

ELSEWHERE = {
    "attempt.paused": "tests/crash/test_failing.py",
    "fallback.before": "tests/crash/test_failing.py",
    "rollback.before": "tests/rollout/test_killed.py",
    "rollback.committed": "tests/rollout/test_killed.py",
    "notice.before": "tests/notices/test_processes.py",
    "notice.sent": "tests/notices/test_processes.py",
    "notice.recorded": "tests/notices/test_processes.py",
}
"""Points that no trial passes, because its tools neither fail, nor have versions, nor tell anybody; and the tests that
kill there."""

SHOWN_MAX = 20
"""Failing combinations that are printed."""


@dataclass
class Tally:
    """Everything that was found, counted.

    Attributes:
        kills: By class and place.
        at_random: Kills at a random time, of all.
        distinct: Combinations by how many processes they kill.
        findings: By class, place and kind.
        ended: How calls stood in the end, by class.
        points: Kills by point and by the process's place in the line: 0 the first run, 1 the first recovery, …
        failed: What did not hold, with the combination that shows it.
    """

    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    at_random: int = 0
    distinct: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    findings: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    ended: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    points: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    failed: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, found: Found) -> None:
        """Count one trial."""
        tool_class, place, kills = combination(found.tried)
        self.kills[tool_class, place] += found.kills
        if kills and not kills[0].point:
            self.at_random += found.kills
        elif kills:
            for depth, kill in enumerate(kills):
                self.points[kill.point][depth] += 1
        self.distinct[len(kills)].add(found.tried)
        self.ended[tool_class].update(found.ended)
        for kind in {finding.kind for finding in found.findings}:
            self.findings[tool_class, place, kind] += 1
        self.failed += [(found.tried, finding.kind, finding.says) for finding in found.findings]

    def as_text(self) -> str:
        """The tables, the failing combinations, and the sum."""
        return "\n".join([*self._cells(), "", *self._by_point(), "", *self._failing(), *self._sum()])

    def as_json(self) -> dict[str, Any]:
        """The same as figures."""
        return {
            "kills": self.kills.total(),
            "kills_at_random": self.at_random,
            "distinct": {str(number): len(tried) for number, tried in sorted(self.distinct.items())},
            "cells": [
                {"class": tool_class, "place": place, "kills": self.kills[tool_class, place]}
                | {kind: self.findings[tool_class, place, kind] for kind in KINDS}
                for tool_class, place in product(CLASSES, PLACES)
            ],
            "ended": {tool_class: dict(ended) for tool_class, ended in self.ended.items()},
            "points": {point: dict(sorted(depths.items())) for point, depths in self.points.items()},
            "failed": [dict(zip(("combination", "kind", "says"), each, strict=True)) for each in self.failed],
        }

    def _cells(self) -> list[str]:
        lines = [f"{'class':<14}{'place':<10}{'kills':>8}" + "".join(f"{kind:>9}" for kind in KINDS)]
        for tool_class, place in product(CLASSES, PLACES):
            counts = "".join(f"{self.findings[tool_class, place, kind]:>9}" for kind in KINDS)
            lines.append(f"{tool_class:<14}{place:<10}{self.kills[tool_class, place]:>8,}{counts}")
        return lines

    def _by_point(self) -> list[str]:
        deepest = max((depth for depths in self.points.values() for depth in depths), default=0)
        titles = ["first run", *(f"recovery {depth}" for depth in range(1, deepest + 1))]
        lines = [f"{'killed at':<22}" + "".join(f"{title:>12}" for title in titles)]
        own = sorted(set(self.points) - set(NAMES))
        for point in (*NAMES, *own):
            counts = "".join(f"{self.points[point][depth] or '-':>12}" for depth in range(len(titles)))
            not_here = f"  see {ELSEWHERE[point]}" if point in ELSEWHERE else "  not passed"
            lines.append(f"{point:<22}{counts if self.points.get(point) else not_here}")
        return lines

    def _failing(self) -> list[str]:
        lines = []
        shown = list(dict.fromkeys(tried for tried, _, _ in self.failed))
        for tried in shown[:SHOWN_MAX]:
            said = [f"{kind}: {says}" for each, kind, says in self.failed if each == tried]
            lines += [f"python -m proof.crash --only {tried}", "    " + "; ".join(dict.fromkeys(said))]
        if len(shown) > SHOWN_MAX:
            lines.append(f"and {len(shown) - SHOWN_MAX} more")
        return [*lines, ""] if lines else []

    def _sum(self) -> list[str]:
        distinct = {number: len(tried) for number, tried in sorted(self.distinct.items()) if number}
        by_length = ", ".join(f"{count:,} of {number}" for number, count in distinct.items())
        ended = "; ".join(
            f"{tool_class} "
            + ", ".join(f"{outcome} {count:,}" for outcome, count in self.ended[tool_class].most_common())
            for tool_class in CLASSES
        )
        violations = ", ".join(
            f"{sum(self.findings[c, p, kind] for c in CLASSES for p in PLACES)} {kind}" for kind in KINDS
        )
        return [
            f"How the calls stood in the end, before a person settled what was unknown: {ended}.",
            f"{self.kills.total():,} kills, {self.at_random:,} of them at random times; "
            f"{sum(distinct.values()):,} distinct combinations (kills in a row: {by_length}).",
            f"{violations}.",
        ]

"""What was tried and what was found, as a table and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from proof.tampering.trial import ALL, Trial


def table(trials: Sequence[Trial]) -> str:
    """Kind × tried × found as × in the tail; the last column has what was missed."""
    lines = [f"{'mutation':<38}{'tried':>7}{'found':>7}{'tail':>6}{'missed':>8}  found as"]
    for kind in ALL:
        of_kind = [trial for trial in trials if trial.kind == kind and trial.result != "nothing"]
        count = Counter(trial.result for trial in of_kind)
        names = Counter(name for trial in of_kind if trial.result == "found" for name in trial.found)
        said = ", ".join(f"{name} {times}" for name, times in names.most_common(5))
        lines.append(
            f"{kind:<38}{len(of_kind):>7}{count['found']:>7}{count['tail']:>6}{count['missed']:>8}  {said}"
        )  # fmt: skip
    made = [trial for trial in trials if trial.result != "nothing"]
    total = Counter(trial.result for trial in made)
    lines.append(f"{'all':<38}{len(made):>7}{total['found']:>7}{total['tail']:>6}{total['missed']:>8}")
    return "\n".join(lines)


def as_json(trials: Sequence[Trial]) -> dict[str, Any]:
    """The same for a program."""
    return {
        kind: {
            "results": Counter(trial.result for trial in trials if trial.kind == kind),
            "found": Counter(name for trial in trials if trial.kind == kind for name in trial.found),
        }
        for kind in ALL
    }

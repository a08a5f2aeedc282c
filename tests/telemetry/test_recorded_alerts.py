"""Alerts about calling patterns on recorded work: see `proof/alerts.py`. Requirement D7."""

from __future__ import annotations

from pathlib import Path

from proof.alerts import BURSTS, SWEEPS, tell
from proof.recorded import recorded


def test_quiet_weeks_of_recorded_work_raise_next_to_nothing_and_what_is_planted_is_found(data_dir: Path) -> None:
    suites = {
        name: [(run.task, tools) for run in suite.runs if (tools := [call.tool for turn in run.turns for call in turn])]
        for name, suite in recorded(data_dir).items()
    }
    told = tell(suites, count=12, days=28, seed=0)
    assert told.calls > 5_000 and len(told.false) <= 1
    assert sum(told.bursts[BURSTS[-1]]) >= 11
    assert sum(told.sweeps[SWEEPS[-1]]) >= 11

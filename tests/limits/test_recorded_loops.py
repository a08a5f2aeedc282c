"""The limits on recorded runs: see `proof/loops.py`. REQUIREMENTS B6; issue 4, shown by 3."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from interlock.verification.calibrate import Share
from proof.loops import STOPPED_MIN, TOUCHED_MAX, Made, make, stopped, touched
from proof.recorded import recorded


@pytest.fixture(scope="module")
def made(data_dir: Path) -> list[Made]:
    return [run for name, suite in recorded(data_dir).items() for run in anyio.run(make, name, suite)]


def test_of_the_solved_recorded_runs_at_most_one_in_a_hundred_is_touched(made: list[Made]) -> None:
    share = touched(made)
    assert share.whole > 1900
    assert (share.value or 0) <= TOUCHED_MAX


def test_of_the_unsolved_ones_that_repeat_themselves_95_in_a_hundred_are_stopped(made: list[Made]) -> None:
    share = stopped(made)
    assert share.whole > 100
    assert (share.value or 0) >= STOPPED_MIN


def test_no_recorded_run_that_was_solved_has_too_many_calls_at_once(made: list[Made]) -> None:
    assert not sum(run.refused["limit.fan_out"] for run in made if run.solved)


def test_wilsons_interval_is_the_published_one() -> None:
    """Wilson 1927: 0 of 10 is [0, 0.278], 5 of 10 is [0.237, 0.763]."""
    assert Share(0, 10).interval == pytest.approx((0, 0.2775), abs=1e-4)
    assert Share(5, 10).interval == pytest.approx((0.2366, 0.7634), abs=1e-4)

"""The cache on recorded runs, a few of each suite: see `proof/cache.py`. REQUIREMENTS B13, T43; issue 3, shown by 7."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from proof.cache import Setting, Share, measure
from proof.recorded import recorded

SOME = 60
"""Runs of each suite; the command makes them all."""


@pytest.fixture(scope="module")
def shares(data_dir: Path) -> list[Share]:
    return [
        anyio.run(
            measure, suite, tools, [run.turns for run in runs[-SOME:]], Setting(turn_s=5.0, cache_s=30.0, shared=shared)
        )
        for suite, (tools, runs) in recorded(data_dir).items()
        for shared in (False, True)
    ]


def test_no_recorded_answer_is_told_to_another_principal_or_outlives_a_write(shares: list[Share]) -> None:
    """Each answer carries whom it was for and how many writes had ended when it was got."""
    assert {share.suite for share in shares} == {"banking", "slack", "travel", "workspace", "shopping", "airline"}
    assert sum(share.reads for share in shares) > 500
    assert [(share.across, share.stale) for share in shares] == [(0, 0)] * len(shares)


def test_recorded_runs_do_ask_the_same_again(shares: list[Share]) -> None:
    assert sum(share.cached for share in shares) > 10

"""`make soak`, short: 16 workers × 1,000 reservations, and that its judge finds what it is there to find (Q13, T29)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anyio
import apsw
import pytest

from interlock.core.clock import SECOND_US
from proof.soak.judge import judge, recover, rushed
from proof.soak.plan import Plan
from proof.soak.worker import Counts, work

ROOT = Path(__file__).parents[2]
SMALL = Plan(workers=8, reservations=60, processes=1, kills=0, seed=3)


def test_no_budget_is_passed_and_nothing_leaks_under_load_and_kills() -> None:
    """Goal Q13 at a fortieth of its size: the whole of it is `make soak`."""
    command = [sys.executable, "-m", "proof.soak", "--workers", "16", "--reservations", "1000", "--kills", "4"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = dict(line.split(maxsplit=1) for line in ran.stdout.splitlines() if " " in line.strip())
    assert (lines["overshoot"], lines["leak"]) == ("0", "0")
    assert "day 100.0%" in ran.stdout  # the limits were reached, else nothing was shown


@pytest.fixture
def soaked(tmp_path: Path) -> Path:
    work(SMALL, 0, tmp_path, Counts(SMALL.workers))
    anyio.run(recover, tmp_path)
    return tmp_path


def test_the_judge_finds_a_row_that_was_never_there(soaked: Path) -> None:
    assert anyio.run(judge, SMALL, soaked).holds
    apsw.Connection(str(soaked / "ledger.db")).execute(
        "UPDATE guard SET value = value - 1 WHERE name LIKE '%\"user\"%'"
    )
    assert len(anyio.run(judge, SMALL, soaked).leak) == 8


def test_the_judge_finds_a_budget_that_was_passed(soaked: Path) -> None:
    tighter = SMALL._replace(reservations=30)
    assert any('"user"' in row for row in anyio.run(judge, tighter, soaked).overshoot)


def test_the_judge_finds_what_nobody_recovered(tmp_path: Path) -> None:
    plan = SMALL._replace(reservations=300)
    work(plan, 0, tmp_path, Counts(plan.workers))
    assert anyio.run(judge, plan, tmp_path).open > 0


def test_the_judge_finds_a_rate_that_was_rushed() -> None:
    row = '["acme","rate","slow",["principal","user_0"]]'
    add = SECOND_US // 50
    burst = [0] * 20
    assert not rushed(row, [*burst, *range(add, 50 * add, add)])
    assert rushed(row, [*burst, 0])
    assert rushed(row, [*burst, *range(add, 50 * add, add - 1)])
    assert rushed(row, [*(n * add for n in range(100)), *[100 * add] * 21])

"""Q4: seeded short runs of the real path against the reference state machine, each replayable from its number."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from interlock.core.points import NAMES
from interlock.testing.far_end import Fate
from proof.simulate import part, simulator

ROOT = Path(__file__).resolve().parents[2]
SEEDS = [
    int(line.split()[0])
    for line in (Path(__file__).parent / "seeds.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
RUNS = 5000
"""As many as fit in some twenty seconds; `make simulate` makes a million."""

_DIGESTS = "from proof.simulate import simulator; print(*[simulator().run(seed).digest for seed in range(40)])"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_that_diverged_once_does_so_no_more(seed: int) -> None:
    assert simulator().run(seed).events


def test_no_run_diverges_and_every_fault_and_outcome_is_met() -> None:
    """Q4, K1, K4, K6, K7, K19, K28, K30, K33, K38, K41: the kinds of faults are drawn, not listed."""
    found = part(range(100_000, 100_000 + RUNS))
    assert found.diverged == []
    assert missing(found.met) == []


def missing(met: Counter[str]) -> list[str]:
    """What no run met, of what a reader of the table expects to see visited."""
    rare = {"fallback.before", "attempt.paused", "ask.after", "ask.before"}
    rare |= {"notice.before", "notice.sent", "notice.recorded"}  # nobody is told anything in a simulation
    rare |= {"rollback.before", "rollback.committed"}  # nor has a tool of it several versions
    points = [f"crash {point}" for point in (*NAMES, "any turn") if point not in rare]
    far = [f"far {fate}" for fate in Fate]
    store = [f"store {trouble}" for trouble in ("before", "after", "slow", "very_slow", "cut")]
    faults = [f"fault {name}" for name in ("cancelled", "clock back", "clock forward", "frozen", "stopped")]
    classes = ("keyed", "idempotent", "reconcilable", "none", "held", "held_keyed", "falls_back")
    calls = [f"call {name} {end}" for name in classes for end in ("done", "failed", "refused", "unknown")]
    return [name for name in (*points, *far, *store, *faults, *calls) if not met[name]]


def test_the_same_seed_is_the_same_run_byte_for_byte_in_any_process() -> None:
    """Hash seeds differ from process to process; nothing of a run may hang on them, or on where objects lie."""
    said = set()
    for hash_seed in ("0", "1", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", _DIGESTS]
        ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
        said.add(ended.stdout)
    assert len(said) == 1
    assert len(set(said.pop().split())) == 40, "and other seeds are other runs"


def test_a_trace_changes_nothing_and_tells_every_step() -> None:
    plain, traced = simulator().run(7), simulator().run(7, trace=True)
    assert (plain.digest, plain.trace) == (traced.digest, [])
    assert sum("ledger run_" in step for step in traced.trace) == len([e for e in plain.events if "run_" in e.chain])

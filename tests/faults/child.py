"""Runs `tests.faults.worker` in a process of its own, under strace where a test says so."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


class Said(NamedTuple):
    """What a worker told.

    Attributes:
        lines: Everything, in order.
        effects: The numbers that its tools did, in order.
    """

    lines: list[list[Any]]
    effects: list[int]

    def told(self) -> dict[int, str]:
        """The kind of outcome of each call that has one, by number."""
        return {line[2]: line[3] for line in self.lines if line[0] == "told"}

    def refused(self) -> dict[int, str]:
        """The code of the ledger's error for each call that met one."""
        return {line[2]: line[3] for line in self.lines if line[0] == "refused"}

    def first(self, word: str) -> list[Any]:
        """What stands behind a word."""
        return next(line[1:] for line in self.lines if line[0] == word)


def worker(act: str, folder: Path, ledger: Path, *words: str, strace: str = "") -> Said:
    """Do an act in a child to its end.

    Args:
        strace: An `inject=` expression that it is done under.
    """
    command = [sys.executable, "-m", "tests.faults.worker", act, str(folder), str(ledger), *words]
    if strace:
        command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={strace}", *command]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    effects = folder / "effects"
    numbers = [int(line) for line in effects.read_text().split()] if effects.exists() else []
    return Said([json.loads(line) for line in done.stdout.splitlines()], numbers)


def check_recovered(before: Said, folder: Path, ledger: Path) -> None:
    """Opened again with room, the ledger goes on without a gap and tells of each effect what happened."""
    after = worker("recover", folder, ledger)
    assert after.first("sound") == [[], []], "no gap, and every chain verifies"
    assert after.told()[1_000_000] == "done"
    assert after.effects == [*before.effects, 1_000_000], "nothing is done again"
    rows = {line[1]: line[2:] for line in after.lines if line[0] == "call"}
    for _, name, n, kind, _ in (line for line in before.lines if line[0] == "told"):
        assert rows[f"{name}-{n}"][1] == kind, "what was told stands"
    for n in before.effects:
        assert rows[f"put-{n}"][1] in ("done", "unknown"), "an effect has its record"
    for name, (status, outcome, _) in rows.items():
        assert status in ("closed", "unknown"), "nothing is stuck"
        n = int(name.rpartition("-")[2])
        assert outcome != "done" or name.startswith("get") or n in after.effects, "and no record lies"

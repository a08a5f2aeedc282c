"""The runtime as a process of its own, which somebody may kill; and `interlock ledger verify`, asked from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from examples.deployment import OPERATOR, RUNTIME, key_file
from interlock.settings import FILE

INTERLOCK = Path(sys.executable).parent / "interlock"

VERIFY_S = 60.0
"""Seconds that verifying may take."""

START_S = END_S = 15.0
"""Seconds that it may take to start, and to end when it is asked to."""


class Runtime:
    """One such process, at work when this returns. Blocks while it starts and ends; use it from a thread.

    Attributes:
        pid: Its number.
    """

    def __init__(self, folder: Path) -> None:
        key = key_file(folder, RUNTIME).read_text(encoding="utf-8").strip()
        self._process = subprocess.Popen(
            [str(INTERLOCK), "work", "--json", "--settings", str(folder / FILE)],
            env=os.environ | {"INTERLOCK_KEY": key}, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.pid = self._process.pid
        self._process.stdout.readline()  # says that it is at work

    def kill(self) -> None:
        """As the kernel does when memory is short: at once, without a word."""
        self._process.kill()
        self._process.communicate()

    def end(self) -> tuple[int, list[dict[str, Any]]]:
        """Ask it to end; its exit code, and what it has told since it was at work."""
        self._process.send_signal(signal.SIGTERM)
        try:
            out, _ = self._process.communicate(timeout=END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL, []
        return self._process.returncode, [json.loads(line) for line in out.splitlines()]


class Verdict(NamedTuple):
    """What `interlock ledger verify` says.

    Attributes:
        wrong: What it found; empty where the ledger is what was written.
        events: Events that it looked at.
        anchored: Of these, how many a signed checkpoint outside the ledger's file vouches for.
    """

    wrong: str
    events: int
    anchored: int


def verify(folder: Path) -> Verdict:
    """Verify the deployment's ledger, as its operator does it: with the command, in a process that wrote none of it."""
    done = subprocess.run(
        [str(INTERLOCK), "ledger", "verify", "--json", "--settings", str(folder / FILE)],
        env=os.environ | {"INTERLOCK_KEY": key_file(folder, OPERATOR).read_text(encoding="utf-8").strip()},
        capture_output=True, text=True, timeout=VERIFY_S, check=False,
    )  # fmt: skip
    if not done.stdout.startswith("{"):
        return Verdict(f"it says nothing, and ends with {done.returncode}: {done.stderr.strip()}", 0, 0)
    said = json.loads(done.stdout)
    if done.returncode or not said.get("ok"):
        first = said.get("first_bad") or {}
        found = said.get("error") or {"code": said.get("finding"), "message": first.get("what", "")}
        return Verdict(f"{found['code']}: {found['message']}", said.get("events", 0), said.get("anchored", 0))
    return Verdict("", said["events"], said["anchored"])

"""The runtime: `interlock work` as a process of its own, which somebody may kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from examples.property_management.deployment import RUNTIME, key_file
from interlock.settings import FILE

INTERLOCK = Path(sys.executable).parent / "interlock"

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

"""A demonstration as somebody in a terminal starts it, and what it printed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.examples.property_process import ROOT


class Played(NamedTuple):
    code: int
    out: str
    folder: Path

    @property
    def table(self) -> list[str]:
        lines = self.out.splitlines()
        start = next(index for index, line in enumerate(lines) if "decision" in line and "outcome" in line)
        return lines[start + 1 : lines.index("", start)]

    @property
    def commands(self) -> list[str]:
        return [line.strip() for line in self.out.splitlines() if line.startswith(("  export ", "  .venv", "  /"))]

    @property
    def wrapped(self) -> list[str]:
        """The lines that are not there to be copied whole: neither commands nor links."""
        commands = set(self.commands)
        return [line for line in self.out.splitlines() if line.strip() not in commands and "/sign-in?" not in line]


def played(module: str, folder: Path, *options: str, columns: int = 120) -> Played:
    done = subprocess.run(
        [sys.executable, "-m", module, *options],
        cwd=ROOT, env=os.environ | {"COLUMNS": str(columns), "TMPDIR": str(folder.parent)}, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return Played(done.returncode, done.stdout, folder)

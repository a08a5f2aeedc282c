"""The console beside a demonstration: a process of its own over the same deployment, for whoever wants to watch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import interlock
from examples.deployment import key_file
from examples.runtime import END_S, INTERLOCK
from interlock.settings import FILE

NEEDS = ("fastapi", "jinja2", "mcp", "uvicorn")
"""What `interlock serve` needs beside the core; where one is missing there is no console, and the story goes on."""


class Console:
    """One such process, listening when this returns.

    Attributes:
        url: Where it is.
        port: Its port.
    """

    def __init__(self, folder: Path, *, port: int = 0, works: bool = False) -> None:
        """Start it.

        Args:
            folder: The deployment's.
            port: Where to listen; 0 for a free one.
            works: Whether it also does what is due. During the story that is for the story's own processes.
        """
        self._folder = folder
        command = [str(INTERLOCK), "serve", "--json", "--port", str(port), "--settings", str(folder / FILE)]
        self._process = subprocess.Popen([*command, *([] if works else ["--no-work"])], stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.url = ""
        while not self.url:
            line = self._process.stdout.readline()
            if not line:
                raise ChildProcessError("the console did not start")
            self.url = json.loads(line).get("console", "")
        self.port = int(self.url.rpartition(":")[2])

    def link(self, person: interlock.Principal) -> str:
        """A link that signs somebody in, once."""
        done = subprocess.run(
            [str(INTERLOCK), "console", "link", "--json", "--port", str(self.port), "--settings",
             str(self._folder / FILE)],
            env=os.environ | {"INTERLOCK_KEY": key_file(self._folder, person).read_text(encoding="utf-8").strip()},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        url: str = json.loads(done.stdout)["url"]
        return url

    def wait(self) -> None:
        """Until it ends by itself, or somebody presses Ctrl-C."""
        self._process.wait()

    def end(self) -> None:
        """Ask it to end, and wait until it has; one that has ended already stays ended."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.communicate(timeout=END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


def can_be_served() -> bool:
    """Whether everything that the console needs is installed."""
    return all(find_spec(name) for name in NEEDS)

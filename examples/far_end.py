"""A service as a process of a demonstration, and what its administrator may see and do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[1]
"""The checkout: `examples` is a package of it."""

ADMIN_TIMEOUT_S = 5


class FarEnd(NamedTuple):
    """The running service, from its administrator's chair; the tools know nothing of this."""

    url: str
    admin_token: str

    def effects(self, after: int = 0) -> list[dict[str, Any]]:
        """What really happened, by the service's own count: every effect with a number above `after`."""
        found: list[dict[str, Any]] = self._ask(f"/admin/effects?after={after}")["items"]
        return found

    def arm(self, endpoint: str, mode: str, times: int = 1) -> None:
        """Let the next so many requests to an endpoint go wrong; see `service/faults.py`."""
        self._ask("/admin/faults", {"endpoint": endpoint, "mode": mode, "times": times})

    def armed(self, endpoint: str) -> bool:
        """Whether something is still to go wrong there."""
        return any(fault["endpoint"] == endpoint for fault in self._ask("/admin/faults")["items"])

    def _ask(self, path: str, body: object = None) -> Any:
        request = Request(self.url + path, None if body is None else json.dumps(body).encode())
        request.add_header("Authorization", f"Bearer {self.admin_token}")
        request.add_header("Content-Type", "application/json")
        with urlopen(request, timeout=ADMIN_TIMEOUT_S) as reply:
            return json.load(reply)


@contextmanager
def serving(module: str, db: Path, variables: Mapping[str, str]) -> Iterator[FarEnd]:
    """Run a service on a file of its own until the block is left, and let the tools of this process find it.

    Args:
        module: The service's.
        variables: Environment variables that tools find it by: to a format over what it says when it is ready.
    """
    command = [sys.executable, "-m", module, "--db", str(db), "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    try:
        ready = json.loads(process.stdout.readline())
        os.environ |= {name: said.format(**ready) for name, said in variables.items()}
        yield FarEnd(f"http://127.0.0.1:{ready['port']}", ready["admin_token"])
    finally:
        process.stdin.close()  # the service ends when nobody holds the other end
        process.stdout.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

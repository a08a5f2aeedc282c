"""A far end that remembers.

A separate process that writes down, and forces to disk, every effect that it is asked for before it
answers. What its file says is what really happened, whoever was killed meanwhile.

The process prints its port and serves until its standard input closes.
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_PATIENCE_S = 5.0
"""Seconds that an answer may take."""


def _nothing() -> None:
    """What happens between a request and its answer unless a test wants something to."""


class EffectOracle:
    """Starts the process and speaks to it. Use as a context manager; from another process use `EffectOracle.at(port)`.

    Args:
        file: Where effects are written, one JSON object a line: `n`, `effect`, `key`, `arguments`.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._process: subprocess.Popen[str] | None = None
        self.port = 0
        self._read_to = 0

    @classmethod
    def at(cls, port: int) -> Self:
        """The one that another process started, at its port: it can be asked, and its file is the other's."""
        oracle = cls(Path(os.devnull))
        oracle.port = port
        return oracle

    def __enter__(self) -> Self:
        """Start the process and wait until it listens."""
        serve = f"from {__name__} import main; main({str(self.file)!r})"  # -m would import this module twice
        command = [sys.executable, "-c", serve]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None, "its port comes from there"
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """End the process; the file stays."""
        assert self._process is not None, "exit comes after enter"
        self._process.communicate(timeout=5)

    def do(
        self,
        effect: str,
        arguments: dict[str, Any],
        key: str = "",
        *,
        dedupe: bool = False,
        sent: Callable[[], None] = _nothing,
    ) -> dict[str, Any]:
        """Ask for an effect and wait for the answer: `{"n": number}`, and `"again": true` where the key was known.

        Args:
            key: Idempotency key; written down, and with `dedupe` an effect with a known key is not done again.
            sent: Called when the request is out and the answer is not read: a place to die at.
        """
        return self._ask({"effect": effect, "arguments": arguments, "key": key, "dedupe": dedupe}, sent)

    def look_up(self, key: str) -> dict[str, Any]:
        """Whether an effect with this key was done: `{"done": bool}`, and its answer as `result` where it was.

        What a tool that others name as their `reconcile` answers.
        """
        return self._ask({"look_up": key})

    def quiet(self) -> None:
        """Return when everything that was sent to it has been done: by whoever has hung up, or died, since.

        A request of a killed process may still be on its way when the process is gone. Others that are asking
        keep this waiting, at most five seconds.
        """
        # a new connection is accepted behind all that came before it
        assert self._ask({"quiet": True})["quiet"], "somebody else is still asking the oracle"

    def effects(self) -> list[dict[str, Any]]:
        """Everything that was done so far, in order."""
        return [json.loads(line) for line in self.file.read_text().splitlines()] if self.file.exists() else []

    def new_effects(self) -> list[dict[str, Any]]:
        """What was done since this was last asked, in order."""
        if not self.file.exists():
            return []
        with self.file.open("rb") as lines:
            lines.seek(self._read_to)
            found = lines.read()
        self._read_to += len(found)
        return [json.loads(line) for line in found.splitlines()]

    def _ask(self, asked: dict[str, Any], sent: Callable[[], None] = _nothing) -> dict[str, Any]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE_S) as connection:
            connection.sendall(json.dumps(asked).encode() + b"\n")
            sent()
            answer: dict[str, Any] = json.loads(connection.makefile().readline())
        return answer


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, file: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._out = file.open("a")
        self._lock = threading.Condition()
        self._keys: dict[str, int] = {}
        self._count = 0
        self._open = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._lock:
            self._open -= 1
            self._lock.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked is gone: nobody is left to tell."""

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            if "quiet" in asked:
                return {"quiet": self._lock.wait_for(lambda: self._open == 1, timeout=_PATIENCE_S - 1)}
            if "look_up" in asked:
                number = self._keys.get(asked["look_up"])
                return {"done": False} if number is None else {"done": True, "result": {"n": number}}
            return self._do(asked)

    def _do(self, asked: dict[str, Any]) -> dict[str, Any]:
        key = asked["key"]
        if asked["dedupe"] and key in self._keys:
            return {"n": self._keys[key], "again": True}
        self._count += 1
        line = {"n": self._count, "effect": asked["effect"], "key": key, "arguments": asked["arguments"]}
        self._out.write(json.dumps(line) + "\n")
        self._out.flush()
        os.fsync(self._out.fileno())
        if key:
            self._keys[key] = self._count
        return {"n": self._count}


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        line = self.rfile.readline()
        if line.endswith(b"\n"):  # else whoever asks died within it
            self.wfile.write(json.dumps(self.server.answer(json.loads(line))).encode() + b"\n")


def main(file: str) -> None:
    """Serve until standard input closes, which it does when whoever started this is gone."""
    with _Server(Path(file)) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.shutdown()

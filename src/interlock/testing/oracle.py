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
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class EffectOracle:
    """Starts the process and speaks to it. Use as a context manager.

    Args:
        file: Where effects are written, one JSON object a line: `n`, `effect`, `key`, `arguments`.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

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

    def do(self, effect: str, arguments: dict[str, Any], key: str = "", *, dedupe: bool = False) -> dict[str, Any]:
        """Ask for an effect and wait for the answer: `{"n": number}`, and `"again": true` where the key was known.

        Args:
            key: Idempotency key; written down, and with `dedupe` an effect with a known key is not done again.
        """
        asked = {"effect": effect, "arguments": arguments, "key": key, "dedupe": dedupe}
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(json.dumps(asked).encode() + b"\n")
            answer: dict[str, Any] = json.loads(connection.makefile().readline())
        return answer

    def effects(self) -> list[dict[str, Any]]:
        """Everything that was done so far, in order."""
        return [json.loads(line) for line in self.file.read_text().splitlines()] if self.file.exists() else []


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, file: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._out = file.open("a")
        self._lock = threading.Lock()
        self._keys: dict[str, int] = {}
        self._count = 0

    def do(self, asked: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            if asked["dedupe"] and asked["key"] and asked["key"] in self._keys:
                return {"n": self._keys[asked["key"]], "again": True}
            self._count += 1
            line = {"n": self._count, "effect": asked["effect"], "key": asked["key"], "arguments": asked["arguments"]}
            self._out.write(json.dumps(line) + "\n")
            self._out.flush()
            os.fsync(self._out.fileno())
            self._keys[asked["key"]] = self._count
            return {"n": self._count}


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        answer = self.server.do(json.loads(self.rfile.readline()))
        self.wfile.write(json.dumps(answer).encode() + b"\n")


def main(file: str) -> None:
    """Serve until standard input closes, which it does when whoever started this is gone."""
    with _Server(Path(file)) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.shutdown()

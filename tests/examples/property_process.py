"""The property service as a running process, and how a test talks to it."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "examples.property_management.service")


class Reply(NamedTuple):
    status: int
    body: dict[str, Any]
    headers: http.client.HTTPMessage

    @property
    def refusal(self) -> tuple[int, str]:
        assert self.headers["Content-Type"] == "application/problem+json"
        assert self.body["status"] == self.status
        return self.status, self.body["code"]


class Service:
    """A running process and how to talk to it; one connection a call."""

    def __init__(self, db: Path) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "--db", str(db), "--port", "0"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline())

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        token: str | None = None,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout_s: float = 5,
    ) -> Reply:
        token = token or self.ready["admin_token" if path.startswith("/admin/") else "token"]
        sent = {"Authorization": f"Bearer {token}"} | (headers or {})
        if key is not None:
            sent["Idempotency-Key"] = key
        if body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.ready["port"], timeout=timeout_s)
        try:
            connection.request(method, path, raw, sent)
            response = connection.getresponse()
            return Reply(response.status, json.loads(response.read()), response.headers)
        finally:
            connection.close()

    def get(self, path: str) -> Reply:
        return self.call("GET", path)

    def post(self, path: str, body: object, key: str | None = None) -> Reply:
        return self.call("POST", path, body, key=key)

    def effects(self, after: int = 0) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.get(f"/admin/effects?after={after}").body["items"]
        return items

    @contextmanager
    def watched(self) -> Iterator[list[dict[str, Any]]]:
        """The effects of the block, known when it is left."""
        last = max((effect["n"] for effect in self.effects()), default=0)
        happened: list[dict[str, Any]] = []
        yield happened
        happened.extend(self.effects(last))

    def arm(self, endpoint: str, mode: str, times: int = 1) -> None:
        assert self.post("/admin/faults", {"endpoint": endpoint, "mode": mode, "times": times}).status == 200

    def end(self) -> int:
        """Close its standard input and wait; its exit status."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        try:
            return self.process.wait(5)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


VISIT = {
    "title": "Boiler inspection",
    "property_id": 1003,
    "starts_at": "2026-02-03T10:00:00+01:00",
    "duration_min": 45,
    "attendees": ["jobs@copperline-heating.example"],
}
LEAK = {"property_id": 1003, "category": "plumbing", "description": "The kitchen tap drips."}

"""A gateway in a process of its own, and raw exchanges with it, for the proofs that abuse it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import anyio
import anyio.abc
import anyio.to_thread

from interlock import Principal
from interlock.keys import Keys

INTERLOCK = Path(sys.executable).with_name("interlock")

TOOLS = '''
import interlock

@interlock.tool(effect="reversible")
def note(n: int) -> dict[str, int]:
    """Note a number."""
    with open("noted", "a") as out:
        out.write(f"{n}\\n")
    return {"n": n}
'''

SETTINGS = """
tools = ["note_tools"]
lease_s = 5
drain_s = 1
[limits]
calls_max = 100000
"""


class Deployment(NamedTuple):
    """A folder with a tool that notes a number, and keys of principals who may call it."""

    folder: Path
    keys: dict[str, str]

    def environment(self, who: str = "") -> dict[str, str]:
        """Of a process of this deployment's."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK")}
        key = self.keys.get(who, "")
        return env | {"INTERLOCK_KEY": key, "XDG_CONFIG_HOME": str(self.folder / "config"), "PYTHONUNBUFFERED": "1"}

    def noted(self) -> list[int]:
        """What was executed."""
        file = self.folder / "noted"
        return [int(float(line)) for line in file.read_text().split()] if file.exists() else []


def deploy(folder: Path, people: Sequence[str]) -> Deployment:
    """Write one."""
    (folder / "note_tools.py").write_text(TOOLS)
    (folder / "interlock.toml").write_text(SETTINGS)
    keys = Keys(folder / ".interlock" / "keys.json")
    keys.add(Principal("root", roles=frozenset({"admin"})))
    return Deployment(folder, {name: keys.add(Principal(name, roles=frozenset({"support"}))) for name in people})


class Serving(NamedTuple):
    """A gateway over HTTP."""

    url: str
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        parts = urlsplit(self.url)
        assert parts.hostname and parts.port
        return parts.hostname, parts.port


@asynccontextmanager
async def serving(deployment: Deployment) -> AsyncIterator[Serving]:
    """Start it; it is killed when the block is left."""

    def start() -> Serving:
        log = (deployment.folder / "serve.log").open("wb")
        with log:
            process = subprocess.Popen(
                [INTERLOCK, "serve", "--port", "0"], cwd=deployment.folder, env=deployment.environment(),
                stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert process.stdout is not None
        found = re.search(rb"http://\S+", process.stdout.readline())
        assert found, (deployment.folder / "serve.log").read_text()
        return Serving(found[0].rstrip(b";").decode(), process)

    gateway = await anyio.to_thread.run_sync(start)
    try:
        yield gateway
    finally:
        gateway.process.kill()
        await anyio.to_thread.run_sync(gateway.process.wait)
        assert gateway.process.stdout is not None
        gateway.process.stdout.close()


def peak_kib(pid: int) -> int:
    """The most memory that a process ever had resident, KiB; 0 where the system does not tell."""
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


class Answer(NamedTuple):
    """An answer that was read whole. Status 0: the connection ended without one."""

    status: int
    head: dict[str, str]
    body: bytes


class Malformed(Exception):
    """What came back is no answer of HTTP."""


class Wire:
    """One connection, read byte by byte."""

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self.stream = stream
        self._got = b""

    async def read(self) -> Answer:
        """The next answer, whole.

        Raises:
            Malformed: It is none.
        """
        try:
            head = await self._until(b"\r\n\r\n")
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            if self._got:
                raise Malformed(repr(self._got[:200])) from None
            return Answer(0, {}, b"")
        first, *lines = head.decode("latin-1").split("\r\n")
        if not re.fullmatch(r"HTTP/1\.[01] \d{3} [ -~]*", first) or any(": " not in line for line in lines if line):
            raise Malformed(repr(head[:200]))
        said = dict(line.lower().split(": ", 1) for line in lines if line)
        try:
            body = await self._body(said)
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            raise Malformed(f"cut off: {first}") from None
        return Answer(int(first.split()[1]), said, body)

    async def _body(self, said: dict[str, str]) -> bytes:
        if said.get("transfer-encoding") != "chunked":
            return await self._exactly(int(said.get("content-length", "0")))
        parts: list[bytes] = []
        while size := int((await self._until(b"\r\n")).split(b";")[0], 16):
            parts.append(await self._exactly(size))
            await self._exactly(2)
        await self._until(b"\r\n")
        return b"".join(parts)

    async def _until(self, mark: bytes) -> bytes:
        while mark not in self._got:
            self._got += await self.stream.receive()
        found, _, self._got = self._got.partition(mark)
        return found

    async def _exactly(self, size: int) -> bytes:
        while len(self._got) < size:
            self._got += await self.stream.receive()
        found, self._got = self._got[:size], self._got[size:]
        return found


def messages_of(answer: Answer) -> list[object]:
    """The messages of an answer, whichever form it has.

    Raises:
        ValueError: One is no JSON.
    """
    if not answer.body:
        return []
    if answer.head.get("content-type", "").startswith("text/event-stream"):
        lines = answer.body.decode().splitlines()
        return [json.loads(line[5:]) for line in lines if line.startswith("data:") and line[5:].strip()]
    if answer.head.get("content-type", "").startswith("application/json"):
        return [json.loads(answer.body)]
    return []


def http(address: tuple[str, int], key: str, body: bytes, **more: str) -> bytes:
    """A request with this body; `_` in a header's name is `-`."""
    head = {
        "host": f"{address[0]}:{address[1]}", "authorization": f"Bearer {key}", "content-type": "application/json",
        "accept": "application/json, text/event-stream", "content-length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }  # fmt: skip
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"POST /mcp HTTP/1.1\r\n{lines}\r\n".encode("latin-1", "replace") + body

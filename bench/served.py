"""A process that serves on loopback: started, waited for, and asked what it takes. Reads /proc, so Linux only."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import Refused

START_S = 120.0
"""Longest wait for a process to answer."""

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Served:
    """One process that serves, with those that it started.

    Attributes:
        pid, port: Which, and where it listens.
        start_s: Seconds from its start to its first answer.
    """

    pid: int
    port: int
    start_s: float

    def cpu_ns(self) -> int:
        """CPU time so far; of children that are over too, in steps of ten milliseconds."""
        return sum(map(_cpu_ns, _tree(self.pid)))

    def own_cpu_ns(self) -> int:
        """CPU time so far of this process alone, to the nanosecond: what passes here while a client waits."""
        return _own_cpu_ns(self.pid)

    def resident_mib(self) -> float:
        """Resident memory now."""
        return sum(map(_resident_kib, _tree(self.pid))) / 1024


@asynccontextmanager
async def served(
    command: Callable[[int], Sequence[str]],
    answers: Callable[[int], Awaitable[object]],
    folder: Path,
    more: Mapping[str, str] | None = None,
) -> AsyncIterator[Served]:
    """A process that serves for as long as the context lasts.

    Args:
        command: How it is started, given the port that it shall listen on.
        answers: Raises OSError or `Refused` for as long as nothing there answers.
        folder: Where it runs, writes what it says, and has its home.
        more: Of its environment.

    Raises:
        Refused: It ended, or did not answer in time.
    """
    folder.mkdir()
    port = _free_port()
    environment = {**os.environ, "HOME": str(folder), **(more or {})}
    with (folder / "said").open("wb") as said:
        began = time.perf_counter()
        process = subprocess.Popen(command(port), cwd=folder, env=environment, stdout=said, stderr=said)
        try:
            while True:
                try:
                    await answers(port)
                    break
                except (OSError, Refused) as error:
                    if process.poll() is not None or time.perf_counter() - began > START_S:
                        raise Refused(f"{error}; it said: {_last_words(folder)}") from error
                    await asyncio.sleep(0.005)
            yield Served(process.pid, port, time.perf_counter() - began)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def module(name: str, *arguments: str) -> Callable[[int], list[str]]:
    """The command of one of `bench.servers`."""
    return lambda port: [sys.executable, "-m", f"bench.servers.{name}", str(port), *arguments]


async def answers_get(port: int, path: str) -> None:
    """Whether a GET of this path is answered with 200.

    Raises:
        OSError, Refused: It is not.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        if b" 200 " not in (said := await reader.readline()):
            raise Refused(f"{path}: {said!r}")
    finally:
        writer.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _tree(pid: int) -> list[int]:
    below = [
        int(child) for listed in Path(f"/proc/{pid}/task").glob("*/children") for child in listed.read_text().split()
    ]
    return [pid, *(each for child in below for each in _tree(child))]


def _cpu_ns(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return _own_cpu_ns(pid) + sum(map(int, fields[13:15])) * _TICK_NS


def _own_cpu_ns(pid: int) -> int:
    return time.clock_gettime_ns(~pid << 3 | 2)  # as clock_getcpuclockid(3) makes it


def _resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def _last_words(folder: Path) -> str:
    lines = (folder / "said").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "nothing"

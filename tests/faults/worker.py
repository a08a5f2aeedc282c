"""A process of its own with a resource that runs out: `python -m tests.faults.worker ACT FOLDER …`.

It says a JSON line for everything that its caller may know; the effects of its tool stand in `effects` of the folder.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread

from interlock import (
    CallContext,
    Interlock,
    InterlockError,
    LedgerError,
    NotSent,
    Run,
    Settings,
    Tool,
    World,
    open_plane,
    tool,
)
from interlock.ledger.chain import first_bad
from interlock.testing import FrozenClock
from tests.planes import ANA


def say(*words: object) -> None:
    """Tell the test; by one system call, so that what is said is known."""
    os.write(1, json.dumps(words).encode() + b"\n")


def tools(folder: Path) -> list[Tool]:
    """A write that declares nothing, whose effects stand in a file, and a read."""

    @tool(effect="reversible")
    async def put(n: int, context: CallContext) -> int:
        """Put a number."""
        _do(folder, n)
        return n

    @tool(effect="reversible")
    def put_in_thread(n: int, context: CallContext) -> int:
        """Put a number, in a thread."""
        _do(folder, n)
        return n

    @tool(effect="reversible")
    async def hoard(n: int, context: CallContext) -> int:
        """Put a number, and remember too much of it."""
        _do(folder, n)
        return len(bytearray(1 << 30))

    @tool(effect="read")
    async def get(n: int) -> int:
        """Read a number."""
        return n

    return [put, put_in_thread, hoard, get]


def _do(folder: Path, n: int) -> None:
    try:
        file = os.open(folder / "effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        raise NotSent(str(error)) from error
    os.write(file, f"{n}\n".encode())
    os.close(file)


@asynccontextmanager
async def opened(folder: Path, ledger: Path, late_s: float = 0.0) -> AsyncIterator[Interlock]:
    """A plane on that ledger; a minute later where a claim must have lapsed."""
    clock = FrozenClock()
    clock.advance(late_s)

    async def pause(seconds: float) -> None:
        clock.advance(seconds)

    world = World(clock=clock, pause=pause)
    settings = Settings(ledger=ledger, folder=ledger.parent, policy=None)
    async with open_plane(settings, tools=tools(folder), world=world, engine=False) as plane:
        yield plane


async def attempt(run: Run, name: str, n: int) -> bool:
    """One call; whether the ledger could take it."""
    try:
        outcome = await run.call(name, {"n": n}, name=f"{name}-{n}")
    except LedgerError as error:
        say("refused", name, n, error.code)
        return False
    say("told", name, n, outcome.kind, outcome.code)
    return True


async def full(folder: Path, ledger: Path) -> None:
    """Call until the disk is full (fault K9), and then three times more."""
    how = sys.argv[4]
    try:
        async with opened(folder, ledger) as plane, plane.run(ANA) as run:
            say("run", run.run_id)
            if how == "limit":
                size = ledger.with_name(ledger.name + "-wal").stat().st_size
                resource.setrlimit(resource.RLIMIT_FSIZE, (size + 200_000, resource.RLIM_INFINITY))
            n = 1
            while await attempt(run, "put", n):
                n += 1
            for name in ("put", "get", "put"):
                n += 1
                await attempt(run, name, n)
    except LedgerError as error:
        say("left", error.code)


async def struck(folder: Path, ledger: Path) -> None:
    """Call ten times, whatever the disk makes of it (fault K10)."""
    try:
        async with opened(folder, ledger) as plane, plane.run(ANA) as run:
            for n in range(1, 11):
                await attempt(run, "put", n)
    except LedgerError as error:
        say("left", error.code)


async def few_files(folder: Path, ledger: Path) -> None:
    """Call with no file left to open, and with some again (fault K35)."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    async with opened(folder, ledger) as plane, plane.run(ANA) as run:
        await attempt(run, "put", 1)
        held = []
        try:
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            say("exhausted", error.errno)
        await attempt(run, "put", 2)
        await attempt(run, "get", 3)
        try:
            async with opened(folder, ledger):
                say("opened")
        except InterlockError as error:
            say("not opened", error.code)
        for file in held:
            os.close(file)
        await attempt(run, "put", 4)


async def few_threads(folder: Path, ledger: Path) -> None:
    """Call a sync tool where no thread can be started, and where one can again (fault K36)."""
    async with opened(folder, ledger) as plane, plane.run(ANA) as run:
        await attempt(run, "put", 1)
        over = threading.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, over.wait)  # the one thread that stands idle
            await anyio.lowlevel.checkpoint()
            _, most = resource.getrlimit(resource.RLIMIT_NPROC)
            if os.geteuid() == 0:  # root has no such limit
                for file in (folder, *folder.iterdir()):
                    os.chown(file, 65534, -1)
                os.setuid(65534)
            resource.setrlimit(resource.RLIMIT_NPROC, (1, most))
            await attempt(run, "put", 2)
            await attempt(run, "put_in_thread", 3)
            try:
                await plane.store.rows("run")
            except LedgerError as error:
                say("unread", error.code)
            resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
            await attempt(run, "put_in_thread", 4)
            over.set()


async def little_memory(folder: Path, ledger: Path) -> None:
    """Call with arguments that the memory does not hold many times over, and with small ones again (fault K34)."""
    async with opened(folder, ledger) as plane, plane.run(ANA) as run:
        await attempt(run, "put", 1)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[4]), most))
        for n in (2, 3):
            try:
                await attempt(run, "hoard", n)
            except MemoryError:
                say("no memory", n)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        await attempt(run, "put", 4)


async def recover(folder: Path, ledger: Path) -> None:
    """Open again a minute later, do what is due, and go on; say how all stands."""
    async with opened(folder, ledger, late_s=60) as plane:
        for row in await plane.store.rows("run"):
            await plane.advance(row["run_id"])
        async with plane.run(ANA) as run:
            await attempt(run, "put", 1_000_000)
        chains: dict[str, list[int]] = {}
        for _, event in await plane.store.follow(limit=100_000):
            chains.setdefault(event.chain, []).append(event.seq)
        gaps = [chain for chain, seqs in chains.items() if seqs != list(range(1, len(seqs) + 1))]
        bad = [chain for chain in chains if first_bad(await plane.store.read(chain))]
        say("sound", gaps, bad)
        for row in await plane.store.rows("tool_call", limit=10_000):
            say("call", row["name"], row["status"], row["outcome"], row["code"])


ACTS = {act.__name__: act for act in (full, struck, few_files, few_threads, little_memory, recover)}

if __name__ == "__main__":
    anyio.run(ACTS[sys.argv[1]], Path(sys.argv[2]), Path(sys.argv[3]))

"""A graph of ten reads of 50 ms each, of which four come one after the other: what is beyond these four is overhead."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import anyio

from bench.candidate import Candidate, Opened, Setting

READ_S = 0.05
AFTER: Mapping[str, Sequence[str]] = {
    "a": (), "b": (), "c": (), "d": ("a", "b"), "e": ("b",), "f": ("c",), "g": ("d", "e"), "h": ("f",),
    "i": ("g", "h"), "j": ("h",),
}  # fmt: skip
"""The reads, each with those that it comes after."""


@asynccontextmanager
async def by_hand(setting: Setting) -> AsyncIterator[Opened]:
    async def read(_: str) -> None:
        await anyio.sleep(READ_S)

    async def batch(n: int) -> None:
        for _ in range(n):
            await in_order(read)

    yield Opened(batch=batch, validates=False)


@asynccontextmanager
async def by_hand_on_disk(setting: Setting) -> AsyncIterator[Opened]:
    from bench.group_commit import GroupCommit

    async with GroupCommit(setting.folder / "floor.db") as ledger:

        async def read(name: str) -> None:
            await anyio.sleep(READ_S)
            await ledger.append(json.dumps({"kind": "result", "of": name, "value": 1}).encode())

        async def batch(n: int) -> None:
            for _ in range(n):
                await ledger.append(b'{"kind": "started"}')
                await in_order(read)
                await ledger.append(b'{"kind": "finished"}')

        yield Opened(batch=batch, validates=False)


async def in_order(read: Callable[[str], Awaitable[None]]) -> None:
    """Every read once, each in a task that waits for those that it comes after."""
    over = {name: anyio.Event() for name in AFTER}

    async def one(name: str) -> None:
        for needed in AFTER[name]:
            await over[needed].wait()
        await read(name)
        over[name].set()

    async with anyio.create_task_group() as tasks:
        for name in AFTER:
            tasks.start_soon(one, name)


@asynccontextmanager
async def graph(setting: Setting, durable: bool) -> AsyncIterator[Opened]:
    from bench.governed import CALLER, settings
    from interlock import Graph, Node, open_plane, tool

    @tool(effect="read")
    async def look(n: int) -> int:
        """Look something up that takes its time."""
        await anyio.sleep(READ_S)
        return n

    nodes = [Node(name, "look", {"n": n}, after) for n, (name, after) in enumerate(AFTER.items())]
    made = settings(setting.folder, ledger=setting.folder / "ledger.db" if durable else None)
    async with open_plane(made, tools=[look], engine=False) as interlock:

        async def batch(n: int) -> None:
            for _ in range(n):
                async with interlock.graph(Graph("bench", nodes), CALLER) as run:
                    assert (await run.outcome()).completed

        yield Opened(batch=batch, validates=False)


CANDIDATES = (
    Candidate(
        name="reads by hand",
        suite="graph",
        what="the floor: a task for each read, which waits for events of others and sleeps",
        open=by_hand,
        floor="reads by hand",
        distributions=("anyio",),
    ),
    Candidate(
        name="reads by hand, on disk",
        suite="graph",
        what="the same with start, results and end through one group-commit writer: each before what comes after it",
        open=by_hand_on_disk,
        floor="reads by hand",
        distributions=("apsw",),
    ),
    Candidate(
        name="interlock, graph",
        suite="graph",
        what="`plane.graph`: every read through all gates and recorded; default policy, ledger in memory",
        open=lambda setting: graph(setting, durable=False),
        floor="reads by hand",
        distributions=("interlock",),
    ),
    Candidate(
        name="interlock, graph on disk",
        suite="graph",
        what="the same with its ledger in SQLite, synchronous=FULL: what comes after a read waits for its record",
        open=lambda setting: graph(setting, durable=True),
        floor="reads by hand, on disk",
        distributions=("interlock",),
    ),
)

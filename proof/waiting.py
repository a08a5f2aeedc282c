"""What runs of agents cost that wait for a person: `python -m proof.waiting`, or `make waiting`.

Starts runs of an agent whose call is held, leaves each, and counts what is left of them in the process: tasks, objects
that stand for runs, and bytes of Python memory (tracemalloc), all after a collection. The ledger is SQLite in a
temporary folder, so that what waits stands on disk. A part of the runs is started before anything is counted: caches
that are bounded are full then. Exits 0 only where no task and no run is left, and no run costs more than 64 bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import tempfile
import tracemalloc
from pathlib import Path
from typing import NamedTuple

import anyio

from interlock import Agent, CallContext, End, Interlock, Principal, Proposal, Settings, foreign_tool, open_plane
from interlock.core.message import Message, Role
from interlock.models.replay import ReplayModel

BYTES_MAX = 64
"""Bytes that one waiting run may be counted at: what a measurement of thousands is unsure of."""

LANES = 32

ANA = Principal("ana", roles=frozenset({"support"}))

PAY = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


class Waiting(NamedTuple):
    """What was counted.

    Attributes:
        runs: Runs that wait, started between the two counts.
        tasks: Tasks more than before.
        known: Runs that the process still knows.
        bytes: Bytes of Python memory more than before, of all of them together.
        due: Runs that are due, though nobody answered.
    """

    runs: int
    tasks: int
    known: int
    bytes: int
    due: int

    @property
    def bytes_each(self) -> float:
        """Bytes for each run."""
        return self.bytes / self.runs


async def measure(runs: int, before: int, folder: Path) -> Waiting:
    """Start so many runs before, and then those that are counted."""
    held = Message(role=Role.MODEL, proposals=(Proposal(tool="pay", arguments={"n": 1}),))
    pay = foreign_tool("pay", "local", "Pays a number.", PAY, _body, effect="irreversible")
    settings = Settings(ledger=folder / "ledger.db", folder=folder, seal={"on": False})  # type: ignore[arg-type]  # pydantic reads it
    async with open_plane(settings, tools=[pay], agents=[Agent("desk", ReplayModel(held))], engine=False) as plane:
        await _start(plane, before)
        tracemalloc.start()
        tasks, bytes_ = _count()
        await _start(plane, runs)
        after, more = _count()
        tracemalloc.stop()
        known = len(plane.plane.ledger._conversations)
        return Waiting(runs, after - tasks, known, more - bytes_, len(await plane.store.due()))


async def _body(_: dict[str, object], __: CallContext) -> object:
    raise AssertionError("nobody approves")


async def _start(plane: Interlock, runs: int) -> None:
    async def lane(count: int) -> None:
        for _ in range(count):
            async with plane.agent("desk", ANA, words="Pay.") as run:
                assert (await run.result()).end is End.WAITING

    async with anyio.create_task_group() as tasks:
        for first in range(LANES):
            tasks.start_soon(lane, len(range(first, runs, LANES)))


def _count() -> tuple[int, int]:
    gc.collect()
    return len(asyncio.all_tasks()), tracemalloc.get_traced_memory()[0]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m proof.waiting", description="What waiting runs of agents cost.")
    parser.add_argument("--runs", type=int, default=10_000, metavar="N", help="runs that are counted (10,000)")
    parser.add_argument("--before", type=int, default=1000, metavar="N", help="runs started before them (1,000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="interlock-waiting-") as folder:
        found = anyio.run(measure, options.runs, options.before, Path(folder))
    print(f"{found.runs} runs of an agent wait for a person, after {options.before} that do too")
    print(f"tasks more than before: {found.tasks}; runs that the process knows: {found.known}; due: {found.due}")
    print(f"Python memory more than before: {found.bytes} bytes, {found.bytes_each:.1f} a run")
    return int(bool(found.tasks or found.known or found.due) or found.bytes_each > BYTES_MAX)


if __name__ == "__main__":
    sys.exit(main())

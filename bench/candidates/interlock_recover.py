"""Interlock after a crash: runs whose workers were lost in the middle of a call, and a large ledger opened."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.candidate import Candidate, Opened, Setting
from bench.weather import ARGUMENTS, get_weather

LOST_AT_ONCE = 250
"""Runs of one lost worker: a process executes at most 256 calls at the same time."""
LATER_S = 3600
"""Seconds that the recovering process's clock is ahead: the lost workers' claims have lapsed."""


@asynccontextmanager
async def open_runs(setting: Setting) -> AsyncIterator[Opened]:
    import anyio

    from bench.governed import recoverable, settings
    from bench.lost import LEDGER
    from interlock import World, open_plane
    from interlock.core.clock import SECOND_US, SystemClock

    class Later(SystemClock):
        def wall_us(self) -> int:
            return super().wall_us() + LATER_S * SECOND_US

    number = 0

    def folder() -> Path:
        return setting.folder / str(number)

    async def prepare() -> None:
        nonlocal number
        number += 1
        folder().mkdir()
        for _ in range(setting.size // LOST_AT_ONCE):
            lost = [sys.executable, "-m", "bench.lost", str(folder()), str(LOST_AT_ONCE)]
            await anyio.to_thread.run_sync(lambda lost=lost: subprocess.run(lost, check=True))

    async def batch(n: int) -> None:
        assert n == 1, "runs are recovered once"
        done = 0

        async def body(city: str, days: int) -> dict[str, Any]:
            nonlocal done
            done += 1
            return await get_weather(city, days)

        made = recoverable(body)
        open_calls = {"status": "intent"}
        async with open_plane(settings(folder(), ledger=LEDGER), tools=[made], world=World(clock=Later())) as interlock:
            while await interlock.store.rows("run", {"status": "open"}, 1):
                await anyio.sleep(0.01)
            assert not await interlock.store.rows("tool_call", open_calls, 1)
            told = await interlock.store.rows("tool_call", {"outcome": "done"}, 2 * setting.size)
            assert done == len(told) == setting.size, (done, len(told))

    yield Opened(batch=batch, prepare=prepare)


@asynccontextmanager
async def opened(setting: Setting) -> AsyncIterator[Opened]:
    from bench.candidates.interlock_scale import fill
    from bench.governed import CALLER, READ, settings
    from interlock import open_plane

    made = settings(setting.folder, ledger=Path("ledger.db"))
    async with open_plane(made, tools=[READ], engine=False) as interlock:
        await fill(interlock, setting.size)

    async def batch(n: int) -> None:
        for _ in range(n):
            async with open_plane(made, tools=[READ]) as interlock, interlock.run(CALLER) as run:
                assert (await run.call("get_weather", ARGUMENTS[0])).done

    yield Opened(batch=batch)


CANDIDATES = (
    Candidate(
        name="interlock, open runs",
        suite="recover",
        what="so many runs of killed workers, each in the middle of a keyed call: from opening until all are finished",
        open=open_runs,
        sizes=(1000,),
        distributions=("interlock",),
    ),
    Candidate(
        name="interlock, ledger opened",
        suite="recover",
        what="a SQLite ledger of so many events: opened, a first governed read, closed",
        open=opened,
        sizes=(0, 1_000_000),
        distributions=("interlock",),
    ),
)

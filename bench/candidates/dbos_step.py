"""DBOS, durable: steps of workflows that stay open, one workflow a lane.

So the start and end of a workflow, which cost more than a step, are not counted. DBOS validates no step's
arguments, so the step does it as the floor does.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import anyio

from bench.candidate import Candidate, Opened, Setting
from bench.weather import ARGUMENTS, LAST, Weather, get_weather


@asynccontextmanager
async def steps(setting: Setting) -> AsyncIterator[Opened]:
    from dbos import DBOS

    path = setting.folder / "dbos.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        # DBOS keeps whatever mode its file has; in WAL its steps take two thirds of what they take by default
        connection.execute("PRAGMA journal_mode=WAL")
        # nor does it set how it syncs: FULL is what SQLite is built with, unless somebody changed it
        if connection.execute("PRAGMA synchronous").fetchone() != (2,):
            raise RuntimeError("this Python's SQLite does not sync in FULL by default, so DBOS would not")
    DBOS(
        config={
            "name": "bench",
            "system_database_url": f"sqlite:///{path}",
            "log_level": "ERROR",
            "enable_otlp": False,
        }
    )

    @DBOS.step()
    async def weather_step(arguments: dict[str, object]) -> dict:
        weather = Weather.model_validate(arguments)
        return await get_weather(city=weather.city, days=weather.days)

    inboxes: list[asyncio.Queue[tuple[list[dict[str, object]], asyncio.Future[object]] | None]] = [
        asyncio.Queue() for _ in range(setting.size)
    ]

    @DBOS.workflow()
    async def lane(number: int) -> None:
        while (work := await inboxes[number].get()) is not None:
            calls, done = work
            result: object = None
            try:
                for arguments in calls:
                    result = await weather_step(arguments)
            except Exception as problem:
                done.set_exception(problem)
            else:
                done.set_result(result)

    def send(number: int, calls: list[dict[str, object]]) -> asyncio.Future[object]:
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        inboxes[number].put_nowait((calls, done))
        return done

    async def batch(n: int) -> None:
        chosen = [ARGUMENTS[i & LAST] for i in range(n)]
        for done in [send(number, chosen[number :: setting.size]) for number in range(setting.size)]:
            await done

    async def once(arguments: dict[str, object]) -> object:
        return await send(0, [arguments])

    DBOS.launch()
    try:
        async with anyio.create_task_group() as group:
            for number in range(setting.size):
                group.start_soon(lane, number)
            yield Opened(batch=batch, once=once, lanes=setting.size)
            for inbox in inboxes:
                inbox.put_nowait(None)
    finally:
        DBOS.destroy()


CANDIDATES = (
    Candidate(
        name="dbos step",
        suite="durable",
        what="`@DBOS.step` in an open workflow, SQLite in WAL mode; one workflow a lane",
        open=steps,
        sizes=(1, 64),
        floor="two records",
        distributions=("dbos",),
    ),
)

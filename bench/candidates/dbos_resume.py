"""DBOS, resumed: a workflow of many steps that was cancelled after the last of them and is resumed.

It is executed again, and each step's recorded result is looked up; measured from `resume_workflow` to the last step.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress

from bench.candidate import Candidate, Opened, Setting
from bench.weather import ARGUMENTS, LAST, Weather, get_weather


@asynccontextmanager
async def workflow_of(setting: Setting) -> AsyncIterator[Opened]:
    from dbos import DBOS, SetWorkflowID
    from dbos._error import DBOSException

    from bench.disk import size

    logging.disable(logging.CRITICAL)  # it reports every cancellation, and cancelling is how it is made to resume
    path = setting.folder / "dbos.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    DBOS(
        config={
            "name": "bench",
            "system_database_url": f"sqlite:///{path}",
            "log_level": "CRITICAL",
            "enable_otlp": False,
        }
    )
    all_done, go_on = asyncio.Event(), asyncio.Event()

    @DBOS.step()
    async def weather_step(arguments: dict[str, object]) -> dict:
        weather = Weather.model_validate(arguments)
        return await get_weather(city=weather.city, days=weather.days)

    @DBOS.workflow()
    async def steps() -> None:
        for number in range(setting.size):
            await weather_step(ARGUMENTS[number & LAST])
        all_done.set()
        await go_on.wait()
        await weather_step(ARGUMENTS[0])  # where it finds that it was cancelled

    DBOS.launch()
    try:
        before = size(path, sqlite3.connect)
        with SetWorkflowID("run"):
            handle = await DBOS.start_workflow_async(steps)
        await all_done.wait()
        grown = size(path, sqlite3.connect) - before

        async def prepare() -> None:
            await DBOS.cancel_workflow_async("run")
            go_on.set()
            with suppress(DBOSException):
                await handle.get_result()
            go_on.clear()
            all_done.clear()

        async def batch(n: int) -> None:
            nonlocal handle
            for number in range(n):
                if number:
                    await prepare()
                handle = await DBOS.resume_workflow_async("run")
                await all_done.wait()

        yield Opened(batch=batch, prepare=prepare, bytes_each=grown / setting.size)
        go_on.set()
        await handle.get_result()
    finally:
        DBOS.destroy()


CANDIDATES = (
    Candidate(
        name="dbos",
        suite="resume",
        what="`resume_workflow` of a cancelled workflow, SQLite in WAL mode, until its last recorded step has returned",
        open=workflow_of,
        sizes=(1000,),
        floor="one record a step",
        distributions=("dbos",),
    ),
)

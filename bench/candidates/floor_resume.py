"""The floor of `resume`: one record a step in a plain SQLite table, read and parsed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.candidate import Candidate, Opened, Setting
from bench.weather import ARGUMENTS, LAST, get_weather


@asynccontextmanager
async def records(setting: Setting) -> AsyncIterator[Opened]:
    import apsw

    from bench.disk import size

    path = setting.folder / "floor.db"
    database = apsw.Connection(str(path))
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE record (run TEXT, step INTEGER, body BLOB NOT NULL, PRIMARY KEY (run, step))")
    before = size(path, apsw.Connection)
    run_id = "run_01a213be0b988edf94c81ff565831d68"
    for step in range(setting.size):
        arguments = ARGUMENTS[step & LAST]
        value = await get_weather(**arguments)  # type: ignore[arg-type]
        body = {
            "call_id": f"call_{step:032x}", "at": 1_795_627_551_640_876 + step, "tool": "get_weather",
            "outcome": "done", "arguments": arguments, "value": value,
        }  # fmt: skip
        database.execute("INSERT INTO record VALUES (?, ?, ?)", (run_id, step, json.dumps(body).encode()))
    grown = size(path, apsw.Connection) - before

    async def batch(n: int) -> None:
        for _ in range(n):
            found = database.execute("SELECT body FROM record WHERE run = ? ORDER BY step", (run_id,))
            calls = {record["call_id"]: record for record in (json.loads(body) for (body,) in found)}
            assert len(calls) == setting.size

    yield Opened(batch=batch, bytes_each=grown / setting.size)
    database.close()


CANDIDATES = (
    Candidate(
        name="one record a step",
        suite="resume",
        what="the floor: a row with the call, its arguments and its value for each step, read and parsed",
        open=records,
        sizes=(1000,),
        floor="one record a step",
        distributions=("apsw",),
    ),
)

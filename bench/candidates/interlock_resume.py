"""Interlock, resumed: the fold of a run of many steps, read by a process that does not know it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from bench.candidate import Candidate, Opened, Setting
from bench.weather import ARGUMENTS, LAST


@asynccontextmanager
async def run_of(setting: Setting, effect: str) -> AsyncIterator[Opened]:
    import apsw

    from bench.disk import size
    from bench.governed import CALLER, READ, WRITE, settings
    from interlock import open_plane
    from interlock.ledger.conversation import Ledger

    path = Path("ledger.db")
    made = READ if effect == "read" else WRITE
    async with open_plane(settings(setting.folder, ledger=path), tools=[made], engine=False) as interlock:
        async with interlock.run(CALLER) as run:
            before = size(setting.folder / path, apsw.Connection)
            for step in range(setting.size):
                arguments = {**ARGUMENTS[step & LAST], "city": f"City {step}"}
                assert (await run.call("get_weather", arguments)).done
            run_id = run.run_id
        grown = size(setting.folder / path, apsw.Connection) - before

        async def batch(n: int) -> None:
            for _ in range(n):
                conversation = await Ledger(interlock.store).conversation(run_id, CALLER.tenant)
                assert len(conversation.state.calls) == setting.size

        yield Opened(batch=batch, bytes_each=grown / setting.size)


CANDIDATES = tuple(
    Candidate(
        name=f"interlock, {effect}s",
        suite="resume",
        what=f"the fold of a run of {effect}s on a SQLite ledger, by a process that has not read it yet",
        open=partial(run_of, effect=effect),
        sizes=(1000,),
        floor="one record a step",
        distributions=("interlock",),
    )
    for effect in ("read", "write")
)

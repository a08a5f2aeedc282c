"""Interlock with much around it: many tools in the registry and the policy, many events in the ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.candidate import Candidate, Opened, Setting
from bench.weather import ARGUMENTS, LAST

IN_USE = 10
"""Tools that one conversation uses, of however many there are."""
STRIDE = 7919
"""A prime, so that a walk over all tools is in an order that no cache can guess."""
CALLS_OF_A_RUN = 100
"""Calls in each run of the ledger that is made before anything is measured: two events each."""


@asynccontextmanager
async def tools(setting: Setting) -> AsyncIterator[Opened]:
    from bench.governed import CALLER, forget, settings
    from bench.weather import get_weather
    from interlock import open_plane, tool

    names = [f"get_weather_{i}" for i in range(setting.size)]
    made = [tool(effect="read", name=name)(get_weather) for name in names]
    walk = [names[i * STRIDE % setting.size] for i in range(IN_USE)]
    async with open_plane(settings(setting.folder, ledger=None), tools=made) as interlock:

        async def batch(n: int) -> None:
            forget(interlock)
            async with interlock.run(CALLER) as run:
                for i in range(n):
                    await run.call(walk[i % IN_USE], ARGUMENTS[i & LAST])

        async def once(arguments: dict[str, object]) -> object:
            async with interlock.run(CALLER) as run:
                return await run.call(walk[0], arguments)

        yield Opened(batch=batch, once=once)


@asynccontextmanager
async def events(setting: Setting) -> AsyncIterator[Opened]:
    from bench.governed import CALLER, READ, settings
    from interlock import open_plane

    ledger = Path("ledger.db")
    async with open_plane(settings(setting.folder, ledger=ledger), tools=[READ]) as interlock:
        await fill(interlock, setting.size)
        async with interlock.run(CALLER) as run:

            async def batch(n: int) -> None:
                for i in range(n):
                    await run.call("get_weather", ARGUMENTS[i & LAST])

            async def once(arguments: dict[str, object]) -> object:
                return await run.call("get_weather", arguments)

            yield Opened(batch=batch, once=once)


async def fill(interlock: Any, events_min: int) -> None:
    """Append at least so many events: those of one governed call over and over, under other ids, in other runs."""
    from bench.governed import CALLER
    from interlock.ledger.store import Append

    if not events_min:
        return
    async with interlock.run(CALLER) as run:
        await run.call("get_weather", ARGUMENTS[0])
        run_id = run.run_id
    store, new_id = interlock.store, interlock.plane.new_id
    recorded = [event.fact for event in await store.read(run_id)]
    of_the_call = [fact for fact in recorded if fact.call_id]
    of_the_run = [fact for fact in recorded if not fact.call_id]
    written = len(recorded)
    while written < events_min:
        facts = of_the_run[:1]
        for step in range(1, CALLS_OF_A_RUN + 1):
            call_id = new_id("call")
            facts += [fact._replace(call_id=call_id, step=step) for fact in of_the_call]
        await store.append(Append(new_id("run"), CALLER.tenant, facts))
        written += len(facts)


CANDIDATES = (
    Candidate(
        name="interlock, ten of the tools",
        suite="scale",
        what="`run.call` of a read with so many tools registered, of which ten are called; ledger in memory",
        open=tools,
        sizes=(10, 10_000),
        distributions=("interlock",),
    ),
    Candidate(
        name="interlock, events",
        suite="scale",
        what="`run.call` of a read on a SQLite ledger of so many events",
        open=events,
        sizes=(0, 1_000_000),
        distributions=("interlock",),
    ),
)

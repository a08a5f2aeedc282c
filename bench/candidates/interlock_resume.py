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


@asynccontextmanager
async def agents_run(setting: Setting) -> AsyncIterator[Opened]:
    import apsw

    from bench.disk import size
    from bench.governed import CALLER, READ, settings
    from bench.turns import PROMPT, WORDS
    from interlock import Agent, AgentLimits, Proposal, open_plane
    from interlock.agent.context import Context
    from interlock.core.message import Message, Role
    from interlock.ledger.conversation import Ledger
    from interlock.models.replay import ReplayModel

    path = Path("ledger.db")
    turns = [
        Message(
            role=Role.MODEL,
            proposals=(
                Proposal(
                    tool="get_weather",
                    arguments={**ARGUMENTS[turn & LAST], "city": f"City {turn}"},
                    id=f"call_{turn:024x}",
                ),
            ),
        )
        for turn in range(setting.size)
    ]
    limits = AgentLimits(turns_max=1000)
    agent = Agent("bench", ReplayModel(*turns, Message(role=Role.MODEL, text="Rain.")), PROMPT, limits=limits)
    made = settings(setting.folder, ledger=path)
    async with open_plane(made, tools=[READ], agents=[agent], engine=False) as interlock:
        before = size(setting.folder / path, apsw.Connection)
        async with interlock.agent("bench", CALLER, words=WORDS) as run:
            await run.result()
        grown = size(setting.folder / path, apsw.Connection) - before

        async def batch(n: int) -> None:
            for _ in range(n):
                conversation = await Ledger(interlock.store).conversation(run.run_id, CALLER.tenant)
                messages = Context(PROMPT, conversation.state, limits).messages()
                assert len(messages) == 2 * setting.size + 3

        yield Opened(batch=batch, bytes_each=grown / setting.size)


CANDIDATES = (
    *(
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
    ),
    Candidate(
        name="interlock, turns",
        suite="resume",
        what="the fold of an agent's run, each turn with one read, and the conversation that its model is sent next",
        open=agents_run,
        sizes=(1000,),
        floor="one record a step",
        distributions=("interlock",),
    ),
)

"""Interlock: a turn of an agent on the governed path, its message and its call recorded, in memory and on disk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from bench.candidate import Candidate, Opened, Setting
from bench.turns import AT_ONCE, PROMPT, TOGETHER, TURN, TURNS, WORDS, Kind, Script


@asynccontextmanager
async def agent(setting: Setting, kind: Kind, durable: bool) -> AsyncIterator[Opened]:
    from bench.governed import CALLER, forget, settings
    from interlock import Agent, AgentLimits, Proposal, open_plane, tool
    from interlock.core.message import Message, Role
    from interlock.core.tool import Offer

    script = Script()

    class Scripted:
        name, output_max = "bench:script", 4096

        async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
            calls = [
                Proposal(tool="get_weather", arguments=arguments, id=call_id)
                for call_id, arguments in script.next_turn()
            ]
            return Message(role=Role.MODEL, text="" if calls else messages[-1].text, proposals=tuple(calls))

    bench = Agent("bench", Scripted(), PROMPT, limits=AgentLimits(turns_max=1000))
    made = settings(setting.folder, ledger=setting.folder / "ledger.db" if durable else None)
    async with open_plane(made, tools=[tool(effect="read")(kind.read)], agents=[bench], engine=False) as interlock:

        async def run() -> object:
            if not durable:
                forget(interlock)
            async with interlock.agent("bench", CALLER, words=WORDS) as run:
                return await run.result()

        yield kind.opened(script, setting.size, run)


CANDIDATES = (
    Candidate(
        name="interlock, agent",
        suite="agent",
        what="`plane.agent`: every turn recorded, its read through all gates; default policy, ledger in memory",
        open=partial(agent, kind=TURN, durable=False),
        sizes=TURNS,
        floor="loop by hand",
        distributions=("interlock",),
    ),
    Candidate(
        name="interlock, agent on disk",
        suite="agent",
        what="the same with its ledger in SQLite, synchronous=FULL: each turn and each result waits for the disk",
        open=partial(agent, kind=TURN, durable=True),
        sizes=TURNS,
        floor="loop by hand",
        distributions=("interlock",),
    ),
    Candidate(
        name="interlock, agent",
        suite="parallel",
        what="the same agent, one turn of ten reads",
        open=partial(agent, kind=TOGETHER, durable=False),
        sizes=(AT_ONCE,),
        floor="loop by hand",
        distributions=("interlock",),
    ),
    Candidate(
        name="interlock, agent on disk",
        suite="parallel",
        what="the same agent, one turn of ten reads",
        open=partial(agent, kind=TOGETHER, durable=True),
        sizes=(AT_ONCE,),
        floor="loop by hand",
        distributions=("interlock",),
    ),
)

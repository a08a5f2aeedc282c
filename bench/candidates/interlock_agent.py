"""Interlock: a turn of an agent on the governed path, its message and its call recorded, in memory and on disk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bench.candidate import Candidate, Opened, Setting
from bench.turns import PROMPT, TURNS, WORDS, Script, opened


@asynccontextmanager
async def agent(setting: Setting, durable: bool) -> AsyncIterator[Opened]:
    from bench.governed import CALLER, READ, forget, settings
    from interlock import Agent, AgentLimits, Proposal, open_plane
    from interlock.core.message import Message, Role
    from interlock.core.tool import Offer

    script = Script()

    class Scripted:
        name, output_max = "bench:script", 4096

        async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
            arguments = script.next_call()
            if arguments is None:
                return Message(role=Role.MODEL, text=messages[-1].text)
            call = Proposal(tool="get_weather", arguments=arguments, id=f"call_{script.number}")
            return Message(role=Role.MODEL, proposals=(call,))

    bench = Agent("bench", Scripted(), PROMPT, limits=AgentLimits(turns_max=1000))
    made = settings(setting.folder, ledger=setting.folder / "ledger.db" if durable else None)
    async with open_plane(made, tools=[READ], agents=[bench], engine=False) as interlock:

        async def run() -> object:
            if not durable:
                forget(interlock)
            async with interlock.agent("bench", CALLER, words=WORDS) as run:
                return await run.result()

        yield opened(script, setting.size, run)


CANDIDATES = (
    Candidate(
        name="interlock, agent",
        suite="agent",
        what="`plane.agent`: every turn recorded, its read through all gates; default policy, ledger in memory",
        open=lambda setting: agent(setting, durable=False),
        sizes=TURNS,
        floor="loop by hand",
        distributions=("interlock",),
    ),
    Candidate(
        name="interlock, agent on disk",
        suite="agent",
        what="the same with its ledger in SQLite, synchronous=FULL: each turn and each result waits for the disk",
        open=lambda setting: agent(setting, durable=True),
        sizes=TURNS,
        floor="loop by hand",
        distributions=("interlock",),
    ),
)

"""A desk with an agent: what its model says is written down, and its tools are a test's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from interlock import Agent, AgentLimits, AgentResult, Interlock, Settings, Tool, World, open_plane
from interlock.agent.stream import StreamEvent
from interlock.core.message import Message, Proposal, Role
from interlock.core.tool import Offer
from interlock.ledger.store import Store
from interlock.models.replay import ReplayModel
from interlock.testing import CountedIds, FrozenClock
from tests.planes import ANA, Stage

WORDS = "Please look at my order."


def says(text: str = "", *calls: tuple[str, Any], **more: Any) -> Message:
    """A turn of the model; a call is a tool with its arguments."""
    proposals = tuple(
        Proposal(tool=tool, arguments=arguments, id=f"id_{place}") for place, (tool, arguments) in enumerate(calls)
    )
    return Message(role=Role.MODEL, text=text, proposals=proposals, **more)


class Watched(ReplayModel):
    """A replay that remembers what it was asked.

    Attributes:
        asked: The conversations, with what was offered.
    """

    def __init__(self, *turns: Message) -> None:
        super().__init__(*turns)
        self.asked: list[tuple[tuple[Message, ...], tuple[str, ...]]] = []

    async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        """See `ReplayModel`."""
        self.asked.append((tuple(messages), tuple(tool.name for tool in tools)))
        return await super().reply(messages, tools)


def told(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """What the results among messages say."""
    return [json.loads(message.text) for message in messages if message.role is Role.TOOL]


@asynccontextmanager
async def desk(
    model: Any, *tools: Tool, ledger: Path | None = None, world: World | None = None, engine: bool = False,
    agent: Mapping[str, Any] | None = None, settings: Mapping[str, Any] | None = None,
) -> AsyncIterator[Stage]:  # fmt: skip
    """A plane that knows one agent, `desk`."""
    given = None if world is None else world.clock
    clock, paused = given if isinstance(given, FrozenClock) else FrozenClock(), []

    async def pause(seconds: float) -> None:
        paused.append(seconds)
        clock.advance(seconds)

    world = world or World(clock=clock, new_id=CountedIds(), pause=pause)
    made = Settings(ledger=ledger, folder=(ledger or Path()).parent, **(settings or {}))
    named = Agent("desk", model, "You help at the desk.", **(agent or {}))
    async with open_plane(made, tools=tools, world=world, agents=[named], engine=engine) as plane:
        yield Stage(plane, clock, paused)


async def result(plane: Interlock, words: str = WORDS, wait_s: float = 0) -> AgentResult:
    """What comes of a new run."""
    async with plane.agent("desk", ANA, words=words) as run:
        return await run.result(wait_s=wait_s)


async def heard(plane: Interlock, words: str = WORDS) -> list[StreamEvent]:
    """What a new run says of itself."""
    async with plane.agent("desk", ANA, words=words) as run:
        return [event async for event in run.stream()]


async def the_run(store: Store) -> str:
    """Id of the only run."""
    [row] = await store.rows("run")
    return str(row["run_id"])


__all__ = ["WORDS", "AgentLimits", "Watched", "desk", "heard", "result", "says", "the_run", "told"]

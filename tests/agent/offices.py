"""A plane with several agents, whose models say what was written down for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from interlock import Agent, Settings, Tool, World, open_plane
from interlock.testing import CountedIds, FrozenClock
from tests.planes import Stage


async def no_pause(_: float) -> None:
    """No pause."""


@asynccontextmanager
async def office(
    *agents: Agent, tools: tuple[Tool, ...] = (), world: World | None = None, settings: Mapping[str, Any] | None = None,
    engine: bool = False,
) -> AsyncIterator[Stage]:  # fmt: skip
    """A plane in memory that knows these agents."""
    clock = FrozenClock()
    world = world or World(clock=clock, new_id=CountedIds(), pause=no_pause)
    made = Settings(ledger=None, **(settings or {}))
    async with open_plane(made, tools=tools, world=world, agents=agents, engine=engine) as plane:
        yield Stage(plane, clock, [])

"""Runs of agents: started, and come back to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from interlock.agent.loop import Agents
from interlock.agent.run import AgentRun
from interlock.core.principal import Principal
from interlock.engine.beside import tasks_beside
from interlock.errors import NotFound
from interlock.family import Family
from interlock.ledger.store import Claim
from interlock.pipeline import Plane
from interlock.runs import leave, own_run
from interlock.starting import Start, begun


@asynccontextmanager
async def open_agent(
    plane: Plane, claim: Claim, name: str, principal: Principal, start: Start, run_id: str
) -> AsyncIterator[AgentRun]:  # fmt: skip
    """A run of an agent, worked on here from the first ask for its result or its events until it is left.

    Left before its end, it is gone on with by any process that knows the agent and has an engine.

    Args:
        name: The agent's.
        start: What a new one is started with.
        run_id: The principal's own run to come back to, whoever works on it; empty for a new one.

    Raises:
        NotFound: No such run of this principal and agent, or no such agent here.
        Conflict, BadInput: As `runs.open_run`.
    """
    agents = plane.drivers["agent"]
    assert isinstance(agents, Agents), "compose puts them there"
    agent = agents.find(name)
    if agent is None:
        raise NotFound(f"no agent {name!r} here", code="agent.not_found", remedy="Give it to `open_plane`.")
    if run_id:
        conversation = await own_run(plane, principal, run_id)
        if (said := conversation.state.transcript) is None or said.agent != name:
            raise NotFound(f"run {run_id!r} is none of agent {name!r}", code="run.not_found")
    else:
        driven = agents.start_of(agent, plane.registry) | ({"conversation": True} if start.conversation else {})
        conversation, _ = await begun(plane, claim, principal, start, driven)
    family = Family(plane, claim, conversation.state.run_id, principal.tenant)
    try:
        async with tasks_beside() as tasks:
            yield AgentRun(conversation, principal, family, agents.listeners, plane.executor.listeners, tasks)
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(5):
            await leave(conversation, claim)

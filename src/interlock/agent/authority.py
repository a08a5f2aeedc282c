"""Which tools an agent's run may call, and which may be called for it. Enforced on the path, not by what is offered.

Both stand in the start of its run. A run that it starts gets of its own agent's tools those that are in the starter's
authority: never one more, whatever has been deployed since.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.agent.agent import Agent
from interlock.agent.delegate import peer_tool, worker_tool
from interlock.agent.plan import PLAN_TOOL
from interlock.core.run import DEPTH_MAX
from interlock.errors import BadInput, DefinitionError
from interlock.limits.budget import own_budgets
from interlock.registry.registry import Registry


def start_of(agent: Agent, agents: Mapping[str, Agent], registry: Registry) -> dict[str, Any]:
    """What the start of an agent's run says of it, beside on whose behalf it is."""
    said: dict[str, Any] = {"driver": "agent", "agent": agent.name, "title": agent.name}
    if agent.tools is not None or any(tool.starts for tool in registry.tools):
        said["tools"] = _own(agent, registry)
    if agent.workers or agent.peers:
        said["authority"] = _all(agent, agents, registry)
    if agent.review_below:
        said["review"] = {"below": agent.review_below, "group": agent.reviewers}
    if agent.limits.depth_max != DEPTH_MAX:
        said["depth_left"] = agent.limits.depth_max
    return said


def check(agents: Mapping[str, Agent], registry: Registry) -> None:
    """Hold each agent's tools, workers and peers against those that there are.

    Raises:
        DefinitionError: One of them is not there, or is started by another agent and does not say its tools; or its
            budget cannot be counted.
    """
    for agent in agents.values():
        try:
            own_budgets("any", "any", agent.budget)
        except BadInput as error:
            raise DefinitionError(
                f"agent {agent.name!r}: {error.args[0]}", code="agent.budget", remedy=error.remedy
            ) from None
        for name in agent.tools or ():
            if name not in registry:
                raise DefinitionError(
                    f"agent {agent.name!r}: no tool is called {name!r}", code="agent.tools",
                    remedy="Register the tool, or take it from the agent's list.",
                )  # fmt: skip
        for name in (*agent.workers, *agent.peers):
            other = agents.get(name)
            if other is None:
                raise DefinitionError(
                    f"agent {agent.name!r}: no agent is called {name!r}", code="agent.unknown",
                    remedy="Give it to `open_plane` too.",
                )  # fmt: skip
            if other.tools is None:
                raise DefinitionError(
                    f"agent {name!r} is started by {agent.name!r} and may call everything", code="agent.authority",
                    remedy="Name its tools; () for none.",
                )  # fmt: skip


def _own(agent: Agent, registry: Registry) -> list[str]:
    named = agent.tools
    if named is None:
        named = tuple(tool.name for tool in registry.tools if not tool.starts)
    started = [*map(worker_tool, agent.workers), *map(peer_tool, agent.peers), *([PLAN_TOOL] if agent.plans else ())]
    return list(dict.fromkeys([*named, *started]))


def _all(agent: Agent, agents: Mapping[str, Agent], registry: Registry) -> list[str]:
    seen: dict[str, Agent] = {}
    left = [agent.name]
    while left:
        name = left.pop()
        if name not in seen and name in agents:
            seen[name] = agents[name]
            left += [*agents[name].workers, *agents[name].peers]
    return list(dict.fromkeys(name for each in seen.values() for name in _own(each, registry)))

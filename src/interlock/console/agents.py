"""The agents that this process knows: what each may do, what it may cost, and how its runs went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from interlock.agent.agent import Agent
from interlock.agent.loop import Agents
from interlock.agent.result import End
from interlock.api.asking import who_of
from interlock.api.site import Site
from interlock.console.runs import lines_of
from interlock.console.view import View
from interlock.errors import MissingExtra, NotFound
from interlock.ledger.tables import Row
from interlock.models.metered import Price
from interlock.models.route import leaves

try:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

LOOKED_AT: Final = 200
"""Runs of an agent, the newest, that its figures are made of."""

_SHOWN: Final = 20
_DEPTH_MAX: Final = 8
"""As deep as an agent's limits let runs be started below each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """How an agent's newest runs went.

    Attributes:
        runs: How many were looked at, at most `LOOKED_AT`.
        answered: Those that came to an answer by themselves.
        waiting: Those that wait for somebody; `open`: those that go on.
        open: Those that are not over and wait for nobody.
        ended: Reason to how many are over for it without an answer.
    """

    runs: int
    answered: int
    waiting: int
    open: int
    ended: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """An agent as another one may start it.

    Attributes:
        name: The agent's.
        how: `worker` or `peer`; empty for the one that the tree is of.
        tools: What it may call; None for all that there are.
        known: It is among the agents of this process.
        below: Those that it may start; none where they stand above it already.
        again: It stands above itself, and is not drawn a second time.
    """

    name: str
    how: str
    tools: Sequence[str] | None
    known: bool
    below: Sequence[Branch] = ()
    again: bool = False


def routes(view: View) -> Sequence[BaseRoute]:
    """The pages of agents."""
    site = view.site

    async def page(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        agents = _agents(site).all
        shown = [(agent, await _record(site, who.tenant, agent.name), _models(agent)) for agent in agents]
        return view.page(request, "agents.html", agents=shown, looked_at=LOOKED_AT, live="run")

    async def one(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        name = request.path_params["name"]
        agent = _agents(site).find(name)
        if agent is None:
            raise NotFound(
                f"no agent {name!r} here", code="agent.not_found", remedy="See the agents that this process knows."
            )
        where = {"tenant": who.tenant, "driver": "agent", "title": name}
        found = await site.store.page("run", where, limit=_SHOWN)
        return view.page(
            request, "agent.html", agent=agent, models=_models(agent), tree=_tree(site, agent), looked_at=LOOKED_AT,
            record=await _record(site, who.tenant, name), lines=await lines_of(site, found.rows),
            live="run call approval",
        )  # fmt: skip

    return [Route("/agents", page), Route("/agents/{name}", one)]


def _agents(site: Site) -> Agents:
    agents = site.plane.plane.drivers["agent"]
    assert isinstance(agents, Agents), "compose puts them there"
    return agents


async def _record(site: Site, tenant: str, name: str) -> Record:
    where = {"tenant": tenant, "driver": "agent", "title": name}
    return record_of((await site.store.page("run", where, limit=LOOKED_AT)).rows)


def record_of(rows: Sequence[Row]) -> Record:
    """How runs of an agent went."""
    over = Counter((row["reason"] or row["status"]) for row in rows if row["status"] == "finished")
    over.update({"cancelled": sum(row["status"] == "cancelled" for row in rows)})
    waiting = sum(row["status"] == "open" and bool(row["waits"]) for row in rows)
    going = sum(row["status"] == "open" for row in rows) - waiting
    answered = over.pop(End.ANSWER.value, 0)
    ended = {reason: times for reason, times in over.most_common() if times}
    return Record(runs=len(rows), answered=answered, waiting=waiting, open=going, ended=ended)


def _models(agent: Agent) -> list[tuple[str, Price | None]]:
    """Each model that may be asked, with what it costs where that is known."""
    return [(model.name, None if agent.price is None else agent.price_of(model.name)) for model in leaves(agent.model)]


def _tree(site: Site, agent: Agent) -> Branch:
    """What an agent may have done for it, by whom, and by whom they may."""
    agents = _agents(site)

    def branch(name: str, how: str, above: tuple[str, ...]) -> Branch:
        known = agents.find(name)
        if known is None:
            return Branch(name=name, how=how, tools=(), known=False)
        said: dict[str, Any] = {"name": name, "how": how, "tools": known.tools, "known": True}
        if name in above or len(above) > _DEPTH_MAX:
            return Branch(**said, again=True)
        started = [*((each, "worker") for each in known.workers), *((each, "peer") for each in known.peers)]
        return Branch(**said, below=[branch(each, as_, (*above, name)) for each, as_ in started])

    return branch(agent.name, "", ())

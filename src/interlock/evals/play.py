"""A case played: a plane in memory, the deployment's own path, and tools that answer what is written.

No effect is real: whatever does more than read never reaches its far end here, whoever approves it in the suite's name.
"""

from __future__ import annotations

from dataclasses import dataclass

from interlock.agent.agent import Agent
from interlock.agent.loop import Agents
from interlock.app import Interlock, open_plane
from interlock.approvals.decide import Answer
from interlock.approvals.people import Recorded
from interlock.compose import World
from interlock.core.principal import Principal
from interlock.core.run import RunState
from interlock.core.tool import Tool
from interlock.errors import BadInput
from interlock.evals.chaos import Injected, Injector
from interlock.evals.far_ends import FarEnds, bodies
from interlock.evals.seen import PriceOf, SeenRun, seen_run
from interlock.evals.suite import Case, Suite
from interlock.models.metered import Price
from interlock.settings import Settings
from interlock.sources.python import import_agents

ROUNDS_MAX = 100
"""Times that a run of a case is gone on with after somebody approved what it waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What a trial came to.

    Attributes:
        run: The run, as it was seen.
        injected: What was made to go wrong with its tools.
    """

    run: SeenRun
    injected: tuple[Injected, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where cases are played: each trial in a plane of its own, that nothing of another one reaches.

    Attributes:
        settings: Of the deployment; its ledger stays as it is.
        world: Clocks, ids and pauses.
        agents, tools: Beside those of the settings.
    """

    settings: Settings
    world: World
    agents: tuple[Agent, ...] = ()
    tools: tuple[Tool, ...] = ()

    async def play(self, suite: Suite, case: Case, number: int) -> Played:
        """Play a case once.

        Args:
            number: Of the trial, from 1: what goes wrong by chance depends on it.

        Raises:
            BadInput: There is no such agent, or the suite answers for a tool that there is not.
            InterlockError: The deployment does not open, or the ledger in memory could not be written.
        """
        injector = Injector(suite.chaos, f"{suite.seed}/{case.name}/{number}", self.world.pause)
        settings = self.settings.model_copy(update={"ledger": None})
        agents = [*self.agents, *_imported(suite.agent, settings)]
        async with open_plane(
            settings, tools=self.tools, world=self.world, agents=agents, people=Recorded(), engine=False
        ) as plane:  # fmt: skip
            agent = _agent(plane, suite.agent)
            _known(plane, suite, case)
            plane.plane.definitions = FarEnds(plane.store, bodies(suite, case, injector))
            run_id = await self._run(plane, suite, case, agent)
            state = await _state(plane, run_id, suite.principal)
            events = await plane.store.read(run_id)
        return Played(run=seen_run(state, events, _price(suite, agent)), injected=tuple(injector.injected))

    async def _run(self, plane: Interlock, suite: Suite, case: Case, agent: Agent) -> str:
        async with plane.agent(agent.name, suite.principal, words=case.words) as run:
            result = await run.result()
        if suite.approver is not None:
            for _ in range(ROUNDS_MAX):
                if not result.waiting:
                    break
                for approval_id in result.waiting:
                    await _approve(plane, approval_id, suite.approver)
                for due in await plane.store.due():
                    await plane.advance(due.run_id, suite.principal.tenant)
                async with plane.agent(agent.name, suite.principal, run_id=run.run_id) as again:
                    after = await again.result()
                if after.waiting == result.waiting:
                    break  # it takes more than this one person
                result = after
        return run.run_id


def _imported(named: str, settings: Settings) -> list[Agent]:
    """The agents of `module:name`; none where the settings name the agent.

    Raises:
        SettingsError: The module cannot be imported, or has no agent.
    """
    module, colon, _ = named.partition(":")
    return import_agents([module], settings.folder) if colon else []


def _agent(plane: Interlock, named: str) -> Agent:
    agents = plane.plane.drivers["agent"]
    assert isinstance(agents, Agents), "compose puts them there"
    name = named.rpartition(":")[2]
    found = agents.find(name) if name else agents.only
    if found is None:
        which = f"no agent {name!r} here" if name else "not one agent, but none or several"
        raise BadInput(
            f"agent: {which}", code="eval.agent", remedy="Name one of the settings, or `module:name`."
        )  # fmt: skip
    return found


def _known(plane: Interlock, suite: Suite, case: Case) -> None:
    """Look whether the suite speaks of tools that there are.

    Raises:
        BadInput: Something is said of a tool that there is not: it would never be given.
    """
    named = {*suite.answers, *case.answers, *(tool for rule in suite.chaos for tool in rule.tools)}
    if strange := sorted(named - {tool.name for tool in plane.plane.registry.tools}):
        near = plane.plane.registry.closest(strange[0], 1)
        remedy = f"Did you mean {near[0]!r}?" if near else "See `interlock tools list`."
        raise BadInput(f"answers or chaos: no tool {strange[0]!r} here", code="eval.tool", remedy=remedy)


async def _approve(plane: Interlock, approval_id: str, person: Principal) -> None:
    asked = await plane.approval(approval_id, person.tenant)
    if asked.status == "pending":
        request = asked.request
        yes = Answer(decision="approve", digest=request["approval"], nonce=request["nonce"])
        await plane.answer(approval_id, yes, person)


async def _state(plane: Interlock, run_id: str, principal: Principal) -> RunState:
    conversation = await plane.plane.ledger.conversation(run_id, principal.tenant)
    await conversation.refresh()
    return conversation.state


def _price(suite: Suite, agent: Agent) -> PriceOf:
    """What models cost: by the suite's word, else by the agent's."""

    def price_of(model: str) -> Price | None:
        if suite.price is not None or agent.price is None:
            return suite.price
        return agent.price if isinstance(agent.price, Price) else agent.price.get(model)

    return price_of

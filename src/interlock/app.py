"""The composition root: settings in, plane out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, Unpack

import anyio
import anyio.to_thread

from interlock.agent.agent import Agent
from interlock.agent.graph import Graph
from interlock.agent.graph_standing import GraphOutcome
from interlock.agent.loop import Agents
from interlock.agent.run import AgentRun
from interlock.agent_runs import open_agent
from interlock.answers import answer, approval, delegate, settle, undelegate, withdraw
from interlock.approvals.decide import Answer
from interlock.approvals.grant import Grant, GrantTerms
from interlock.approvals.people import People
from interlock.compose import World, compose
from interlock.core.approval import ApprovalState
from interlock.core.call import Outcome
from interlock.core.principal import Principal
from interlock.core.tool import Tool
from interlock.dead_letters import retry
from interlock.engine.beside import beside
from interlock.engine.engine import Engine, InProcessEngine, Pace
from interlock.errors import NotFound
from interlock.graphs import GraphRun, Laid, graph_outcome, open_graph
from interlock.inbox import Inboxes, Item
from interlock.ledger.sealing import Seals
from interlock.ledger.store import Claim, Store
from interlock.pipeline import Plane
from interlock.policy.flags import Scope
from interlock.reloading import Reloading
from interlock.rollouts import RolloutTerms, VersionState, roll_out, rollouts
from interlock.routing import Routing
from interlock.runs import Run, advance, open_run
from interlock.saga.definition import Saga
from interlock.saga.outcome import SagaOutcome
from interlock.sagas import Beginning, SagaRun, cancel_saga, open_saga, resume_saga, saga_outcome
from interlock.servers import Fleet, open_fleet
from interlock.settings import Settings
from interlock.sources.family import Family
from interlock.sources.reads import reading_tools
from interlock.starting import Start, Starting
from interlock.upkeep import sealing, telling, watching


class Interlock:
    """A control plane that is open: start runs with it, and decide what waits for a person.

    Attributes:
        plane: The gates' parts.
        worker: Id of this process in claims.
        lease_s: Seconds that a claim of this process holds without being renewed.
        fleet: The servers behind it.
    """

    def __init__(
        self, plane: Plane, claim: Claim, engine: Engine, reloading: Reloading, sealer: Seals | None, fleet: Fleet
    ) -> None:  # fmt: skip
        self.plane = plane
        self.fleet = fleet
        self.worker, self.lease_s = claim.worker, claim.lease_s
        self._engine = engine
        self._reloading = reloading
        self._sealer = sealer
        self._inboxes = Inboxes(plane.ledger.store)

    @property
    def store(self) -> Store:
        """Where everything is recorded."""
        return self.plane.ledger.store

    @property
    def sealer(self) -> Seals | None:
        """What seals the ledger; None where nothing is kept or sealing is off."""
        return self._sealer

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools that can be called, in the order of registration: what a model is offered.

        One whose far end fails is not among them, unless its fallback works.
        """
        return tuple(self.routing.without_find(self.plane.working(self.plane.registry.offered)))

    @property
    def routing(self) -> Routing:
        """What is offered of many tools."""
        agents = self.plane.drivers["agent"]
        assert isinstance(agents, Agents), "compose puts them there"
        return agents.routing

    @property
    def degraded(self) -> dict[str, str]:
        """Tools that this process leaves alone now, because they failed or what they depend on does: name to how.

        `open`, `probing` or `half_open` (the next call is tried) by their calls, `down` by a health check.
        """
        states = self.plane.executor.breakers.states()
        failed = {name: state for (_, name, _), state in states.items() if state != "closed"}
        down = (tool.name for tool in self.plane.registry.tools if self.plane.executor.health.objection(tool))
        return failed | dict.fromkeys(down, "down")

    async def tools_for(self, principal: Principal) -> tuple[Tool, ...]:
        """The same for one principal: what servers show them, each in the version that is rolled out to them."""
        working = self.plane.working((await self.plane.tools_of(principal)).offered)
        return tuple(self.routing.without_find(working))

    def run(
        self, principal: Principal, *, run_id: str = "", **start: Unpack[Starting]
    ) -> AbstractAsyncContextManager[Run]:  # fmt: skip
        """Start a run, or come back to one: `async with plane.run(principal, words=…) as run: await run.call(…)`.

        Args:
            principal: On whose behalf its calls are made.
            run_id: A run of this principal to come back to; empty for a new one.
            start: `words`, `budget`, `parent` and `mandates` of a new one; see `starting.Starting`.

        Raises:
            NotFound, StaleClaim: It cannot be come back to; see `runs.open_run`.
            Conflict, BadInput: The parent is over, a budget cannot be counted, or a mandate is none.
        """
        return open_run(self.plane, self.claim, principal, Start(**start), run_id)

    def saga(
        self,
        saga: Saga,
        principal: Principal,
        given: Mapping[str, Any],
        *,
        name: str = "",
        **start: Unpack[Starting],
    ) -> AbstractAsyncContextManager[SagaRun]:
        """Start a saga: `async with plane.saga(ONBOARDING, principal, {…}) as saga: print(await saga.outcome())`.

        Args:
            saga: Its steps.
            principal: On whose behalf its calls are made.
            given: What its steps take by `given(…)`.
            name: Your name of this one: starting it again by it comes back to the first; empty for a new one.
            start: As of `run`. What undoes a step is charged, and no budget refuses it.

        Raises:
            BadInput, Conflict, NotFound: Nothing has run; see `sagas.open_saga`.
        """
        return open_saga(self.plane, self.claim, principal, Beginning(saga, given, name), Start(**start))

    async def saga_outcome(self, run_id: str, tenant: str = "default") -> SagaOutcome:
        """How a saga stands; see `sagas.saga_outcome`."""
        return await saga_outcome(self.plane, run_id, tenant)

    async def resume_saga(self, run_id: str, person: Principal, *, reason: str) -> SagaOutcome:
        """Have what failed of a saga tried again, by a person's word; see `sagas.resume_saga`."""
        return await resume_saga(self.plane, self.claim, run_id, person, reason)

    async def cancel_saga(self, run_id: str, person: Principal, *, reason: str) -> SagaOutcome:
        """Call a saga off: what was done is undone; see `sagas.cancel_saga`."""
        return await cancel_saga(self.plane, self.claim, run_id, person, reason)

    def agent(
        self, name: str, principal: Principal, *, run_id: str = "", **start: Unpack[Starting]
    ) -> AbstractAsyncContextManager[AgentRun]:  # fmt: skip
        """A run of an agent: `async with plane.agent("desk", principal, words=…) as run: await run.result()`.

        Args:
            name: The agent's, as it was given to `open_plane`.
            principal: On whose behalf its calls are made.
            run_id: A run of this principal and agent to come back to; empty for a new one.
            start: As of `run`. Without `words`, or with empty ones, what the user wants is not seen.

        Raises:
            NotFound: No such agent or run; see `agent_runs.open_agent`.
            Conflict, BadInput: As of `run`.
        """
        return open_agent(self.plane, self.claim, name, principal, _begun(start), run_id)

    def conversation(
        self, name: str, principal: Principal, *, run_id: str = "", **start: Unpack[Starting]
    ) -> AbstractAsyncContextManager[AgentRun]:  # fmt: skip
        """A run of an agent whose answer is not its end: its user may `say` more, here or in another process.

        Args:
            name, principal, run_id, start: As of `agent`.

        Raises:
            NotFound, Conflict, BadInput: As of `agent`.
        """
        began = replace(_begun(start), conversation=True)
        return open_agent(self.plane, self.claim, name, principal, began, run_id)

    def graph(
        self, graph: Graph, principal: Principal, given: Mapping[str, Any] | None = None, *, name: str = "",
        **start: Unpack[Starting],
    ) -> AbstractAsyncContextManager[GraphRun]:  # fmt: skip
        """Start a graph of calls: `async with plane.graph(GRAPH, principal, {…}) as run: print(await run.outcome())`.

        Args:
            graph: Its calls.
            principal: On whose behalf they are made.
            given: What they take by `given(…)`.
            name: Your name of this one: starting it again by it comes back to the first; empty for a new one.
            start: As of `run`.

        Raises:
            BadInput, Conflict: Nothing has run; see `graphs.open_graph`.
        """
        return open_graph(self.plane, self.claim, principal, Laid(graph, given or {}, name), Start(**start))

    async def graph_outcome(self, run_id: str, tenant: str = "default") -> GraphOutcome:
        """How a graph stands; see `graphs.graph_outcome`."""
        return await graph_outcome(self.plane, run_id, tenant)

    async def advance(self, run_id: str, tenant: str = "default") -> bool:
        """Do what is due in a run; see `runs.advance`."""
        return await advance(self.plane, self.claim, run_id, tenant)

    async def approval(self, approval_id: str, tenant: str = "default") -> ApprovalState:
        """An approval request as it stands now; see `answers.approval`."""
        return await approval(self.plane, approval_id, tenant)

    async def answer(self, approval_id: str, said: Answer, person: Principal) -> ApprovalState:
        """Record a person's answer to an approval request; see `answers.answer`. An engine here acts on it at once."""
        asked = await answer(self.plane, approval_id, said, person)
        self._engine.wake()
        return asked

    async def withdraw(self, approval_id: str, person: Principal, *, reason: str = "") -> ApprovalState:
        """Take back a request that nobody has decided; see `answers.withdraw`."""
        asked = await withdraw(self.plane, approval_id, person, reason)
        self._engine.wake()
        return asked

    async def delegate(self, lender: Principal, to: str, groups: Iterable[str], *, hours: float, reason: str) -> None:
        """Lend roles of one's own to somebody else for approving, for some hours; see `answers.delegate`."""
        await delegate(self.plane, lender, to, set(groups), hours, reason)

    async def undelegate(self, lender: Principal, to: str) -> None:
        """Take back what one has lent to somebody."""
        await undelegate(self.plane, lender, to)

    async def settle(self, call_id: str, outcome: str, person: Principal, *, note: str) -> Outcome:
        """Record a person's word on an unknown call; see `answers.settle`."""
        return await settle(self.plane, self.claim, call_id, outcome, person, note)

    async def retry(self, call_id: str, person: Principal, *, reason: str) -> Outcome:
        """Propose a call that was given up on again, by a person's word; see `dead_letters.retry`."""
        return await retry(self.plane, self.claim, call_id, person, reason)

    def wake(self) -> None:
        """Have the engine here look at once for what became due."""
        self._engine.wake()

    async def grants(self, tenant: str = "default") -> list[Grant]:
        """The grants of a tenant in the order of their issue, those that are over among them."""
        return list((await self.plane.approvals.grants.of(tenant)).grants.values())

    async def issue_grant(self, terms: GrantTerms, person: Principal) -> Grant:
        """Give a standing permission for calls that are proposed from now on; see `Grants.issue`.

        Raises:
            NotFound: This plane has no such tool.
        """
        known = self.plane.registry.find(terms.tool)
        if known is None:
            raise NotFound(f"no tool {terms.tool!r} here", code="grant.tool", remedy="See `interlock tools list`.")
        return await self.plane.approvals.grants.issue(terms, known.tool, person, self.plane.policy.approvers)

    async def endorse_grant(self, grant_id: str, person: Principal) -> Grant:
        """Add another person's voice to a grant; see `Grants.endorse`."""
        return await self.plane.approvals.grants.endorse(grant_id, person, self.plane.policy.approvers)

    async def revoke_grant(self, grant_id: str, person: Principal, *, reason: str) -> Grant:
        """Take a grant back; it binds the next call of every process. See `Grants.revoke`."""
        return await self.plane.approvals.grants.revoke(grant_id, person, reason)

    async def roll_out(
        self, tool: str, version: str, percent: int, person: Principal, *, reason: str, tolerated: float | None = None
    ) -> VersionState:
        """Give a version of a tool to so many of a hundred principals; see `rollouts.roll_out`."""
        return await roll_out(self.plane, RolloutTerms(tool, version, percent, reason, tolerated), person)

    async def rollouts(self, tenant: str = "default") -> list[VersionState]:
        """How the versions of tools stand that have several, or of which somebody said something."""
        return await rollouts(self.plane, tenant)

    async def inbox(self, tenant: str = "default") -> list[Item]:
        """Everything that waits for a person, the most dangerous first; see `inbox.inbox`."""
        return await self._inboxes.of(tenant, self.plane.clock.wall_us())

    async def stop(self, scope: Scope, target: str, person: Principal, *, reason: str) -> None:
        """Stop a tool, server, principal, tenant or everything (`target` empty); see `StopSwitch.turn`."""
        await self.plane.switch.turn(scope, target, person, stop=True, reason=reason)

    async def resume(self, scope: Scope, target: str, person: Principal, *, reason: str = "") -> None:
        """Take back exactly that stop; others stay."""
        await self.plane.switch.turn(scope, target, person, stop=False, reason=reason)

    async def seal(self) -> None:
        """Seal all that is committed now, and send the sinks what they have not; nothing where sealing is off.

        Raises:
            StoreUnavailable: The signing key is missing, or the ledger cannot be read or written.
        """
        if self._sealer is not None:
            await self._sealer.seal()

    async def reload_policy(self, person: Principal) -> str:
        """Load the policy again and put it in force for every call from now on, of every process on this ledger.

        Its digest; see `reloading.Reloading.reload`.
        """
        return await self._reloading.reload(person)

    async def policy_problem(self) -> str:
        """Why the policy that was loaded last is not in force in this process; see `reloading.Reloading.look`."""
        return await self._reloading.look()

    @property
    def claim(self) -> Claim:
        """What this process claims runs with."""
        return Claim(self.worker, self.lease_s)


def _begun(start: Starting) -> Start:
    """What an agent's run is started with: without words, they are not seen."""
    said = Start(**start)
    return said if said.words else replace(said, words=None)


@asynccontextmanager
async def open_plane(
    settings: Settings | None = None,
    *,
    tools: Iterable[Tool | Family] = (),
    world: World | None = None,
    people: People | None = None,
    agents: Iterable[Agent] = (),
    engine: bool = True,
) -> AsyncIterator[Interlock]:
    """Open a control plane and keep its engine working until the block is left.

    When it is left, no run is taken up any more; what the engine has begun ends by itself within `drain_s`, and
    is cancelled then. Held calls stay held.

    Args:
        settings: What the deployment is made of; where None, a ledger in `./.interlock/` and the default policy.
        tools: Tools, and families of ready-made ones, beside those that the settings name.
        world: Clocks, ids and randomness; the machine's where None.
        people: Who has which roles now, asked when somebody answers and again when the call runs. Where None, the
            deployment's file of keys, if it has one; else the roles with which a person answered stand.
        agents: The agents that this process knows: it starts runs of them, and goes on with those of others.
        engine: Whether this process advances what is due. Without one, call `advance`.

    Raises:
        SettingsError, DefinitionError, PolicyError: Something is not acceptable; nothing was opened.
        StoreUnavailable: The ledger cannot be opened.
    """
    settings = settings or Settings()
    world = world or World()
    async with open_fleet(settings, world) as fleet:
        await fleet.recall(settings, world)
        admit = fleet.admit if settings.servers else None
        # In a thread: it reads files, compiles every tool and forces a new key to disk.
        own = [*tools, *reading_tools(fleet)]
        plane, load = await anyio.to_thread.run_sync(compose, settings, own, world, people, agents, admit)
        worker = world.ids()("worker")
        works = InProcessEngine(world.clock, Pace(lease_s=settings.lease_s, drain_s=settings.drain_s))
        try:
            async with sealing(settings, plane.ledger.store, world) as sealer:
                claim = Claim(worker, settings.lease_s)
                reloading = Reloading(plane, load)
                await reloading.begin()
                opened = Interlock(plane, claim, works, reloading, sealer, fleet)
                plane.unseen = fleet.unseen
                if settings.servers:
                    await fleet.join(plane)
                run = partial(works.run, opened.store, worker, opened.advance if engine else None)
                told = telling(settings, opened.store, claim, world) if engine else nullcontext()
                watched = watching(plane, worker) if engine else nullcontext()
                async with watched, beside(partial(fleet.keep, plane)), beside(run, works.stop), told:
                    yield opened
        finally:
            with anyio.CancelScope(shield=True):
                await plane.ledger.store.close()

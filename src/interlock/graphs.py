"""Graphs of calls as their callers hold them: started, and come back to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import anyio

from interlock.agent.graph import Graph
from interlock.agent.graph_check import check
from interlock.agent.graph_standing import GraphOutcome, Standing
from interlock.core.canonical import canonical, digest
from interlock.core.event import Fact
from interlock.core.principal import Principal
from interlock.errors import Conflict, DuplicateFact, NotFound, StaleClaim
from interlock.family import Family
from interlock.ledger.conversation import Conversation
from interlock.ledger.store import Claim
from interlock.pipeline import Plane
from interlock.runs import leave, own_run
from interlock.starting import Start, started


class Laid(NamedTuple):
    """What a graph begins with.

    Attributes:
        graph: Its calls.
        given: What they take by `given(…)`.
        name: The caller's name of this one: starting it again by it comes back to the first; empty for a new one.
    """

    graph: Graph
    given: Mapping[str, Any]
    name: str


class GraphRun:
    """One graph on its way.

    Attributes:
        run_id: Its run.
    """

    def __init__(self, conversation: Conversation, family: Family) -> None:
        self.run_id = conversation.state.run_id
        self._conversation = conversation
        self._family = family

    async def outcome(self) -> GraphOutcome:
        """Go on as far as it goes now: to its end, or until it waits for somebody; how it stands then.

        Raises:
            LedgerError: Something could not be recorded; what was recorded before stands.
        """
        await self._family.go_on()
        await self._conversation.refresh()
        return Standing(self._conversation.state).outcome(await self._family.waiting())

    async def cancel(self, by: Principal, reason: str = "") -> GraphOutcome:
        """End it here and now, with every run that it started; what is done stays done."""
        await self._family.cancel(by.id, reason)
        return await self.outcome()


@asynccontextmanager
async def open_graph(
    plane: Plane, claim: Claim, principal: Principal, laid: Laid, start: Start
) -> AsyncIterator[GraphRun]:  # fmt: skip
    """A graph, gone on with here when its outcome is asked for, and by any engine after it is left.

    Raises:
        BadInput: It cannot be meant; nothing has run. See `graph_check.check`.
        Conflict: The name belongs to another graph, or to the same with another input.
        NotFound: No such parent.
    """
    run_id = _named(principal, laid) if laid.name else plane.new_id("run")
    course = {"graph": laid.graph.as_json(), "input": dict(laid.given)}
    if laid.name and await plane.ledger.store.rows("run", {"run_id": run_id}, 1):
        conversation = await _come_back(plane, principal, run_id, course)
    else:
        check(laid.graph, await plane.tools_of(principal), dict(laid.given))
        fact: Fact = await started(plane, principal, start, run_id)
        said = {**fact.body, "driver": "graph", "title": laid.graph.name, **course}
        try:
            conversation = await plane.ledger.open(run_id, principal.tenant, fact._replace(body=said), claim)
        except (DuplicateFact, StaleClaim):
            if not laid.name:
                raise
            conversation = await _come_back(plane, principal, run_id, course)  # started by this name a moment ago
    try:
        yield GraphRun(conversation, Family(plane, claim, run_id, principal.tenant))
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(5):
            await leave(conversation, claim)


async def graph_outcome(plane: Plane, run_id: str, tenant: str) -> GraphOutcome:
    """How a graph stands; nothing is done for it.

    Raises:
        NotFound: No such graph of this tenant.
    """
    conversation = await plane.ledger.conversation(run_id, tenant)
    await conversation.refresh()
    if "graph" not in conversation.state.course:
        raise NotFound(f"run {run_id!r} is no graph", code="graph.not_found", remedy="See `interlock runs list`.")
    return Standing(conversation.state).outcome()


async def _come_back(plane: Plane, principal: Principal, run_id: str, course: Mapping[str, Any]) -> Conversation:
    conversation = await own_run(plane, principal, run_id)
    if canonical(conversation.state.course) != canonical(course):
        raise Conflict(
            f"run {run_id} has this name, and its calls or its input are others", code="graph.name_reused",
            remedy="Use another name, or start exactly the same.",
        )  # fmt: skip
    return conversation


def _named(principal: Principal, laid: Laid) -> str:
    text = canonical([principal.tenant, principal.id, laid.graph.name, laid.name])
    return "run_" + digest("interlock/graph/1", text).hex()[:32]

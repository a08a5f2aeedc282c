"""What is next in a graph, done: each call as soon as what it needs is there, and a word on how it ended."""

from __future__ import annotations

from typing import Any, Final

from interlock.agent.graph_standing import GraphStatus, NodeStatus, Standing, call_id
from interlock.agent.report import ORPHANED, cancelled, finish, orphaned
from interlock.agent.stream import Ended, Listeners, Waiting
from interlock.agent.voice import Voice, speaking
from interlock.core.call import Outcome, ToolCall, outcome_to_json
from interlock.core.canonical import Json
from interlock.core.event import Fact, Kind
from interlock.core.references import filled
from interlock.core.run import VAIN_MAX, RunState
from interlock.errors import BadInput
from interlock.ledger.conversation import Conversation
from interlock.pipeline import Plane, call_in_order

_ENDS: Final = (GraphStatus.COMPLETED, GraphStatus.INCOMPLETE)
_NOW: Final = (NodeStatus.READY, NodeStatus.RUNNING)


class GraphDriver:
    """Drives the runs of graphs; see `pipeline.Driver`.

    Args:
        plane: Where the tools are found.
        listeners: Who listens to the runs that plans are laid out for.
    """

    def __init__(self, plane: Plane, listeners: Listeners) -> None:
        self._plane = plane
        self._listeners = listeners

    def due(self, conversation: Conversation) -> bool:
        """See `Driver.due`."""
        run = conversation.state
        if run.status != "open":
            return False
        standing = Standing(run)
        if any(standing.status(name) in _NOW for name in standing.nodes):
            return any(self._startable(standing, name) for name in standing.nodes)
        return standing.whole in _ENDS or not run.waits

    async def drive(self, plane: Plane, conversation: Conversation) -> None:
        """See `Driver.drive`."""
        run = conversation.state
        assert run.principal is not None, "a run that is driven was started"
        if await orphaned(plane, run):
            return await conversation.append(cancelled(run, run.principal.id, ORPHANED))
        if run.vain > VAIN_MAX:  # whatever is next ends its worker before anything is recorded
            return await finish(plane, conversation, GraphStatus.INCOMPLETE, done=False)
        async with speaking(self._listeners, plane, run) as voice:
            while run.status == "open" and self.due(conversation):
                before = run.seq
                await self._go_on(conversation, voice)
                await conversation.refresh()
                if run.seq == before:
                    return  # somebody else has it in hand

    async def _go_on(self, conversation: Conversation, voice: Voice) -> None:
        run = conversation.state
        standing = Standing(run)
        left = {name for name in standing.nodes if standing.status(name) in (*_NOW, NodeStatus.OPEN)}
        if any(self._startable(standing, name) for name in left):
            await self._call(standing, left, voice)
        elif standing.whole in _ENDS:
            await finish(self._plane, conversation, standing.whole, report_of(standing), done=True)
        else:
            body = {"for": _waited_for(run), "status": standing.whole, "seen": run.seq}
            await conversation.append([Fact(Kind.RUN_WAITING, body)])
            voice.tell(Waiting(tuple(call.approval_id for call in run.calls.values() if call.status == "held")))

    async def _call(self, standing: Standing, left: set[str], voice: Voice) -> None:
        """Make every call that can be made from here on, each once those are over that it waits for."""

        def made(name: str) -> ToolCall | None:
            nonlocal standing
            standing = standing.later()
            return _node_call(standing, name) if self._startable(standing, name) else None

        def over(name: str, outcome: Outcome) -> bool:
            nonlocal standing
            voice.tell(Ended(0, outcome))
            standing = standing.later()
            return standing.status(name) in (NodeStatus.DONE, NodeStatus.FAILED)

        await call_in_order(_needs(standing, left), made, over, self._plane)

    def _startable(self, standing: Standing, name: str) -> bool:
        """Whether a call can be made, or asked about again, here and now."""
        registry, tool = self._plane.registry, standing.nodes[name].tool
        return standing.status(name) in _NOW and (tool in registry or tool in registry.withdrawn)


def report_of(standing: Standing) -> dict[str, Json]:
    """What a graph came to, as data for whoever started it."""
    calls: dict[str, Json] = {}
    for node in standing.outcome().nodes:
        said: dict[str, Json] = {"status": node.status.value}
        if node.outcome is not None:
            said |= outcome_to_json(node.outcome)
        calls[node.id] = said
    return {"status": standing.whole.value, "calls": calls}


def _needs(standing: Standing, left: set[str]) -> dict[str, frozenset[str]]:
    """For each call that is left, those of the others whose end it waits for: fallbacks of what it needs too."""
    found = {}
    for name in left:
        node = standing.nodes[name]
        needs = set(node.needs)
        for needed in node.needs:
            while needed in standing.fallbacks and standing.fallbacks[needed] != name:
                needed = standing.fallbacks[needed]
                needs.add(needed)
        found[name] = frozenset((needs | {node.instead_of}) & left)
    return found


def _node_call(standing: Standing, name: str) -> ToolCall:
    run, node = standing.run, standing.nodes[name]
    assert run.principal is not None, "a run that is driven was started"
    arguments: dict[str, Any] = {}
    lacks = ""
    try:
        arguments = filled(dict(node.arguments), standing.values(node.needs), run.course.get("input"), with_input=True)
    except (BadInput, KeyError) as error:
        lacks = str(error)
    return ToolCall(
        run_id=run.run_id, call_id=call_id(run.run_id, name), tool=node.tool, arguments=arguments,
        principal=run.principal, name=f"node/{name}", lacks=lacks,
    )  # fmt: skip


def _waited_for(run: RunState) -> list[str]:
    held = [call.approval_id for call in run.calls.values() if call.status == "held"]
    unknown = [call.call_id for call in run.calls.values() if call.status == "unknown"]
    return [*held, *unknown, *(call.awaits for call in run.calls.values() if call.awaits)]

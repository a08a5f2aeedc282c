"""What one run has another do: the tools by which it starts it, and the run that they start.

A delegation is a governed call like any other: decided, limited, recorded, stoppable. Its effect by itself is none: it
writes the start of a run, whose own calls are governed one by one. The id of that run follows from the call's, so that
a call whose worker was lost finds the same run. What the run comes to is told to the call when it is over (`report`);
until then whoever started it waits, and holds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from interlock.agent.agent import Agent
from interlock.agent.report import THIRD, label, who
from interlock.core.call import OutcomeKind
from interlock.core.canonical import canonical
from interlock.core.entered import handed_down
from interlock.core.event import Fact, Kind
from interlock.core.ids import child_run_id
from interlock.core.run import RunState, speaker
from interlock.core.tool import CallContext, Effect, Tool
from interlock.core.trace import TraceContext, call_span_id
from interlock.errors import DuplicateFact, Rejected, StaleClaim
from interlock.ledger.store import Append, Claim
from interlock.limits.budget import COUNTED, own_budgets
from interlock.pipeline import Plane
from interlock.registry.registry import Registry

GIVEN_MAX = 256 << 10
"""Bytes of results and other values that are handed over with one task."""

TEXT_MAX = 32_768
"""Characters of one task."""

_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "task": {"type": "string", "minLength": 1, "maxLength": TEXT_MAX, "description": "What it is to do, in full."},
        "results": {
            "type": "array", "maxItems": 64, "items": {"type": "string", "maxLength": 64},
            "description": "call_id of each earlier result that it needs. It sees these and no others.",
        },
        "data": {"description": "Other values that it needs."},
    },
    "required": ["task"],
    "additionalProperties": False,
}  # fmt: skip


def worker_tool(name: str) -> str:
    """Name of the tool by which an agent has a worker do something."""
    return f"ask_{name}"


def peer_tool(name: str) -> str:
    """Name of the tool by which an agent hands over to a peer."""
    return f"hand_over_to_{name}"


class Delegation:
    """Starts runs for calls. The tools exist before the plane does, which is given to it by `bind`."""

    def __init__(self, start_of: Callable[[Agent, Registry], dict[str, Any]]) -> None:
        self._start_of = start_of
        self._plane: Plane | None = None

    @property
    def plane(self) -> Plane:
        """Where runs are started."""
        assert self._plane is not None, "compose binds it"
        return self._plane

    def use(self, plane: Plane) -> None:
        """Let runs be started on this plane."""
        self._plane = plane

    def tools(self, agents: Mapping[str, Agent]) -> Iterable[Tool]:
        """Those by which these agents start each other."""
        everybody = agents.values()
        for name in dict.fromkeys(name for agent in everybody for name in agent.workers if name in agents):
            yield self._tool(worker_tool(name), agents[name], "worker", "Have {} do a part of the task")
        for name in dict.fromkeys(name for agent in everybody for name in agent.peers if name in agents):
            yield self._tool(peer_tool(name), agents[name], "peer", "Hand the user over to {}, whose answer is the end")

    def _tool(self, name: str, agent: Agent, starts: str, what: str) -> Tool:
        async def body(arguments: dict[str, Any], context: CallContext) -> object:
            if uncounted := agent.budget.keys() - COUNTED.union(*(each.units for each in self.plane.registry.tools)):
                raise Rejected("uncounted budget", reason=f"its budget counts {min(uncounted)!r}, which nothing costs")
            said = self._start_of(agent, self.plane.registry)
            said |= {"budget": agent.budget, "depth_left": agent.limits.depth_max}
            return await self.start(arguments, context, starts, said)

        about = f": {agent.about}" if agent.about else "."
        return made(name, what.format(agent.name) + about, _SCHEMA, starts, body)

    async def start(
        self, arguments: Mapping[str, Any], context: CallContext, how: str, started: Mapping[str, Any]
    ) -> dict[str, str]:
        """Write the start of the run that a call starts, once however often it is asked.

        Args:
            arguments: `task`, `results` and `data` of the call.
            started: What its start says besides: `driver`, `tools`, `authority`, `budget` and what it goes by.

        Raises:
            Rejected: It may not be started, or what is handed over is not there.
        """
        ledger = self.plane.ledger
        run = (await ledger.conversation(context.run_id, context.tenant)).state
        child = child_run_id(context.run_id, context.call_id)
        task = _task(run, arguments, context, how) | label(self.plane, run)
        trace = TraceContext(
            run.trace_id, call_span_id(run.run_id, context.call_id), "" if run.trace is None else run.trace.state
        )  # fmt: skip
        body = _started(run, child, started) | {"task": task, "trace": trace.body}
        fact = Fact(Kind.RUN_STARTED, body, principal_id=context.principal_id, trace_id=trace.trace_id)
        with suppress(DuplicateFact, StaleClaim):  # it was started before
            # Under a claim that is over at once: whoever looks for what is due finds it.
            await ledger.store.append(Append(child, context.tenant, [fact], claim=Claim(context.call_id, 0.0)))
        return {"run_id": child}


def made(name: str, description: str, schema: Mapping[str, Any], starts: str, body: Any) -> Tool:
    """A tool of the plane's own that starts a run. It carries text out of its run: it has an intent."""
    return Tool(
        name=name, description=description, input_schema=schema, effect=Effect.READ, outward=True, starts=starts,
        category="agents", body=body,
    )  # fmt: skip


def _started(run: RunState, child: str, started: Mapping[str, Any]) -> dict[str, Any]:
    """The start of a run below another: its principal, its words and its budgets, and of what it may do no more."""
    assert run.principal is not None, "a run that has calls was started"
    if run.status != "open":
        raise Rejected("run is over", reason="this run is over")
    if run.transcript is not None and run.authority is None:  # nobody could be started when it began
        raise Rejected("no authority", reason="this run may start no other; do it yourself or say that it is not done")
    if run.depth_left < 1:
        raise Rejected("too deep", reason="no run may be started any deeper; do it yourself or say that it is not done")
    body: dict[str, Any] = {"principal": run.principal.written, "parent": run.run_id}
    body |= {name: value for name, value in started.items() if name != "budget"}
    body["depth_left"] = min(run.depth_left - 1, started.get("depth_left", run.depth_left))
    for part in ("tools", "authority"):
        names = body.get(part)
        if names is not None and run.authority is not None:
            body[part] = [name for name in names if name in run.authority]
    if run.words is not None:
        body["words"] = run.words
    body |= handed_down(run.entered)
    budgets = own_budgets(run.tenant, child, started.get("budget", {})) + run.budgets
    if budgets:
        body["budgets"] = [list(each) for each in budgets]
    return body


def _task(run: RunState, arguments: Mapping[str, Any], context: CallContext, how: str) -> dict[str, Any]:
    """What is wanted, with the results that are named, and no others (defect 57). Each bears its label."""
    task: dict[str, Any] = {"call": context.call_id, "from": who(run), "how": how, "text": arguments.get("task", "")}
    given = []
    for call_id in dict.fromkeys(arguments.get("results", ())):
        call = speaker(run, call_id)
        outcome = None if call is None else call.outcome
        if call is None or outcome is None or outcome.kind is not OutcomeKind.DONE or call.awaits:
            raise Rejected("no result", reason=f"there is no result of a call {call_id!r} to hand over")
        given.append({"call_id": call_id, "tool": call.tool, "origin": THIRD, "value": outcome.value})
    if given:
        task["given"] = given
    if "data" in arguments:
        task["data"] = arguments["data"]
    if len(canonical([given, task.get("data")])) > GIVEN_MAX:
        raise Rejected("too much", reason=f"more than {GIVEN_MAX} bytes would be handed over; hand over less")
    return task

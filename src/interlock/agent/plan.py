"""Plan and execute: a model lays out its calls as a graph, which is checked, and run by the one scheduler.

The plan is a run below the agent's, with the agent's own tools and no others. What became of each call is told when it
is over; where some was refused or failed, the model plans again from what there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.agent.delegate import Delegation, made
from interlock.agent.graph import Graph, Node, When
from interlock.agent.graph_check import NODES_MAX, check
from interlock.core.tool import CallContext, Tool
from interlock.errors import BadInput, Rejected

PLAN_TOOL = "run_plan"
"""Name of the tool by which an agent has a plan run."""

_TEXT = {"type": "string", "minLength": 1, "maxLength": 64}
_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "calls": {
            "type": "array", "minItems": 1, "maxItems": NODES_MAX,
            "items": {
                "type": "object",
                "properties": {
                    "id": {**_TEXT, "description": "Your name of this call."},
                    "tool": {**_TEXT, "description": "One of your tools."},
                    "arguments": {
                        "type": "object",
                        "description": 'Its arguments. {"$result": "id", "pointer": "/path"} stands for a part of the '
                        "result of an earlier call of the plan.",
                    },
                    "after": {"type": "array", "maxItems": NODES_MAX, "items": _TEXT,
                              "description": "Further calls that must be done before it."},
                    "instead_of": {**_TEXT, "description": "Make it only where that earlier call is not done."},
                    "when": {
                        "type": "object",
                        "properties": {"node": _TEXT, "pointer": {"type": "string", "maxLength": 1024}, "equals": {}},
                        "required": ["node", "pointer", "equals"], "additionalProperties": False,
                        "description": "Make it only where this stands in the result of an earlier call.",
                    },
                },
                "required": ["id", "tool", "arguments"], "additionalProperties": False,
            },
        },
    },
    "required": ["calls"],
    "additionalProperties": False,
}  # fmt: skip


def plan_tool(delegation: Delegation) -> Tool:
    """The tool by which an agent has a plan run."""

    async def body(arguments: dict[str, Any], context: CallContext) -> object:
        plane = delegation.plane
        run = (await plane.ledger.conversation(context.run_id, context.tenant)).state
        assert run.principal is not None, "a run that has calls was started"
        tools = None if run.tools is None else run.tools - {PLAN_TOOL}
        graph = planned(arguments)
        try:
            check(graph, await plane.tools_of(run.principal), {}, tools)
        except BadInput as error:
            raise Rejected("no plan", reason=str(error)) from error
        started: dict[str, Any] = {"driver": "graph", "graph": graph.as_json(), "input": {}}
        if tools is not None:
            started |= {"tools": sorted(tools), "authority": sorted(run.authority or tools)}
        return await delegation.start({}, context, "plan", started)

    about = (
        "Run several calls of which you know now what each needs: those that need nothing of each other run at the "
        "same time. You are told what became of each; plan again where some was not done."
    )
    return made(PLAN_TOOL, about, _SCHEMA, "plan", body)


def planned(said: Mapping[str, Any]) -> Graph:
    """The graph that a model laid out."""
    return Graph("plan", tuple(
        Node(
            call["id"], call["tool"], call["arguments"], tuple(call.get("after", ())),
            When(**call["when"]) if "when" in call else None, call.get("instead_of", ""),
        )
        for call in said["calls"]
    ))  # fmt: skip

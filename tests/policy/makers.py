"""Small tools, policies and facts for the policy tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from interlock.core.call import ToolCall, ValidCall
from interlock.core.canonical import canonical
from interlock.core.decision import Mode
from interlock.core.principal import Principal
from interlock.core.provenance import UNTRACED, Provenance, Traced
from interlock.core.run import RunState
from interlock.core.tool import CallContext, Effect, Entity, Tool
from interlock.policy.cedar import Policy
from interlock.policy.facts import Facts, Resource, Session
from interlock.policy.rules import Source

CLERK = Principal("u1", roles=frozenset({"clerk"}))
SERVICE = Principal("s1", roles=frozenset({"clerk"}), kind="service")
NOBODY = Principal("u2")
MONDAY_NOON_US = 1_767_614_400_000_000  # 2026-01-05T12:00:00Z

FRESH = Session()

PERMIT = 'permit (principal, action in Action::"call", resource);'
PROPERTY = Entity(type="Property", lookup="get_property", by="id", suggest="find_property")


async def _never(arguments: dict[str, Any], context: CallContext) -> object:
    raise AssertionError("no policy test runs a tool")


def tool(name: str, effect: str = "read", properties: dict[str, Any] | None = None, **declared: Any) -> Tool:
    """A tool whose every parameter is required, unless `required` says otherwise."""
    properties = properties or {}
    schema = {
        "type": "object",
        "properties": properties,
        "required": declared.pop("required", list(properties)),
        "additionalProperties": declared.pop("additional", False),
    }
    return Tool(name=name, effect=Effect(effect), input_schema=schema, body=_never, **declared)


LOOK = tool("look", "read", {"q": {"type": "string"}})
REFUND = tool(
    "refund",
    "irreversible",
    {"amount": {"type": "integer"}, "note": {"type": "string"}},
    required=["amount"],
    category="payments",
)
DROP = tool("drop", "privileged")
GET_PROPERTY = tool(
    "get_property",
    "read",
    {"id": {"type": "integer"}},
    output_schema={
        "anyOf": [{"$ref": "#/$defs/Property"}, {"type": "null"}],
        "$defs": {
            "Property": {
                "type": "object",
                "properties": {"owner": {"type": "string"}, "rent": {"type": "number"}, "units": {"type": "integer"}},
                "required": ["owner"],
            }
        },
    },
)
FIND_PROPERTY = tool("find_property", "read", {"query": {"type": "string"}})
REPAIR = tool(
    "repair",
    "reversible",
    {"property_id": {"type": "integer"}, "text": {"type": "string"}},
    resource="property_id",
    entities={"property_id": PROPERTY},
)
TOOLS = (LOOK, REFUND, DROP, GET_PROPERTY, FIND_PROPERTY, REPAIR)


def policy(
    *texts: str, tools: Iterable[Tool] = TOOLS, mode: Mode = Mode.ENFORCE, shadow: Policy | None = None
) -> Policy:
    """A policy of one file per text: a.cedar, b.cedar, …"""
    sources = [Source(f"{chr(97 + number)}.cedar", text) for number, text in enumerate(texts)]
    return Policy(sources, tools, mode=mode, shadow=shadow)


def facts(
    of: Tool,
    arguments: dict[str, Any] | None = None,
    *,
    principal: Principal = CLERK,
    session: Session = FRESH,
    resource: Resource | None = None,
    now_us: int = MONDAY_NOON_US,
    provenance: Provenance | None = None,
) -> Facts:
    arguments = arguments or {}
    server = Resource("Server", of.server, {})
    return Facts(
        principal, of, arguments, canonical(arguments), session, now_us, resource or server, traced(provenance)
    )


def traced(provenance: Provenance | None) -> Traced:
    """Of a call whose origin counts; of one that is not asked about where None."""
    if provenance is None:
        return UNTRACED
    return Traced(lambda: provenance, profiled=provenance.profiled, judged=True)


def valid(of: Tool, arguments: dict[str, Any] | None = None, principal: Principal = CLERK) -> ValidCall:
    arguments = arguments or {}
    call = ToolCall(run_id="run_1", call_id="call_1", tool=of.name, arguments=arguments, principal=principal)
    return ValidCall(call, of, arguments, canonical(arguments), "00")


def run() -> RunState:
    return RunState("run_1", "default")

"""The Cedar schema, made from the tools: what a rule may name and what type it has.

    entity Principal in [Role, Tenant] = {id, tenant, kind, roles};   // Principal::"tenant/id"
    entity Server;  entity Role;  entity Tenant;                      // and what tools declare: Property, …
    action "refund" in [call, effect/irreversible, server/local, category/payments]
      context: {arguments, counts, provenance, session, time, tool}

A tool of this process is the action `refund`, one of another server `server:refund`. `counts` has the
number of items of each list argument. `time` is UTC; hours 0 to 23, weekdays 1 (Monday) to 7. `provenance` says where
the arguments come from: levels are 1 (text by others) to 6 (a constant), of each role (`least`) and argument (`levels`)
that the call has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from interlock.core.canonical import Written
from interlock.core.provenance import ROLES
from interlock.core.tool import Effect, Entity, Tool
from interlock.errors import PolicyError
from interlock.policy.shape import (
    FLAG,
    LONG,
    RESERVED,
    TEXT,
    TEXTS,
    Gap,
    Shape,
    cedar_type,
    pruned,
    record,
    shape_of,
)

ALL = "call"
"""The group of all actions."""

PRINCIPAL = record({"id": TEXT, "tenant": TEXT, "kind": TEXT, "roles": TEXTS})
SESSION = record(
    {"calls": LONG, "tool_calls": LONG, "writes": LONG, "refusals": LONG, "age_s": LONG, "words_seen": FLAG}
)
PROVENANCE: Mapping[str, Shape] = {
    "lacks": TEXTS,
    "profiled": FLAG,
    "mandated": FLAG,
    "words_seen": FLAG,
    "saw_third": FLAG,
    "saw_private": FLAG,
    "sent_out": FLAG,
    "least": record(dict.fromkeys(ROLES, LONG), ROLES),
}
TIME = record({"now": Shape("instant"), "hour": LONG, "weekday": LONG})
TOOL = record(
    {
        "name": TEXT,
        "server": TEXT,
        "version": TEXT,
        "effect": TEXT,
        "category": TEXT,
        "tags": TEXTS,
        "outward": FLAG,
        "keyed": FLAG,
        "idempotent": FLAG,
    }
)

_ENTITY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_OWN_TYPES = frozenset({"Principal", "Role", "Tenant", "Server", "Action"})
_CEDAR_WORDS = frozenset({"true", "false", "if", "then", "else", "in", "is", "like", "has", "__cedar"})
_CEDAR_TYPES = frozenset(
    "Bool Boolean Entity Extension Long Record Set String decimal datetime duration ipaddr".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolTypes:
    """What policy can see of one tool.

    Attributes:
        tool: The definition.
        action: Its action id.
        groups: The action id and that of every group it is in.
        context: Shape of the context.
        facts: What a decision sees of the definition, as JSON.
        entity: The check of the resource argument; None where the resource is the server.
        attributes: Shape of that entity's attributes.
        resources: Entity types that the resource may have.
        gaps: What of the arguments has no type.
    """

    tool: Tool
    action: str
    groups: frozenset[str]
    context: Shape
    facts: Written
    entity: Entity | None
    attributes: Shape
    resources: tuple[str, ...]
    gaps: tuple[Gap, ...]


def action_of(tool: Tool) -> str:
    """The tool's action id: its name, with its server before a colon where that is another one."""
    return tool.name if tool.server == "local" else f"{tool.server}:{tool.name}"


def types_of(tool: Tool, lookups: Mapping[str, Tool]) -> ToolTypes:
    """What policy can see of the tool.

    Args:
        lookups: Tools by name; an entity's attributes come from the output schema of its lookup.

    Raises:
        PolicyError: The name is that of the group of all tools, or an entity's type is no free identifier.
    """
    action = action_of(tool)
    if action == ALL:
        raise PolicyError(
            f"a tool is named {ALL!r}, as the group of all tools is", code="policy.tool", remedy="Rename it."
        )
    for check in tool.entities.values():
        for name in (check.lookup, check.suggest):
            if name in lookups and lookups[name].entities:
                raise PolicyError(
                    f"tool {tool.name!r}: {name!r} checks an entity and would need checks itself, without end",
                    code="policy.tool",
                    remedy="Look entities up by a tool that declares none.",
                )
    for kind in {declared.type for declared in tool.entities.values()}:
        if not _ENTITY.fullmatch(kind) or kind in _OWN_TYPES | _CEDAR_WORDS | _CEDAR_TYPES:
            raise PolicyError(
                f"tool {tool.name!r}: {kind!r} cannot name an entity type",
                code="policy.tool",
                remedy="Use an identifier that neither Cedar nor Interlock uses.",
            )
    arguments, gaps = shape_of(tool.input_schema)
    counted = {name: LONG for name, part in arguments.fields.items() if part.kind == "set"}
    counts = record(counted, set(counted).difference(arguments.required))
    levels = {name: LONG for name in _names(tool.input_schema) if name not in RESERVED}
    provenance = record({**PROVENANCE, "levels": record(levels, levels)})
    entity = tool.entities.get(tool.resource) if _names_one(arguments, tool.resource) else None
    sure = entity is not None and tool.resource in arguments.required
    groups = {action, ALL, f"effect/{tool.effect}", f"server/{tool.server}"}
    if tool.category:
        groups.add(f"category/{tool.category}")
    return ToolTypes(
        tool=tool,
        action=action,
        groups=frozenset(groups),
        context=record(
            {
                "arguments": arguments,
                "counts": counts,
                "provenance": provenance,
                "tool": TOOL,
                "session": SESSION,
                "time": TIME,
            }
        ),
        facts=tool_facts(tool),
        entity=entity,
        attributes=_attributes(entity, lookups),
        resources=(*((entity.type,) if entity is not None else ()), *(() if sure else ("Server",))),
        gaps=gaps,
    )


def tool_facts(tool: Tool) -> Written:
    """What a decision sees of a definition."""
    return Written(
        {
            "name": tool.name,
            "server": tool.server,
            "version": tool.version,
            "effect": tool.effect.value,
            "category": tool.category,
            "tags": list(tool.tags),
            "outward": tool.outward,
            "keyed": tool.keyed,
            "idempotent": tool.idempotent,
        }
    )


def cedar_schema(tools: Iterable[ToolTypes], reads: frozenset[tuple[str, ...]]) -> dict[str, Any]:
    """Cedar's JSON schema for the tools, with nothing but what the paths read.

    Raises:
        PolicyError: Two tools declare one entity type with an attribute of two types.
    """
    entities: dict[str, dict[str, Shape]] = {}
    actions: dict[str, Any] = {ALL: {}} | {f"effect/{effect}": _in(ALL) for effect in Effect}
    for types in tools:
        for group in types.groups:
            if group not in (ALL, types.action):
                actions.setdefault(group, _in(ALL))
        for kind in types.resources:
            if kind != "Server":
                _merge(kind, entities.setdefault(kind, {}), types)
        actions[types.action] = _action(
            sorted(types.groups.difference({types.action, ALL})),
            types.resources,
            pruned(types.context, [path[1:] for path in reads if path[0] == "context"]),
        )
    kinds = {kind: {"shape": cedar_type(record(fields, fields))} for kind, fields in entities.items()}
    principal = {"memberOfTypes": ["Role", "Tenant"], "shape": cedar_type(PRINCIPAL)}
    return {
        "": {
            "entityTypes": {"Role": {}, "Tenant": {}, "Server": {}, "Principal": principal, **kinds},
            "actions": actions,
        }
    }


def placeholders(tools: Iterable[ToolTypes]) -> list[ToolTypes]:
    """A tool that does not exist for each effect that no tool has, so that rules about it can be checked."""
    there = {types.tool.effect for types in tools}
    return [types_of(_no_tool(effect), {}) for effect in Effect if effect not in there]


def _no_tool(effect: Effect) -> Tool:
    async def body(arguments: dict[str, Any], context: object) -> object:
        raise AssertionError("a placeholder never runs")

    # The spaces keep it apart from every real tool.
    return Tool(name=f"no {effect} tool", input_schema={"type": "object"}, effect=effect, body=body)


def _in(group: str) -> dict[str, Any]:
    return {"memberOf": [{"id": group}]}


def _action(groups: list[str], resources: tuple[str, ...], context: Shape) -> dict[str, Any]:
    return {
        "memberOf": [{"id": group} for group in groups],
        "appliesTo": {
            "principalTypes": ["Principal"],
            "resourceTypes": list(resources),
            "context": cedar_type(context),
        },
    }


def _merge(kind: str, known: dict[str, Shape], types: ToolTypes) -> None:
    for name, part in types.attributes.fields.items():
        if known.setdefault(name, part) != part:
            raise PolicyError(
                f"tool {types.tool.name!r}: {name!r} of {kind} has another type in another tool's lookup",
                code="policy.tool",
                remedy="Let both look up the same, or name the types differently.",
            )


def _names(schema: Mapping[str, Any]) -> Iterable[str]:
    """Names of the arguments, those among them that have no one type."""
    properties = schema.get("properties")
    return properties if isinstance(properties, Mapping) else ()


def _names_one(arguments: Shape, name: str) -> bool:
    """Whether the argument can name one thing: not a list, which names several and is no resource."""
    return name not in arguments.fields or arguments.fields[name].kind != "set"


def _attributes(entity: Entity | None, lookups: Mapping[str, Tool]) -> Shape:
    lookup = lookups.get(entity.lookup) if entity is not None else None
    if lookup is None or lookup.output_schema is None:
        return record({})
    shape, _ = shape_of(lookup.output_schema)
    fields = {name: part for name, part in shape.fields.items() if name not in RESERVED}
    return record(fields, fields)

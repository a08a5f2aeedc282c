"""Definitions of an MCP server as tools: the server's words kept whole and trusted in nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from interlock.core.canonical import JsonLimits, check_json
from interlock.core.tool import Body, Effect, Tool
from interlock.errors import BadInput, DefinitionError
from interlock.registry.define import ForeignOptions, foreign_tool

DEFINITION_LIMITS: Final = JsonLimits(bytes_max=512 << 10, string_max=256 << 10, items_max=10_000)
"""What one definition may be at most; its schema and description have bounds of their own (registry)."""

_OURS: Final = frozenset({"name", "description", "inputSchema"})
"""What has a place of its own in a `Tool`; all else that a server says is a claim."""

_DATA: Final = frozenset({"const", "default", "enum", "examples"})
"""Keywords of a schema that hold values, in which `$ref` is no reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The operator's word on a server's tools.

    Attributes:
        server: The operator's name of the server.
        prefix: What stands before the names.
        timeout_s: Seconds of one attempt, where nothing is said of the tool.
        options: The server's name of a tool to what is said of it; see `ForeignOptions`.
    """

    server: str
    prefix: str = ""
    timeout_s: float = 30.0
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def tool_of(definition: Mapping[str, Any], profile: Profile, body: Body) -> Tool:
    """One definition as a tool; `privileged` unless the operator says otherwise.

    Raises:
        DefinitionError: It has no name or no schema, or is beyond bounds.
    """
    name, schema = definition.get("name"), definition.get("inputSchema")
    description = definition.get("description") or ""
    if not isinstance(name, str) or not isinstance(schema, Mapping) or not isinstance(description, str):
        raise DefinitionError("a definition has no name, no description or no schema", code="definition.format")
    try:
        check_json(dict(definition), DEFINITION_LIMITS)
    except BadInput as error:
        raise DefinitionError(f"the definition of {name[:80]!r}: {error}", code="definition.bounds") from None
    claims = {key: value for key, value in definition.items() if key not in _OURS}
    said = {"timeout_s": profile.timeout_s, **profile.options.get(name, {})}
    said["effect"] = raised(Effect(said.get("effect", Effect.PRIVILEGED)), claims.get("annotations"))
    said |= {"claims": claims, "output_schema": result_schema(claims.get("outputSchema"))}
    options = cast(ForeignOptions, said)  # the names in it are the settings' own
    return foreign_tool(profile.prefix + name, profile.server, description, schema, body, **options)


def is_made_of(tool: Tool, definition: Mapping[str, Any], profile: Profile) -> bool:
    """Whether a tool was made of this definition; by its body's own, which it is compared with at every call."""
    said = {key: value for key, value in definition.items() if key not in ("name", "description", "inputSchema")}
    return (
        tool.name == profile.prefix + str(definition.get("name"))
        and tool.description == (definition.get("description") or "")
        and tool.input_schema == definition.get("inputSchema")
        and tool.claims == said
    )


def raised(effect: Effect, annotations: object) -> Effect:
    """The effect by the operator's word, or a graver one that the server itself claims (T10)."""
    said = annotations if isinstance(annotations, Mapping) else {}
    claimed = Effect.READ
    if said.get("readOnlyHint") is False:
        claimed = Effect.REVERSIBLE
    if said.get("destructiveHint") is True and said.get("readOnlyHint") is not True:
        claimed = Effect.IRREVERSIBLE
    return max(effect, claimed, key=lambda each: each.rank)


def result_schema(output: object) -> dict[str, Any] | None:
    """The schema of a whole result, where the server declares one for its structured content."""
    if not isinstance(output, Mapping):
        return None
    part = {key: value for key, value in output.items() if key != "$schema"}
    whole: dict[str, Any] = {
        "type": "object",
        "properties": {"structuredContent": _moved(part, "#/properties/structuredContent")},
        "required": ["structuredContent"],
    }
    if "$schema" in output:
        whole["$schema"] = output["$schema"]
    return whole


def _moved(part: Any, to: str) -> Any:
    """A schema that stands deeper now: its references into itself with it, unless it has an identity of its own."""
    if isinstance(part, Mapping):
        if "$id" in part or ("id" in part and isinstance(part["id"], str)):
            return part
        moved = {key: value if key in _DATA else _moved(value, to) for key, value in part.items()}
        return moved | {key: _reference(part[key], to) for key in ("$ref", "$dynamicRef") if key in part}
    if isinstance(part, Sequence) and not isinstance(part, str):
        return [_moved(each, to) for each in part]
    return part


def _reference(value: Any, to: str) -> Any:
    return to + value[1:] if isinstance(value, str) and (value == "#" or value.startswith("#/")) else value

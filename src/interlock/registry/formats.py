"""Definitions in the formats of providers, out and in, from one `Tool`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from interlock.core.tool import Body, Effect, Offer, Tool
from interlock.core.visible import unhidden
from interlock.errors import DefinitionError
from interlock.registry.define import foreign_tool
from interlock.registry.gemini import project, unproject


class Format(StrEnum):
    """Whose format."""

    OPENAI_CHAT = "openai_chat"
    OPENAI_RESPONSES = "openai_responses"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    MCP = "mcp"


_WITHOUT_DOTS = frozenset({Format.OPENAI_CHAT, Format.OPENAI_RESPONSES, Format.ANTHROPIC})
"""Formats that take no dot in a name."""

_MCP_KEYS = frozenset({"name", "description", "inputSchema", "outputSchema"})


def wire_name(name: str, format: Format) -> str:
    """A tool's name as the provider takes it: a dot becomes an underscore where it takes none.

    Two names of one registry never become one: names that differ in separators only look alike.
    """
    return name.replace(".", "_") if format in _WITHOUT_DOTS else name


def own_names(tools: Iterable[Tool], format: Format) -> dict[str, str]:
    """Name on the wire to name of the tool, for reading the calls that come back."""
    return {wire_name(tool.name, format): tool.name for tool in tools}


def tool_out(tool: Tool, format: Format) -> dict[str, Any]:
    """One entry of a provider's list of tools.

    Gemini's is a projection, see `gemini.project`. Nothing of effect, roles or resolvers is told to a model.
    """
    name = wire_name(tool.name, format)
    description, schema = described(tool), dict(_shown(tool, tool.input_schema))
    match format:
        case Format.OPENAI_CHAT:
            function = {"name": name, "description": description, "parameters": schema}
            return {"type": "function", "function": function}
        case Format.OPENAI_RESPONSES:
            # Strict is this API's default, and it would refuse every schema with an optional parameter.
            return {
                "type": "function", "name": name, "description": description, "parameters": schema, "strict": False
            }  # fmt: skip
        case Format.ANTHROPIC:
            return {"name": name, "description": description, "input_schema": schema}
        case Format.GEMINI:
            return {"name": name, "description": description, "parameters": project(schema).schema}
        case _:  # MCP
            return _mcp_out(tool, description)


def tools_out(tools: Iterable[Tool], format: Format) -> list[dict[str, Any]]:
    """The list of tools of a request, in the order given; Gemini's wraps all in one entry."""
    entries = [tool_out(tool, format) for tool in tools]
    return [{"functionDeclarations": entries}] if format is Format.GEMINI and entries else entries


def tool_in(entry: Mapping[str, Any], format: Format, *, server: str, body: Body) -> Tool:
    """A foreign tool from one entry of a list of tools; `privileged`, and what it claims besides is kept as claims.

    Raises:
        DefinitionError: The entry has not the form, has no name or no schema (no schema, no registration).
    """
    part = entry.get("function") if format is Format.OPENAI_CHAT else entry
    if not isinstance(part, Mapping):
        raise _unlike(entry, format, "function")
    key = {Format.ANTHROPIC: "input_schema", Format.MCP: "inputSchema"}.get(format, "parameters")
    name, description, schema = part.get("name"), part.get("description") or "", part.get(key)
    if not isinstance(name, str):
        raise _unlike(entry, format, "name")
    if format is Format.GEMINI:
        schema = part.get("parametersJsonSchema") or unproject(schema)
    if not isinstance(schema, Mapping):
        raise _unlike(entry, format, key)
    if not isinstance(description, str):
        raise _unlike(entry, format, "description")
    if format is not Format.MCP:
        return foreign_tool(name, server, description, schema, body)
    output = part.get("outputSchema")
    if output is not None and not isinstance(output, Mapping):
        raise _unlike(entry, format, "outputSchema")
    claims = {key: value for key, value in part.items() if key not in _MCP_KEYS}
    return foreign_tool(name, server, description, schema, body, output_schema=output, claims=claims)


def offer(tool: Tool) -> Offer:
    """The tool as a model sees it, in no provider's format."""
    return Offer(tool.name, described(tool), _shown(tool, tool.input_schema))


def described(tool: Tool) -> str:
    """The description for a model: the author's, and what to use instead of a deprecated tool.

    Of a foreign tool, without the characters that nobody would see.
    """
    said = tool.description if not tool.deprecated else f"{tool.description}\n\nDeprecated: {tool.deprecated}".strip()
    return said if tool.sealed else str(unhidden(said))


def _shown(tool: Tool, said: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of a definition as a model gets it."""
    shown = said if tool.sealed else unhidden(dict(said))
    assert isinstance(shown, Mapping)
    return shown


def _mcp_out(tool: Tool, description: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": tool.name,
        "description": description,
        "inputSchema": _shown(tool, dict(tool.input_schema)),
    }
    output = tool.output_schema
    if output is not None and output.get("type") == "object":  # the protocol takes no other
        entry["outputSchema"] = _shown(tool, dict(output))
    if not tool.sealed:
        return {**entry, **_shown(tool, tool.claims)}
    entry["annotations"] = {
        "readOnlyHint": tool.effect is Effect.READ,
        "destructiveHint": tool.effect in (Effect.IRREVERSIBLE, Effect.PRIVILEGED),
        "idempotentHint": tool.idempotent or tool.keyed,
        "openWorldHint": tool.outward,
    }
    return entry


def _unlike(entry: Mapping[str, Any], format: Format, key: str) -> DefinitionError:
    return DefinitionError(
        f"a tool in the format {format.value} (keys {', '.join(sorted(map(str, entry)))[:200]}) has no proper {key!r}",
        code="definition.format",
    )

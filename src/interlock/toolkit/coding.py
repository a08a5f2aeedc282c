"""What coding agents do by themselves (shell, edits, the web), as tools whose calls `interlock hook` decides.

The agent executes, not Interlock: what a call of these does is permit. What the agent then reports of it is a call of
`coding.report`, whose result is that report, so that it stands in the run as the data that it is. Name the module in
the settings: `tools = ["interlock.toolkit.coding"]`.
"""

from __future__ import annotations

from typing import Any, Final

from interlock.core.tool import CallContext, Effect
from interlock.registry.define import foreign_tool

SERVER: Final = "coding"
"""Under what the tools stand in policies: `Action::"coding:coding.shell"`."""

SHELL, EDIT, READ, WEB, OTHER, REPORT = (
    f"{SERVER}.{name}" for name in ("shell", "edit", "read", "web", "other", "report")
)
"""The tools' names."""


async def _permit(arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
    return {"permitted": context.call_id}


async def _reported(arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
    return arguments


def _schema(**properties: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {"agent": {"type": "string"}, "tool": {"type": "string"}, **properties}
    return {"type": "object", "properties": said, "required": list(said), "additionalProperties": False}


_TEXT: Final = {"type": "string"}
_INPUT: Final = {"type": "string", "description": "All that the agent gave its tool, as canonical JSON."}

TOOLS: Final = tuple(
    foreign_tool(name, SERVER, description, _schema(**properties), body, **options)
    for name, description, properties, body, options in (
        (SHELL, "A coding agent runs a command.", {"command": _TEXT, "folder": _TEXT}, _permit,
         {"effect": Effect.PRIVILEGED}),
        (EDIT, "A coding agent writes or changes a file.", {"path": _TEXT, "input": _INPUT}, _permit,
         {"effect": Effect.REVERSIBLE}),
        (READ, "A coding agent reads or searches files.", {"path": _TEXT, "input": _INPUT}, _permit,
         {"effect": Effect.READ}),
        (WEB, "A coding agent fetches or searches the web.", {"url": _TEXT, "input": _INPUT}, _permit,
         {"effect": Effect.READ, "outward": True}),
        (OTHER, "A coding agent uses a tool that is not known.", {"input": _INPUT}, _permit,
         {"effect": Effect.PRIVILEGED}),
        (REPORT, "What a coding agent says became of a call.",
         {"call_id": _TEXT, "ok": {"type": "boolean"}, "output": _TEXT}, _reported, {"effect": Effect.READ}),
    )
)  # fmt: skip
"""All of them, in order."""

shell, edit, read, web, other, report = TOOLS

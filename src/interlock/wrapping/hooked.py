"""What coding agents tell their hooks and want to hear: the shapes of Claude Code and Cursor, read into one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from interlock.core.canonical import JsonLimits, canonical, parse_json
from interlock.errors import BadInput
from interlock.toolkit.coding import EDIT, OTHER, READ, SHELL, WEB

OUTPUT_MAX: Final = 64 << 10
"""Characters of what an agent reports that are kept."""

LIMITS: Final = JsonLimits(bytes_max=16 << 20, string_max=16 << 20)


class Moment(StrEnum):
    """When the agent asks: before a tool, after it, when its user has said something, at its end, or else."""

    BEFORE = "before"
    AFTER = "after"
    WORDS = "words"
    END = "end"
    ELSE = "else"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What an agent tells.

    Attributes:
        agent: Which: `claude-code` or `cursor`.
        event: Its own name of the moment.
        moment: When.
        session: Its name of the conversation.
        use_id: Its name of the use of a tool; empty where it gives none.
        tool: Ours for what it uses; empty where the use is none of ours.
        arguments: Of that tool.
        words: What its user said.
        ok: Whether the tool did what it was to do, by its word.
        output: What came of it.
    """

    agent: str
    event: str
    moment: Moment
    session: str
    use_id: str = ""
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    words: str = ""
    ok: bool = True
    output: str = ""


_MOMENTS: Final = {
    "PreToolUse": Moment.BEFORE, "PostToolUse": Moment.AFTER, "PostToolUseFailure": Moment.AFTER,
    "UserPromptSubmit": Moment.WORDS, "SessionEnd": Moment.END,
    "preToolUse": Moment.BEFORE, "beforeShellExecution": Moment.BEFORE, "postToolUse": Moment.AFTER,
    "postToolUseFailure": Moment.AFTER, "afterShellExecution": Moment.AFTER,
    "beforeSubmitPrompt": Moment.WORDS, "sessionEnd": Moment.END,
}  # fmt: skip

_KINDS: Final = {
    "Bash": SHELL, "Shell": SHELL, "PowerShell": SHELL, "Edit": EDIT, "MultiEdit": EDIT, "Write": EDIT,
    "NotebookEdit": EDIT, "Delete": EDIT, "Read": READ, "Glob": READ, "Grep": READ, "LS": READ,
    "WebFetch": WEB, "WebSearch": WEB,
}  # fmt: skip
"""What the agents call their tools, to ours. What is in neither table is `other`."""

_INNER: Final = frozenset("TodoWrite TodoRead Task Agent ExitPlanMode EnterPlanMode AskUserQuestion Skill".split())
"""Tools that touch nothing outside of the agent; what a subagent does is asked about by itself."""


def read_heard(raw: bytes) -> Heard:
    """What stands on the standard input.

    Raises:
        BadInput: It is no JSON, or in no shape that is known.
    """
    said = parse_json(raw, LIMITS)
    if not isinstance(said, Mapping):
        raise BadInput("no object", code="hook.shape", remedy="See `interlock hook --help`.")
    event = _text(said, "hook_event_name")
    cursor = "conversation_id" in said
    session = _text(said, "conversation_id" if cursor else "session_id")
    if not event or not session:
        raise BadInput("neither Claude Code's nor Cursor's shape", code="hook.shape", remedy="Update the agent.")
    moment = _MOMENTS.get(event, Moment.ELSE)
    tool, arguments = _used(said, event, "cursor" if cursor else "claude-code")
    output = next((said[key] for key in ("tool_response", "tool_output", "output", "error") if key in said), "")
    return Heard(
        agent="cursor" if cursor else "claude-code", event=event, moment=moment, session=session,
        use_id=_text(said, "tool_use_id"), tool=tool, arguments=arguments, words=_text(said, "prompt"),
        ok=not event.endswith("Failure"), output=_written(output)[:OUTPUT_MAX],
    )  # fmt: skip


def _used(said: Mapping[str, Any], event: str, agent: str) -> tuple[str, dict[str, Any]]:
    """Which of our tools a use is, with its arguments; nothing where it is not for us to decide."""
    name, given = _text(said, "tool_name"), said.get("tool_input", {})
    if event.endswith("ShellExecution"):
        name, given = "Shell", {"command": said.get("command"), "cwd": said.get("cwd")}
    if not name or name in _INNER or name.startswith(("mcp__interlock__", "MCP:interlock")):
        return "", {}  # a call through the gateway passes the path there
    tool = _KINDS.get(name, OTHER)
    arguments: dict[str, Any] = {"agent": agent, "tool": name}
    values = given if isinstance(given, Mapping) else {}
    if tool == SHELL:
        if not isinstance(values.get("command"), str):
            raise BadInput("a shell without a command", code="hook.shape", remedy="Update the agent.")
        folder = values.get("cwd") or values.get("working_directory") or said.get("cwd") or ""
        return tool, arguments | {"command": values["command"], "folder": str(folder)}
    arguments["input"] = _written(given)
    if tool in (EDIT, READ):
        arguments["path"] = str(values.get("file_path") or values.get("notebook_path") or values.get("path") or "")
    elif tool == WEB:
        arguments["url"] = str(values.get("url") or "")
    return tool, arguments


def answer(heard: Heard, refusal: str) -> dict[str, Any]:
    """What the agent is told, as it reads it.

    Args:
        refusal: Why its call may not be; empty where it may. To Claude Code, that it may is no opinion: its own
            questions to its user stay.
    """
    if heard.agent == "cursor":
        if heard.moment is Moment.WORDS:
            return {"continue": True}
        if heard.moment is not Moment.BEFORE or not heard.tool:
            return {}
        if not refusal:
            return {"permission": "allow"}
        return {"permission": "deny", "user_message": refusal, "agent_message": refusal}
    if not refusal or heard.moment is not Moment.BEFORE:
        return {}
    said = {"hookEventName": heard.event, "permissionDecision": "deny", "permissionDecisionReason": refusal}
    return {"hookSpecificOutput": said}


def configuration(agent: str, command: str) -> dict[str, Any]:
    """What an agent's file of hooks needs."""
    if agent == "cursor":
        events = ("preToolUse", "postToolUse", "postToolUseFailure", "beforeSubmitPrompt", "sessionEnd")
        return {"version": 1, "hooks": {each: [{"command": command, "failClosed": True}] for each in events}}
    hook = {"type": "command", "command": command, "timeout": 30}
    tools = ("PreToolUse", "PostToolUse", "PostToolUseFailure")
    listed = {each: [{"matcher": "*", "hooks": [hook]}] for each in tools}
    return {"hooks": listed | {each: [{"hooks": [hook]}] for each in ("UserPromptSubmit", "SessionEnd")}}


def _text(said: Mapping[str, Any], key: str) -> str:
    found = said.get(key)
    return found if isinstance(found, str) else ""


def _written(value: object) -> str:
    return value if isinstance(value, str) else canonical(json.loads(json.dumps(value))).decode()

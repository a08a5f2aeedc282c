"""Which tools can be reached ungoverned, and how: a client names a server directly, or has a tool without a hook.

It sees what stands in the files of clients, and no more: a program that dials a server by itself is not in any of them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from interlock.errors import SettingsError
from interlock.server_settings import ServerSettings
from interlock.settings import Settings
from interlock.wrapping.clients import ClientFile, Named, read_client


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of client.

    Attributes:
        name: What people call it.
        built_in: Its own tools that change something or carry data out, by the event of its hooks that governs each.
        hooks: Its files of hooks, from its project's folder on and from home.
    """

    name: str
    built_in: Mapping[str, tuple[str, ...]]
    hooks: tuple[str, ...] = ()


_EDITING: Final = ("Bash", "Edit", "NotebookEdit", "WebFetch", "Write")
CLAUDE_CODE: Final = Kind(
    "Claude Code", {tool: ("PreToolUse",) for tool in _EDITING},
    (".claude/settings.json", ".claude/settings.local.json"),
)  # fmt: skip
CURSOR: Final = Kind(
    "Cursor",
    {"shell": ("beforeShellExecution", "preToolUse"), "edit": ("preToolUse",)},
    (".cursor/hooks.json",),
)
VS_CODE: Final = Kind("VS Code", {"terminal": (), "edit": ()})
DESKTOP: Final = Kind("Claude Desktop", {})
OTHER: Final = Kind("a client", {})


@dataclass(frozen=True, slots=True)
class Way:
    """One way to reach tools ungoverned.

    Attributes:
        client: The client's file.
        what: Server or built-in tool; untrusted.
        how: How it is reached.
        tools: How many tools that are; at least one where it is not known.
        do: What closes it.
    """

    client: str
    what: str
    how: str
    tools: int
    do: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is governed of what the clients can reach.

    Attributes:
        clients: The files that were looked at, each with the kind of its client.
        governed: Tools that are reached through Interlock.
        ways: What is left.
    """

    clients: tuple[tuple[str, str], ...]
    governed: int
    ways: tuple[Way, ...]

    @property
    def percent(self) -> int | None:
        """Governed tools in a hundred, rounded down; 100 only where nothing is left. None where no client was found."""
        if not self.clients:
            return None
        left = sum(way.tools for way in self.ways)
        whole = self.governed + left
        return 100 if not left else self.governed * 100 // whole


def read_clients(files: Iterable[Path]) -> list[ClientFile]:
    """The files of clients, each with the servers that it names; one that names none has none.

    Raises:
        SettingsError: One cannot be read.
    """
    found = []
    for file in files:
        try:
            found.append(read_client(file))
        except SettingsError as error:
            if error.code != "client.shape":
                raise
            found.append(ClientFile(file, {}))
    return found


def kind_of(file: ClientFile) -> Kind:
    """What kind of client's file it is, by where it stands."""
    name, folder = file.path.name, file.path.resolve().parent.name
    if name in (".claude.json", ".mcp.json"):
        return CLAUDE_CODE
    if name == "claude_desktop_config.json":
        return DESKTOP
    if folder == ".cursor":
        return CURSOR
    return VS_CODE if folder in (".vscode", "User") else OTHER


def coverage(clients: Sequence[ClientFile], settings: Settings, tools: Mapping[str, int], home: Path) -> Coverage:
    """What is governed.

    Args:
        settings: The deployment that is to govern.
        tools: Server behind, and `local`, to how many tools it has.
        home: The folder of the user's own files.
    """
    named = [(file, server) for file in clients for server in file.servers if not server.off]
    others = [(file, server) for file, server in named if not _leads_here(server, settings)]
    times = Counter(_mark(server) for _, server in others)
    ways = [_direct(file, server, settings.servers, tools, times) for file, server in others]
    governed = sum(tools.values()) if len(others) < len(named) else 0
    seen: set[tuple[str, str]] = set()
    for file in clients:
        kind = kind_of(file)
        for tool, events in kind.built_in.items():
            if (kind.name, tool) in seen:
                continue
            seen.add((kind.name, tool))
            if _hooked(kind, tool, events, (file.folder, home)):
                governed += 1
            else:
                ways.append(_built_in(file, kind, tool))
    return Coverage(tuple((str(file.path), kind_of(file).name) for file in clients), governed, tuple(ways))


def _direct(
    file: ClientFile, server: Named, servers: Sequence[ServerSettings], tools: Mapping[str, int], times: Counter[str]
) -> Way:
    behind = next((said.name for said in servers if _same(server, said)), "")
    how = "its client names it directly"
    how += f", although it is behind Interlock as {behind!r}" if behind else ""
    how += f"; {times[_mark(server)]} files of clients do" if times[_mark(server)] > 1 else ""
    do = "Remove it from the client's file."
    if server.ours:
        how = "it is another deployment of Interlock, whose settings and ledger are not these"
    elif not behind:
        do = "Put it behind Interlock ([[servers]]), and remove it from the client's file."
    return Way(str(file.path), server.name, how, max(1, tools.get(behind, 1)), do)


def _leads_here(server: Named, settings: Settings) -> bool:
    """Whether a client's server is the gateway of this deployment."""
    said = settings.gateway
    if server.said.get("url") in {f"http://{host}:{said.port}{said.path}" for host in (said.host, "localhost")}:
        return True
    return server.ours and (server.settings is None or server.settings.resolve().parent == settings.folder.resolve())


def _built_in(file: ClientFile, kind: Kind, tool: str) -> Way:
    if not kind.hooks:
        how, do = "a tool of the client itself, which has no hook that Interlock serves", "Switch it off in the client."
    else:
        how, do = (
            "a tool of the client itself, and no hook asks Interlock",
            "Install the hook: `interlock hook --help`.",
        )
    return Way(str(file.path), f"{kind.name}: {tool}", how, 1, do)


def _mark(server: Named) -> str:
    return json.dumps([server.said.get("command"), server.said.get("args"), server.said.get("url")], default=str)


def _same(server: Named, said: ServerSettings) -> bool:
    args = server.said.get("args")
    words = (server.said.get("command"), *(args if isinstance(args, list) else ()))
    return words == said.command if said.command else server.said.get("url") == said.url


def _hooked(kind: Kind, tool: str, events: Iterable[str], folders: Iterable[Path]) -> bool:
    """Whether a hook of Interlock is asked before this tool."""
    files = dict.fromkeys(folder / file for folder in folders for file in kind.hooks)
    return any(_asks(document, event, tool) for file in files for document in _document(file) for event in events)


def _document(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if isinstance(said, dict) and isinstance(said.get("hooks"), dict) and not said.get("disableAllHooks"):
        yield said["hooks"]


def _asks(hooks: Mapping[str, Any], event: str, tool: str) -> bool:
    listed = hooks.get(event)
    for entry in listed if isinstance(listed, list) else ():
        if not isinstance(entry, dict):
            continue
        inner = entry.get("hooks", [entry])
        commands = [each.get("command", "") for each in inner if isinstance(each, dict)]
        if any("interlock hook" in command for command in commands if isinstance(command, str)) and _matches(
            entry.get("matcher", ""), tool
        ):
            return True
    return False


def _matches(matcher: object, tool: str) -> bool:
    """Whether a matcher of tool names plainly covers the tool; what would have to be guessed counts as no."""
    return matcher in ("", "*", ".*") or (isinstance(matcher, str) and tool in matcher.split("|"))

"""The configuration files of clients: which servers they name, and how the file reads with Interlock in their place.

The shapes of Claude Desktop, Claude Code and Cursor (`mcpServers`) and of VS Code (`servers`, comments allowed). The
file is text of somebody else: what it says is held against the settings' own rules before it is used for anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Any, Final

from interlock.core.canonical import Json, JsonLimits, parse_json
from interlock.errors import BadInput, SettingsError
from interlock.private_files import write_private

BYTES_MAX: Final = 8 << 20
"""Bytes of a file that is read: Claude Code keeps more than servers in its own."""

_LIMITS: Final = JsonLimits(bytes_max=BYTES_MAX, string_max=BYTES_MAX, items_max=100_000)

OURS: Final = "interlock"
"""What Interlock is called among a client's servers."""

_TOKEN: Final = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/|,(?=(?:\s|//[^\n]*|/\*.*?\*/)*[}\]])', re.DOTALL)
"""Strings, comments, and commas before the end of a list: of these, only the first are kept."""

_BACKUP: Final = ".before-interlock"

KNOWN: Final = (
    "~/.claude.json", "~/.cursor/mcp.json", ".mcp.json", ".cursor/mcp.json", ".vscode/mcp.json",
    "~/.config/Claude/claude_desktop_config.json",
    "~/Library/Application Support/Claude/claude_desktop_config.json",
    "~/Library/Application Support/Code/User/mcp.json", "~/.config/Code/User/mcp.json",
    "~/AppData/Roaming/Claude/claude_desktop_config.json", "~/AppData/Roaming/Code/User/mcp.json",
)  # fmt: skip
"""Where clients keep their configurations, by their own documents."""


@dataclass(frozen=True, slots=True)
class Named:
    """A server as a client's file names it.

    Attributes:
        place: The keys under which its group stands in the file.
        name: The client's name of it.
        said: What the file says of it; of anybody's making.
    """

    place: tuple[str, ...]
    name: str
    said: Mapping[str, Any]

    @property
    def ours(self) -> bool:
        """Whether it is Interlock itself: its program, started as a gateway."""
        said = [self.said.get("command"), *_list(self.said.get("args"))]
        words = [PurePath(word).name.removesuffix(".exe") for word in said if isinstance(word, str)]
        program = words[:1] == [OURS] or words[1:3] == ["-m", OURS] or words[1:2] == [OURS]
        return program and "gateway" in words and "stdio" in words

    @property
    def settings(self) -> Path | None:
        """The settings file that it starts Interlock with; None where it names none."""
        words = _list(self.said.get("args"))
        after = [named for option, named in pairwise(words) if option == "--settings"]
        return Path(after[0]) if after and isinstance(after[0], str) else None

    @property
    def off(self) -> bool:
        """Whether the client does not use it."""
        return self.said.get("disabled") is True or self.said.get("enabled") is False


@dataclass(frozen=True, slots=True)
class ClientFile:
    """One client's configuration.

    Attributes:
        path: Where it stands.
        document: All of it.
        servers: The servers that it names, in its order.
    """

    path: Path
    document: Mapping[str, Json]
    servers: tuple[Named, ...] = field(default=())

    @property
    def folder(self) -> Path:
        """The folder that the client works in where its file is a project's."""
        parent = self.path.resolve().parent
        return parent.parent if parent.name in (".vscode", ".cursor", ".claude") else parent

    def replaced(self, taken: Iterable[Named], entry: Mapping[str, Json]) -> dict[str, Any]:
        """The document with Interlock in the place of these servers; all else as it was."""
        document: dict[str, Any] = json.loads(json.dumps(self.document))
        for server in taken:
            group = document
            for key in server.place:
                group = group[key]
            del group[server.name]
            group.setdefault(OURS, dict(entry))
        return document


def read_client(path: Path) -> ClientFile:
    """Read a client's file.

    Raises:
        SettingsError: It cannot be read, is no JSON, or names no servers in a shape that is known.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}", code="client.read", remedy="Name a client's file.") from None
    if len(raw) > BYTES_MAX:
        raise SettingsError(f"{path}: more than {BYTES_MAX} bytes", code="client.read", remedy="Name a client's file.")
    try:
        document = parse_json(_plain(raw.decode("utf-8-sig")), _LIMITS)
    except (BadInput, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"{path}: not JSON: {error}", code="client.syntax", remedy="Correct the file.") from None
    if not isinstance(document, dict) or not (places := list(_places(document))):
        raise SettingsError(
            f"{path}: names no servers", code="client.shape",
            remedy="A client's file has `mcpServers` (Claude, Cursor) or `servers` (VS Code).",
        )  # fmt: skip
    servers = [
        Named(place, name, said) for place, group in places for name, said in group.items() if isinstance(said, Mapping)
    ]
    return ClientFile(path, document, tuple(servers))


def known_files(home: Path, folder: Path) -> list[Path]:
    """The files of clients that there are, in their known places."""
    places = [home / each[2:] if each.startswith("~/") else folder / each for each in KNOWN]
    return [each for each in dict.fromkeys(places) if each.is_file()]


def write_client(file: ClientFile, document: Mapping[str, Json]) -> Path:
    """Put a document in a client's file's place, in one step, and return where the one before is kept.

    Raises:
        SettingsError: It cannot be written; the file is as it was.
    """
    target = file.path.resolve()
    try:
        mode = target.stat().st_mode & 0o777
        backup = next(each for each in _backups(target) if not each.exists())
        write_private(backup, target.read_bytes(), once=True)
        write_private(target, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())
        target.chmod(mode)
    except OSError as error:
        raise SettingsError(
            f"{target}: {error.strerror}", code="client.write", remedy="Let yourself write it."
        ) from None
    return backup


def _backups(target: Path) -> Iterator[Path]:
    yield target.with_name(target.name + _BACKUP)
    number = 2
    while True:
        yield target.with_name(f"{target.name}{_BACKUP}-{number}")
        number += 1


def _places(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Where in the document groups of servers stand, with each group."""
    usual: tuple[tuple[str, ...], ...] = (("mcpServers",), ("servers",), ("mcp", "servers"))
    for place in usual:
        if isinstance(group := _at(document, place), Mapping):
            yield place, group
    projects = document.get("projects")  # Claude Code keeps those of each project in its own file
    for project in projects if isinstance(projects, Mapping) else ():
        keys = ("projects", str(project), "mcpServers")
        if isinstance(group := _at(document, keys), Mapping):
            yield keys, group


def _at(document: Mapping[str, Any], place: Sequence[str]) -> object:
    found: object = document
    for key in place:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _plain(text: str) -> str:
    """JSON as programs write it: without comments, and without commas that nothing follows."""
    return _TOKEN.sub(lambda found: found[0] if found[0].startswith('"') else "", text)


def _list(said: object) -> list[Any]:
    return said if isinstance(said, list) else []

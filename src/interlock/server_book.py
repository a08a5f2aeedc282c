"""What a person said of the servers behind: which commands are reviewed, and which server is to be started again.

A file beside the ledger, written by `interlock servers` alone and read again by every process while it runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from interlock.core.canonical import canonical, digest
from interlock.errors import SettingsError
from interlock.private_files import check_private, write_private
from interlock.server_settings import ServerSettings

_FORMAT: Final = "interlock/servers/1"


@dataclass(frozen=True, slots=True)
class Book:
    """What was said.

    Attributes:
        accepted: Server to the digest of its reviewed command.
        again: Server to how often it was to be started again.
    """

    accepted: Mapping[str, str] = field(default_factory=dict)
    again: Mapping[str, int] = field(default_factory=dict)

    def accept(self, server: str, hashed: str) -> Book:
        """With the command of a server reviewed."""
        return replace(self, accepted={**self.accepted, server: hashed})

    def restart(self, server: str) -> Book:
        """With a server to be started once more."""
        return replace(self, again={**self.again, server: self.again.get(server, 0) + 1})


def read_book(file: Path) -> Book:
    """What stands in the file; nothing where there is none.

    Raises:
        SettingsError: Others may read it, or it has not the form.
    """
    if not file.exists():
        return Book()
    check_private(file)
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        said = None
    if not _sound(said):
        raise SettingsError(f"{file}: is no file of reviewed servers", code="servers.book", remedy="Delete it.")
    return Book(said["accepted"], said["again"])


def _sound(said: Any) -> bool:
    if not isinstance(said, dict) or said.get("format") != _FORMAT:
        return False
    accepted, again = said.get("accepted"), said.get("again")
    return (
        isinstance(accepted, dict)
        and isinstance(again, dict)
        and all(isinstance(each, str) for each in accepted.values())
        and all(type(each) is int for each in again.values())
    )


def write_book(file: Path, book: Book) -> None:
    """Write it in one step, for this user alone."""
    said = {"format": _FORMAT, "accepted": dict(book.accepted), "again": dict(book.again)}
    write_private(file, (json.dumps(said, sort_keys=True, indent=1) + "\n").encode())


def command_digest(said: ServerSettings) -> str:
    """Hex SHA-256 of what is started for a server: its exact command line, its variables and where it starts."""
    env = {
        name: value if isinstance(value, str) else value.model_dump(by_alias=True) for name, value in said.env.items()
    }
    shape = {
        "command": list(said.command), "env": env, "env_pass": sorted(said.env_pass),
        "env_files": {name: str(file) for name, file in said.env_files.items()},
        "cwd": str(said.cwd) if said.cwd is not None else None,
    }  # fmt: skip
    return digest("interlock/server/1", canonical(shape)).hex()


def objection(said: ServerSettings, book: Book) -> str:
    """Why a server is not started; empty where its command was reviewed, or the operator's file trusts it (T19)."""
    if not said.command or said.trust:
        return ""
    reviewed = {said.command_digest, book.accepted.get(said.name, "")} - {""}
    if command_digest(said) in reviewed:
        return ""
    return "its command changed since it was reviewed" if reviewed else "its command was not reviewed"

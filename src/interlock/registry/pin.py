"""Reviewed definitions: the pin file, and how the tools of today differ from it.

A pin keeps the whole definition, so that a difference can be read, and its digest, so that it can be found.
The file is JSON with one tool on each line, sorted by server and name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from interlock.core.canonical import Json, JsonLimits, canonical, digest, parse_json
from interlock.core.tool import Tool
from interlock.errors import BadInput, DefinitionError
from interlock.registry.difference import Change, Difference, difference

_FORMAT: Final = "interlock/pins/1"
_LIMITS: Final = JsonLimits(bytes_max=256 << 20, depth_max=128)
_NAMING: Final = ("server", "name")

NEW: Final = "this tool is new and awaits review"
CHANGED: Final = "this tool's definition changed and awaits review"
"""Why a tool that is not as it was reviewed may not be called, for the model."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One reviewed definition.

    Attributes:
        digest: The tool's definition digest, hex.
        definition: Everything that it declared.
    """

    digest: str
    definition: Mapping[str, Any]

    @property
    def key(self) -> tuple[str, str, str]:
        """Server, name and version label."""
        return key_of(self.definition)


class Pins:
    """Reviewed definitions by server, name and version. Immutable."""

    def __init__(self, pins: Iterable[Pin] = ()) -> None:
        self._pins: dict[tuple[str, str, str], Pin] = {}
        for pin in pins:
            if self._pins.setdefault(pin.key, pin) is not pin:
                raise DefinitionError(f"{'/'.join(pin.key)} is pinned twice", code="pins.duplicate")

    def __iter__(self) -> Iterator[Pin]:
        return (self._pins[key] for key in sorted(self._pins))

    def __len__(self) -> int:
        return len(self._pins)

    def names(self) -> Iterator[str]:
        """Names of the pinned tools."""
        return (name for _, name, _ in self._pins)

    def objection(self, tool: Tool) -> str:
        """Why the tool may not be called as it is, for the model; empty where it is as reviewed."""
        pin = self._pins.get((tool.server, tool.name, tool.version))
        if pin is not None and pin.digest == tool.digest:
            return ""
        if any(key[:2] == (tool.server, tool.name) for key in self._pins):
            return CHANGED
        return NEW

    def compare(self, tools: Iterable[Tool]) -> tuple[Difference, ...]:
        """How the tools of today differ from what was reviewed, what to look at first first."""
        now = {(tool.server, tool.name, tool.version): tool for tool in tools}
        gone = {key: pin for key, pin in self._pins.items() if key not in now}
        found: list[Difference] = []
        for key, tool in sorted(now.items()):
            pin = self._pins.get(key) or _relabelled(tool, gone)
            if pin is None:
                found.append(_arrived(tool, gone))
                gone.pop((tool.server, found[-1].was, tool.version), None)
            elif pin.digest != tool.digest:
                found.append(difference(pin.definition, tool.definition(), Change.CHANGED))
                gone.pop(pin.key, None)
        found += [difference(pin.definition, None, Change.REMOVED) for pin in gone.values()]
        return tuple(sorted(found, key=lambda each: each.danger))


def pins_of(tools: Iterable[Tool]) -> Pins:
    """The tools of today as reviewed."""
    return Pins(Pin(tool.digest, tool.definition()) for tool in tools)


def read_pins(path: Path) -> Pins:
    """Read a pin file.

    Raises:
        DefinitionError: It cannot be read, or is not exactly what `write_pins` writes in form; a digest that
            does not belong to its definition is found.
    """
    try:
        whole = parse_json(path.read_bytes(), _LIMITS)
        if not isinstance(whole, dict) or set(whole) != {"format", "tools"} or whole["format"] != _FORMAT:
            raise DefinitionError(f"{path}: is no pin file of format {_FORMAT}", code="pins.format")
        entries = whole["tools"]
        if not isinstance(entries, list):
            raise DefinitionError(f"{path}: tools is no list", code="pins.format")
        return Pins(_pin(entry, f"{path}: entry {number}") for number, entry in enumerate(entries, 1))
    except (BadInput, OSError) as error:
        raise DefinitionError(f"{path}: cannot be read: {error}", code="pins.read") from None


def write_pins(path: Path, pins: Pins) -> None:
    """Write a pin file in one step: a reader sees the old one or the new one."""
    lines = [
        json.dumps({"digest": pin.digest, "definition": pin.definition}, ensure_ascii=False, separators=(", ", ": "))
        for pin in pins
    ]
    body = ",\n".join(lines)
    text = (
        f'{{"format": "{_FORMAT}", "tools": [\n{body}\n]}}\n' if lines else f'{{"format": "{_FORMAT}", "tools": []}}\n'
    )
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _pin(entry: Json, where: str) -> Pin:
    if not isinstance(entry, dict) or set(entry) != {"digest", "definition"}:
        raise DefinitionError(f"{where}: must have digest and definition and nothing else", code="pins.entry")
    definition, hashed = entry["definition"], entry["digest"]
    if not isinstance(definition, dict) or not all(isinstance(part, str) for part in map(definition.get, _NAMING)):
        raise DefinitionError(f"{where}: the definition has no server or no name", code="pins.entry")
    if not isinstance(definition.get("version", Tool.version), str):
        raise DefinitionError(f"{where}: the version is no text", code="pins.entry")
    if hashed != digest("interlock/tool/1", canonical(definition)).hex():
        raise DefinitionError(
            f"{where}: the digest of {definition['name']!r} is not that of its definition",
            code="pins.digest",
            remedy="Pin files are written by `interlock tools pin`, not by hand.",
        )
    assert isinstance(hashed, str)
    return Pin(hashed, definition)


def key_of(definition: Mapping[str, Any]) -> tuple[str, str, str]:
    """Server, name and version label of a definition, which leaves out a label that is the default."""
    return definition["server"], definition["name"], definition.get("version", Tool.version)


def _relabelled(tool: Tool, gone: Mapping[tuple[str, str, str], Pin]) -> Pin | None:
    """The pin of a version of the tool that is gone, in whose place this one stands."""
    return next((pin for key, pin in gone.items() if key[:2] == (tool.server, tool.name)), None)


def _arrived(tool: Tool, gone: Mapping[tuple[str, str, str], Pin]) -> Difference:
    """A tool that was not there: renamed, where one that is gone was the same but for the name."""
    definition = tool.definition()
    for (server, _, _), pin in gone.items():
        if server == tool.server and {**pin.definition, "name": tool.name} == definition:
            return difference(pin.definition, definition, Change.RENAMED)
    return difference(None, definition, Change.ADDED)

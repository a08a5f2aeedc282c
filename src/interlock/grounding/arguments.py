"""The arguments of a call, leaf by leaf: each is judged by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from interlock.core.tool import Tool

KEY: Final = "/~key"
"""The step that stands for the key of what stands there, which no pointer can name."""


def leaves(tool: Tool, arguments: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Every leaf with its pointer, and every key within an argument that the tool's schema does not name.

    Such a key is the caller's word like any value: `{"share": {"eve@drop.example": true}}` says with whom.
    """
    names = _named(_Known(tool)) if any(map(_may_be_open, arguments.values())) else frozenset[str]()
    yield from _leaves(arguments, "", names)


def _leaves(value: Any, pointer: str, names: frozenset[str]) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, part in value.items():
            step = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            if pointer and key not in names:
                yield step + KEY, key
            yield from _leaves(part, step, names)
    elif isinstance(value, list | tuple):
        for at, part in enumerate(value):
            yield from _leaves(part, f"{pointer}/{at}", names)
    else:
        yield pointer, value


def _may_be_open(value: object) -> bool:
    return isinstance(value, dict | list | tuple)


class _Known:
    """A tool, equal to each other one of the same definition."""

    __slots__ = ("tool",)

    def __init__(self, tool: Tool) -> None:
        self.tool = tool

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Known) and other.tool.digest == self.tool.digest

    def __hash__(self) -> int:
        return hash(self.tool.digest)


@lru_cache(1024)
def _named(known: _Known) -> frozenset[str]:
    """Every name of a property, anywhere in the schema."""
    found, waiting = set[str](), list[object]([known.tool.input_schema])
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            if isinstance(properties := part.get("properties"), Mapping):
                found.update(properties)
            waiting += part.values()
        elif isinstance(part, list | tuple):
            waiting += part
    return frozenset(found)

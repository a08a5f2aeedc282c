"""The tools of a plane: compiled once, found by name in constant time, never replaced in place.

A `Registry` does not change; a new one takes its place in one assignment, and calls that have passed the
gate keep the definition that they were validated against.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from interlock.core.tool import Tool
from interlock.errors import DefinitionError
from interlock.registry.defaults import Fill, filler
from interlock.registry.names import NameIndex, check_name, skeleton
from interlock.registry.outline import Outline, outliner
from interlock.registry.pin import Pins
from interlock.registry.schema import Schema, compile_schema
from interlock.registry.soundness import check_definition, check_references


@dataclass(frozen=True, slots=True)
class Registered:
    """A tool with what was compiled for it.

    Attributes:
        tool: The definition.
        input: Its compiled input schema.
        output: Its compiled output schema; None where it declares none.
        fill: Applies its defaults; None where there are none, or where they are only shown.
        outline: Tells nearly equal calls; None where all of its arguments are grounded.
        withheld: Why it cannot be called, for the model; empty for a tool that can.
    """

    tool: Tool
    input: Schema
    output: Schema | None
    fill: Fill | None
    outline: Outline | None
    withheld: str = ""


class Registry:
    """An immutable set of tools with unique names.

    Args:
        tools: The tools. The same object twice counts once.
        pins: Reviewed definitions. Where given, a tool that is not pinned, or not as it is now, is withheld;
            a pinned tool that is not among `tools` is remembered as removed.
        withdrawn: Names of tools that are gone, each with what to use instead, for the model.

    Raises:
        DefinitionError: A name is not acceptable, taken, or looks like another; a schema is not acceptable;
            a definition contradicts itself. The message names the tool. There is no registry then.
    """

    def __init__(
        self, tools: Iterable[Tool] = (), *, pins: Pins | None = None, withdrawn: Mapping[str, str] | None = None
    ) -> None:
        self._pins = pins
        self._tools: dict[str, Registered] = {}
        looks: dict[str, str] = {}
        for tool in tools:
            known = self._tools.get(tool.name)
            if known is not None and known.tool is tool:
                continue
            check_name(tool.name)
            look = skeleton(tool.name)
            if (other := looks.setdefault(look, tool.name)) != tool.name or known is not None:
                raise _taken(tool, other, known)
            self._tools[tool.name] = _registered(tool, pins)
        check_references({name: known.tool for name, known in self._tools.items()})
        self._withdrawn = dict(withdrawn or {})
        if pins is not None:
            for name in pins.names():
                if name not in self._tools:
                    self._withdrawn.setdefault(name, "")
        self._names = NameIndex(name for name, known in self._tools.items() if not known.withheld)

    @property
    def tools(self) -> tuple[Tool, ...]:
        """Every tool, the withheld ones too, in the order of registration."""
        return tuple(known.tool for known in self._tools.values())

    @property
    def offered(self) -> tuple[Tool, ...]:
        """The tools that can be called, in the order of registration."""
        return tuple(known.tool for known in self._tools.values() if not known.withheld)

    @property
    def withheld(self) -> Mapping[str, str]:
        """Name to reason, of the tools that cannot be called."""
        return MappingProxyType({name: known.withheld for name, known in self._tools.items() if known.withheld})

    @property
    def withdrawn(self) -> Mapping[str, str]:
        """Name to what to use instead, of the tools that are gone."""
        return MappingProxyType(self._withdrawn)

    def __len__(self) -> int:
        return len(self._tools)

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def find(self, name: str) -> Registered | None:
        """The tool of exactly that name; None for a miss."""
        return self._tools.get(name)

    def closest(self, name: str, most: int = 3) -> list[str]:
        """Names of callable tools near a name that was missed, the nearest first."""
        return self._names.closest(name, most)

    def lookup(self, *, category: str = "", tags: Iterable[str] = (), text: str = "") -> tuple[Tool, ...]:
        """Callable tools of a category, with all of the tags, with every word of the text in name or description."""
        wanted = frozenset(tags)
        words = _folded(text).split()
        return tuple(
            tool
            for tool in self.offered
            if (not category or tool.category == category)
            and wanted.issubset(tool.tags)
            and (not words or all(word in _folded(f"{tool.name} {tool.description}") for word in words))
        )

    def output_matches(self, tool: Tool, value: Any) -> bool:
        """Whether a result is what the tool declares; true for a tool that declares nothing."""
        known = self._tools.get(tool.name)
        if known is None or known.tool is not tool:  # the registry was replaced while the call ran
            schema = None if tool.output_schema is None else compile_schema(tool.output_schema)
        else:
            schema = known.output
        return schema is None or (schema.affords(value) and schema.is_valid(value))


def _registered(tool: Tool, pins: Pins | None) -> Registered:
    try:
        compiled = compile_schema(tool.input_schema)
        output = None if tool.output_schema is None else compile_schema(tool.output_schema)
        fill = filler(tool.input_schema) if tool.sealed else None
        check_definition(tool, compiled, fill)
    except DefinitionError as error:
        raise DefinitionError(f"tool {tool.name!r}: {error}", code=error.code) from None
    return Registered(
        tool, compiled, output, fill, outliner(tool), "" if pins is None or tool.starts else pins.objection(tool)
    )


def _taken(tool: Tool, other: str, known: Registered | None) -> DefinitionError:
    if known is not None:
        servers = f"on {known.tool.server!r} and on {tool.server!r}"
        return DefinitionError(
            f"two tools are named {tool.name!r}, {servers}", code="definition.duplicate", remedy="Rename one."
        )
    return DefinitionError(
        f"the tools {other!r} and {tool.name!r} look alike", code="definition.look_alike", remedy="Rename one."
    )


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()

"""The tools of a plane: compiled once, found by name in constant time, never replaced in place.

A `Registry` does not change; a new one takes its place in one assignment, and calls that have passed the
gate keep the definition that they were validated against.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from interlock.core.call import ToolCall
from interlock.core.principal import Principal
from interlock.core.problem import Problem
from interlock.core.secret import places_of, standing
from interlock.core.selected import Selected
from interlock.core.tool import Tool
from interlock.errors import BadInput, DefinitionError
from interlock.registry.defaults import Fill, filler
from interlock.registry.names import NameIndex, check_name, skeleton
from interlock.registry.outline import Outline, outliner
from interlock.registry.pin import Pins
from interlock.registry.rollout import Rollouts, choose, choose_for
from interlock.registry.schema import Schema, compile_schema
from interlock.registry.secrets import SecretRules, known_yet
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
        code: The code of the refusal of one that is withheld.
    """

    tool: Tool
    input: Schema
    output: Schema | None
    fill: Fill | None
    outline: Outline | None
    withheld: str = ""
    code: str = "validate.pin"

    def foreseen(self, arguments: dict[str, Any]) -> tuple[Problem, ...]:
        """What would be wrong with these arguments, as far as it can be known before there is a call.

        In the place of a reference to a secret stands its text; whether it is allowed there, the call's own gate says.
        """
        value = standing(arguments if self.fill is None else self.fill(arguments))
        if self.input.is_valid(value):
            return ()
        return known_yet(self.input.problems(value), [where for where, _ in places_of(arguments)])


class Registry:
    """An immutable set of tools with unique names, of which each may have several versions.

    Args:
        tools: The tools. The same object twice counts once. Of several of one name the first is what everybody has; the
            others are versions of it, which nobody has before they are rolled out (`registry/rollout.py`).
        pins: Reviewed definitions. Where given, a tool that is not pinned, or not as it is now, is withheld;
            a pinned tool that is not among `tools` is remembered as removed.
        withdrawn: Names of tools that are gone, each with what to use instead, for the model.
        secrets: Which references to secrets may stand in arguments, beside those that tools declare.

    Raises:
        DefinitionError: A name is not acceptable, taken, or looks like another; a schema is not acceptable;
            a definition contradicts itself; a version is none. The message names the tool. There is no registry then.

    Attributes:
        several: Name to all versions, of the tools that have more than one.
        secrets: Which references to secrets may stand in arguments.
    """

    def __init__(
        self, tools: Iterable[Tool] = (), *, pins: Pins | None = None, withdrawn: Mapping[str, str] | None = None,
        secrets: SecretRules = (),
    ) -> None:  # fmt: skip
        self._pins = pins
        self.secrets = secrets
        self._tools: dict[str, Registered] = {}
        self.several: dict[str, tuple[Registered, ...]] = {}
        looks: dict[str, str] = {}
        for tool in tools:
            known = self._tools.get(tool.name)
            if known is not None:
                self._add_version(known, tool)
                continue
            check_name(tool.name)
            look = skeleton(tool.name)
            if (other := looks.setdefault(look, tool.name)) != tool.name:
                raise _alike(tool, other)
            self._tools[tool.name] = _registered(tool, pins)
        check_references(self.tools, {name: known.tool for name, known in self._tools.items()}, self.several)
        self._withdrawn = dict(withdrawn or {})
        if pins is not None:
            for name in pins.names():
                if name not in self._tools:
                    self._withdrawn.setdefault(name, "")
        self._names = NameIndex(name for name, known in self._tools.items() if not known.withheld)

    @property
    def tools(self) -> tuple[Tool, ...]:
        """Every version of every tool, the withheld ones too: tools in the order of registration, as their versions."""
        if not self.several:
            return tuple(known.tool for known in self._tools.values())
        return tuple(each.tool for known in self._tools.values() for each in self.versions(known.tool.name))

    @property
    def offered(self) -> tuple[Tool, ...]:
        """The tools that can be called, in the order of registration: what everybody has by default."""
        return tuple(known.tool for known in self._tools.values() if not known.withheld)

    def offered_to(self, principal: Principal, rollouts: Rollouts) -> tuple[Tool, ...]:
        """The same for one principal: of each tool the version that they have."""
        if not rollouts.by_tool and not rollouts.unreadable:
            return self.offered
        had = (self.had(name, principal, rollouts) for name in self._tools)
        return tuple(known.tool for known in had if known is not None and not known.withheld)

    def had(self, name: str, principal: Principal, rollouts: Rollouts) -> Registered | None:
        """The version of a tool that a principal has; None for a miss, and where they have none."""
        ready = self._ready(name)
        place = choose([each.tool for each in ready], principal, rollouts)
        return None if place is None else ready[place]

    def as_had(self, principal: Principal, rollouts: Rollouts) -> Registry:
        """These tools as one principal has them: each in their version, and none that they have not."""
        if not rollouts.by_tool and not rollouts.unreadable:
            return self
        made = copy(self)
        made.several = {}
        found = ((name, self.had(name, principal, rollouts)) for name in self._tools)
        made._tools = {name: known for name, known in found if known is not None}
        made._names = NameIndex(name for name, known in made._tools.items() if not known.withheld)
        return made

    def without(self, names: Collection[str]) -> Registry:
        """These tools but for some."""
        if not names:
            return self
        made = copy(self)
        made._tools = {name: known for name, known in self._tools.items() if name not in names}
        made._names = NameIndex(name for name, known in made._tools.items() if not known.withheld)
        return made

    def withholding(self, lacking: Mapping[str, str]) -> Registry:
        """These tools as somebody has them who lacks what some servers want.

        Args:
            lacking: Server to why its tools cannot be called, for the model.
        """
        if not lacking:
            return self
        made = copy(self)
        made._tools = {
            name: replace(known, withheld=lacking[known.tool.server], code="validate.login")
            if known.tool.server in lacking and (not known.withheld or known.code == "validate.absent") else known
            for name, known in self._tools.items()
        }  # fmt: skip
        return made

    def with_bodies(self, made: Callable[[Tool], Tool]) -> Registry:
        """These tools over other bodies: an eval's far ends. Their definitions, and so their digests, are the same.

        Args:
            made: Given a tool, the same definition with what is to run.
        """

        def over(known: Registered) -> Registered:
            tool = made(known.tool)
            assert tool.digest == known.tool.digest, "another body makes no other tool"
            return replace(known, tool=tool)

        other = copy(self)
        other.several = {name: tuple(map(over, versions)) for name, versions in self.several.items()}
        other._tools = {
            name: other.several[name][0] if name in other.several else over(known)
            for name, known in self._tools.items()
        }
        return other

    def versions(self, name: str) -> tuple[Registered, ...]:
        """Every version of a tool, in the order of registration; none for a miss."""
        known = self._tools.get(name)
        return () if known is None else self.several.get(name, (known,))

    def version(self, name: str, version: str) -> Registered | None:
        """This version of a tool; None for a miss."""
        return next((each for each in self.versions(name) if each.tool.version == version), None)

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

    def choose(self, call: ToolCall, rollouts: Rollouts) -> tuple[Registered, Selected] | None:
        """The version of a known tool that a call gets, and how that came; None where its principal has none."""
        ready = self._ready(call.tool)
        chosen = choose_for([each.tool for each in ready], call, rollouts)
        return None if chosen is None else (ready[chosen[0]], chosen[1])

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

    def joined(self, foreign: Mapping[str, Registered]) -> tuple[Registry, dict[str, DefinitionError]]:
        """These tools, and behind them those of servers; beside it, by name, which of those refer to what is not there.

        See `foreign.with_servers`, which alone knows which of them may be taken up.
        """
        made, wrong = copy(self), dict[str, DefinitionError]()
        every = {name: known.tool for name, known in {**self._tools, **foreign}.items()}
        for name, known in foreign.items():
            try:
                check_references([known.tool], every, self.several)
            except DefinitionError as error:
                wrong[name] = error
        kept = {name: known for name, known in foreign.items() if name not in wrong}
        made._tools = {**self._tools, **kept}
        made._names = NameIndex(name for name, known in made._tools.items() if not known.withheld)
        return made, wrong

    def output_matches(self, tool: Tool, value: Any) -> bool:
        """Whether a result is what the tool declares; true for a tool that declares nothing."""
        known = self._compiled_of(tool)
        if known is None:  # the registry was replaced while the call ran
            schema = None if tool.output_schema is None else compile_schema(tool.output_schema)
        else:
            schema = known.output
        return schema is None or (schema.affords(value) and schema.is_valid(value))

    def input_matches(self, tool: Tool, value: dict[str, Any]) -> bool:
        """Whether arguments are what the tool takes: those of a call, once its secrets are among them."""
        known = self._compiled_of(tool)
        schema = compile_schema(tool.input_schema) if known is None else known.input
        if not schema.affords(value) or not schema.is_valid(value):
            return False
        try:
            if tool.accept is not None:
                tool.accept(value)
        except BadInput:
            return False
        return True

    def _compiled_of(self, tool: Tool) -> Registered | None:
        """What was compiled for just this definition; None where it is not here any more."""
        known = self._tools.get(tool.name)
        if known is None or known.tool is not tool:  # a further version
            known = next((each for each in self.several.get(tool.name, ()) if each.tool is tool), None)
        return known

    def _add_version(self, first: Registered, tool: Tool) -> None:
        """Take a further version of a tool; one that is there already counts once."""
        before = self.versions(tool.name)
        if any(each.tool is tool for each in before):
            return
        if any(each.tool.version == tool.version for each in before):
            raise _taken(tool, first.tool)
        for part in _COMMON:
            if getattr(tool, part) != getattr(first.tool, part):
                raise DefinitionError(
                    f"tool {tool.name!r}: {part} of version {tool.version!r} is another than of {first.tool.version!r}",
                    code="definition.version", remedy="A tool that does something else to the world has another name.",
                )  # fmt: skip
        self.several[tool.name] = (*before, _registered(tool, self._pins))

    def _ready(self, name: str) -> list[Registered]:
        """The versions that somebody may have: a later one that awaits review is nobody's."""
        return [each for place, each in enumerate(self.versions(name)) if place == 0 or not each.withheld]


_COMMON = ("server", "effect", "outward", "starts")
"""What all versions of a tool have in common: where it runs, and what a call does to the world."""


def compiled(tool: Tool) -> Registered:
    """One tool with what is compiled for it, held against nothing.

    Raises:
        DefinitionError: Its schema is not acceptable, or it contradicts itself.
    """
    return _registered(tool, None)


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


def _taken(tool: Tool, first: Tool) -> DefinitionError:
    servers = f"on {first.server!r} and on {tool.server!r}"
    return DefinitionError(
        f"two tools are named {tool.name!r}, {servers}", code="definition.duplicate",
        remedy="Rename one; a further version of a tool has a version label of its own.",
    )  # fmt: skip


def _alike(tool: Tool, other: str) -> DefinitionError:
    return DefinitionError(
        f"the tools {other!r} and {tool.name!r} look alike", code="definition.look_alike", remedy="Rename one."
    )


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()

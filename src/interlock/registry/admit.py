"""Which tools of servers may stand beside the own ones: one that is not acceptable is left out by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from interlock.core.tool import Tool
from interlock.errors import DefinitionError
from interlock.registry.pin import Pin, Pins, pins_of
from interlock.registry.registry import Registry


class Admitted(NamedTuple):
    """A registry, and what is not in it.

    Attributes:
        registry: The own tools, then those of the servers that are acceptable.
        refused: Server and name to why it is not in the registry, for the operator.
    """

    registry: Registry
    refused: Mapping[tuple[str, str], str]


def admit(own: Iterable[Tool], foreign: Iterable[Tool], pins: Pins | None, seen: Iterable[Tool] = ()) -> Admitted:
    """The registry of own and foreign tools.

    A foreign tool that was not reviewed is withheld also where there are no pins: only own tools are trusted unseen.

    Args:
        pins: Reviewed definitions; None where the operator keeps none.
        seen: Foreign tools that count as reviewed as they stand here, because the operator trusts their server.

    Raises:
        DefinitionError: An own tool is not acceptable.
    """
    own = list(own)
    known = [*(pins if pins is not None else pins_of(own))]
    reviewed = {pin.key for pin in known}
    trusted = {pin.key: pin for pin in (Pin(tool.digest, tool.definition()) for tool in seen)}
    everything = Pins([*known, *(pin for key, pin in trusted.items() if key not in reviewed)])
    refused: dict[tuple[str, str], str] = {}
    sound = [tool for tool in foreign if not _refused([tool], refused)]
    # References between tools are held against all of them; a tool that names one that is gone goes with it.
    while True:
        try:
            return Admitted(Registry([*own, *sound], pins=everything), refused)
        except DefinitionError as error:
            if not sound:
                raise
            sound = _without_culprit(own, sound, refused, error)


def _refused(tools: list[Tool], refused: dict[tuple[str, str], str]) -> bool:
    """Whether a tool by itself, its references aside, is not acceptable."""
    try:
        Registry(tools)
    except DefinitionError as error:
        if error.code == "definition.reference":
            return False
        refused[tools[0].server, tools[0].name] = str(error)
        return True
    return False


def _without_culprit(
    own: list[Tool], foreign: list[Tool], refused: dict[tuple[str, str], str], error: DefinitionError
) -> list[Tool]:
    """The foreign tools without the first that does not go with those before it, or else with a missing reference."""
    for last in range(1, len(foreign) + 1):
        try:
            Registry([*own, *foreign[:last]])
        except DefinitionError as found:
            if found.code == "definition.reference":
                continue
            refused[foreign[last - 1].server, foreign[last - 1].name] = str(found)
            return foreign[: last - 1] + foreign[last:]
    named = [tool for tool in foreign if f"tool {tool.name!r}" in str(error)] or foreign
    for tool in named:
        refused[tool.server, tool.name] = str(error)
    return [tool for tool in foreign if tool not in named]

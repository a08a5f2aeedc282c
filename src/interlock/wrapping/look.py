"""The first look at servers: what they list, what each tool probably does, and a person's word that this is it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from interlock.compose import World
from interlock.core.principal import Principal
from interlock.core.tool import CallContext, Tool
from interlock.errors import NotSent
from interlock.ledger.definitions import Definitions
from interlock.ledger.store import Store
from interlock.registry.effects import Guess, guess
from interlock.registry.foreign import Listing
from interlock.registry.registry import Registry
from interlock.server_settings import ServerSettings, ToolProfile
from interlock.servers import open_fleet, profile_of
from interlock.settings import Settings
from interlock.sources.mcp_server import State
from interlock.sources.mcp_tools import tool_of


@dataclass(frozen=True, slots=True)
class Looked:
    """One tool as a server lists it.

    Attributes:
        name: The server's name of it.
        tool: It, as a plane has it: of no effect that anybody stated as yet.
        guess: What it probably does.
    """

    name: str
    tool: Tool
    guess: Guess


@dataclass(frozen=True, slots=True)
class Seen:
    """One server at the first look.

    Attributes:
        settings: What is said of it.
        tools: What it lists, in its order.
        why: Why it could not be asked; empty where it answered.
    """

    settings: ServerSettings
    tools: tuple[Looked, ...] = ()
    why: str = ""

    def reviewed(self) -> ServerSettings:
        """Its settings with an effect for every tool, and a word on those reads that carry data out."""
        effects: dict[str, Any] = {each.name: each.guess.effect.value for each in self.tools}
        outward = {each.name: ToolProfile(outward=True) for each in self.tools if each.guess.outward}
        return self.settings.model_copy(update={"effects": effects, "tools": outward})


async def look(settings: Settings, world: World) -> list[Seen]:
    """Start every server of the settings once, and see what it lists.

    Raises:
        SettingsError: A file that they name is not acceptable; nothing was started.
        MissingExtra: What speaks to servers is not installed.
    """
    async with open_fleet(settings, world) as fleet:
        return [
            Seen(said, _looked(said, server.tools), "" if server.state is State.READY else server.why)
            for said in settings.servers
            for server in (fleet.server(said.name),)
        ]


def _looked(said: ServerSettings, tools: Iterable[Tool]) -> tuple[Looked, ...]:
    found = []
    for tool in tools:
        name, hints = tool.name.removeprefix(said.prefixed), tool.claims.get("annotations")
        claims = hints if isinstance(hints, dict) else {}
        found.append(Looked(name, tool, guess(name, tool.description, tool.input_schema, claims)))
    return tuple(found)


async def accept(store: Store, seen: Sequence[Seen], person: Principal) -> int:
    """Accept what was seen, with the effects of the review, and nothing that is listed later; how many tools.

    Raises:
        LedgerError: It could not be written.
    """
    definitions = Definitions(store)
    listings = [
        Listing(server=each.settings.name, tools=tuple(_reviewed(each)), absent=each.why) for each in seen
    ]  # fmt: skip
    await definitions.take(Registry(()), listings)
    waiting = (await definitions.accepted()).differences()
    await definitions.accept(waiting, person, "first seen by interlock init")
    return len(waiting)


def _reviewed(seen: Seen) -> list[Tool]:
    profile = profile_of(seen.reviewed())
    said = [
        {**each.tool.claims, "name": each.name, "description": each.tool.description,
         "inputSchema": each.tool.input_schema}
        for each in seen.tools
    ]  # fmt: skip
    return [tool_of(definition, profile, _nobody) for definition in said]


async def _nobody(arguments: dict[str, Any], context: CallContext) -> object:
    raise NotSent("this definition is only looked at")

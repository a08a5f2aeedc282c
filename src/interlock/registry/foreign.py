"""Tools of servers beside one's own: each is judged by itself, and none can take what belongs to another.

What is wrong with a tool of the operator is an error, and there is no registry. What is wrong with a tool of a server
concerns that tool: it is set aside with a reason, and everything else works.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from interlock.core.canonical import canonical
from interlock.core.tool import CallContext, Effect, Entity, Tool
from interlock.errors import DefinitionError, NotSent
from interlock.registry.accepted import Accepted, Key
from interlock.registry.names import check_name, skeleton
from interlock.registry.registry import Registered, Registry, compiled

LISTED_MAX: Final = 512
"""Tools of one server that are taken up (spec: limits)."""

WHOLE_MAX: Final = 512 << 10
"""Bytes of one definition with everything that its server says besides: twice what a schema may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one server offers.

    Attributes:
        server: The operator's name of it.
        tools: Its tools under the names that models call them by. Which of them are alike is decided by those.
        trusted: Whether what stands in its first list is accepted unseen, by the operator's file.
        absent: Why it cannot be asked what it offers, for the model; empty where this is what it said.
    """

    server: str
    tools: tuple[Tool, ...] = ()
    trusted: bool = False
    absent: str = ""


@dataclass(frozen=True, slots=True)
class Aside:
    """A tool of a server that was not taken up.

    Attributes:
        tool: The tool as it was listed.
        code: Why, as a program reads it: the code of a `DefinitionError`.
        reason: Why, for people; untrusted where it quotes the tool.
    """

    tool: Tool
    code: str
    reason: str


def with_servers(
    own: Registry, listings: Iterable[Listing], accepted: Accepted, before: Registry | None = None
) -> tuple[Registry, tuple[Aside, ...]]:
    """One's own tools, and behind them those of servers: by server in the order given, by name within each.

    A tool is withheld until it is accepted exactly as it is. One whose name is not acceptable, taken or alike another's
    is set aside: the one that was accepted stays, then one's own order decides, whatever order a server lists in.
    A tool that was accepted and is gone keeps its place, so that nobody else takes it, and says so when it is called.

    Args:
        before: A registry whose compiled definitions are used again where they are the same.
    """
    listings = tuple(listings)
    taken: dict[str, Registered] = {}
    ghosts = {skeleton(ghost.tool.name): ghost for ghost in _ghosts(listings, accepted)}
    looks = {look: ghost.tool for look, ghost in ghosts.items()}
    looks |= {skeleton(tool.name): tool for tool in own.tools}
    aside: list[Aside] = []
    for tool in _by_precedence(listings, accepted):
        look = skeleton(tool.name)
        if look in ghosts and ghosts[look].tool.server == tool.server:  # its own server may write it otherwise
            del ghosts[look], looks[look]
        try:
            _check_free(tool, looks)
            known = before.find(tool.name) if before is not None else None
            fresh = known if known is not None and known.tool is tool else _compiled(tool)
        except DefinitionError as error:
            aside.append(Aside(tool, error.code, str(error.args[0])))
            continue
        looks[look] = tool
        taken[tool.name] = replace(fresh, withheld=accepted.objection(tool), code="validate.pin")
    taken |= {ghost.tool.name: ghost for look, ghost in ghosts.items() if looks[look] is ghost.tool}
    places = {listing.server: place for place, listing in enumerate(listings)}
    order = sorted(taken, key=lambda name: (places[taken[name].tool.server], name))
    aside += [Aside(tool, "definition.too_many", f"{listing.server!r} lists more than {LISTED_MAX} tools")
              for listing in listings for tool in listing.tools[LISTED_MAX:]]  # fmt: skip
    joined, wrong = own.joined({name: taken[name] for name in order})
    aside += [Aside(taken[name].tool, error.code, str(error.args[0])) for name, error in wrong.items()]
    return joined, tuple(aside)


def tool_of(definition: Mapping[str, Any]) -> Tool:
    """A tool that can be shown and not run, from its pinned definition."""
    given = {item.name: definition[item.name] for item in fields(Tool) if item.name in definition}
    given["effect"] = Effect(given["effect"])
    given["entities"] = {name: Entity(**entity) for name, entity in given.get("entities", {}).items()}
    for several in ("tags", "cache_tags", "invalidates", "examples"):
        if several in given:
            given[several] = tuple(given[several])
    return Tool(**given, body=_nobody)


async def _nobody(arguments: dict[str, Any], context: CallContext) -> object:
    raise NotSent("nobody offers this tool now")


def _by_precedence(listings: tuple[Listing, ...], accepted: Accepted) -> list[Tool]:
    """The listed tools, those first that were accepted as they are, then those that were in another form."""
    tools = [tool for listing in listings for tool in sorted(listing.tools[:LISTED_MAX], key=lambda tool: tool.name)]

    def rank(tool: Tool) -> int:
        known = accepted.tools.get((tool.server, tool.name))
        if known is None or known.accepted is None:
            return 2
        return 0 if known.accepted.digest == tool.digest else 1

    return sorted(tools, key=rank)


def _compiled(tool: Tool) -> Registered:
    """See `compiled`; besides, what a server says in all is bounded, for all of it is kept.

    Raises:
        DefinitionError: As `compiled`, or the whole is too large.
    """
    if len(canonical(tool.definition())) > WHOLE_MAX:
        raise DefinitionError(
            f"the definition of {tool.name[:80]!r} has more than {WHOLE_MAX} bytes", code="definition.too_large",
            remedy="Have its server say less.",
        )  # fmt: skip
    return compiled(tool)


def _check_free(tool: Tool, looks: Mapping[str, Tool]) -> None:
    """Refuse a name that is none, or that cannot be told from one that is there.

    Raises:
        DefinitionError: Says whose it looks like.
    """
    other = looks.get(skeleton(tool.name))
    if other is None:
        return check_name(tool.name)
    same = other.name == tool.name
    like = "has the name of" if same else "looks like"
    raise DefinitionError(
        f"{tool.name!r} of {tool.server!r} {like} {other.name!r} of {other.server!r}",
        code="definition.duplicate" if same else "definition.look_alike", remedy="Give the server another prefix.",
    )  # fmt: skip


_GONE: Final = "its server does not offer this tool any more"


def _ghosts(listings: tuple[Listing, ...], accepted: Accepted) -> list[Registered]:
    """What was accepted, or of an absent server was seen, and is not listed now."""
    found = []
    listed: set[Key] = {(tool.server, tool.name) for listing in listings for tool in listing.tools}
    absent = {listing.server: listing.absent for listing in listings}
    for key, known in sorted(accepted.tools.items()):
        pin = known.accepted or (known.seen if absent.get(key[0]) else None)
        if key in listed or key[0] not in absent or pin is None:
            continue
        try:
            ghost = compiled(tool_of(pin.definition))
        except (DefinitionError, TypeError, ValueError, KeyError):
            continue  # written by a version of Interlock that knew other fields
        why, code = (absent[key[0]], "validate.absent") if absent[key[0]] else (_GONE, "validate.withdrawn")
        found.append(replace(ghost, withheld=why, code=code))
    return found

"""What servers list and people accept, as this process knows it; what is accepted binds the next call of every process.

Everything stands in the chain `definitions`, whole: a difference can be read, and a person accepts exactly what a plane
was shown, without asking the server again, which might show something else this time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from interlock.core.canonical import Json
from interlock.core.event import DEFINITIONS, Fact, Kind
from interlock.core.principal import ADMIN, FIRST_TENANT, OPERATOR, Principal
from interlock.errors import Conflict, NotEntitled
from interlock.ledger.known import Known
from interlock.ledger.store import Append, Store
from interlock.registry.accepted import FIRST_SIGHT, Accepted, Standing
from interlock.registry.difference import Change, Difference
from interlock.registry.foreign import LISTED_MAX, Aside, Listing, with_servers
from interlock.registry.pin import Pin
from interlock.registry.registry import Registry

_NAME_MAX: Final = 200
"""Characters of a name that are kept: one that is longer is set aside."""


class Definitions:
    """The tools of servers: what was listed, what was accepted, and the registry that both make.

    Attributes:
        aside: The listed tools that were not taken up.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known = Known(store, (DEFINITIONS,), Accepted())
        self._own: Registry | None = None
        self._made: Registry | None = None
        self._by: Accepted | None = None
        self._listings: tuple[Listing, ...] = ()
        self.aside: tuple[Aside, ...] = ()

    async def accepted(self) -> Accepted:
        """What is known now; read from the ledger only where somebody has written since.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        return await self._known.now()

    async def waiting(self) -> list[Difference]:
        """What is not as it was reviewed and waits for a person: what to look at first first.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        return sorted((await self.accepted()).differences(), key=lambda each: each.danger)

    async def take(self, own: Registry, listings: Iterable[Listing]) -> Registry:
        """One's own tools and those of servers as they are listed now; what is new about them is recorded first.

        Args:
            own: The operator's own tools.
            listings: Of every server, in the operator's order: those that did not answer too.

        Raises:
            LedgerError: It could not be recorded; the registry before stays.
        """
        listings = tuple(listings)
        _, aside = with_servers(own, listings, await self.accepted(), self._made)
        set_aside = {(each.tool.server, each.tool.name): each.code for each in aside}
        known = await self.accepted()
        facts = [fact for listing in listings if not listing.absent for fact in _news(listing, known, set_aside)]
        if facts:
            self._known.absorb(await self._store.append(Append(DEFINITIONS, FIRST_TENANT, facts)))
        self._own, self._listings = own, listings
        return self._make(await self.accepted())

    async def current(self, registry: Registry) -> Registry:
        """The registry as it is accepted now: the same one, unless somebody accepted something since.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        if registry is not self._made:
            return registry  # of a plane without servers, or replaced by somebody else
        accepted = await self.accepted()
        return registry if accepted is self._by else self._make(accepted)

    async def accept(self, differences: Sequence[Difference], person: Principal, reason: str) -> None:
        """Accept what became of these tools, exactly as it was shown; binds the next call of every process.

        A tool that is gone is forgotten, and its name is free again.

        Raises:
            NotEntitled: Neither operator nor admin of the tenant `default`. Nothing changed.
            LedgerError: It could not be written, and nothing changed.
        """
        if not person.roles & {OPERATOR, ADMIN} or person.tenant != FIRST_TENANT:
            raise NotEntitled(
                f"{person.id!r} is neither {OPERATOR} nor {ADMIN} of the tenant {FIRST_TENANT!r}",
                code="definitions.role", remedy="Ask somebody who is.",
            )  # fmt: skip
        facts = []
        for each in differences:
            said: dict[str, Json] = {"aspects": [aspect.value for aspect in each.aspects], "reason": reason}
            if each.change is Change.RENAMED:
                facts.append(_accepted(each.server, each.was, None, "person", said, person.id))
            pin = None if each.definition is None else Pin(each.digest, each.definition)
            facts.append(_accepted(each.server, each.name, pin, "person", said, person.id))
        self._known.absorb(await self._store.append(Append(DEFINITIONS, FIRST_TENANT, facts)))

    async def accept_shown(self, shown: tuple[str, str, str], person: Principal, reason: str) -> None:
        """Accept what became of one tool, where that is still what a person was shown.

        Args:
            shown: Server, name, and the digest of the definition; an empty one for a tool that is gone.

        Raises:
            Conflict: Another definition waits by now, or none.
            NotEntitled, LedgerError: As `accept`.
        """
        chosen = [each for each in await self.waiting() if (each.server, each.name, each.digest) == shown]
        if not chosen:
            raise Conflict(
                "this definition is not the one that waits any more", code="tools.moved",
                remedy="Look at what waits now.",
            )  # fmt: skip
        await self.accept(chosen, person, reason)

    def _make(self, accepted: Accepted) -> Registry:
        assert self._own is not None, "tools were listed"
        made, self.aside = with_servers(self._own, self._listings, accepted, self._made)
        self._made, self._by = made, accepted
        return made


def _news(listing: Listing, known: Accepted, aside: dict[tuple[str, str], str]) -> list[Fact]:
    """What a list says that the ledger does not: first sights, changes, returns, and what is missing."""
    server, facts = listing.server, list[Fact]()
    first = listing.trusted and server not in known.servers
    listed = {(server, tool.name[:_NAME_MAX]): tool for tool in listing.tools[:LISTED_MAX]}
    for key, tool in listed.items():
        stands = known.tools.get(key, Standing())
        body: dict[str, Json] = {"server": server, "name": key[1]}
        if code := aside.get((server, tool.name), ""):
            if stands.gone or stands.refused != code:  # its definition may be of any size: it is not kept
                facts.append(Fact(Kind.TOOL_SEEN, body | {"refused": code}))
            continue
        if stands.seen is None or stands.gone or stands.seen.digest != tool.digest:
            definition = tool.definition()
            facts.append(Fact(Kind.TOOL_SEEN, body | {"definition": definition}, tool_hash=tool.digest))
            if first:
                facts.append(_accepted(server, tool.name, Pin(tool.digest, definition), FIRST_SIGHT, {}, ""))
    missing = (name for (of, name), each in known.tools.items() if of == server and not each.gone)
    facts += [
        Fact(Kind.TOOL_MISSED, {"server": server, "name": name}) for name in missing if (server, name) not in listed
    ]
    return facts


def _accepted(server: str, name: str, pin: Pin | None, how: str, said: dict[str, Json], by: str) -> Fact:
    body: dict[str, Json] = {"server": server, "name": name, "how": how, **said}
    if pin is not None:
        body["definition"] = dict(pin.definition)
    return Fact(Kind.TOOL_ACCEPTED, body, principal_id=by, tool_hash="" if pin is None else pin.digest)

"""What is stopped now, as every page says it: only what concerns those who look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from interlock.api.gate import WHO
from interlock.api.site import Site
from interlock.api.who import Who
from interlock.core.principal import FIRST_TENANT
from interlock.errors import LedgerError
from interlock.gateway.asgi import Application, Receive, Scope, Send
from interlock.policy.flags import Flags
from interlock.policy.flags import Scope as Stoppable

STOPS: Final = "interlock.stops"
"""In the scope of a request for a page: what is stopped, as `Stop`s; None where it cannot be found out."""


class Stop(NamedTuple):
    """One thing that is stopped.

    Attributes:
        scope: Of `policy.flags.Scope`.
        target: Which; empty for everything.
        reason: That was given.
    """

    scope: str
    target: str
    reason: str

    @property
    def what(self) -> str:
        """What is stopped, in words."""
        return "everything" if self.scope == Stoppable.ALL else f"the {self.scope} {self.target}"


def concerning(flags: Flags, tenant: str) -> list[Stop]:
    """The stops that concern a tenant; those of other tenants are for the people of the first one to see."""
    return [
        Stop(scope, target, reason)
        for (_, scope, target), reason in sorted(flags.stops.items())
        if scope != Stoppable.TENANT or tenant in (target, FIRST_TENANT)
    ]


def with_stops(inner: Application, site: Site) -> Application:
    """Pages that know what is stopped. It is read only where somebody has switched since."""

    async def knowing(scope: Scope, receive: Receive, send: Send) -> None:
        who: Who | None = scope.get(WHO)
        if scope["type"] == "http" and who is not None:
            scope[STOPS] = await _found(site, who.tenant)
        await inner(scope, receive, send)

    return knowing


def stops_of(scope: Mapping[str, object]) -> list[Stop]:
    """What is stopped, as the page's request knows it."""
    found = scope.get(STOPS)
    return found if isinstance(found, list) else []


async def _found(site: Site, tenant: str) -> list[Stop]:
    try:
        return concerning(await site.plane.plane.switch.flags(tenant), tenant)
    except LedgerError:
        return []  # the page itself says that the ledger cannot be read

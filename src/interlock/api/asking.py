"""What a route asks for in its parameters: the site, whose the request is, and that they may do this."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from interlock.api.gate import WHO
from interlock.api.heavy import Heavy
from interlock.api.site import Site
from interlock.api.who import Permission, Who
from interlock.errors import MissingExtra

try:
    from fastapi import Depends
    from starlette.requests import HTTPConnection
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None


def site_of(connection: HTTPConnection) -> Site:
    """The site of a request or a WebSocket."""
    site: Site = connection.app.state.site
    return site


def who_of(connection: HTTPConnection) -> Who:
    """Whose it is; the gate has let them in."""
    who: Who = connection.scope[WHO]
    return who


def may(permission: Permission) -> Callable[[HTTPConnection], Who]:
    """A dependency that refuses whoever may not do this, before anything of the request is looked at."""

    def asked(connection: HTTPConnection) -> Who:
        who = who_of(connection)
        who.require(permission)
        return who

    return asked


def heavy_of(connection: HTTPConnection) -> Heavy:
    """The turn of what takes a core for a while."""
    return site_of(connection).heavy


AtSite = Annotated[Site, Depends(site_of)]
InTurn = Annotated[Heavy, Depends(heavy_of)]
Anybody = Annotated[Who, Depends(who_of)]
Seer = Annotated[Who, Depends(may("see"))]
Proposer = Annotated[Who, Depends(may("propose"))]
Operator = Annotated[Who, Depends(may("operate"))]
Decider = Annotated[Who, Depends(may("decide"))]
Administrator = Annotated[Who, Depends(may("administer"))]

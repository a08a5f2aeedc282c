"""What a route asks for in its parameters: the site, whose the request is, and that they may do this."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypedDict

from interlock.api.gate import WHO
from interlock.api.heavy import Heavy
from interlock.api.site import Site
from interlock.api.who import Permission, Who
from interlock.core.trace import TRACEPARENT, TRACESTATE
from interlock.errors import MissingExtra
from interlock.gateway.asgi import trace_of

try:
    from fastapi import Depends, Header
    from starlette.requests import HTTPConnection
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None


Parent = Annotated[
    str | None,
    Header(
        alias=TRACEPARENT, examples=["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
        description="Your trace (W3C): its spans here are below yours. One that is malformed is passed over.",
    ),
]  # fmt: skip
State = Annotated[str | None, Header(alias=TRACESTATE, description="What belongs to your `traceparent`.")]


class Traced(TypedDict):
    """Whose trace a request belongs to, by keyword as runs and calls take it; both empty for nobody's."""

    trace: str
    tracestate: str


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


def traced(connection: HTTPConnection, _parent: Parent = None, _state: State = None) -> Traced:
    """Whose trace it belongs to. The two headers are parameters for the document; one that stands twice is none."""
    accepted = site_of(connection).settings.telemetry.otlp.accept_trace
    said = trace_of(connection.scope) if accepted else None
    return {"trace": said.parent, "tracestate": said.state} if said is not None else {"trace": "", "tracestate": ""}


AtSite = Annotated[Site, Depends(site_of)]
InTurn = Annotated[Heavy, Depends(heavy_of)]
OfTrace = Annotated[Traced, Depends(traced)]
Anybody = Annotated[Who, Depends(who_of)]
Seer = Annotated[Who, Depends(may("see"))]
Proposer = Annotated[Who, Depends(may("propose"))]
Operator = Annotated[Who, Depends(may("operate"))]
Decider = Annotated[Who, Depends(may("decide"))]
Administrator = Annotated[Who, Depends(may("administer"))]

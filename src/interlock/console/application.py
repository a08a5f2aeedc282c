"""The console and the API as one application behind one gate, and the gateway's door beside them on the same port."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from interlock.api.application import OPEN, PREFIX
from interlock.api.application import application as api_application
from interlock.api.gate import Gate, Open, Protection, by_key
from interlock.api.problem import status_of
from interlock.api.site import Site
from interlock.api.watch import EVENTS
from interlock.console import (
    agents,
    approval,
    approvals,
    audit,
    backtest,
    call,
    drift,
    evals,
    export,
    grants,
    inbox,
    ledger,
    live,
    overview,
    policies,
    run,
    run_acts,
    runs,
    sagas,
    sign_in,
    stop,
    tools,
)  # fmt: skip
from interlock.console.live import LIVE
from interlock.console.stops import with_stops
from interlock.console.view import STATIC, View
from interlock.errors import BadInput, InterlockError, MissingExtra
from interlock.gateway.address import Addresses, addresses
from interlock.gateway.asgi import Application, Receive, Scope, Send

try:
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute, Mount
    from starlette.staticfiles import StaticFiles
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

STATIC_FOLDER: Final = "/static/"

PARTS: Final[Sequence[Callable[[View], Sequence[BaseRoute]]]] = (
    audit.routes,
    ledger.routes,
    export.routes,
    agents.routes,
    inbox.routes,
    approval.routes,
    approvals.routes,
    call.routes,
    grants.routes,
    stop.routes,
    live.routes,
    overview.routes,
    policies.routes,
    backtest.routes,
    run.routes,
    runs.routes,
    sagas.routes,
    evals.routes,
    drift.routes,
    run_acts.routes,
    tools.routes,
    sign_in.routes,
)
"""Every part of the console: each gives the routes of its pages."""


def application(site: Site) -> Application:
    """Everything that people and their programs reach, behind its gate."""
    view = View(site)
    pages, api = with_stops(console(view), site), api_application(site)

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        inner = api if by_key(path) or path.startswith(PREFIX) or path in _OPEN_PATHS else pages
        await inner(scope, receive, send)

    protection = Protection(
        addresses=_addresses(site),
        open=Open(frozenset((*OPEN, *sign_in.OPEN)), STATIC_FOLDER),
        shown=partial(_shown, view),
        streams=frozenset({LIVE, EVENTS}),
    )
    return Gate(either, site.admission, protection, site.clock, site.new_id)


def _addresses(site: Site) -> Addresses:
    """By which names people come: those of the door, and the one that the settings say browsers know."""
    said, public = site.settings.gateway, site.settings.console.public_url
    if not public:
        return addresses(said.hosts, said.origins)
    return addresses({urlsplit(public).netloc, *(said.hosts or ())}, {public, *(said.origins or ())})


def console(view: View) -> Starlette:
    """The pages alone. They are served behind a gate, and trust the `Who` that it leaves in the scope."""
    routes = [route for part in PARTS for route in part(view)]
    files = _Kept(directory=STATIC)

    async def told(request: Request, error: Exception) -> Response:
        assert isinstance(error, InterlockError), "it is registered for these"
        return view.page(request, "error.html", status_of(error), error=error, status=status_of(error))

    async def no_page(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException), "it is registered for these"
        said = BadInput(
            "there is no such page", code="http.method" if error.status_code == 405 else "http.path",
            remedy="Begin at the inbox.",
        )  # fmt: skip
        return view.page(request, "error.html", status_of(said), error=said, status=status_of(said))

    app = Starlette(
        routes=[Mount(STATIC_FOLDER.rstrip("/"), files), *routes],
        exception_handlers={InterlockError: told, HTTPException: no_page},
    )
    app.state.site = view.site
    return app


def beside(door: Application, path: str, site: Application) -> Application:
    """One application of two: the gateway's door at its path, and everything else.

    Args:
        path: The door's; whatever begins with it and a slash is the door's too, which answers it with 404.
    """

    async def which(scope: Scope, receive: Receive, send: Send) -> None:
        there = scope["path"] == path or scope["path"].startswith(f"{path}/")
        await (door if there and scope["type"] == "http" else site)(scope, receive, send)

    return which


class _Kept(StaticFiles):
    """Files whose addresses say what is in them, so that a browser asks for each once."""

    def file_response(self, *given: object, **more: object) -> Response:
        """See `StaticFiles`."""
        answer = super().file_response(*given, **more)  # type: ignore[arg-type]  # handed on as it came
        answer.headers["cache-control"] = "public, max-age=31536000, immutable"
        return answer


_OPEN_PATHS: Final = frozenset(path for _, path in OPEN)


async def _shown(view: View, scope: Scope, receive: Receive, send: Send, error: InterlockError, status: int) -> None:
    page = view.page(Request(scope), "error.html", status, error=error, status=status)
    await page(scope, receive, send)

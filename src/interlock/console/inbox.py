"""The inbox: everything that waits for a person."""

from __future__ import annotations

from collections.abc import Sequence

from interlock.api.asking import who_of
from interlock.console.view import View
from interlock.errors import MissingExtra

try:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None


def routes(view: View) -> Sequence[BaseRoute]:
    """The pages of the inbox."""

    async def page(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        items = await view.site.plane.inbox(who.tenant)
        return view.page(request, "inbox.html", items=items, live="approval call run")

    return [Route("/", page)]

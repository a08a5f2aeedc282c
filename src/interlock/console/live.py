"""What tells open pages that something has happened: which kind, where; they then load what they show anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from interlock.api.asking import who_of
from interlock.api.live import facts, last_seen, server_sent, streamed
from interlock.console.view import View
from interlock.core.event import Event
from interlock.errors import MissingExtra

try:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None


LIVE: Final = "/live"
"""Path of the stream."""


def routes(view: View) -> Sequence[BaseRoute]:
    """The stream that every page listens to."""
    site = view.site

    async def live(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        cookie = request.headers.get("cookie", "")
        run_id = request.query_params.get("run", "")
        found = facts(site, who, last_seen(request), run_id, lambda: site.admission.session(cookie), flags=True)
        return streamed(server_sent(found, _said))

    return [Route(LIVE, live)]


def _said(position: int, event: Event) -> str:
    """Kind, run and call: what a page needs to know whether it shows something else by now, and nothing to show."""
    return f"{event.fact.kind.value} {event.chain} {event.fact.call_id}"

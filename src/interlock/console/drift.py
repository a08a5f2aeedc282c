"""What servers changed of their tools since it was reviewed, and a person's word on exactly what was shown."""

from __future__ import annotations

from collections.abc import Sequence

from interlock.api.asking import who_of
from interlock.api.reach import accepts_definitions
from interlock.console.forms import Form
from interlock.console.view import View
from interlock.core.principal import FIRST_TENANT
from interlock.errors import MissingExtra
from interlock.ledger.definitions import Definitions
from interlock.registry.difference import GRAVE

try:
    from starlette.requests import Request
    from starlette.responses import RedirectResponse, Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None


def routes(view: View) -> Sequence[BaseRoute]:
    """The page of what drifted."""
    site = view.site

    async def drift(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        waiting = await Definitions(site.store).waiting()
        return view.page(
            request, "drift.html", waiting=waiting, grave=GRAVE, live="tool",
            may_accept=who.may("operate") and who.tenant == FIRST_TENANT,
        )  # fmt: skip

    async def accept(request: Request) -> Response:
        who = who_of(request)
        who.require("operate")
        accepts_definitions(who)
        form = Form(request)
        shown = (form.text("server", 200), form.text("name", 200), form.text("digest", 64, least=0))
        await Definitions(site.store).accept_shown(shown, who.principal, form.text("reason", 500))
        return RedirectResponse("/tools/drift", 303)

    return [Route("/tools/drift", drift), Route("/tools/drift", accept, methods=["POST"])]

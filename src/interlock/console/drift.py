"""What servers changed of their tools since it was reviewed, and a person's word on exactly what was shown."""

from __future__ import annotations

from collections.abc import Sequence

from interlock.api.asking import who_of
from interlock.console.forms import Form
from interlock.console.view import View
from interlock.core.principal import FIRST_TENANT
from interlock.errors import Conflict, MissingExtra, NotEntitled
from interlock.ledger.definitions import Definitions
from interlock.registry.difference import GRAVE, Difference

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
        waiting = sorted((await Definitions(site.store).accepted()).differences(), key=lambda each: each.danger)
        return view.page(
            request, "drift.html", waiting=waiting, grave=GRAVE, live="tool",
            may_accept=who.may("operate") and who.tenant == FIRST_TENANT,
        )  # fmt: skip

    async def accept(request: Request) -> Response:
        who = who_of(request)
        who.require("operate")
        if who.tenant != FIRST_TENANT:
            raise NotEntitled(
                "definitions are accepted by those who run the deployment", code="tools.accept",
                remedy=f"Ask an operator of the tenant {FIRST_TENANT!r}.",
            )  # fmt: skip
        form = Form(request)
        definitions = Definitions(site.store)
        shown = (form.text("server", 200), form.text("name", 200), form.text("digest", 64, least=0))
        chosen = [each for each in (await definitions.accepted()).differences() if _key(each) == shown]
        if not chosen:
            raise Conflict(
                "this definition is not the one that waits any more", code="tools.moved",
                remedy="Look at what waits now.",
            )  # fmt: skip
        await definitions.accept(chosen, who.principal, form.text("reason", 500))
        return RedirectResponse("/tools/drift", 303)

    return [Route("/tools/drift", drift), Route("/tools/drift", accept, methods=["POST"])]


def _key(each: Difference) -> tuple[str, str, str]:
    return each.server, each.name, each.digest

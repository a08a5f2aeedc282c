"""Past requests for approval, and how tired those are who answer them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from interlock.api.asking import who_of
from interlock.approvals.fatigue import figures
from interlock.approvals.past import past_requests
from interlock.console.view import View
from interlock.core.clock import SECOND_US
from interlock.errors import BadInput, MissingExtra
from interlock.ledger.pages import LIMIT_MAX, Between
from interlock.ledger.plain import plain

try:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

ON_A_PAGE: Final = 50
DAYS: Final = 30
"""Days that the figures are of."""

STATES: Final = (
    "pending", "approved", "consumed", "rejected", "edited", "responded", "expired", "withdrawn", "superseded"
)  # fmt: skip


def routes(view: View) -> Sequence[BaseRoute]:
    """The page of past requests."""
    site = view.site

    async def page(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        said = request.query_params
        status = said.get("status", "") if said.get("status", "") in STATES else ""
        where: dict[str, Any] = {"tenant": who.tenant} | ({"status": status} if status else {})
        found = await site.store.page("approval", where, limit=ON_A_PAGE, before=_before(said.get("before", "")))
        since_us = site.now_us - DAYS * 86_400 * SECOND_US
        calls = await site.store.page(
            "tool_call", {"tenant": who.tenant, "proposed_us": Between(since_us)}, limit=LIMIT_MAX
        )
        asked = await past_requests(site.store, who.tenant, since_us, site.now_us)
        return view.page(
            request, "approvals.html", rows=[{**row, **_lists(row)} for row in found.rows], before=found.before,
            status=status, states=STATES, figures=figures(calls.rows, asked), days=DAYS,
            cut=calls.before is not None, live="approval",
        )  # fmt: skip

    return [Route("/approvals", page)]


def _lists(row: dict[str, Any]) -> dict[str, Any]:
    return plain(row, "groups", "approvers")


def _before(said: str) -> int | None:
    """The position that a link of ours says; None for none.

    Raises:
        BadInput: It says none.
    """
    if not said:
        return None
    if not (said.isascii() and said.isdigit() and len(said) < 19):
        raise BadInput("before: no place in the list", code="console.after", remedy="Begin at the newest.")
    return int(said)

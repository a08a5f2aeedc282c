"""Past requests for approval, and how tired those are who answer them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from interlock.api.asking import who_of
from interlock.api.paging import place_of
from interlock.approvals.fatigue import Figures, figures
from interlock.approvals.past import Answered
from interlock.console.view import View
from interlock.core.clock import SECOND_US
from interlock.core.tool import Effect
from interlock.errors import BadInput, MissingExtra
from interlock.ledger.pages import Between
from interlock.ledger.plain import plain

try:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

ON_A_PAGE: Final = 50
DAYS: Final = 30
CALLS: Final = 2000
"""Days, and at most so many consequential calls, the newest, that the figures are of."""

_TENANTS_MAX: Final = 64
_CONSEQUENTIAL: Final = [effect.value for effect in Effect if effect is not Effect.READ]

STATES: Final = (
    "pending", "approved", "consumed", "rejected", "edited", "responded", "expired", "withdrawn", "superseded"
)  # fmt: skip


def routes(view: View) -> Sequence[BaseRoute]:
    """The page of past requests."""
    site = view.site
    answered = Answered(site.store)
    known: dict[str, tuple[tuple[int, int], tuple[Figures, bool]]] = {}

    async def figured(tenant: str) -> tuple[Figures, bool]:
        """The figures, and whether only the newest calls are in them; counted anew once something was committed."""
        seen = site.store.position(), site.store.changes()
        if tenant not in known or known[tenant][0] != seen:
            since_us = site.now_us - DAYS * 86_400 * SECOND_US
            recent = {"tenant": tenant, "proposed_us": Between(since_us), "effect": _CONSEQUENTIAL}
            calls = await site.store.page("tool_call", recent, limit=CALLS)
            if len(known) >= _TENANTS_MAX:
                known.clear()
            counted = figures(calls.rows, await answered.since(tenant, since_us, site.now_us))
            known[tenant] = seen, (counted, calls.before is not None)
        return known[tenant][1]

    async def page(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        said = request.query_params
        status = said.get("status", "") if said.get("status", "") in STATES else ""
        where: dict[str, Any] = {"tenant": who.tenant} | ({"status": status} if status else {})
        found = await site.store.page("approval", where, limit=ON_A_PAGE, before=_before(said.get("before", "")))
        told, cut = await figured(who.tenant)
        return view.page(
            request, "approvals.html", rows=[{**row, **_lists(row)} for row in found.rows], before=found.before,
            status=status, states=STATES, figures=told, days=DAYS, cut=cut, live="approval",
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
    if (position := place_of(said)) is None:
        raise BadInput("before: no place in the list", code="console.after", remedy="Begin at the newest.")
    return position

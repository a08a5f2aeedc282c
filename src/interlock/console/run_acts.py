"""What an operator does about a run: cancel it, have it go on, try again what failed of a saga."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import quote

from interlock.api.asking import who_of
from interlock.api.gate import FORM
from interlock.api.who import Who
from interlock.closing import cancel_run, resume_run
from interlock.console.view import View
from interlock.errors import BadInput, MissingExtra

try:
    from starlette.requests import Request
    from starlette.responses import RedirectResponse, Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

REASON_MAX: Final = 2000
"""Characters of a reason."""

Act = Callable[[str, Who, str], Awaitable[object]]
"""Does something about a run: its id, whose word it is, and why."""


def routes(view: View) -> Sequence[BaseRoute]:
    """What the forms of a run's page post to."""
    plane = view.site.plane

    async def cancelled(run_id: str, who: Who, reason: str) -> object:
        return await cancel_run(plane.plane, plane.claim, run_id, who.principal, reason)

    async def resumed(run_id: str, who: Who, reason: str) -> object:
        return await resume_run(plane.plane, plane.claim, run_id, who.principal, reason)

    async def went_on(run_id: str, who: Who, reason: str) -> object:
        return await resume_run(plane.plane, plane.claim, run_id, who.principal, "")

    return [
        Route("/runs/{run_id}/cancel", _doing(cancelled, why=True), methods=["POST"]),
        Route("/runs/{run_id}/resume", _doing(resumed, why=True), methods=["POST"]),
        Route("/runs/{run_id}/advance", _doing(went_on, why=False), methods=["POST"]),
    ]


def _doing(act: Act, *, why: bool) -> Callable[[Request], Awaitable[Response]]:
    """A route that does this for an operator, and leads back to the run.

    Args:
        why: It needs a reason.
    """

    async def done(request: Request) -> Response:
        who = who_of(request)
        who.require("operate")
        run_id = request.path_params["run_id"]
        await act(run_id, who, _reason(request) if why else "")
        return RedirectResponse(f"/runs/{quote(run_id, safe='')}", 303)

    return done


def _reason(request: Request) -> str:
    """Why, as it was typed.

    Raises:
        BadInput: Nothing was, or too much.
    """
    fields: list[tuple[str, str]] = request.scope[FORM]
    found = [value.strip() for name, value in fields if name == "reason"]
    if len(found) != 1 or not 1 <= len(found[0]) <= REASON_MAX:
        raise BadInput(
            "reason: none, or too long", code="run.reason", remedy=f"Say why, in at most {REASON_MAX:,} characters."
        )
    return found[0]

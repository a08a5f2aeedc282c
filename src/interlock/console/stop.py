"""The stop switch: what is stopped now, and how one stops or resumes something: said, looked at again, recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import unquote

from interlock.api.asking import who_of
from interlock.api.problem import status_of
from interlock.api.who import Who
from interlock.console.forms import Form
from interlock.console.stops import Stop, concerning
from interlock.console.view import View
from interlock.core.event import Event, Kind
from interlock.core.principal import FIRST_TENANT
from interlock.errors import BadInput, InterlockError, MissingExtra
from interlock.ledger.store import DEPLOYMENT, Store, tenant_chain
from interlock.policy.flags import Scope

try:
    from starlette.requests import Request
    from starlette.responses import RedirectResponse, Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

_COLUMNS: Final = {Scope.TOOL: "tool", Scope.SERVER: "server", Scope.PRINCIPAL: "principal_id", Scope.TENANT: "tenant"}
"""Where a target shows in the rows of calls that were made."""

_MEANS: Final = {
    Scope.TOOL: "one tool, by its name", Scope.SERVER: "every tool of one server",
    Scope.PRINCIPAL: "whatever is called on behalf of one user or service", Scope.TENANT: "a whole tenant",
    Scope.ALL: "every call of every tenant",
}  # fmt: skip

_REASON_MAX: Final = 2000
_TARGET_MAX: Final = 256
_PAST: Final = 20


def routes(view: View) -> Sequence[BaseRoute]:
    """The page of the switch, the page that asks again, and what it posts."""
    pages = _Pages(view)
    return [
        Route("/stop", pages.show),
        Route("/stop", pages.ask, methods=["POST"]),
        Route("/stop/turn", pages.turn, methods=["POST"]),
    ]


class _Pages:
    def __init__(self, view: View) -> None:
        self._view = view
        self._plane = view.site.plane

    async def show(self, request: Request) -> Response:
        """What is stopped, and the form."""
        who_of(request).require("see")
        said = request.query_params
        return await self._page(request, {name: said.get(name, "") for name in ("scope", "target")})

    async def ask(self, request: Request) -> Response:
        """Say again what would be stopped or resumed, and ask whether it is meant. Nothing is changed."""
        who, form = who_of(request), Form(request)
        who.require("operate")
        typed = _typed(form)
        try:
            form.meant()
            scope, target = _scoped(typed)
        except InterlockError as error:
            return await self._page(request, typed, error)
        stop = Stop(scope.value, target, typed["reason"])
        return self._view.page(
            request, "stop_ask.html", act=typed["act"], stop=stop, means=_MEANS[scope],
            seen=await self._seen(who, scope, target),
        )  # fmt: skip

    async def turn(self, request: Request) -> Response:
        """Do it."""
        who, form = who_of(request), Form(request)
        who.require("operate")
        typed = _typed(form)
        try:
            form.meant()
            scope, target = _scoped(typed)
            if typed["act"] == "stop":
                await self._plane.stop(scope, target, who.principal, reason=typed["reason"])
            else:
                await self._plane.resume(scope, target, who.principal, reason=typed["reason"])
        except InterlockError as error:
            return await self._page(request, typed, error)
        return RedirectResponse("/stop", 303)

    async def _page(self, request: Request, typed: dict[str, str], error: InterlockError | None = None) -> Response:
        who = who_of(request)
        flags = await self._plane.plane.switch.flags(who.tenant)
        past = await _turns(self._plane.store, who)
        return self._view.page(
            request, "stop.html", 200 if error is None else status_of(error), stopped=concerning(flags, who.tenant),
            past=past, typed=typed, error=error, scopes=_MEANS, may=who.may("operate"), live="flag",
        )  # fmt: skip

    async def _seen(self, who: Who, scope: Scope, target: str) -> bool:
        """Whether any call of it stands in the ledger: if none does, it may be misspelt."""
        if scope is Scope.ALL or (scope is Scope.TENANT and who.tenant not in (target, FIRST_TENANT)):
            return True  # which other tenants there are is nobody's business but of those who run the deployment
        own = {} if scope is Scope.TENANT else {"tenant": who.tenant}
        return bool((await self._plane.store.page("tool_call", {_COLUMNS[scope]: target, **own}, limit=1)).rows)


def _typed(form: Form) -> dict[str, str]:
    """What a form says. What a page puts into a form for somebody is percent-encoded: nothing may hide in a page."""
    return {
        "act": form.one("act"), "scope": form.one("scope"),
        "target": form.one("target") or unquote(form.one("named")),
        "reason": form.one("reason") or unquote(form.one("because")),
    }  # fmt: skip


def _scoped(typed: dict[str, str]) -> tuple[Scope, str]:
    """What a form names.

    Raises:
        BadInput: Nothing, or no reason for a stop.
    """
    scope = next((each for each in Scope if each == typed["scope"]), None)
    target = "" if scope is Scope.ALL else typed["target"].strip()
    if typed["act"] not in ("stop", "resume") or scope is None or len(target) > _TARGET_MAX:
        raise BadInput("what: nothing that can be stopped", code="console.scope", remedy="Choose what, and name it.")
    if not target and scope is not Scope.ALL:
        raise BadInput(f"which {scope.value}?", code="console.scope", remedy="Name it.")
    if len(typed["reason"]) > _REASON_MAX or (typed["act"] == "stop" and not typed["reason"].strip()):
        raise BadInput(
            "reason: none, or too long", code="console.reason", remedy=f"Say why, in at most {_REASON_MAX} characters."
        )
    return scope, target


async def _turns(store: Store, who: Who) -> list[dict[str, Any]]:
    """The last turns of the switch that concern a tenant, the newest first."""
    events: list[Event] = []
    for chain in (DEPLOYMENT, tenant_chain(who.tenant)):
        events += [event for event in await store.tail(chain) if event.fact.kind is Kind.FLAG and event.fact.body]
    found = []
    for event in sorted(events, key=lambda event: -event.at_us):
        body = event.fact.body
        if body["scope"] == Scope.TENANT and who.tenant not in (FIRST_TENANT, body["target"]):
            continue
        stop = Stop(body["scope"], body["target"], body.get("reason", ""))
        found.append({"stop": stop, "act": body["flag"], "by": event.fact.principal_id, "at_us": event.at_us})
    return found[:_PAST]

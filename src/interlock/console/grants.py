"""Standing permissions and lent roles: what stands, what it is for, and how somebody gives, backs and takes it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from interlock.api.asking import who_of
from interlock.api.problem import status_of
from interlock.api.who import Who
from interlock.approvals.grant import GrantTerms, ToolIdentity
from interlock.approvals.past import past_requests
from interlock.approvals.suggest import answers, leaves
from interlock.approvals.where import PREDICATES, sentences, where_of
from interlock.asked import asked_of
from interlock.console.forms import Form
from interlock.console.request import editable
from interlock.console.view import View
from interlock.core.canonical import Json, parse_json
from interlock.core.clock import SECOND_US
from interlock.core.times import seconds
from interlock.errors import BadInput, InterlockError, MissingExtra
from interlock.granted import counted, stands

try:
    from starlette.requests import Request
    from starlette.responses import RedirectResponse, Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

BACK_DAYS: Final = 90
"""How far back somebody is shown what a grant would have answered."""

_PARTS_MAX: Final = 60
_KINDS: Final = (*PREDICATES, "any")


class Part(NamedTuple):
    """What is asked of one part of the arguments, as a form has it.

    Attributes:
        pointer: RFC 6901.
        kind: A predicate, or `any`.
        operand: What it is held against, as JSON.
    """

    pointer: str
    kind: str
    operand: str


def routes(view: View) -> Sequence[BaseRoute]:
    """The pages of grants, and what they post."""
    pages = _Pages(view)
    return [
        Route("/grants", pages.show),
        Route("/grants/new", pages.begin),
        Route("/grants/new", pages.give, methods=["POST"]),
        Route("/grants/{grant_id}/endorse", pages.endorse, methods=["POST"]),
        Route("/grants/{grant_id}/revoke", pages.revoke, methods=["POST"]),
        Route("/delegations/lend", pages.lend, methods=["POST"]),
        Route("/delegations/take-back", pages.take_back, methods=["POST"]),
    ]


class _Pages:
    def __init__(self, view: View) -> None:
        self._view = view
        self._plane = view.site.plane

    async def show(self, request: Request) -> Response:
        """The grants and what is lent."""
        who_of(request).require("see")
        return await self._page(request)

    async def begin(self, request: Request) -> Response:
        """A grant that begins with exactly what a request asks for."""
        who_of(request).require("decide")
        asked = await self._asked(request, request.query_params.get("approval", ""))
        values = {at: leaf for at, leaf in leaves(asked["arguments"]).items() if at}
        if len(values) > _PARTS_MAX:
            raise BadInput(
                f"{len(values)} parts are more than a page asks about", code="console.parts",
                remedy="Use `interlock grants issue`.",
            )  # fmt: skip
        parts = [Part(at, "equals", editable(leaf)) for at, leaf in values.items()]
        said = {"uses": "5", "expires": "7d", "reason": "", "subject": asked["subject"]}
        return self._form(request, asked, parts, said)

    async def give(self, request: Request) -> Response:
        """Show what the grant would have answered; or give it, once somebody has seen that and says so."""
        who, form = who_of(request), Form(request)
        who.require("decide")
        asked = await self._asked(request, form.one("approval"))
        parts = [
            Part(unquote(at), kind, operand)
            for at, kind, operand in zip(form.many("at"), form.many("kind"), form.many("operand"), strict=False)
        ]
        said = {name: form.one(name) for name in ("uses", "expires", "reason")}
        said["subject"] = asked["subject"] if form.one("whose") == "subject" else ""
        try:
            terms = _terms(asked["tool"]["name"], parts, said)
            if form.meant().one("step") != "give":
                return self._form(request, asked, parts, said, preview=await self._preview(who, terms))
            await self._plane.issue_grant(terms, who.principal)
        except InterlockError as error:
            return self._form(request, asked, parts, said, error=error)
        return RedirectResponse("/grants", 303)

    async def endorse(self, request: Request) -> Response:
        """Add one's voice to a grant."""
        grant_id = request.path_params["grant_id"]
        return await self._done(
            request, "decide", lambda who, form: self._plane.endorse_grant(grant_id, who.principal)
        )  # fmt: skip

    async def revoke(self, request: Request) -> Response:
        """Take a grant back."""
        return await self._done(request, "see", lambda who, form: self._plane.revoke_grant(
            request.path_params["grant_id"], who.principal, reason=form.one("reason")
        ))  # fmt: skip

    async def lend(self, request: Request) -> Response:
        """Lend roles of one's own."""
        return await self._done(request, "decide", lambda who, form: self._plane.delegate(
            who.principal, form.one("to").strip(), form.many("group"), hours=seconds(form.one("for")) / 3600,
            reason=form.one("reason"),
        ))  # fmt: skip

    async def take_back(self, request: Request) -> Response:
        """Take back what one has lent."""
        return await self._done(
            request, "see", lambda who, form: self._plane.undelegate(who.principal, unquote(form.one("borrower")))
        )

    async def _done(self, request: Request, permission: Any, act: Any) -> Response:
        who, form = who_of(request), Form(request)
        who.require(permission)
        try:
            await act(who, form.meant())
        except InterlockError as error:
            return await self._page(request, error)
        return RedirectResponse("/grants", 303)

    async def _page(self, request: Request, error: InterlockError | None = None) -> Response:
        who, now_us = who_of(request), self._view.site.now_us
        found = [
            {"one": one.grant, "used": one.used, "stands": stands(one, now_us), "where": sentences(one.grant.where)}
            for one in reversed(await counted(who.tenant, self._plane.store))
        ]
        standing = await self._plane.plane.approvals.entitlement.standing(who.principal, now_us)
        return self._view.page(
            request, "grants.html", 200 if error is None else status_of(error), grants=found, error=error,
            lent=(await self._plane.plane.approvals.entitlement.delegations.lent(who.tenant)).standing(now_us),
            mine=sorted(standing.person.roles & self._plane.plane.policy.approvers), may=who.may("decide"),
            live="grant approval", operates=who.may("operate"),
        )  # fmt: skip

    def _form(
        self, request: Request, asked: Mapping[str, Any], parts: Sequence[Part], said: Mapping[str, str],
        error: InterlockError | None = None, preview: Mapping[str, Any] | None = None,
    ) -> Response:  # fmt: skip
        return self._view.page(
            request, "grant_new.html", 200 if error is None else status_of(error), request_=asked, parts=parts,
            said=said, kinds=_KINDS, error=error, preview=preview, back_days=BACK_DAYS,
        )  # fmt: skip

    async def _asked(self, request: Request, approval_id: str) -> dict[str, Any]:
        asked = await asked_of(self._plane.store, approval_id=approval_id, tenant=who_of(request).tenant)
        return {**asked.state.request, "approval_id": approval_id}

    async def _preview(self, who: Who, terms: GrantTerms) -> dict[str, Any]:
        """What it would have answered: how many requests, how many of those approved, which turned down."""
        now_us = self._view.site.now_us
        past = await past_requests(self._plane.store, who.tenant, now_us - BACK_DAYS * 86_400 * SECOND_US, now_us)
        known = self._plane.plane.registry.find(terms.tool)
        identity = ToolIdentity.of(known.tool) if known is not None else None
        where = where_of(terms.where)
        alike = [each for each in past if each.tool == identity]
        hit = [each for each in alike if answers(where, terms.subject, each)]
        return {
            "asked": len(alike), "answers": len(hit), "approved": sum(each.approved for each in hit),
            "turned_down": [each.approval_id for each in hit if each.turned_down], "where": sentences(where),
            "open": any(clause.kind == "any" for clause in where.clauses),
        }  # fmt: skip


def _terms(tool: str, parts: Sequence[Part], said: Mapping[str, str]) -> GrantTerms:
    """The terms that a form says.

    Raises:
        BadInput: They are not acceptable; it names what.
    """
    where: dict[str, Any] = {}
    for part in parts:
        if part.kind not in _KINDS:
            raise BadInput(f"{part.pointer}: no such predicate", code="console.parts", remedy="Choose one of the list.")
        where[part.pointer] = {part.kind: True if part.kind == "any" else _operand(part)}
    uses = said["uses"]
    if not (uses.isascii() and uses.isdigit() and len(uses) < 10):
        raise BadInput(f"uses: {uses!r}", code="grant.uses", remedy="Give a number.")
    return GrantTerms(
        tool=tool, where=where, uses=int(uses), lasts_s=seconds(said["expires"].strip()), reason=said["reason"],
        subject=said["subject"],
    )  # fmt: skip


def _operand(part: Part) -> Json:
    """JSON where it can be read as JSON, else a text."""
    try:
        return parse_json(part.operand)
    except BadInput:
        return part.operand

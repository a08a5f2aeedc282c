"""The page of one request for approval: all that would run, and the forms by which somebody decides about it.

Nothing here decides: a form says which digest and which nonce somebody was shown, and the plane asks the rest again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, get_args
from urllib.parse import quote

from interlock.api.asking import who_of
from interlock.api.problem import status_of
from interlock.api.sessions import reauthenticated
from interlock.api.who import Who
from interlock.approvals.decide import Answer, Said, decide
from interlock.asked import EFFECTS, Asked, asked_of
from interlock.console.forms import Form, shown_at, viewed_ms
from interlock.console.request import Text, editable, shown, shown_text, shown_value
from interlock.console.similar import last_similar
from interlock.console.view import View
from interlock.core.call_state import CallState
from interlock.core.canonical import Json, parse_json
from interlock.core.tool import Effect
from interlock.errors import BadInput, Conflict, InterlockError, MissingExtra, NotEntitled

try:
    from starlette.requests import Request
    from starlette.responses import RedirectResponse, Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

_TYPED: Final = ("words", "arguments", "value", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What somebody typed into a form that was not taken: it comes back with what is wrong.

    Attributes:
        error: What is wrong; None for a page that is only looked at.
        decision: Which form it was.
        texts: By field.
        read, endorse: What was ticked.
        shown: The mark of when the page was first shown; empty for one that is shown now.
    """

    error: InterlockError | None = None
    decision: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    read: frozenset[str] = frozenset()
    endorse: frozenset[str] = frozenset()
    shown: str = ""


_NOTHING: Final = Typed()


def routes(view: View) -> Sequence[BaseRoute]:
    """The page of a request, what it posts, and its withdrawal."""
    pages = _Pages(view)
    return [
        Route("/approvals/{approval_id}", pages.show),
        Route("/approvals/{approval_id}", pages.decide, methods=["POST"]),
        Route("/approvals/{approval_id}/withdraw", pages.withdraw, methods=["POST"]),
    ]


class _Pages:
    def __init__(self, view: View) -> None:
        self._view = view
        self._site = view.site
        self._plane = view.site.plane

    async def show(self, request: Request) -> Response:
        """The request, as it stands now."""
        who_of(request).require("see")
        return await self._page(request, await self._asked(request), _NOTHING)

    async def decide(self, request: Request) -> Response:
        """Take a decision down."""
        who, form = who_of(request), Form(request)
        who.require("see")  # whoever may not decide is answered with the page: it is not for whoever may not see it
        asked = await self._asked(request)
        try:
            who.require("decide")
            answer = self._answer(who, asked, form.meant())
            await self._plane.answer(asked.state.approval_id, answer, who.principal)
        except InterlockError as error:
            return await self._page(request, await self._asked(request), _typed(form, error))
        return _to(f"/approvals/{quote(asked.state.approval_id, safe='')}")

    async def withdraw(self, request: Request) -> Response:
        """Take the request back."""
        who, form = who_of(request), Form(request)
        who.require("see")
        asked = await self._asked(request)
        try:
            await self._plane.withdraw(asked.state.approval_id, who.principal, reason=form.meant().one("reason"))
        except InterlockError as error:
            return await self._page(request, await self._asked(request), _typed(form, error))
        return _to(f"/approvals/{quote(asked.state.approval_id, safe='')}")

    async def _asked(self, request: Request) -> Asked:
        approval_id, tenant = request.path_params["approval_id"], who_of(request).tenant
        return await asked_of(self._plane.store, approval_id=approval_id, tenant=tenant)

    def _answer(self, who: Who, asked: Asked, form: Form) -> Answer:
        """The answer that a form says.

        Raises:
            BadInput: It says none, or was shown to somebody else.
            NotEntitled, Conflict: It is about something privileged, and was not looked at as that asks for.
        """
        state, decision = asked.state, _said(form.one("decision"))
        if form.one("approval_id") != state.approval_id:
            raise BadInput(
                "the form is not one of this request", code="console.form", remedy="Look at it as it is now."
            )
        viewed = viewed_ms(self._site, who, state.request["approval"], form)
        if state.status == "pending" and decision != "reject" and _privileged(asked):
            self._looked(who, asked, form, viewed)
        value: Json = None
        if decision == "respond":
            value = _value(form.one("value"))
        return Answer(
            decision=decision, digest=form.one("digest"), nonce=form.one("nonce"), words=form.one("words"),
            arguments=form.one("arguments") if decision == "edit" else None, value=value, viewed_ms=viewed,
            endorse=form.many("endorse") if decision == "approve" else (),
        )  # fmt: skip

    def _looked(self, who: Who, asked: Asked, form: Form, viewed: int) -> None:
        """Refuse to let something privileged pass that was not looked at, by somebody who showed who they are."""
        if not self._fresh(who):
            raise NotEntitled(
                "you showed who you are too long ago for something privileged", code="console.sign_in_again",
                remedy="Sign in again; then decide.",
            )  # fmt: skip
        unread = [each for each in shown(asked, {}).folds if each.id not in form.many("read")]
        if form.one("decision") == "approve" and unread:
            raise Conflict(
                f"{len(unread)} long values were not read", code="console.unread",
                remedy="Open each, read it, and tick that you have.",
            )  # fmt: skip
        least = self._site.settings.console.view_min_ms
        if viewed < least:
            raise Conflict(
                f"you looked for {viewed / 1000:.1f} s; something privileged needs {least / 1000:g} s",
                code="console.view", remedy="Look at all of it, then decide.",
            )  # fmt: skip

    def _fresh(self, who: Who) -> bool:
        within_s = self._site.settings.console.privileged_reauth_minutes * 60
        return reauthenticated(who, self._site.now_us, within_s)

    async def _page(self, request: Request, asked: Asked, typed: Typed) -> Response:
        who, state = who_of(request), asked.state
        run = (await self._plane.plane.ledger.conversation(asked.run_id, who.tenant)).state
        call = run.calls[state.call_id]
        seen = shown(asked, {call_id: each.tool for call_id, each in run.calls.items()})
        pending = state.status == "pending" and self._site.now_us < state.request["expires_us"]
        why_not = await self._why_not(who, asked) if pending else None
        said: dict[str, Any] = {
            "asked": asked, "state": state, "request": state.request, "seen": seen, "call": call, "typed": typed,
            "pending": pending, "why_not": why_not, "privileged": _privileged(asked),
            "fresh": not _privileged(asked) or self._fresh(who), "effect_means": EFFECTS, "short_of": _short_of(asked),
            "similar": await last_similar(self._plane.store, asked),
            "outcome": None if call.outcome is None or call.approval_id != state.approval_id else call.outcome,
            "came": _came(call), "follows": call.approval_id if call.approval_id != state.approval_id else "",
            "differences": [_difference(each) for each in state.request.get("difference", ())],
            "instead": _instead(asked), "may_withdraw": pending and _may_withdraw(who, asked),
            "shown": typed.shown or shown_at(self._site, who, state.request["approval"]),
            "edit": typed.texts.get("arguments") or editable(parse_json(state.request["text"])),
        }  # fmt: skip
        return self._view.page(
            request, "approval.html", 200 if typed.error is None else status_of(typed.error),
            live="approval call run", live_run=asked.run_id, **said,
        )  # fmt: skip

    async def _why_not(self, who: Who, asked: Asked) -> InterlockError | None:
        """Why somebody may not decide about it; None where they may. It is asked as the plane asks it."""
        request, now_us = asked.state.request, self._site.now_us
        answer = Answer(decision="approve", digest=request["approval"], nonce=request["nonce"])
        try:
            who.require("decide")
            standing = await self._plane.plane.approvals.entitlement.standing(who.principal, now_us)
            decide(asked.state, answer, standing, now_us)
        except InterlockError as error:
            return error
        return None


def _said(text: str) -> Said:
    found = next((each for each in get_args(Said) if each == text), None)
    if found is None:
        raise BadInput(f"decision: {text!r} is none", code="approval.decision", remedy="Use the page's own buttons.")
    said: Said = found
    return said


def _value(text: str) -> Json:
    try:
        return parse_json(text)
    except BadInput as error:
        raise BadInput(
            f"value: {error.args[0]}", code=error.code, remedy="Give JSON: a text stands in quotes."
        ) from None


def _typed(form: Form, error: InterlockError) -> Typed:
    texts = {name: form.many(name)[0] for name in (*_TYPED, "decision", "shown") if form.many(name)}
    shown_then = "" if error.code == "console.shown" else texts.pop("shown", "")
    return Typed(
        error=error, decision=texts.pop("decision", ""), texts=texts, read=frozenset(form.many("read")),
        endorse=frozenset(form.many("endorse")), shown=shown_then,
    )  # fmt: skip


def _privileged(asked: Asked) -> bool:
    return bool(asked.state.request["effect"] == Effect.PRIVILEGED.value)


def _short_of(asked: Asked) -> tuple[str, ...]:
    """Groups that must approve and of which nobody has."""
    held = {role for body in asked.state.approvals.values() for role in body["roles"]}
    return tuple(group for group in asked.state.request["groups"] if group not in held)


def _may_withdraw(who: Who, asked: Asked) -> bool:
    return who.principal.id == asked.state.request["subject"] or who.may("operate")


def _came(call: CallState) -> Text | None:
    """What the tool gave, or somebody in its place."""
    outcome = call.outcome
    return None if outcome is None or outcome.value is None else shown_value(outcome.value, "result")


def _instead(asked: Asked) -> Text | None:
    """What a person had run, or said, in its place."""
    answer = asked.state.answer
    if "text" in answer:
        return shown_value(parse_json(answer["text"]), "instead")
    return shown_value(answer["value"], "instead") if "value" in answer else None


def _difference(each: Mapping[str, Any]) -> tuple[str, Text, Text]:
    return each["what"], _readable(each["was"], "was"), _readable(each["now"], "now")


def _readable(said: Json, name: str) -> Text:
    """A value as it is; a text that is JSON itself as its value."""
    if not isinstance(said, str):
        return shown_value(said, name)
    try:
        return shown_value(parse_json(said), name)
    except BadInput:
        return shown_text(said, name)


_to = partial(RedirectResponse, status_code=303)

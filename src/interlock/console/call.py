"""The page of one call that waits for an operator: what became of it is said here, or it is tried again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from interlock.api.asking import who_of
from interlock.api.problem import status_of
from interlock.asked import EFFECTS
from interlock.console.forms import Form
from interlock.console.request import shown_value
from interlock.console.view import View
from interlock.core.event import Kind
from interlock.errors import BadInput, InterlockError, MissingExtra, NotFound

try:
    from starlette.requests import Request
    from starlette.responses import RedirectResponse, Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None


def routes(view: View) -> Sequence[BaseRoute]:
    """The page of a call, and what it posts."""
    pages = _Pages(view)
    at = "/calls/{run_id}/{call_id}"
    return [
        Route(at, pages.show),
        Route(f"{at}/settle", pages.settle, methods=["POST"]),
        Route(f"{at}/retry", pages.retry, methods=["POST"]),
    ]


class _Pages:
    def __init__(self, view: View) -> None:
        self._view = view
        self._plane = view.site.plane

    async def show(self, request: Request) -> Response:
        """How the call stands."""
        who_of(request).require("see")
        return await self._page(request)

    async def settle(self, request: Request) -> Response:
        """Take down what became of an unknown call."""
        who, form = who_of(request), Form(request)
        who.require("operate")
        try:
            note = _said(form.meant().one("note"), "note")
            call_id = request.path_params["call_id"]
            await self._plane.settle(call_id, form.one("outcome"), who.principal, note=note)
        except InterlockError as error:
            return await self._page(request, error, form)
        return RedirectResponse(_address(request), 303)

    async def retry(self, request: Request) -> Response:
        """Propose a call that was given up on again."""
        who, form = who_of(request), Form(request)
        who.require("operate")
        try:
            reason = _said(form.meant().one("reason"), "reason")
            await self._plane.retry(request.path_params["call_id"], who.principal, reason=reason)
        except InterlockError as error:
            return await self._page(request, error, form)
        return RedirectResponse(_address(request), 303)

    async def _page(self, request: Request, error: InterlockError | None = None, form: Form | None = None) -> Response:
        who, run_id, call_id = who_of(request), request.path_params["run_id"], request.path_params["call_id"]
        store = self._plane.store
        found = {"run_id": run_id, "call_id": call_id, "tenant": who.tenant}
        rows = await store.rows("tool_call", found, 1)
        if not rows:
            raise NotFound(f"no call {call_id!r}", code="call.not_found", remedy="Begin at the inbox.")
        conversation = await self._plane.plane.ledger.conversation(run_id, who.tenant)
        await conversation.refresh()
        call = conversation.state.calls[call_id]
        arguments, retried = await self._arguments(run_id, call_id)
        letters = await store.rows("dead_letter", found, 1)
        dead = bool(letters) and conversation.state.driver != "saga" and call.status == "closed"
        outcome = call.outcome
        typed = {name: form.one(name) for name in ("outcome", "note", "reason")} if form is not None else {}
        return self._view.page(
            request, "call.html", 200 if error is None else status_of(error), row=rows[0], call=call, outcome=outcome,
            arguments=None if arguments is None else shown_value(arguments, "arguments"),
            came=None if outcome is None or outcome.value is None else shown_value(outcome.value, "result"),
            may=who.may("operate"), dead=dead, letter=letters[0] if letters else None, retried=retried,
            words=conversation.state.words, effect_means=EFFECTS, error=error, typed=typed, at=_address(request),
            live="call run approval operator", live_run=run_id,
        )  # fmt: skip

    async def _arguments(self, run_id: str, call_id: str) -> tuple[Any, list[str]]:
        """What the call was decided on with, None where that was erased; and the runs in which it was tried again."""
        arguments, retried = None, []
        for event in await self._plane.store.tail(run_id):
            fact = event.fact
            if fact.call_id == call_id and fact.kind is Kind.CALL_DECIDED:
                arguments = fact.body.get("arguments", arguments)
            elif fact.call_id == call_id and fact.kind is Kind.OPERATOR and "run_id" in fact.body:
                retried.append(fact.body["run_id"])
        return json.loads(arguments) if isinstance(arguments, str) else arguments, retried


def _said(text: str, name: str) -> str:
    """A text that somebody has to write.

    Raises:
        BadInput: They have not.
    """
    if not text.strip() or len(text) > 2000:
        raise BadInput(
            f"{name}: none, or too long", code="console.reason", remedy="Say it in at most 2,000 characters."
        )
    return text


def _address(request: Request) -> str:
    said = request.path_params
    return f"/calls/{quote(said['run_id'], safe='')}/{quote(said['call_id'], safe='')}"

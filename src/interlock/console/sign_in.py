"""The pages by which somebody signs in and out: with a key, a link for one use, or their organisation's issuer.

Opening a page changes nothing; what signs in is a form that is posted, or the callback of a login that this very
browser began.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import urlencode

from interlock.api.asking import who_of
from interlock.api.gate import FORM
from interlock.api.oidc import COOKIE as LOGIN_COOKIE
from interlock.api.oidc import Logins
from interlock.api.oidc import unset_cookie as unset_login
from interlock.api.problem import status_of
from interlock.api.sessions import Proof, cookie_of, set_cookie, unset_cookie
from interlock.console.view import View
from interlock.errors import InterlockError, MissingExtra, NotEntitled, NotFound, NotSent
from interlock.gateway.crowd import Strangers

try:
    from starlette.requests import Request
    from starlette.responses import RedirectResponse, Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

OPEN: Final = (
    ("GET", "/sign-in"), ("POST", "/sign-in/key"), ("POST", "/sign-in/link"), ("GET", "/sign-in/oidc"),
    ("GET", "/sign-in/callback"),
)  # fmt: skip
"""What everybody may reach."""

_ONWARD_MAX: Final = 2000
_TEXT_MAX: Final = 4096


def routes(view: View) -> Sequence[BaseRoute]:
    """The pages of signing in and out."""
    pages = _Pages(view)
    return [
        Route("/sign-in", pages.choices), Route("/sign-in/key", pages.by_key, methods=["POST"]),
        Route("/sign-in/link", pages.by_link, methods=["POST"]), Route("/sign-in/oidc", pages.to_issuer),
        Route("/sign-in/callback", pages.from_issuer), Route("/sign-out", pages.out, methods=["POST"]),
    ]  # fmt: skip


class _Pages:
    """The pages, and how often somebody may be wrong."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._identity = view.site.identity
        self._strangers = Strangers(view.site.clock)

    async def choices(self, request: Request) -> Response:
        """By what one may sign in."""
        asked = request.query_params
        return self._choices(request, onward(asked.get("next", "")), link=asked.get("link", "")[:_TEXT_MAX])

    async def by_key(self, request: Request) -> Response:
        """Sign in with the key that was typed."""
        fields = _fields(request)
        onto = onward(fields.get("next", ""))
        try:
            key = await self._view.site.ring.find(fields.get("key", "").strip()[:_TEXT_MAX])
            proof = Proof(principal=key.principal, by="key", key_id=key.id, since_us=self._view.site.now_us)
            return await self._opened(request, proof, onto)
        except NotEntitled as error:
            self._note(request)
            return self._choices(request, onto, error)

    async def by_link(self, request: Request) -> Response:
        """Use up a link."""
        fields = _fields(request)
        onto = onward(fields.get("next", ""))
        try:
            return await self._opened(request, self._identity.links.open(fields.get("link", "")), onto)
        except NotEntitled as error:
            self._note(request)
            return self._choices(request, onto, error)

    async def to_issuer(self, request: Request) -> Response:
        """Send the browser to the issuer, with what it has to come back with."""
        asked = request.query_params
        onto = onward(asked.get("next", ""))
        try:
            url, cookie = await self._logins().begin(onto, anew=asked.get("anew") == "1")
        except NotSent as error:
            return self._choices(request, onto, error)
        return RedirectResponse(url, 303, {"set-cookie": cookie})

    async def from_issuer(self, request: Request) -> Response:
        """Take the browser back, if it is the one that left.

        The answer is a page that leads on, and no redirect: a browser that was sent here by another site keeps the
        cookie of the session, and would not send it along with a redirect.
        """
        cookie = cookie_of(request.headers.get("cookie", ""), LOGIN_COOKIE)
        try:
            proof, onto = await self._logins().finish(cookie, request.url.query)
            session, value = await self._identity.sessions.open(proof)
        except (NotEntitled, NotSent) as error:
            self._note(request)
            answer = self._choices(request, "/", error)
            answer.headers.append("set-cookie", unset_login())
            return answer
        answer = self._view.page(request, "signed_in.html", onward=onward(onto), person=session.principal.id)
        answer.headers.append("set-cookie", unset_login())
        answer.headers.append("set-cookie", set_cookie(value))
        return answer

    async def out(self, request: Request) -> Response:
        """End this session, or all of one's own."""
        who = who_of(request)
        if _fields(request).get("everywhere") == "1":
            await self._identity.sessions.end_all(who.principal.id, who)
        else:
            await self._identity.sessions.end(who)
        return RedirectResponse("/sign-in", 303, {"set-cookie": unset_cookie()})

    async def _opened(self, request: Request, proof: Proof, onto: str) -> Response:
        """Open a session in the place of the one that this browser had, which is over."""
        _, value = await self._identity.sessions.open(proof)
        with suppress(NotEntitled):
            before = await self._identity.sessions.find(cookie_of(request.headers.get("cookie", "")))
            await self._identity.sessions.end(before.who(()))
        return RedirectResponse(onto, 303, {"set-cookie": set_cookie(value)})

    def _choices(self, request: Request, onto: str, error: InterlockError | None = None, link: str = "") -> Response:
        logins = self._identity.logins
        anew = {"anew": "1"} if request.query_params.get("anew") == "1" else {}
        return self._view.page(
            request, "sign_in.html", 200 if error is None else _status(error), onward=onto, link=link, error=error,
            issuer=None if logins is None else logins.said.name, query=urlencode({"next": onto} | anew),
        )  # fmt: skip

    def _logins(self) -> Logins:
        if self._identity.logins is None:
            raise NotFound("nobody's people sign in here", code="oidc.none", remedy="Sign in with a key.")
        return self._identity.logins

    def _note(self, request: Request) -> None:
        """One more who is nobody.

        Raises:
            BadInput: There were too many lately from there.
        """
        self._strangers.note(request.client.host if request.client is not None else "")


def onward(said: str) -> str:
    """The page of this console that somebody wanted; the first one for every address that is none of ours (T12)."""
    ours = said.startswith("/") and not said.startswith(("//", "/\\", "/sign-"))
    return said if ours and len(said) <= _ONWARD_MAX and said.isascii() and said.isprintable() else "/"


def _fields(request: Request) -> dict[str, str]:
    return dict(request.scope[FORM])


def _status(error: InterlockError) -> int:
    return 502 if isinstance(error, NotSent) else status_of(error)

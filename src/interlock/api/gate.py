"""What stands before the API and the console: nothing reaches a route that was not let in.

In this order: the head, the name and the page that a request comes by, whose it is, its body, and that a form is one
of ours. What is open to everybody is a closed list; a route that nobody thought of answers 401 (threats T16, T20, T25).
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from interlock.api.admission import Admission
from interlock.api.problem import MEDIA, problem, status_of
from interlock.api.who import Who
from interlock.core.clock import Clock
from interlock.core.ids import IdMaker
from interlock.errors import BadInput, InterlockError, NotEntitled
from interlock.gateway.address import Addresses
from interlock.gateway.asgi import Application, Receive, Scope, Send, header
from interlock.gateway.body import once, read_body
from interlock.gateway.crowd import Crowd, Strangers
from interlock.gateway.head import check_head
from interlock.gateway.message import MESSAGE_MAX

logger = logging.getLogger("interlock.api")

WHO: Final = "interlock.who"
"""In the scope of a request that was let in: the `Who`; absent where it is open to everybody."""

FORM: Final = "interlock.form"
"""In the scope of a form that was posted: its fields as pairs, the token left out."""

TOKEN: Final = "csrf"
"""The field of a form that says that it is one of ours."""

STREAMS_MAX: Final = 600
"""Streams of one person that may be open at the same time, over all of their windows."""

_BODY_S: Final = 20.0
_FIELDS_MAX: Final = 200
_OF_NOBODY_MAX: Final = 32 << 10
"""Bytes of a body of somebody who is nobody yet: a key, or a link, and where they wanted to."""

_SAFE: Final = frozenset({"GET", "HEAD"})
_BY_KEY: Final = ("/api/", "/metrics")
_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", _CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),  # without any, browsers say of our own forms that they come from `null`
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
)

Shown = Callable[[Scope, Receive, Send, InterlockError, int], Awaitable[None]]
"""Answers a person's request with a page that says what is wrong."""


@dataclass(frozen=True, slots=True)
class Open:
    """What everybody may reach: a closed list.

    Attributes:
        routes: Method and exact path of each.
        folder: Where files stand that everybody may fetch; empty for nowhere.
    """

    routes: Collection[tuple[str, str]] = ()
    folder: str = ""

    def has(self, method: str, path: str) -> bool:
        """Whether this is one of them."""
        if (method, path) in self.routes:
            return True
        return bool(self.folder) and method in _SAFE and path.startswith(self.folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What the gate is told.

    Attributes:
        addresses: By which names, and from which pages, requests may come.
        open: What everybody may reach.
        shown: Answers a person who is turned away.
        streams: Paths of answers that go on until somebody leaves: there may be more of them at a time.
    """

    addresses: Addresses
    open: Open
    shown: Shown
    streams: Collection[str] = ()


class Gate:
    """An ASGI application before the API's and the console's."""

    def __init__(
        self, inner: Application, admission: Admission, protection: Protection, clock: Clock, new_id: IdMaker
    ) -> None:  # fmt: skip
        self._inner = inner
        self._admission = admission
        self._protection = protection
        self._new_id = new_id
        self._crowd = Crowd()
        self._streams = Crowd(STREAMS_MAX)
        self._strangers = Strangers(clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or one WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            return
        scope = {**scope, "headers": [(name, value.strip(b" \t")) for name, value in scope["headers"]]}
        answer = _Answer(scope, send)
        try:
            await self._let_in(scope, receive, answer)
        except InterlockError as error:
            await self._turn_away(scope, receive, answer, error)
        except Exception:
            request_id = self._new_id("request")
            logger.exception("a defect, in %s", request_id)
            said = f"a defect here, {request_id}"
            defect = BadInput(said, code="http.defect", remedy="Give this number to whoever runs it.")
            await self._turn_away(scope, receive, answer, defect)

    async def _let_in(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        check_head(scope)
        self._protection.addresses.check(scope)
        method, path = scope.get("method", "WEBSOCKET"), scope["path"]  # nothing that is open is a WebSocket
        if self._protection.open.has(method, path):
            who = None
        else:
            who = scope[WHO] = await self._admitted(scope)
            answer.cookie = who.renewed.encode("latin-1")
        if scope["type"] == "websocket":
            assert who is not None, "no WebSocket is on the list of what is open"
            with self._streams.one(who.principal, stream=True):
                await self._inner(scope, receive, answer.send)
            return
        if who is None:
            await self._routed(scope, receive, answer, who)
            return
        stream = path in self._protection.streams  # what a request says of itself gives it no more room
        with (self._streams if stream else self._crowd).one(who.principal, stream=stream):
            await self._routed(scope, receive, answer, who)

    async def _routed(self, scope: Scope, receive: Receive, answer: _Answer, who: Who | None) -> None:
        """Read its body, which counts among what somebody has under way, and hand it to its route."""
        if scope["method"] not in _SAFE:
            page = not by_key(scope["path"])
            if page:
                _check_origin(scope)
            body = await read_body(receive, scope, _BODY_S, _OF_NOBODY_MAX if who is None else MESSAGE_MAX)
            if body is None:
                return
            if page:
                scope[FORM] = self._form(scope, body, who)
            receive = once(body, receive)
        await self._inner(scope, receive, answer.send)

    async def _admitted(self, scope: Scope) -> Who:
        try:
            if by_key(scope["path"]):
                return await self._admission.bearer(header(scope, b"authorization"))
            return await self._admission.session(header(scope, b"cookie"))
        except NotEntitled:
            self._strangers.note(str((scope.get("client") or ("",))[0]))
            raise
        except InterlockError as error:
            logger.error("whose a request is cannot be found out: %s", error)
            raise BadInput("try again later", code="http.later") from None

    def _form(self, scope: Scope, body: bytes, who: Who | None) -> list[tuple[str, str]]:
        """The fields of a form that is one of ours.

        Raises:
            BadInput: It is none (`http.media`, `http.form`).
        """
        media = header(scope, b"content-type").partition(";")[0].strip().lower()
        if media != "application/x-www-form-urlencoded":
            raise BadInput("the body is no form", code="http.media", remedy="Send it from a page of the console.")
        try:
            fields = parse_qsl(
                body.decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=_FIELDS_MAX,
                errors="strict",
            )  # fmt: skip
        except (UnicodeDecodeError, ValueError):
            raise BadInput("the form cannot be read", code="http.form", remedy="Load its page again.") from None
        tokens = [value for name, value in fields if name == TOKEN]
        if who is not None and not (
            len(tokens) == 1 and hmac.compare_digest(tokens[0].encode(), self._admission.csrf(who).encode())
        ):
            raise BadInput("this form is not one of your session's", code="http.form", remedy="Load its page again.")
        return [(name, value) for name, value in fields if name != TOKEN]

    async def _turn_away(self, scope: Scope, receive: Receive, answer: _Answer, error: InterlockError) -> None:
        if answer.begun:
            return
        status = status_of(error)
        if scope["type"] == "websocket":
            await _refuse_socket(scope, receive, answer.send, status)
        elif by_key(scope["path"]):
            challenge = ((b"www-authenticate", b"Bearer"),) if status == 401 else ()
            await _tell(answer.send, status, problem(error, scope["path"]), challenge)
        else:
            await self._protection.shown(scope, receive, answer.send, error, status)


class _Answer:
    """One answer, with the headers that every one of them has."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self.begun = False
        self.cookie = b""

    async def send(self, message: Any) -> None:
        """Pass a message of the answer on."""
        self.begun = True
        if message["type"] == "http.response.start":
            had = {name.lower() for name, _ in message["headers"]}
            more = [pair for pair in _HEADERS if pair[0] not in had]
            if b"cache-control" not in had:
                more.append((b"cache-control", b"no-store"))
            if self.cookie and b"set-cookie" not in had:
                more.append((b"set-cookie", self.cookie))
            message = {**message, "headers": [*message["headers"], *more]}
        await self._send(message)


def by_key(path: str) -> bool:
    """Whether what stands there is for programs, which come with a key or a token and never with a session."""
    return path.startswith(_BY_KEY)


def _check_origin(scope: Scope) -> None:
    """Refuse what changes something and does not say from which page it comes: every browser does.

    Raises:
        BadInput: It does not (`http.origin`); a wrong one was refused before.
    """
    if not header(scope, b"origin") or header(scope, b"sec-fetch-site") not in ("", "same-origin"):
        raise BadInput(
            "this did not come from a page of ours", code="http.origin", remedy="Use the console's own pages."
        )


async def _tell(send: Send, status: int, said: dict[str, Any], more: Collection[tuple[bytes, bytes]]) -> None:
    body = json.dumps(said).encode()
    head = [(b"content-type", MEDIA.encode()), (b"content-length", b"%d" % len(body)), *more]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def _refuse_socket(scope: Scope, receive: Receive, send: Send, status: int) -> None:
    """Answer a WebSocket that is not let in, with its status where the server can say one."""
    await receive()
    if "websocket.http.response" in scope.get("extensions", {}):
        await send({"type": "websocket.http.response.start", "status": status, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})
    else:
        await send({"type": "websocket.close", "code": 1008})

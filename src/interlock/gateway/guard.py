"""What stands before the door over HTTP: nothing reaches the SDK that was not let in, read whole and found sound.

In this order, and what is refused has cost no more than that: its head, the name and the page that it comes by, whose
it is, its path and method, whether there is room, whose session, its body, and whether head and body agree.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from interlock.core.canonical import Json
from interlock.core.clock import Clock
from interlock.core.ids import IdMaker
from interlock.errors import BadInput, InterlockError, NotEntitled, NotFound
from interlock.gateway.address import Addresses
from interlock.gateway.admission import Admission
from interlock.gateway.agreement import check_agreement
from interlock.gateway.asgi import Headers, Receive, Scope, Send, answer, header, turn_away
from interlock.gateway.body import once, read_body
from interlock.gateway.crowd import Crowd, Strangers
from interlock.gateway.head import check_head, check_method
from interlock.gateway.message import Message, read_message
from interlock.gateway.sessions import Sessions
from interlock.keys import Key

logger = logging.getLogger("interlock.gateway")

SESSION = b"mcp-session-id"

MESSAGE = "interlock.message"
"""In the scope of what was posted and let in: the `Message` as it was read."""

Inner = Callable[[Key, Scope, Receive, Send], Awaitable[None]]
"""The door: answers a request of somebody who was let in."""

_LISTEN = "subscriptions/listen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What the guard is told.

    Attributes:
        addresses: By which names, and from which pages, requests may come.
        challenge: `WWW-Authenticate` of an answer to nobody.
        documents: What everybody may read, by path: where tokens come from, and nothing else.
        body_s: Seconds within which a body must have come.
    """

    addresses: Addresses = field(default_factory=Addresses)
    challenge: str = "Bearer"
    documents: Mapping[str, dict[str, Json]] = field(default_factory=dict)
    body_s: float = 20.0


class Guard:
    """An ASGI application before the door's.

    Args:
        path: The one path that there is; whoever has a key is told 404 for every other, and nobody else anything.
    """

    def __init__(
        self, inner: Inner, admission: Admission, path: str, protection: Protection, clock: Clock, new_id: IdMaker
    ) -> None:  # fmt: skip
        self._inner = inner
        self._admission = admission
        self._path = path
        self._protection = protection
        self._new_id = new_id
        self._crowd = Crowd()
        self._strangers = Strangers(clock)
        self._sessions = Sessions()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        exchange = _Exchange(send)
        # spaces round a value are no part of it, and the parser leaves those behind it
        scope = {**scope, "headers": [(name, value.strip(b" \t")) for name, value in scope["headers"]]}
        try:
            await self._answer(exchange, scope, receive)
        except InterlockError as error:
            await exchange.turn_away(error)
        except Exception:
            request_id = self._new_id("request")
            logger.exception("a defect, in %s", request_id)
            await exchange.turn_away(BadInput(f"a defect here, {request_id}", code="http.defect"))

    async def _answer(self, exchange: _Exchange, scope: Scope, receive: Receive) -> None:
        check_head(scope)
        self._protection.addresses.check(scope)
        document = self._protection.documents.get(scope["path"])
        if document is not None and scope["method"] == "GET":
            await answer(exchange.send, 200, document)
            return
        key = await self._admitted(exchange, scope)
        if scope["path"] != self._path:
            raise NotFound("not found", code="http.path")
        check_method(scope)
        session = header(scope, SESSION)
        if session:
            self._sessions.check(key.principal, session)
        with self._crowd.one(key.principal, stream=scope["method"] == "GET") as exchange.ended:
            if scope["method"] == "POST":
                await self._posted(exchange, key, scope, receive)
            else:
                await self._inner(key, scope, receive, exchange.send)
        if session and (exchange.status == 404 or (scope["method"] == "DELETE" and exchange.status < 300)):
            self._sessions.ended(key.principal, session)

    async def _admitted(self, exchange: _Exchange, scope: Scope) -> Key:
        try:
            return await self._admission.admit(header(scope, b"authorization"))
        except NotEntitled:
            exchange.more = ((b"www-authenticate", self._protection.challenge.encode("latin-1")),)
            self._strangers.note(str((scope.get("client") or ("",))[0]))
            raise
        except InterlockError as error:
            logger.error("whose a request is cannot be found out: %s", error)
            raise BadInput("try again later", code="http.later") from None

    async def _posted(self, exchange: _Exchange, key: Key, scope: Scope, receive: Receive) -> None:
        body = await read_body(receive, scope, self._protection.body_s)
        if body is None:
            return  # the client is gone, and with it whoever wanted an answer
        message = read_message(body)
        exchange.asked = message.asked if message.is_request else None
        check_agreement(scope, message)
        session = header(scope, SESSION)
        if message.method == "initialize" and not session:
            await self._make_room(key)
            exchange.opened = partial(self._sessions.opened, key.principal)
        scope = {**scope, "headers": _with_length(scope, message), MESSAGE: message}
        inner = partial(self._inner, key, scope, once(message.text, receive), exchange.send)
        if not message.is_request:
            await inner()
            return
        with self._crowd.asking(session, str(message.asked)):
            if message.method == _LISTEN:
                with self._crowd.one(key.principal, stream=True):
                    await inner()
            else:
                await inner()

    async def _make_room(self, key: Key) -> None:
        """End the session that is one too many, as its owner would."""
        session = self._sessions.surplus(key.principal)
        if not session:
            return
        self._sessions.ended(key.principal, session)
        head = [(SESSION, session.encode("latin-1"))]
        scope: Scope = {"type": "http", "method": "DELETE", "path": self._path, "query_string": b"", "headers": head}
        await self._inner(key, scope, _nothing, _nowhere)


class _Exchange:
    """One request's answer, and what is known of it.

    Attributes:
        asked: The id of the request, once it could be read.
        more: Headers of a refusal.
        status: Of the answer that was begun; 0 before.
        opened: Told the session that the answer names, before the client is; None where none can be opened.
        ended: Told that the last of an answer to a request is out: its client may send the next one while this one is
            being cleared away. A notification has only been taken by then, and counts until it is dealt with.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self.asked: str | int | None = None
        self.more: Headers = ()
        self.status = 0
        self.opened: Callable[[str], None] | None = None
        self.ended: Callable[[], None] = _nothing_more

    async def send(self, message: Any) -> None:
        """Pass a message of the answer on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            session = header({"headers": message["headers"]}, SESSION)
            if session and self.opened is not None and self.status < 400:
                self.opened(session)
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body") and self.asked is not None:
            self.ended()

    async def turn_away(self, error: InterlockError) -> None:
        """Answer with an error, unless an answer was begun."""
        if not self.status:
            await turn_away(self.send, error, self.asked, self.more)


def _nothing_more() -> None:
    """Nobody counts this one."""


async def _nothing() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _nowhere(message: Any) -> None:
    """Nobody waits for this answer."""


def _with_length(scope: Scope, message: Message) -> list[tuple[bytes, bytes]]:
    kept = [(name, value) for name, value in scope["headers"] if name not in (b"content-length", b"transfer-encoding")]
    return [*kept, (b"content-length", b"%d" % len(message.text))]

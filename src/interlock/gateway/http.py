"""The door over HTTP: one ASGI application of one path, and the server that listens. A leaf of the extra `server`."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio

from interlock.core.canonical import Json
from interlock.errors import InterlockError, MissingExtra, NotEntitled, SettingsError
from interlock.gateway.admission import Admission
from interlock.gateway.caller import Caller
from interlock.gateway.door import Door
from interlock.gateway.hot_path import HotPath
from interlock.gateway.protocol import Context, Protocol
from interlock.keys import Key

try:
    import uvicorn
    from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
    from mcp.server.auth.provider import AccessToken
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
except ImportError:
    raise MissingExtra("the gateway needs an extra", remedy="Install `interlock[mcp,server]`.") from None

logger = logging.getLogger("interlock.gateway")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application: what stands before the door takes one and is one."""

KEY = "interlock.key"
"""In the scope of a request that was let in: the `Key`, with the principal and what it opens."""

SESSION = b"mcp-session-id"


class HttpDoor:
    """The door as an ASGI application. What is to stand before it (`guard(application)`) goes round `application`.

    Args:
        admission: Says whose each request is, before anything of it is read.
        path: Its one path; every other answers 404.
    """

    def __init__(self, door: Door, admission: Admission, path: str) -> None:
        self._door = door
        self._admission = admission
        self._path = path
        self.protocol = Protocol(door, _caller)
        self._hot_path = HotPath(door, self.protocol, door.plane.plane.clock)
        self._manager = StreamableHTTPSessionManager(app=self.protocol.server)

    async def application(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] != self._path:
            await _answer(send, 404, {"error": "not found"})
            return
        try:
            key = await self._admission.admit(_header(scope, b"authorization"))
        except NotEntitled as error:
            await _answer(
                send, 401, {"error": str(error.args[0]), "code": error.code}, ((b"www-authenticate", b"Bearer"),)
            )
            return
        except InterlockError as error:
            logger.error("whose a request is cannot be found out: %s", error)
            await _answer(send, 503, {"error": "try again later"})
            return
        scope["headers"] = [
            (name, value.strip(b" \t")) for name, value in scope["headers"]
        ]  # space around is no part of it
        scope[KEY] = key
        scope["user"] = _user(key)  # the SDK binds a session to it: nobody else's request is of that session
        caller = Caller(principal=key.principal, scopes=key.scopes, session=_header(scope, SESSION))
        left = await self._hot_path.answered(caller, scope, receive, send)
        if left is None:
            return
        await self._manager.handle_request(scope, left, send)
        if scope["method"] == "DELETE":
            session = _header(scope, SESSION)
            self.protocol.forget(session)
            await self._door.conversations.end(session)

    async def drained(self, within_s: float) -> None:
        """Wait until no call is under way, at most so many seconds."""
        await self._door.drained(within_s)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Sessions live as long as the block; streams that are open when it is left end with it."""
        registry = self._door.plane
        async with self._manager.run(), anyio.create_task_group() as tasks:
            tasks.start_soon(self.protocol.changes.watch, lambda: registry.plane.registry)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()


async def serve_door(
    door: HttpDoor, application: Application, listening: socket.socket, stop: anyio.Event, drain_s: float
) -> None:  # fmt: skip
    """Serve until `stop`, then take nothing new and give what is being answered `drain_s` seconds to end.

    Args:
        application: The door's, with whatever stands before it.
        listening: A socket that listens; it is closed at the end.
    """
    config = uvicorn.Config(
        application, interface="asgi3", loop="none", http="httptools", ws="none", lifespan="off", log_config=None,
        access_log=False, server_header=False, proxy_headers=False, timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = _Server(config)
    async with anyio.create_task_group() as tasks, door.open():
        tasks.start_soon(server.serve, [listening])
        await stop.wait()
        server.should_exit = True
        await door.drained(drain_s)


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes a free one.

    Raises:
        SettingsError: It cannot be.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # the protocol is named because asyncio leaves Nagle's wait on where it is not: 40 ms of every call
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host.strip("[]"), port))
        made.listen(1024)  # from here on whoever connects waits until they are served
    except OSError as error:
        made.close()
        raise SettingsError(
            f"gateway: {host}:{port}: {error.strerror}", code="gateway.bind", remedy="Name another --host or --port."
        ) from None
    return made


class _Server(uvicorn.Server):
    """Leaves the signals to whoever started it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _caller(context: Context) -> Caller:
    """Who sent a request, by what was noted when it was let in."""
    scope: Scope = context.request.scope  # type: ignore[union-attr]  # the SDK has one for every request over HTTP
    key: Key = scope[KEY]
    session = _header(scope, SESSION)
    return Caller(principal=key.principal, scopes=key.scopes, session=session)


def _user(key: Key) -> AuthenticatedUser:
    who = key.principal
    token = AccessToken(token="", client_id=f"{len(who.tenant)}:{who.tenant}{who.id}", scopes=sorted(key.scopes))
    return AuthenticatedUser(token)


def _header(scope: Scope, name: bytes) -> str:
    """A header's value; empty where it is absent. One that stands twice is a value that nobody has."""
    return ", ".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)


async def _answer(
    send: Send, status: int, body: dict[str, Json], headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:  # fmt: skip
    head = [(b"content-type", b"application/json"), (b"cache-control", b"no-store"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})

"""The door over HTTP: one ASGI application of one path, and the server that listens. A leaf of the extra `server`."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import anyio

from interlock.errors import MissingExtra, SettingsError
from interlock.gateway.admission import Admission
from interlock.gateway.asgi import Application, Receive, Scope, Send, header, trace_of
from interlock.gateway.caller import Caller
from interlock.gateway.door import Door
from interlock.gateway.guard import SESSION, Guard, Protection
from interlock.gateway.hot_path import HotPath
from interlock.gateway.protocol import Context, Protocol
from interlock.gateway.wire import Wire
from interlock.gateway.wire_socket import SocketWire
from interlock.keys import Key

try:
    import uvicorn
    from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
    from mcp.server.auth.provider import AccessToken
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
except ImportError:
    raise MissingExtra("the gateway needs an extra", remedy="Install `interlock[mcp,server]`.") from None

SESSIONS_MAX: Final = 2000
"""Sessions of the older revisions that may be open at the same time, everybody's together."""

CONNECTIONS_MAX: Final = 1000
"""Connections that may be open at the same time; one more is told to come later."""


KEY = "interlock.key"
"""In the scope of a request that was let in: the `Key`, with the principal and what it opens."""


class HttpDoor:
    """The door as an ASGI application, behind its guard.

    Attributes:
        application: What is served: the guard, and nothing that goes round it.

    Args:
        admission: Says whose each request is, before anything of it is read.
        path: Its one path; every other answers 404 to whoever has a key.
        protection: What the guard is told beside; what is right for an address of this machine, where left out.
    """

    def __init__(self, door: Door, admission: Admission, path: str, protection: Protection | None = None) -> None:
        self._door = door
        self.protocol = Protocol(door, _caller)
        self._hot_path = HotPath(door, self.protocol, door.plane.plane.clock)
        self._manager = StreamableHTTPSessionManager(app=self.protocol.server, max_sessions=SESSIONS_MAX)
        plane = door.plane.plane
        guard = Guard(self._answer, admission, path, protection or Protection(), plane.clock, plane.new_id)
        self.application: Application = guard

    async def _answer(self, key: Key, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request that the guard let in."""
        scope[KEY] = key
        scope["user"] = _user(key)  # the SDK binds a session to it: nobody else's request is of that session
        caller = _of(key, scope)
        if await self._hot_path.answered(caller, scope, send):
            return
        await self._manager.handle_request(scope, receive, send)
        if scope["method"] == "DELETE":
            session = header(scope, SESSION)
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
    server = _Server(listener(application))
    async with anyio.create_task_group() as tasks, door.open():
        tasks.start_soon(server.serve, [listening])
        await stop.wait()
        server.should_exit = True
        await door.drained(drain_s)


def listener(application: Application) -> uvicorn.Config:
    """How an application is served: what is bounded of every connection, and that nothing of it is logged."""
    return uvicorn.Config(
        application, interface="asgi3", loop="none", http=Wire, limit_concurrency=CONNECTIONS_MAX,
        ws=SocketWire, ws_max_size=64 << 10,
        lifespan="off", log_config=None, log_level="error",
        access_log=False, server_header=False, proxy_headers=False, timeout_graceful_shutdown=2,
    )  # fmt: skip


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
    return _of(key, scope)


def _of(key: Key, scope: Scope) -> Caller:
    return Caller(
        principal=key.principal, scopes=key.scopes, session=header(scope, SESSION), trace=trace_of(scope)
    )  # fmt: skip


def _user(key: Key) -> AuthenticatedUser:
    who = key.principal
    token = AccessToken(token="", client_id=f"{len(who.tenant)}:{who.tenant}{who.id}", scopes=sorted(key.scopes))
    return AuthenticatedUser(token)

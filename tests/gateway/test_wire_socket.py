"""When the bytes of a WebSocket are read at all; that they are few is held by `tests/api/test_watch.py`."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest
from uvicorn.server import ServerState

from interlock.gateway.asgi import Receive, Scope, Send
from interlock.gateway.http import listener
from interlock.gateway.wire_socket import SocketWire

pytestmark = pytest.mark.anyio

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: a2tra2tra2tra2tra2traw==\r\n\r\n"
)


class Line(asyncio.Transport):
    """A connection that says whether it is read."""

    reading = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return False

    def write(self, data: Any) -> None:
        """To nobody."""

    def close(self) -> None:
        """Nothing is open."""


async def test_nothing_of_a_client_is_read_before_it_is_known_whose_it_is() -> None:
    """T20, T30: frames are read in the loop that all share, and a stranger could send many of them."""
    known, asked = anyio.Event(), anyio.Event()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await known.wait()
        await receive()
        asked.set()

    config, line = listener(application), Line()
    config.load()
    wire = SocketWire(config, ServerState(), {})
    wire.connection_made(line)
    wire.data_received(HANDSHAKE)
    assert not line.reading
    known.set()
    with anyio.fail_after(5):
        await asked.wait()
    assert line.reading

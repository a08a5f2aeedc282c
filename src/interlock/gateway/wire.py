"""The bytes of a connection before they are a request: a head of a bounded length in a bounded time, and no trailers.

A leaf of the extra `server`. The parser has no bound of its own, and it would add what follows a chunked body to the
headers of a request that was judged already.
"""

from __future__ import annotations

from typing import Any, Final

from interlock.errors import MissingExtra

try:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
except ImportError:
    raise MissingExtra("the gateway needs an extra", remedy="Install `interlock[mcp,server]`.") from None

HEAD_MAX: Final = 40 << 10
"""Bytes of a request line and its headers; the guard says more exactly what headers may have."""

HEAD_S: Final = 10.0
"""Seconds from the beginning of a connection, or of a further request on it, until its head must have come."""

REQUEST_MAX: Final = 8 << 20
"""Bytes of one request with everything round its body: a body in chunks of one byte is six times as long."""


WAITING_MAX: Final = 64 << 10
"""Bytes of an answer that wait for more of it."""


class Together:
    """A transport on which what is written within one turn of the loop leaves at once: an answer's head and body.

    Two packets cost both ends twice as much as one.
    """

    def __init__(self, transport: Any, loop: Any) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Keep it until the loop turns."""
        if not self._waiting:
            self._loop.call_soon(self._send)
        self._waiting.append(data)
        self._size += len(data)
        if self._size > WAITING_MAX:
            self._send()

    def close(self) -> None:
        """Send what waits, and end."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._waiting:
            whole, self._waiting, self._size = b"".join(self._waiting), [], 0
            self._transport.write(whole)


class Wire(HttpToolsProtocol):
    """One connection."""

    _got = 0
    _in_head = True
    _until: Any = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a head."""
        super().connection_made(Together(transport, self.loop))  # type: ignore[arg-type]  # it is all that one is
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless it has become too much."""
        self._got += len(data)
        super().data_received(data)
        if self._got > (HEAD_MAX if self._in_head else REQUEST_MAX):
            self._cut()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._got, self._in_head = 0, True
        self._wait()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is whole: nothing is added to it any more."""
        self._in_head = False
        self._wait_no_more()
        super().on_headers_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what comes after the body is none."""
        if self._in_head:
            super().on_header(name, value)

    def _wait(self) -> None:
        self._wait_no_more()
        self._until = self.loop.call_later(HEAD_S, self._cut)

    def _wait_no_more(self) -> None:
        if self._until is not None:
            self._until.cancel()
            self._until = None

    def _cut(self) -> None:
        self._wait_no_more()
        if not self.transport.is_closing():
            self.transport.abort()

"""The bytes that a client sends over a WebSocket here, which only tells: next to none, and none before it is let in.

A leaf of the extra `server`. Each frame is read before anybody may look at it, in the one loop that all share: many
tiny ones stop everybody for as long as they last, and the answers to pings wait in memory for whoever never reads.
"""

from __future__ import annotations

from typing import Any, Final

from interlock.errors import MissingExtra

try:
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
except ImportError:
    raise MissingExtra("the gateway needs an extra", remedy="Install `interlock[mcp,server]`.") from None

SENT_MAX: Final = 4 << 10
"""Bytes that a client may send between two pings of ours, 20 seconds apart: room for its own pings, pongs and end."""


class SocketWire(WebSocketsSansIOProtocol):
    """One connection."""

    _got = 0

    def handle_connect(self, event: Any) -> None:
        """Take the handshake, and read on once the application asks: it asks when it knows whose it is."""
        super().handle_connect(event)
        self.read_paused = True
        self.transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        """Read on, unless it has become too much."""
        if self.handshake_initiated:
            self._got += len(data)
            if self._got > SENT_MAX:
                self.transport.abort()
                return
        super().data_received(data)

    def send_keepalive_ping(self) -> None:
        """Ask whether it is still there: it has room again."""
        self._got = 0
        super().send_keepalive_ping()

"""Clients that cost little: JSON-RPC over one kept connection each, as bytes that were made before.

What measures must not be what is measured: the official client takes longer for a call than most servers do.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import httptools

PROTOCOL = "2025-06-18"
"""The revision that every peer speaks."""

_SERVED = re.compile(rb"rain.*?served (\d+)")


class Refused(Exception):
    """A server answered with something else than what a call is to bring."""


class Connection(asyncio.Protocol):
    """One kept connection: one request at a time, its answer whole."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[tuple[int, bytes]]
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._transport: Any = None
        self.session = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if hasattr(self, "_answer") and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("closed before it answered"))

    @property
    def closed(self) -> bool:
        """Whether the server has ended it."""
        return self._transport.is_closing()

    def close(self) -> None:
        """End it."""
        self._transport.close()

    def send(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """The status and the body of what is answered to this request."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"mcp-session-id":
            self.session = value

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        body = b"".join(self._body)
        status = self._parser.get_status_code()
        self._parser, self._body = httptools.HttpResponseParser(self), []
        self._answer.set_result((status, body))


class Client:
    """A client of one server: its connection, its session, and its calls as bytes.

    Args:
        port: Where the server listens on loopback.
        path: Of its endpoint.
        tool: As the server calls it.
        headers: Besides the protocol's.
    """

    def __init__(self, port: int, path: str, tool: str, headers: dict[str, str]) -> None:
        self._port = port
        self._path = path
        self._tool = tool
        self._headers = headers
        self._connection: Connection
        self._calls: list[bytes] = []

    async def open(self, arguments: list[dict[str, Any]]) -> None:
        """Connect, shake hands, and write down a call with each of these arguments.

        Raises:
            OSError, Refused: The server is not there, or does not shake hands.
        """
        await self._connect()
        hello = {
            "protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": {"name": "load", "version": "1"},
        }  # fmt: skip
        status, body = await self._connection.send(self._request(_message("initialize", hello, 0)))
        if status != 200 or b"protocolVersion" not in body:
            raise Refused(f"initialize: {status} {body[:300]!r}")
        initialized = json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}).encode()
        status, body = await self._connection.send(self._request(initialized))
        if status not in (200, 202, 204):
            raise Refused(f"initialized: {status} {body[:300]!r}")
        self._calls = [
            self._request(_message("tools/call", {"name": self._tool, "arguments": each}, n))
            for n, each in enumerate(arguments, 1)
        ]

    async def ready(self) -> None:
        """Connect again where the server has ended a connection that waited."""
        await asyncio.sleep(0.001)  # a worker that waits for its turn reads nothing, the end of a connection neither
        if self._connection.closed:
            session = self._connection.session
            await self._connect()
            self._connection.session = session

    async def call(self, n: int) -> bytes:
        """The body of what is answered to the call with the nth arguments."""
        status, body = await self._connection.send(self._calls[n % len(self._calls)])
        if status != 200:
            raise Refused(f"{status}: {body[:300]!r}")
        return body

    async def ask(self, method: str, params: dict[str, Any]) -> bytes:
        """The body of what is answered to one other request."""
        _, body = await self._connection.send(self._request(_message(method, params, 0)))
        return body

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    async def _connect(self) -> None:
        _, self._connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self._port)

    def _request(self, body: bytes) -> bytes:
        head = {
            "Host": f"127.0.0.1:{self._port}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Content-Length": str(len(body)),
            "MCP-Protocol-Version": PROTOCOL,
            **self._headers,
        }
        if self._connection.session:
            head["Mcp-Session-Id"] = self._connection.session.decode()
        lines = [f"POST {self._path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body


def number_served(body: bytes) -> int:
    """Which call of the server behind this answer is, by its own count.

    Raises:
        Refused: It is not the tool's answer.
    """
    found = _SERVED.search(body)
    if found is None:
        raise Refused(body[:500].decode(errors="replace"))
    return int(found[1])


def _message(method: str, params: dict[str, Any], number: int) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode()

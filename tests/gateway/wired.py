"""Requests byte by byte, as no client library would send them, and what came back."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import anyio

from tests.gateway.served import NEW, Served

VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"


class Came(NamedTuple):
    """An answer."""

    status: int
    head: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The JSON-RPC error that it is."""
        error: dict[str, Any] = json.loads(self.body)["error"]
        return error

    @property
    def code(self) -> str:
        """Which of ours."""
        code: str = self.error["data"]["code"]
        return code


async def sent(url: str, raw: bytes) -> Came:
    """The answer to these bytes; status 0 where the connection was closed without one."""
    where = urlsplit(url)
    assert where.hostname is not None
    with anyio.fail_after(30):
        async with await anyio.connect_tcp(where.hostname, where.port or 80) as stream:
            with suppress(anyio.BrokenResourceError):  # it may be closed before the whole was taken
                await stream.send(raw)
            return await answered(stream)


async def answered(stream: anyio.abc.SocketStream) -> Came:
    """What comes back on a connection."""
    got = b""
    while not _whole(got):
        try:
            got += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            break
    lines, head, body = _parts(got)
    return Came(int(lines[0].split()[1]) if len(lines) > 1 else 0, head, body)


def _whole(got: bytes) -> bool:
    _, head, body = _parts(got)
    return b"\r\n\r\n" in got and len(body) >= int(head.get("content-length", "0"))


def _parts(got: bytes) -> tuple[list[str], dict[str, str], bytes]:
    head, _, body = got.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    return lines, dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line), body


def request(gateway: Served, body: bytes = b"", **changed: str | None) -> bytes:
    """A request of Ana's with these bytes, and with headers that are another (`_` for `-`) or absent (None)."""
    given = {"path": "/mcp", "method": "POST", **{key: value for key, value in changed.items() if value is not None}}
    head: dict[str, str | None] = {
        "host": urlsplit(gateway.url).netloc, "authorization": f"Bearer {gateway.keys['ana']}",
        "content-type": "application/json", "accept": "application/json, text/event-stream",
        "content-length": str(len(body)),
    }  # fmt: skip
    head |= {key.replace("_", "-"): value for key, value in changed.items() if key not in ("path", "method")}
    lines = [
        f"{given['method']} {given['path']} HTTP/1.1",
        *[f"{key}: {value}" for key, value in head.items() if value is not None],
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def message(method: str, asked: int | str = 1, **params: Any) -> bytes:
    """A request of the revision of 2026."""
    meta = {VERSION: NEW, CAPABILITIES: {}}
    return json.dumps({"jsonrpc": "2.0", "id": asked, "method": method, "params": {**params, "_meta": meta}}).encode()


def called(gateway: Served, tool: str, arguments: Any, body: bytes = b"", **changed: str | None) -> bytes:
    """A call of a tool in the revision of 2026, with headers that say so."""
    body = body or message("tools/call", name=tool, arguments=arguments)
    said = {"mcp_protocol_version": NEW, "mcp_method": "tools/call", "mcp_name": tool}
    return request(gateway, body, **{**said, **changed})

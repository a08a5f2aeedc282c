"""Servers at an address, on loopback, for tests: one of the official SDK, and one that keeps to no rule."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import anyio
import uvicorn

DONE = {"content": [{"type": "text", "text": "done"}]}


class Served(NamedTuple):
    """A server that answers.

    Attributes:
        url: Where, without a path.
        stop: Ends it; from then on its port is closed.
    """

    url: str
    stop: Callable[[], Awaitable[None]]


@asynccontextmanager
async def serving(app: Any, port: int = 0) -> AsyncIterator[Served]:
    """An ASGI application on a port of its own: a free one, unless one is named."""
    listening = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    over = anyio.Event()

    async def serve() -> None:
        try:
            await server._serve([listening])
        finally:
            listening.close()
            over.set()

    async def stop() -> None:
        server.should_exit = server.force_exit = True
        await over.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        with anyio.fail_after(30):
            while not server.started:
                await anyio.sleep(0.01)
        try:
            yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", stop)
        finally:
            server.should_exit = server.force_exit = True


class Hostile:
    """Speaks the 2025 revision by hand, and answers calls by its kind.

    Attributes:
        seen: Bodies of the requests that came, in order.
        headers: Their headers.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.seen: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.answered = anyio.Event()
        self.lists: dict[str, list[str]] = {}

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The calls that came, whole."""
        said = [json.loads(body) for body in self.seen if body]
        return [each for each in said if each.get("method") == "tools/call"]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            part = await receive()
            body += part.get("body", b"")
            if not part.get("more_body"):
                break
        headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        self.seen.append(body)
        self.headers.append(headers)
        if scope["method"] != "POST":
            await answer(send, 405)
            return
        message = json.loads(body)
        match message.get("method"):
            case "initialize":
                about = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}}
                await reply(send, message, {**about, "serverInfo": {"name": "x", "version": "1"}}, session="s1")
            case "tools/list":
                names = self.lists.get(headers.get("authorization", ""), ["one"])
                tools = [{"name": name, "description": "Does it.", "inputSchema": {"type": "object"}} for name in names]
                await reply(send, message, {"tools": tools})
            case "tools/call":
                await self.call(message, send)
            case None:
                self.answered.set()
                await answer(send, 202)
            case method if method.startswith("notifications/"):
                await answer(send, 202)
            case _:
                error = {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no"}}
                await answer(send, 200, json.dumps(error).encode(), {"content-type": "application/json"})

    async def call(self, message: dict[str, Any], send: Any) -> None:
        events = {"content-type": "text/event-stream"}
        match self.kind:
            case "stream" | "stream-json":
                media = events if self.kind == "stream" else {"content-type": "application/json"}
                await head(send, 200, media)
                for _ in range(1 << 10):
                    await send({"type": "http.response.body", "body": b"x" * (1 << 20), "more_body": True})
                await send({"type": "http.response.body", "body": b""})
            case "gzip":
                await answer(send, 200, b"\x1f\x8b", {"content-type": "application/json", "content-encoding": "gzip"})
            case "redirect":
                await answer(send, 307, b"", {"location": "http://169.254.169.254/latest"})
            case "500" | "429" | "404" | "400" | "503":
                await answer(send, int(self.kind), b"", {"retry-after": "1"})
            case "break":
                await head(send, 200, {"content-type": "application/json", "content-length": "1000"})
                await send({"type": "http.response.body", "body": b"{", "more_body": False})
            case "drip":
                await head(send, 200, events)
                for _ in range(600):
                    await send({"type": "http.response.body", "body": b":", "more_body": True})
                    await anyio.sleep(0.1)
            case "asks":
                await head(send, 200, events)
                asked = {"mode": "form", "message": "who?", "requestedSchema": {"type": "object", "properties": {}}}
                await event(send, {"id": "q1", "method": "elicitation/create", "params": asked})
                await self.answered.wait()
                await event(send, {"id": message["id"], "result": DONE})
                await send({"type": "http.response.body", "body": b""})
            case _:
                await reply(send, message, DONE)


async def reply(send: Any, message: dict[str, Any], result: dict[str, Any], session: str = "") -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
    more = {"mcp-session-id": session} if session else {}
    await answer(send, 200, body, {"content-type": "application/json", **more})


async def event(send: Any, message: dict[str, Any]) -> None:
    body = f"data: {json.dumps({'jsonrpc': '2.0', **message})}\n\n".encode()
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def answer(send: Any, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
    await head(send, status, headers or {})
    await send({"type": "http.response.body", "body": body})


async def head(send: Any, status: int, headers: dict[str, str]) -> None:
    pairs = [(key.encode(), value.encode()) for key, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})

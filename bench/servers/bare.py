"""The floor of a server: the protocol by hand on raw ASGI, so that what stands before it is what is measured.

`python -m bench.servers.bare PORT`. Every client gets a session and whole JSON answers; nothing is kept of either.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from bench.servers.answer import DESCRIPTION, NAME, SCHEMA, text_for
from bench.servers.serve import serve

_TOOL = {"name": NAME, "description": DESCRIPTION, "inputSchema": SCHEMA}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """One request."""
    if scope["type"] == "lifespan":
        return await _live(receive, send)
    if scope["method"] != "POST":
        return await _send(send, 405 if scope["method"] == "GET" else 200, b"")
    body = b""
    while True:
        part = await receive()
        body += part.get("body", b"")
        if not part.get("more_body"):
            break
    said = json.loads(body)
    if "id" not in said:
        return await _send(send, 202, b"")
    answer = _answer(said["method"], said.get("params") or {})
    session = [(b"mcp-session-id", uuid4().hex.encode())] if said["method"] == "initialize" else []
    await _send(send, 200, json.dumps({"jsonrpc": "2.0", "id": said["id"], **answer}).encode(), session)


def _answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    match method:
        case "tools/call":
            text = text_for(params["arguments"])
            return {"result": {"content": [{"type": "text", "text": text}], "isError": False}}
        case "tools/list":
            return {"result": {"tools": [_TOOL]}}
        case "initialize":
            return {
                "result": {
                    "protocolVersion": params["protocolVersion"],
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "bare", "version": "1"},
                }
            }
        case "ping":
            return {"result": {}}
    return {"error": {"code": -32601, "message": "no such method"}}


async def _send(send: Any, status: int, body: bytes, more: list[tuple[bytes, bytes]] | None = None) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *(more or [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _live(receive: Any, send: Any) -> None:
    for answer in ("lifespan.startup.complete", "lifespan.shutdown.complete"):
        await receive()
        await send({"type": answer})


if __name__ == "__main__":
    serve(app)

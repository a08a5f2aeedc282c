"""The words of ASGI, and an answer that is made here: a JSON-RPC error that says what is wrong and no more."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from interlock.core.canonical import Json
from interlock.core.trace import TRACEPARENT, TRACESTATE, TraceContext, trace_context
from interlock.errors import InterlockError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application: what stands before the door takes one and is one."""

Headers = tuple[tuple[bytes, bytes], ...]

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
MISMATCH: Final = -32020
"""Of the revision 2026-07-28: a header says something else than the body."""

_STATUS: Final = {
    "http.path": 404, "http.method": 405, "http.slow": 408, "http.too_large": 413,
    "json.too_large": 413, "http.media": 415, "http.host": 421, "http.origin": 403, "http.crowd": 429, "http.rate": 429,
    "http.head": 431, "http.session": 404, "keys.missing": 401, "keys.unknown": 401, "keys.expired": 401,
    "token.refused": 401, "http.defect": 500, "http.later": 503,
}  # fmt: skip
"""What each code is in HTTP; 400 for every other."""

_LAST: Final = frozenset({"http.slow", "http.too_large", "json.too_large", "http.head", "http.rate", "http.crowd"})
"""After these the connection ends: what is left of the request would have to be read first."""

_PARENT: Final = TRACEPARENT.encode()
_STATE: Final = TRACESTATE.encode()


def header(scope: Scope, name: bytes) -> str:
    """A header's value; empty where it is absent. One that stands twice is a value that nobody has."""
    return ", ".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)


def trace_of(scope: Scope) -> TraceContext | None:
    """Whose trace the headers say that a request belongs to; None where they say none, or one that is malformed."""
    parent = header(scope, _PARENT)
    return trace_context(parent, header(scope, _STATE)) if parent else None


async def turn_away(send: Send, error: InterlockError, asked: Json = None, more: Headers = ()) -> None:
    """Answer with an error.

    Args:
        asked: The id of the request, where it could be read.
        more: Headers beside the usual ones.
    """
    said: dict[str, Json] = {"code": _number(error.code), "message": str(error), "data": {"code": error.code}}
    if error.code in _LAST:
        more = (*more, (b"connection", b"close"))
    await answer(send, _STATUS.get(error.code, 400), {"jsonrpc": "2.0", "id": asked, "error": said}, more)


async def answer(send: Send, status: int, body: dict[str, Json], more: Headers = ()) -> None:
    """Answer with a JSON body, which no cache may keep."""
    text = json.dumps(body).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(text))]
    head += [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"), *more]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": text})


def _number(code: str) -> int:
    if code == "http.mismatch":
        return MISMATCH
    return PARSE_ERROR if code.startswith("json.") else INVALID_REQUEST

"""A request's body: read whole, within a size and a time, and handed on as if it came now."""

from __future__ import annotations

from typing import Any

import anyio

from interlock.errors import BadInput
from interlock.gateway.asgi import Receive, Scope, header
from interlock.gateway.message import MESSAGE_MAX


async def read_body(
    receive: Receive, scope: Scope, within_s: float, most: int = MESSAGE_MAX
) -> bytes | None:  # fmt: skip
    """The whole body; None where the client left before.

    Args:
        most: Bytes that it may have.

    Raises:
        BadInput: It is too large (`http.too_large`), or came too slowly (`http.slow`).
    """
    length = header(scope, b"content-length")
    if length and (not length.isascii() or not length.isdigit() or int(length[:20]) > most):
        raise _too_large(most)
    body = bytearray()
    with anyio.move_on_after(within_s):
        while True:
            part = await receive()
            if part["type"] != "http.request":
                return None
            body += part.get("body", b"")
            if len(body) > most:
                raise _too_large(most)
            if not part.get("more_body", False):
                return bytes(body)
    raise BadInput("the body came too slowly", code="http.slow", remedy=f"Send it within {within_s:g} seconds.")


def once(body: bytes, receive: Receive) -> Receive:
    """What was checked, as if it came now; then whatever else comes."""
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Any:
        return parts.pop() if parts else await receive()

    return replay


def _too_large(most: int) -> BadInput:
    return BadInput("the body is too large", code="http.too_large", remedy=f"Send at most {most} bytes in one message.")

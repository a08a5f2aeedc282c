"""What the head of a request may be: one value for what decides, nothing hidden, known methods and media."""

from __future__ import annotations

from typing import Final

from interlock.errors import BadInput
from interlock.gateway.asgi import Scope, header

HEAD_MAX: Final = 32 << 10
"""Bytes of all headers together, as they are sent."""

_ONCE: Final = frozenset(
    b"host origin authorization content-type content-length transfer-encoding content-encoding last-event-id".split()
)
"""Headers that say one thing: of two, two readers would each take another. So with all that begin with `mcp-`."""

_METHODS: Final = frozenset({"GET", "POST", "DELETE"})


def check_head(scope: Scope) -> None:
    """Refuse a head that is too large, says one thing twice, or hides another line.

    Raises:
        BadInput: It is such (`http.head`, `http.header`).
    """
    seen: set[bytes] = set()
    size = 0
    for name, value in scope["headers"]:
        size += len(name) + len(value) + 4
        if any(byte in value for byte in b"\r\n\0"):
            raise BadInput("a header holds a line break or a zero", code="http.header")
        if name in _ONCE or name.startswith(b"mcp-"):
            if name in seen:
                raise BadInput("a header stands twice", code="http.header", remedy="Send each once.")
            seen.add(name)
    if size > HEAD_MAX:
        raise BadInput("the headers are too long", code="http.head", remedy=f"Send at most {HEAD_MAX} bytes of them.")


def check_method(scope: Scope) -> None:
    """Refuse methods and media that the protocol does not have.

    Raises:
        BadInput: It is such (`http.method`, `http.media`).
    """
    if scope["method"] not in _METHODS:
        raise BadInput("this method is not served", code="http.method")
    if scope["method"] != "POST":
        return
    media = header(scope, b"content-type").partition(";")[0].strip().lower()
    if media != "application/json":
        raise BadInput("the body is not `application/json`", code="http.media", remedy="Send JSON, and say so.")
    if header(scope, b"content-encoding").strip().lower() not in ("", "identity"):
        raise BadInput("the body is packed", code="http.media", remedy="Send it as it is.")

"""Bodies of requests, read as strictly as arguments of calls: no key twice, no NaN, nothing too deep or too large."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from interlock.core.canonical import Json, parse_json
from interlock.errors import BadInput, MissingExtra

try:
    from fastapi.routing import APIRoute
    from starlette.requests import Request
    from starlette.responses import Response
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

from pydantic import BaseModel, ConfigDict

_MEDIA: Final = "application/json"


class Body(BaseModel):
    """What a request may say: exactly this, each value of its own type.

    Lists are declared as lists: a strict model takes no list for a tuple.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Strict(APIRoute):
    """A route whose body is JSON and is read by Interlock's own reader.

    The framework's would keep the last of two equal keys, and take NaN. An object of arguments is as exact as its text
    would be: whole numbers stay whole, and what a float cannot hold is refused.
    """

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]  # a narrower one
        """See `APIRoute`."""
        inner = super().get_route_handler()
        if self.body_field is None:
            return inner

        async def strictly(request: Request) -> Response:
            body = b"".join([part async for part in request.stream()])  # the gate has bounded it
            if not body:
                return await inner(_Read(request, body, None))  # which says what is missing
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _MEDIA:
                raise BadInput("the body is no JSON", code="http.media", remedy=f"Send it as {_MEDIA}.")
            return await inner(_Read(request, body, parse_json(body)))

        return strictly


class _Read(Request):
    """A request whose body was read before."""

    def __init__(self, request: Request, body: bytes, value: Json) -> None:
        super().__init__(request.scope, request.receive)
        self._read, self._parsed = body, value

    async def body(self) -> bytes:
        """See `Request`."""
        return self._read

    async def json(self) -> Any:
        """See `Request`."""
        return self._parsed

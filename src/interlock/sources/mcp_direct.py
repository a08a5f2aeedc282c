"""A call to a server at an address in one exchange: its answer in one body does not pass the SDK's streams and tasks.

The SDK still says what is sent, in each revision, and holds the result against it. Only between is it left out: the
request is sent by whoever makes the call, and an answer that is anything but one JSON body, an event stream above all,
is handed to the SDK as the answer to its own request of the same id.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import anyio
import httpx2
import mcp_types as types
from mcp.client._transport import ReadStream, WriteStream
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from interlock.sources.mcp_entries import Sorting
from interlock.sources.mcp_link import TRIP

CANCEL_S: Final = 5.0
"""Seconds that a server may take to be told that a call is not wanted any more."""

_JSON: Final = "application/json"
_USUAL: Final = frozenset({"headers", "on_progress"})


Post = Callable[[bytes, Mapping[str, str]], Awaitable[httpx2.Response]]
"""Sends one message with these headers beside the usual ones; the answer's body is still to be read."""


class Direct(Sorting):
    """The SDK's dispatcher, but that calls are sent by whoever makes them."""

    def __init__(
        self, received: ReadStream[SessionMessage | Exception], sending: WriteStream[SessionMessage], post: Post
    ) -> None:
        super().__init__(received, sending)
        self._post = post
        self._numbers = itertools.count(1)

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None, **more: Any
    ) -> dict[str, Any]:
        """See `JSONRPCDispatcher`."""
        trip = TRIP.get()
        if method != "tools/call" or trip is None or opts is None or not opts.keys() <= _USUAL:
            return await super().send_raw_request(method, params, opts, **more)
        asked = f"call-{next(self._numbers)}"
        try:
            response = await self._post(_body(asked, params or {}, opts), opts.get("headers", {}))
            if response.status_code == 200 and response.headers.get("content-type", "").lower().startswith(_JSON):
                return await _result(response, asked)
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(CANCEL_S, shield=True):
                await self.notify("notifications/cancelled", {"requestId": asked, "reason": "caller cancelled"})
            raise
        trip.answer = response
        try:
            return await super().send_raw_request(method, params, {**opts, "request_id": asked}, **more)
        finally:
            if trip.answer is not None:  # the SDK did not come to ask for it
                trip.answer = None
                with anyio.move_on_after(CANCEL_S, shield=True):
                    await response.aclose()


def _body(asked: str, params: Mapping[str, Any], opts: CallOptions) -> bytes:
    """The request in the SDK's own spelling."""
    said = dict(params)
    if "on_progress" in opts:
        said["_meta"] = {**(said.get("_meta") or {}), "progressToken": asked}
    message = {"jsonrpc": "2.0", "id": asked, "method": "tools/call", "params": said}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


async def _result(response: httpx2.Response, asked: str) -> dict[str, Any]:
    """The result in a whole answer.

    Raises:
        MCPError: The server's error; or the answer broke off, is none, or is that of another request.
    """
    try:
        message = types.jsonrpc_message_adapter.validate_json(await response.aread(), by_name=False)
    except (httpx2.StreamError, ValidationError) as error:
        raise MCPError(code=types.PARSE_ERROR, message=f"no answer: {type(error).__name__}") from None
    finally:
        with anyio.move_on_after(CANCEL_S, shield=True):
            await response.aclose()
    if isinstance(message, types.JSONRPCResponse) and message.id == asked:
        return message.result
    if isinstance(message, types.JSONRPCError) and message.id in (asked, None):
        raise MCPError(code=message.error.code, message=message.error.message, data=message.error.data)
    raise MCPError(code=types.PARSE_ERROR, message="an answer to something else")

"""The short way through the door: `tools/call` and `tools/list` of a usual form, answered without the SDK's machinery.

What the SDK does for one request (streams, tasks, an event stream for one answer) costs several times what a call
does. So a request that could not be taken for anything else is answered here, in one JSON body; the SDK still opens the
sessions, says what a result looks like in each revision, and has every other request, the bytes of it untouched. It is
also the judge: a test puts the same requests to both, and they must answer alike.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

import anyio

from interlock.core.call import OutcomeKind
from interlock.core.canonical import parse_json
from interlock.core.clock import Clock
from interlock.errors import BadInput, InterlockError, MissingExtra
from interlock.gateway.answer import trouble
from interlock.gateway.caller import Caller, asked
from interlock.gateway.door import Door
from interlock.gateway.protocol import COMPLETE, REPLY, Protocol, Talker

try:
    import mcp_types as types
    from mcp.server.streamable_http import REQUEST_CANCELLED
    from mcp.shared.exceptions import MCPError
    from pydantic import ValidationError
except ImportError:
    raise MissingExtra("the gateway needs an extra", remedy="Install `interlock[mcp,server]`.") from None

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_MAX: Final = 1 << 20
"""Bytes of a request that are read here; a longer one is the SDK's."""

SEEN_S: Final = 300.0
"""Seconds after which a session's next request is the SDK's again: it ends sessions of which it hears nothing."""

_LISTS_MAX: Final = 64
"""Lists that are kept as they were sent."""

_MESSAGE: Final = frozenset({"jsonrpc", "id", "method", "params"})

_PARAMETERS: Final = {
    "tools/call": frozenset({"name", "arguments", "_meta"}),
    "tools/list": frozenset({"cursor", "_meta"}),
}
"""What is answered here, with the parameters that it may have."""

Id = str | int


@dataclass(frozen=True, slots=True)
class _Request:
    """A message of a client of the older revisions that may be answered here."""

    talker: Talker
    caller: Caller
    method: str
    asked: Id | None
    params: Mapping[str, Any]


class HotPath:
    """Answers what it can, and leaves the rest to the SDK."""

    def __init__(self, door: Door, protocol: Protocol, clock: Clock) -> None:
        self._door = door
        self._protocol = protocol
        self._clock = clock
        self._under_way: dict[tuple[str, Id], anyio.CancelScope] = {}
        self._lists: dict[tuple[str, ...], dict[str, Any]] = {}

    async def answered(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> Receive | None:
        """Answer a request.

        Args:
            caller: Whoever it was let in for.

        Returns:
            None where it is answered; else what the SDK is to read in the place of `receive`.
        """
        talker = self._protocol.talkers.get(caller.session)
        headers = dict(scope["headers"])
        if talker is None or not self._usual(talker, caller, scope, headers):
            return receive
        body, receive = await _read(receive)
        request = None if body is None else _read_as(body, talker, caller)
        answer = None if request is None else await self._answer(request, scope)
        if answer is None:
            talker.seen_s = self._clock.mono_s()
            return receive
        await _send(send, caller.session, answer)
        return None

    def _usual(self, talker: Talker, caller: Caller, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> bool:
        """Whether the head is such as every client sends, and the session is this principal's."""
        length, accept = headers.get(b"content-length", b""), headers.get(b"accept", b"")
        return (
            scope["method"] == "POST"
            and talker.owner == (caller.principal.tenant, caller.principal.id)
            and self._clock.mono_s() - talker.seen_s < SEEN_S
            and headers.get(b"mcp-protocol-version", b"").decode("latin-1") in ("", talker.revision)
            and headers.get(b"content-type", b"") == b"application/json"
            and b"application/json" in accept
            and b"text/event-stream" in accept
            and length.isdigit()
            and len(length) < 8
            and int(length) <= BODY_MAX
        )

    async def _answer(self, request: _Request, scope: Scope) -> dict[str, Any] | bytes | None:
        """The answer; no bytes for a message that wants none; None where it is the SDK's to give."""
        if request.method == "notifications/cancelled":
            meant = request.params.get("requestId")
            under_way = self._under_way.get((request.caller.session, meant)) if _is_id(meant) else None
            if under_way is None:
                return None
            under_way.cancel()
            return b""
        if request.method not in _PARAMETERS or request.asked is None or not _is_usual(request):
            return None
        key = (request.caller.session, request.asked)
        if key in self._under_way:
            return None
        with anyio.CancelScope() as self._under_way[key]:
            try:
                if request.method == "tools/list":
                    result = await self._list(request)
                else:
                    result = await self._call(request, scope)
            except MCPError as error:
                return _error(request, error.error)
            finally:
                del self._under_way[key]
            return None if result is None else {"jsonrpc": "2.0", "id": request.asked, "result": result}
        return _error(request, types.ErrorData(code=REQUEST_CANCELLED, message="Request cancelled"))

    async def _list(self, request: _Request) -> dict[str, Any] | None:
        cursor = request.params.get("cursor")
        if not isinstance(cursor, str | None):
            return None
        tools = await self._door.offered(request.caller)
        key = (request.talker.revision, str(cursor), *(tool.digest for tool in tools))
        result = self._lists.get(key)
        if result is None:
            result = _shaped("tools/list", request, self._protocol.listed(tools, cursor))
            if len(self._lists) >= _LISTS_MAX:
                self._lists.clear()
            self._lists[key] = result
        return result

    async def _call(self, request: _Request, scope: Scope) -> dict[str, Any] | None:
        name, arguments = request.params.get("name"), request.params.get("arguments", {})
        if not isinstance(name, str) or not isinstance(arguments, dict) or not self._alone(name):
            return None
        try:
            said = asked(request.caller, name, arguments, request.params.get("_meta", {}))
            reply = await self._door.call(request.caller, said)
        except InterlockError as error:
            return _shaped("tools/call", request, trouble(error) | COMPLETE)
        if reply.outcome.kind is OutcomeKind.HELD:
            scope[REPLY] = reply  # its client may be asked, for which there must be a stream: the call itself is made
            return None
        return _shaped("tools/call", request, await self._protocol.told(request.caller, reply))

    def _alone(self, name: str) -> bool:
        """Whether nobody behind may ask the client anything, or tell it, while a call of this tool runs."""
        servers = self._door.plane.fleet.servers
        for known in self._door.plane.plane.registry.versions(name):
            server = servers.get(known.tool.server)
            if known.tool.fallback or (server is not None and server.plan.terms.allow):
                return False
        return True


def _read_as(body: bytes, talker: Talker, caller: Caller) -> _Request | None:
    """The message, where it has the form of one; None where the SDK is to say what is wrong with it."""
    try:
        said = parse_json(body)
    except BadInput:
        return None
    if not isinstance(said, dict) or said.get("jsonrpc") != "2.0" or not said.keys() <= _MESSAGE:
        return None
    method, number, params = said.get("method"), said.get("id"), said.get("params", {})
    if not isinstance(method, str) or not isinstance(params, dict) or ("id" in said and not _is_id(number)):
        return None
    return _Request(talker, caller.calling_itself(talker.client), method, number, params)


def _is_id(said: object) -> TypeGuard[Id]:
    return isinstance(said, Id) and not isinstance(said, bool)


def _is_usual(request: _Request) -> bool:
    """Whether there is nothing in the parameters, and in what stands beside them, that means something to the SDK."""
    meta = request.params.get("_meta", {})
    if not isinstance(meta, dict) or not request.params.keys() <= _PARAMETERS[request.method]:
        return False
    return not any(key == "progressToken" or key.startswith("io.modelcontextprotocol/") for key in meta)


def _shaped(method: str, request: _Request, result: Mapping[str, Any]) -> dict[str, Any]:
    """The result in the form of the client's revision, by the SDK's own word.

    Raises:
        MCPError: It has no such form.
    """
    try:
        return types.methods.serialize_server_result(method, request.talker.revision, result)
    except ValidationError:
        raise MCPError(code=types.INTERNAL_ERROR, message="Handler returned an invalid result") from None


def _error(request: _Request, error: types.ErrorData) -> dict[str, Any]:
    said = error.model_dump(by_alias=True, mode="json", exclude_none=True)
    return {"jsonrpc": "2.0", "id": request.asked, "error": said}


async def _read(receive: Receive) -> tuple[bytes | None, Receive]:
    """The whole body, and what gives it once more; None in its place where the client left before."""
    parts: list[MutableMapping[str, Any]] = []
    while not parts or (parts[-1]["type"] == "http.request" and parts[-1].get("more_body", False)):
        parts.append(await receive())
    whole = parts[-1]["type"] == "http.request"
    body = b"".join(part.get("body", b"") for part in parts) if whole else None

    async def again() -> MutableMapping[str, Any]:
        return parts.pop(0) if parts else await receive()

    return body, again


async def _send(send: Send, session: str, answer: dict[str, Any] | bytes) -> None:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    head = [
        (b"content-type", b"application/json"), (b"cache-control", b"no-store"),
        (b"content-length", b"%d" % len(body)), (b"mcp-session-id", session.encode("latin-1")),
    ]  # fmt: skip
    await send({"type": "http.response.start", "status": 200 if body else 202, "headers": head})
    await send({"type": "http.response.body", "body": body})

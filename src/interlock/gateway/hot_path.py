"""The short way through the door: `tools/call` and `tools/list` of a usual form, answered without the SDK's machinery.

What the SDK does for one request (streams, tasks, an event stream for one answer) costs several times what a call
does. So a request that could not be taken for anything else is answered here, in one JSON body; the SDK still opens the
sessions, says what a result looks like in each revision, and has every other request, the bytes of it untouched. It is
also the judge: a test puts the same requests to both, and they must answer alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

import anyio

from interlock.core.call import OutcomeKind
from interlock.core.clock import Clock
from interlock.errors import InterlockError, MissingExtra
from interlock.gateway.answer import trouble
from interlock.gateway.asgi import Scope, Send, answer, header
from interlock.gateway.caller import Caller, asked
from interlock.gateway.door import Door
from interlock.gateway.guard import MESSAGE
from interlock.gateway.message import Message
from interlock.gateway.protocol import COMPLETE, REPLY, Protocol, Talker

try:
    import mcp_types as types
    from mcp.server.streamable_http import REQUEST_CANCELLED
    from mcp.shared.exceptions import MCPError
    from pydantic import ValidationError
except ImportError:
    raise MissingExtra("the gateway needs an extra", remedy="Install `interlock[mcp,server]`.") from None

SEEN_S: Final = 300.0
"""Seconds after which a session's next request is the SDK's again: it ends sessions of which it hears nothing."""

_LISTS_MAX: Final = 64
"""Lists that are kept as they were sent."""

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

    async def answered(self, caller: Caller, scope: Scope, send: Send) -> bool:
        """Whether a request was answered; else it is the SDK's.

        Args:
            caller: Whoever it was let in for.
        """
        talker, message = self._protocol.talkers.get(caller.session), scope.get(MESSAGE)
        if talker is None or not isinstance(message, Message) or not self._usual(talker, caller, scope):
            return False
        request = _Request(talker, caller.calling_itself(talker.client), message.method, message.asked, message.params)
        if self._cancelled(request):
            await _send(send, caller.session, None)
            return True
        said = await self._answer(request, scope)
        if said is None:
            talker.seen_s = self._clock.mono_s()
            return False
        await _send(send, caller.session, said)
        return True

    def _usual(self, talker: Talker, caller: Caller, scope: Scope) -> bool:
        """Whether the head is such as every client sends, and the session is this principal's."""
        accept = header(scope, b"accept")
        return (
            talker.owner == (caller.principal.tenant, caller.principal.id)
            and self._clock.mono_s() - talker.seen_s < SEEN_S
            and header(scope, b"mcp-protocol-version") in ("", talker.revision)
            and header(scope, b"content-type") == "application/json"
            and "application/json" in accept
            and "text/event-stream" in accept
        )

    def _cancelled(self, request: _Request) -> bool:
        """Whether a message was the word that a call which is answered here is not wanted any more."""
        meant = request.params.get("requestId")
        if request.method != "notifications/cancelled" or not _is_id(meant):
            return False
        under_way = self._under_way.get((request.caller.session, meant))
        if under_way is not None:
            under_way.cancel()
        return under_way is not None

    async def _answer(self, request: _Request, scope: Scope) -> dict[str, Any] | None:
        """The answer; None where it is the SDK's to give."""
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


async def _send(send: Send, session: str, said: dict[str, Any] | None) -> None:
    more = ((b"mcp-session-id", session.encode("latin-1")),)
    if said is not None:
        await answer(send, 200, said, more)
        return
    await send({"type": "http.response.start", "status": 202, "headers": [*more, (b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})

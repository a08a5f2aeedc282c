"""The door in the official SDK: requests of both revisions in, results out. Imports the SDK, which an extra brings."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from interlock.core.visible import one_line
from interlock.errors import BadInput, InterlockError, MissingExtra
from interlock.gateway.answer import result_of, trouble, waiting_words
from interlock.gateway.caller import Caller, asked
from interlock.gateway.changes import Changes
from interlock.gateway.door import Door, Reply
from interlock.gateway.offer import Listing, Listings

try:
    import mcp_types as types
    from mcp.server import Server, ServerRequestContext
    from mcp.server.lowlevel.server import NotificationOptions
    from mcp.server.models import InitializationOptions
    from mcp.server.subscriptions import ListenHandler
    from mcp.shared.exceptions import MCPError
    from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION, MODERN_PROTOCOL_VERSIONS
    from pydantic import ValidationError
except ImportError:
    raise MissingExtra("the gateway needs an extra", remedy="Install `interlock[mcp,server]`.") from None

Context = ServerRequestContext[Any, Any]
Who = Callable[[Context], Caller]
"""Who sent a request, by what its transport knows."""

_VERSION = version("interlock")
_CLIENT_MAX = 128
_COMPLETE = {"resultType": "complete"}  # the revision of 2026 wants it; the SDK leaves it out for the older ones


class Protocol:
    """One SDK server over one door, for every connection of one transport.

    Attributes:
        server: The SDK's server.
        changes: Tells clients that the list of tools is another one.
    """

    def __init__(self, door: Door, who: Who) -> None:
        self._door = door
        self._who = who
        self._listings = Listings(_acceptable)
        self.changes = Changes()
        self.server: Server[Any] = Server("interlock", version=_VERSION)
        self.server.add_request_handler("tools/list", types.PaginatedRequestParams, self._list_tools)
        self.server.add_request_handler("tools/call", types.CallToolRequestParams, self._call_tool)
        listen = ListenHandler(self.changes.bus, max_subscriptions=1024, max_buffered_events=16)
        self.server.add_request_handler("subscriptions/listen", types.SubscriptionsListenRequestParams, listen)
        self.server.add_notification_handler(
            "notifications/initialized", types.NotificationParams, self._initialized
        )  # fmt: skip

    @property
    def options(self) -> InitializationOptions:
        """What the handshake of the older revisions answers."""
        return self.server.create_initialization_options(NotificationOptions(tools_changed=True))

    async def _list_tools(self, context: Context, params: types.PaginatedRequestParams) -> dict[str, Any]:
        tools = await self._door.offered(self._caller(context))
        try:
            page, cursor = self._listings.page(tools, params.cursor)
        except BadInput as error:
            raise MCPError(code=types.INVALID_PARAMS, message=str(error)) from None
        # Each principal has a list of its own, which no shared cache may keep.
        said: dict[str, Any] = {"tools": page, **_COMPLETE, "ttlMs": 0, "cacheScope": "private"}
        return said if cursor is None else said | {"nextCursor": cursor}

    async def _call_tool(self, context: Context, params: types.CallToolRequestParams) -> dict[str, Any]:
        caller = self._caller(context)
        try:
            request = asked(caller, params.name, params.arguments, context.meta or {}, params.request_state or "")
            reply = await self._door.call(caller, request)
        except InterlockError as error:
            return trouble(error) | _COMPLETE
        if reply.continuation and _may_ask(context):
            return _input_required(reply)
        return result_of(reply, await self._door.tool(caller, reply.outcome.tool)) | _COMPLETE

    async def _initialized(self, context: Context, params: types.NotificationParams) -> None:
        self.changes.add(self._who(context).session, context.session)

    def _caller(self, context: Context) -> Caller:
        caller = self._who(context)
        said = context.session.client_params
        name = one_line(said.client_info.name)[:_CLIENT_MAX] if said is not None else ""
        return caller.calling_itself(name)


def _may_ask(context: Context) -> bool:
    """Whether the client takes a question in the place of a result, and has somebody to put it to."""
    capabilities = context.session.client_capabilities
    if context.protocol_version not in MODERN_PROTOCOL_VERSIONS or capabilities is None:
        return False
    forms = capabilities.elicitation
    return forms is not None and (forms.form is not None or forms.url is None)


def _input_required(reply: Reply) -> dict[str, Any]:
    """A held call in the form of the revision of 2026: a question that approves nothing, and the sealed state."""
    question = {
        "method": "elicitation/create",
        "params": {
            "mode": "form",
            "message": waiting_words(reply.outcome),
            "requestedSchema": {"type": "object", "properties": {}},
        },
    }
    return {
        "resultType": "input_required",
        "inputRequests": {"approval": question},
        "requestState": reply.continuation,
    }


def _acceptable(listing: Listing) -> bool:
    """Whether both revisions can carry a tool so."""
    said = {"tools": [listing], **_COMPLETE, "ttlMs": 0, "cacheScope": "private"}
    try:
        for revision in (LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION):
            types.methods.validate_server_result("tools/list", revision, said)
    except ValidationError:
        return False
    return True

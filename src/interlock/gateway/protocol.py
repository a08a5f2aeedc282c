"""The door in the official SDK: requests of both revisions in, results out. Imports the SDK, which an extra brings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from interlock.core.tool import Tool
from interlock.core.visible import one_line
from interlock.errors import BadInput, InterlockError, MissingExtra, NotFound
from interlock.gateway.answer import result_of, trouble
from interlock.gateway.asking import Question
from interlock.gateway.caller import Caller, asked
from interlock.gateway.changes import Changes
from interlock.gateway.door import Door, Front, Reply
from interlock.gateway.following import SESSION_MAX, Following
from interlock.gateway.fronting import FrontClient
from interlock.gateway.offer import Listing, Listings
from interlock.gateway.readings import Readings
from interlock.gateway.reporting import reporting
from interlock.gateway.rounds import error_of, opened, question_of
from interlock.sources.reads import GET, READ
from interlock.sources.relay import Way

try:
    import mcp_types as types
    from mcp.server import Server, ServerRequestContext
    from mcp.server.lowlevel.server import NotificationOptions
    from mcp.server.models import InitializationOptions
    from mcp.server.subscriptions import ListenHandler
    from mcp.shared.exceptions import MCPError
    from mcp_types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION
    from pydantic import ValidationError
except ImportError:
    raise MissingExtra("the gateway needs an extra", remedy="Install `interlock[mcp,server]`.") from None

Context = ServerRequestContext[Any, Any]
Who = Callable[[Context], Caller]
"""Who sent a request, by what its transport knows."""

_VERSION = version("interlock")
_CLIENT_MAX = 128
_LEVELS_MAX = 10_000
_TALKERS_MAX = 10_000
REPLY = "interlock.reply"
"""In the scope of a request: the `Reply` of a call that was made already, and whose client may have to be asked."""

COMPLETE = {"resultType": "complete"}  # the revision of 2026 wants it; the SDK leaves it out for the older ones
_OWN = {**COMPLETE, "ttlMs": 0, "cacheScope": "private"}  # each principal has lists of its own, which no cache shares

_FOR_CLIENTS = frozenset({types.MISSING_REQUIRED_CLIENT_CAPABILITY, types.URL_ELICITATION_REQUIRED})
"""Errors of a server that its client can do something about, and a model cannot."""


@dataclass(slots=True)
class Talker:
    """A client of the older revisions that has shaken hands.

    Attributes:
        owner: Tenant and principal that the session is bound to.
        client: What it calls itself.
        revision: What was agreed on.
        seen_s: When the SDK saw a request of it, monotonic.
    """

    owner: tuple[str, str]
    client: str
    revision: str
    seen_s: float


class Protocol:
    """One SDK server over one door, for every connection of one transport.

    Attributes:
        server: The SDK's server.
        changes: Tells clients that the list of tools is another one.
        talkers: Clients of the older revisions by their session.
    """

    def __init__(self, door: Door, who: Who) -> None:
        self._door = door
        self._who = who
        self._listings = Listings(_acceptable)
        self._readings = Readings(door)
        self._levels: dict[str, str] = {}
        self._following = Following(door.plane.fleet.relay.news)
        self.changes = Changes(door.plane.fleet.relay.news, self._following.follows)
        self.talkers: dict[str, Talker] = {}
        self.server: Server[Any] = Server("interlock", version=_VERSION, get_tool_input_schema=self._schema)
        add = self.server.add_request_handler
        add("tools/list", types.PaginatedRequestParams, self._list_tools)
        add("tools/call", types.CallToolRequestParams, self._call_tool)
        self._listener = ListenHandler(self.changes.bus, max_subscriptions=1024, max_buffered_events=16)
        add("subscriptions/listen", types.SubscriptionsListenRequestParams, self._listen)
        offers = self._readings.offers
        if "resources" in offers:
            add("resources/list", types.PaginatedRequestParams, self._list_resources)
            add("resources/templates/list", types.PaginatedRequestParams, self._list_templates)
            add("resources/read", types.ReadResourceRequestParams, self._read_resource)
            add("resources/subscribe", types.SubscribeRequestParams, self._subscribe)
            add("resources/unsubscribe", types.UnsubscribeRequestParams, self._unsubscribe)
        if "prompts" in offers:
            add("prompts/list", types.PaginatedRequestParams, self._list_prompts)
            add("prompts/get", types.GetPromptRequestParams, self._get_prompt)
        if "completions" in offers:
            add("completion/complete", types.CompleteRequestParams, self._complete)
        if "logging" in offers:
            add("logging/setLevel", types.SetLevelRequestParams, self._set_level)
        self.server.add_notification_handler("notifications/initialized", types.NotificationParams, self._initialized)

    @property
    def options(self) -> InitializationOptions:
        """What the handshake of the older revisions answers."""
        said = NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True)
        return self.server.create_initialization_options(said)

    def forget(self, session: str) -> None:
        """A session is over."""
        self.changes.remove(session)
        self._following.forget(session)
        self._levels.pop(session, None)
        self.talkers.pop(session, None)

    # ------------------------------------------------------------------ tools

    async def _list_tools(self, context: Context, params: types.PaginatedRequestParams) -> dict[str, Any]:
        return self.listed(await self._door.offered(self._caller(context)), params.cursor)

    def listed(self, tools: Sequence[Tool], cursor: str | None) -> dict[str, Any]:
        """One page of these tools.

        Raises:
            MCPError: The cursor is none of this list.
        """
        try:
            page, further = self._listings.page(tools, cursor)
        except BadInput as error:
            raise MCPError(code=types.INVALID_PARAMS, message=str(error)) from None
        return _OWN | {"tools": page} | ({} if further is None else {"nextCursor": further})

    async def _call_tool(self, context: Context, params: types.CallToolRequestParams) -> dict[str, Any]:
        try:
            reply = await self._asked(context, params, params.name, params.arguments)
        except InterlockError as error:
            if params.request_state:  # what it came back with is none: no answer of a tool
                raise _error(error) from None
            return trouble(error) | COMPLETE
        return reply if isinstance(reply, dict) else await self.told(self._caller(context), reply)

    async def told(self, caller: Caller, reply: Reply) -> dict[str, Any]:
        """The result of a call.

        Raises:
            MCPError: The protocol has an error for what became of it.
        """
        if reply.outcome.code == "validate.unknown_tool":  # the protocol has an error for it
            said = result_of(reply, as_it_came=False)
            raise MCPError(
                code=types.INVALID_PARAMS, message=said["content"][0]["text"], data=said["structuredContent"]
            )  # fmt: skip
        as_it_came = await self._door.from_server(caller, reply.outcome.tool)
        theirs = error_of(reply.outcome) if as_it_came else None
        if theirs is not None and theirs["code"] in _FOR_CLIENTS:
            raise MCPError(code=theirs["code"], message=str(theirs.get("message", "")), data=theirs.get("data"))
        return result_of(reply, as_it_came=as_it_came) | COMPLETE

    async def _asked(
        self, context: Context, params: types.InputResponseRequestParams, tool: str, arguments: dict[str, Any] | None
    ) -> Reply | dict[str, Any]:
        """What became of a call that a request asks for; or a question of the revision of 2026 in its place.

        The question is about a held call, or a server's that wants to know something first.

        Raises:
            InterlockError: It led to no call.
        """
        caller, meta = self._caller(context), context.meta or {}
        sealed, who = self._door.continuations, caller.principal
        said = params.model_dump(by_alias=True, mode="json", include={"input_responses", "request_state"})
        this = opened(asked(caller, tool, arguments, meta), said, who, sealed)
        request = this.asked
        made: Reply | None = getattr(context.request, "scope", {}).get(REPLY)
        client = FrontClient(context, self._door.clean, self._levels.get(caller.session, "debug"), this.brought)
        if made is not None:
            reply = made
        elif meta.get("progress_token") is None:
            reply = await self._door.call(caller, request, Front(client=client))
        else:
            async with reporting(context.session, self._door.clean) as heard:
                reply = await self._door.call(caller, request, Front(heard, client))
        if client.way is Way.INSTEAD and await self._door.from_server(caller, tool):
            asks = question_of(reply, request, who, sealed)
            if asks is not None:
                return asks
        if not reply.continuation:
            return reply
        question = Question(context, reply.outcome, self._door.link)
        if question.in_result:
            return question.as_result(reply.continuation)
        if await question.put(self._door.wait_s):
            return await self._door.call(caller, replace(request, continuation=reply.continuation))
        return reply

    # -------------------------------------------------- what servers have besides

    async def _list_resources(self, context: Context, params: types.PaginatedRequestParams) -> dict[str, Any]:
        return _OWN | {"resources": await self._readings.resources(self._caller(context))}

    async def _list_templates(self, context: Context, params: types.PaginatedRequestParams) -> dict[str, Any]:
        return _OWN | {"resourceTemplates": await self._readings.templates(self._caller(context))}

    async def _list_prompts(self, context: Context, params: types.PaginatedRequestParams) -> dict[str, Any]:
        return _OWN | {"prompts": await self._readings.prompts(self._caller(context))}

    async def _read_resource(self, context: Context, params: types.ReadResourceRequestParams) -> dict[str, Any]:
        uri = str(params.uri)
        with _as_errors():
            server = await self._readings.server_of_resource(self._caller(context), uri)
            return _OWN | _read(await self._asked(context, params, READ, {"server": server, "uri": uri}))

    async def _subscribe(self, context: Context, params: types.SubscribeRequestParams) -> dict[str, Any]:
        caller, uri = self._caller(context), str(params.uri)
        with _as_errors():
            await self._following.add(caller.session, await self._readings.follows(caller, uri), uri)
        return {}

    async def _unsubscribe(self, context: Context, params: types.UnsubscribeRequestParams) -> dict[str, Any]:
        self._following.remove(self._who(context).session, str(params.uri))
        return {}

    async def _listen(
        self, context: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:  # fmt: skip
        """The stream of the revision of 2026, with those of the resources that this principal may follow."""
        caller = self._caller(context)
        by_server: dict[str, list[str]] = {}
        for uri in (params.notifications.resource_subscriptions or ())[:SESSION_MAX]:
            try:
                by_server.setdefault(await self._readings.follows(caller, str(uri)), []).append(str(uri))
            except NotFound:
                continue  # what is not there never changes
        mine = [uri for uris in by_server.values() for uri in uris]
        kinds = params.notifications.model_copy(update={"resource_subscriptions": mine or None})
        async with AsyncExitStack() as stack:
            for server, uris in by_server.items():
                await stack.enter_async_context(self._door.plane.fleet.relay.news.following(server, uris))
            return await self._listener(context, params.model_copy(update={"notifications": kinds}))

    async def _get_prompt(self, context: Context, params: types.GetPromptRequestParams) -> dict[str, Any]:
        with _as_errors():
            server, name = self._readings.server_of_prompt(params.name)
            arguments: dict[str, Any] = {"server": server, "name": name}
            if params.arguments is not None:
                arguments["arguments"] = params.arguments
            return COMPLETE | _read(await self._asked(context, params, GET, arguments))

    async def _complete(self, context: Context, params: types.CompleteRequestParams) -> dict[str, Any]:
        said = params.model_dump(by_alias=True, mode="json", exclude_none=True)
        with _as_errors():
            return COMPLETE | await self._readings.complete(self._caller(context), said)

    async def _set_level(self, context: Context, params: types.SetLevelRequestParams) -> dict[str, Any]:
        if len(self._levels) < _LEVELS_MAX:
            self._levels[self._who(context).session] = params.level
        return {}

    async def _initialized(self, context: Context, params: types.NotificationParams) -> None:
        caller = self._caller(context)
        self.changes.add(caller.session, context.session)
        if len(self.talkers) >= _TALKERS_MAX:  # who is forgotten here is answered by the SDK, as any other
            self.talkers.clear()
        if caller.session:
            owner = (caller.principal.tenant, caller.principal.id)
            seen_s = self._door.plane.plane.clock.mono_s()
            self.talkers[caller.session] = Talker(owner, caller.client, context.protocol_version, seen_s)

    def _schema(self, name: str) -> Mapping[str, Any] | None:
        """What headers that repeat arguments are held against; of a tool in several versions, nothing is."""
        versions = self._door.plane.plane.registry.versions(name)
        return versions[0].tool.input_schema if len(versions) == 1 else None

    def _caller(self, context: Context) -> Caller:
        caller = self._who(context)
        said = context.session.client_params
        name = one_line(said.client_info.name)[:_CLIENT_MAX] if said is not None else ""
        return caller.calling_itself(name)


@contextmanager
def _as_errors() -> Iterator[None]:
    """What went wrong with a request that has no form for it but the protocol's error."""
    try:
        yield
    except NotFound as error:
        raise MCPError(code=types.INVALID_PARAMS, message=str(error.args[0])) from None
    except TimeoutError:
        raise MCPError(code=types.INTERNAL_ERROR, message="the server did not answer in time") from None
    except InterlockError as error:
        raise _error(error) from None


def _error(error: InterlockError) -> MCPError:
    """What led to no call, as the protocol's error."""
    said = trouble(error)["structuredContent"]
    code = types.INVALID_PARAMS if isinstance(error, BadInput) else types.INVALID_REQUEST
    return MCPError(code=code, message=said["message"], data=said)


def _read(reply: Reply | dict[str, Any]) -> dict[str, Any]:
    """The result of a reading.

    Raises:
        MCPError: It was not done: the server's own error as it came, else what became of the call.
    """
    if isinstance(reply, dict):
        return reply
    outcome = reply.outcome
    if outcome.done and isinstance(outcome.value, dict):
        return outcome.value
    if (error := error_of(outcome)) is not None:
        raise MCPError(code=error["code"], message=str(error.get("message", "")), data=error.get("data"))
    told = result_of(reply, as_it_came=False)
    raise MCPError(
        code=types.INVALID_REQUEST, message=told["content"][0]["text"], data=told.get("structuredContent")
    )  # fmt: skip


def _acceptable(listing: Listing) -> bool:
    """Whether both revisions can carry a tool so."""
    said = _OWN | {"tools": [listing]}
    try:
        for revision in (LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION):
            types.methods.validate_server_result("tools/list", revision, said)
    except ValidationError:
        return False
    return True

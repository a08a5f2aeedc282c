"""One connection to a server: a task of its own keeps it, calls use it, and what it asks goes through the relay."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final

import anyio
import mcp_types as types
from anyio.abc import TaskStatus
from mcp.client._probe import negotiate_auto
from mcp.client.context import ClientRequestContext
from mcp.client.session import ClientSession
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import RootModel, TypeAdapter

from interlock.core.held import HOLDING
from interlock.core.tool import CallContext
from interlock.core.trace import dialling
from interlock.errors import InterlockError, NotSent, Rejected, ToolError, TryLater
from interlock.sources.mcp_connection import Terms
from interlock.sources.mcp_entries import Sorting
from interlock.sources.mcp_link import TRIP, Link, Trip
from interlock.sources.mcp_news import keep_hearing, progress_of
from interlock.sources.mcp_questions import REQUESTS, answered, as_asked, for_whom
from interlock.sources.relay import Relay, Way, check_question

LIST_MAX: Final = 16 << 20
"""Bytes that all entries of one list of a server may have together."""

ROUNDS_MAX: Final = 10
"""Times that a server may answer one call with questions."""

TOLD_MAX: Final = 64
"""Log messages of a server that may wait to be handed on; further ones are dropped."""

_SAMPLED: Final[TypeAdapter[types.CreateMessageResult | types.CreateMessageResultWithTools]] = TypeAdapter(
    types.CreateMessageResult | types.CreateMessageResultWithTools
)
_LISTS_CHANGED: Final = (
    types.ToolListChangedNotification, types.PromptListChangedNotification, types.ResourceListChangedNotification
)  # fmt: skip
_LOST: Final = frozenset({types.CONNECTION_CLOSED, types.PARSE_ERROR, types.INVALID_REQUEST, types.REQUEST_TIMEOUT})
"""Codes that the SDK also makes up itself, when an answer did not come or could not be read."""

_REFUSED: Final = -1
"""Code of a question that is not answered, as the protocol has it for a person who refuses."""

KEY_META: Final = "interlock/idempotency-key"
"""Where a call's idempotency key stands in its `_meta`."""


_OURSELVES: Final = types.Implementation(name="interlock", version=version("interlock"))


class _Raw(RootModel[dict[str, Any]]):
    """A result as it came."""


@dataclass(slots=True)
class Connection:
    """A connection, open from `keep`'s start until its end.

    Attributes:
        dial: Opens the way.
        handshake: Whether it is opened in the older revisions' way, even where the server knows the newer one.
        hears: Whether it hears what changes of the server's lists and resources, for everybody.
        changed: Set when the server says that its tools changed, or when it should be listed again.
        link: The way, once it is open.
        session: The SDK's session, while it stands.
        why: Why it is not open, in our words.
        odd: Of the list that was read last, the entries that are none: name to why.
    """

    terms: Terms
    dial: Callable[[], AbstractAsyncContextManager[Link]]
    relay: Relay
    handshake: bool = False
    hears: bool = False
    changed: anyio.Event = field(default_factory=anyio.Event)
    link: Link | None = None
    session: ClientSession | None = None
    why: str = "not connected"
    odd: Mapping[str, str] = field(default_factory=dict)
    _closing: anyio.Event = field(default_factory=anyio.Event)
    _calls: list[Trip] = field(default_factory=list)
    _told: int = 0

    async def keep(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Open it, say so, and keep it until it is closed or ends by itself. Whatever ends it ends it alone.

        Raises:
            NotSent: It could not be opened.
        """
        opened = False
        try:
            async with self.dial() as link:
                self.link = link
                async with self._session(link) as session:
                    with anyio.fail_after(self.terms.start_s):
                        await self._negotiate(session, link)
                    self.session, self.why, opened = session, "", True
                    task_status.started()
                    await self._until_over(link, session)
                    self.why = link.why or "closed"
        except Exception as error:  # whatever a server, its transport or the SDK does: it ends this connection alone
            self.why = self._reason(error)
        finally:
            self.session = None
            self.changed.set()
        if not opened:
            raise NotSent(f"server {self.terms.server!r} could not be opened: {self.why}")

    def close(self) -> None:
        """Have it end."""
        self._closing.set()

    @property
    def open(self) -> bool:
        """Whether calls can be made."""
        link, closing = self.link, self._closing.is_set()
        return self.session is not None and link is not None and not link.ended.is_set() and not closing

    @property
    def offers(self) -> frozenset[str]:
        """What the server says that it has, by the protocol's names: `tools`, `resources`, `prompts` and others."""
        said = self.session.server_capabilities if self.session is not None else None
        return frozenset() if said is None else frozenset(said.model_dump(exclude_none=True))

    @property
    def revision(self) -> str:
        """The revision of the protocol that was agreed on; empty before."""
        return (self.session.protocol_version or "") if self.session is not None else ""

    @property
    def stateless(self) -> bool:
        """Whether that is one without sessions."""
        return self.revision in MODERN_PROTOCOL_VERSIONS

    @property
    def errors(self) -> bytes:
        """What the server wrote to its standard error, the last of it."""
        return bytes(self.link.errors) if self.link is not None else b""

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return bool(self._calls)

    async def list(self, method: str, key: str) -> list[dict[str, Any]]:
        """Every entry of a list, as the server says it; within `start_s`. One that has no form is in `odd` alone.

        Raises:
            ToolError: It has no end, too many entries, or could not be read.
        """
        found: list[dict[str, Any]] = []
        odd: dict[str, str] = {}
        seen: set[str] = set()
        cursor: str | None = None
        size = 0
        with anyio.fail_after(self.terms.start_s):
            while True:
                trip = Trip()
                page = await self._request(method, {} if cursor is None else {"cursor": cursor}, trip)
                size += len(json.dumps(page))
                if size > LIST_MAX:
                    raise ToolError(f"lists {key} of more than {LIST_MAX} bytes", code="server.too_many")
                found += page.get(key, ())
                odd |= trip.odd
                cursor = page.get("nextCursor")
                if len(found) > self.terms.items_max:
                    raise ToolError(f"lists more than {self.terms.items_max} {key}", code="server.too_many")
                if cursor is None:
                    break
                if cursor in seen or len(seen) > self.terms.items_max:
                    raise ToolError(f"lists {key} without end", code="server.endless")
                seen.add(cursor)
        self.odd = odd
        if method == "tools/list" and self.session is not None:
            # The SDK sends some arguments as headers too, by the schemas that it has seen listed.
            self.session._absorb_tool_listing(types.ListToolsResult.model_validate({"tools": found}), complete=True)
        return found

    async def call(self, name: str, arguments: Mapping[str, Any], context: CallContext) -> dict[str, Any]:
        """Call a tool with exactly these arguments; its whole result but for `_meta`.

        Raises:
            NotSent: Nothing left.
            Rejected: The server answered with an error; `said` has its words.
            TryLater: It answered that it may do it later.
            ToolError: Whether it was done is not known.
        """
        trace = dialling(context.trace, context.run_id, context.call_id)
        meta = {KEY_META: context.idempotency_key, **trace}
        params = {"name": name, "arguments": arguments, "_meta": meta}
        result = await self.request("tools/call", params, context.call_id, context)
        if result.get("isError") is True:
            raise Rejected(f"server {self.terms.server!r} answered that the tool failed", said=_plain(result))
        return _plain(result)

    async def request(
        self, method: str, params: Mapping[str, Any], call_id: str, context: CallContext | None = None
    ) -> dict[str, Any]:
        """Make a request on behalf of a call, and answer what the server asks meanwhile.

        Raises:
            ToolError: See `call`.
        """
        client = self.relay.client_of(call_id)
        trip = Trip(call_id, client.takes if call_id else None)
        said = {**params, **client.brought}
        for _ in range(ROUNDS_MAX):
            result = await self._request(method, said, trip, context)
            if result.get("resultType", "complete") != "input_required":
                return result
            said = dict(params)
            if result.get("inputRequests"):
                if client.way is Way.INSTEAD:
                    asked = as_asked(result, self.terms, client)
                    raise Rejected(f"server {self.terms.server!r} asks its client first", said=asked)
                said["inputResponses"] = await answered(result["inputRequests"], self.terms, client)
            else:
                await anyio.sleep(0.1)
            if (state := result.get("requestState")) is not None:
                said["requestState"] = state
        raise Rejected(f"server {self.terms.server!r} asked more than {ROUNDS_MAX} times during one call")

    async def _request(
        self, method: str, params: Mapping[str, Any], trip: Trip, context: CallContext | None = None
    ) -> dict[str, Any]:
        session, link = self.session, self.link
        if session is None or link is None or not self.open:
            raise NotSent(f"server {self.terms.server!r} is not connected: {self.why or self._end()}")
        link.told = link.told or HOLDING.held_by(trip.call_id)
        request = REQUESTS[method].model_validate({"method": method, "params": dict(params)})
        with self._under_way(trip):
            try:
                answer = await session.send_request(
                    request, _Raw, progress_callback=None if context is None else progress_of(context)
                )
                return answer.root
            except MCPError as error:
                raise self._judged(error, trip) from None
            except ValueError as error:
                what = f"server {self.terms.server!r} answered with what is no result: {type(error).__name__}"
                raise ToolError(what, code="server.result") from None

    @contextmanager
    def _under_way(self, trip: Trip) -> Iterator[None]:
        token = TRIP.set(trip)
        self._calls.append(trip)
        try:
            yield
        finally:
            self._calls.remove(trip)
            TRIP.reset(token)

    def _judged(self, error: MCPError, trip: Trip) -> ToolError:
        """What an error of the protocol says of the effect, by what is known of the request's way."""
        server = f"server {self.terms.server!r}"
        if trip.not_sent:
            return NotSent(f"{server}: nothing was sent: {error.message[:200]}")
        if trip.status in (429, 503):
            return TryLater(f"{server} answered {trip.status}", retry_after_s=trip.retry_after_s)
        if trip.lost or trip.status >= 500 or (trip.status < 300 and error.code in _LOST):
            return ToolError(f"{server}: {trip.lost or self._end() or error.message[:200]}", code="server.lost")
        said: dict[str, Any] = {"code": error.code, "message": error.message}
        if error.data is not None:
            said["data"] = error.data
        return Rejected(f"{server} answered with error {error.code}", said={"error": said})

    def _end(self) -> str:
        return self.link.why if self.link is not None else ""

    async def _until_over(self, link: Link, session: ClientSession) -> None:
        async with anyio.create_task_group() as tasks:
            if self.hears:
                tasks.start_soon(keep_hearing, session, self.relay.news.wanted(self.terms.server))
            for event in (link.ended, self._closing):

                async def wait(event: anyio.Event = event) -> None:
                    await event.wait()
                    tasks.cancel_scope.cancel()

                tasks.start_soon(wait)

    def _reason(self, error: BaseException) -> str:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if self.link is not None and self.link.why and isinstance(error, MCPError | ToolError):
            last = self.errors.decode(errors="replace").strip().rpartition("\n")[2][:200]
            return f"{self.link.why}; it said: {last}" if last else self.link.why
        if isinstance(error, TimeoutError):
            return f"did not answer within {self.terms.start_s:g} s"
        return str(HOLDING.clean(f"{type(error).__name__}: {error}"))[:500]

    # ---------------------------------------------------------------- what the server says by itself

    def _session(self, link: Link) -> ClientSession:
        allow = self.terms.allow
        return ClientSession(
            dispatcher=link.dispatcher or Sorting(link.received, link.sending),
            sampling_callback=self._sampled if "sampling" in allow else None,
            elicitation_callback=self._elicited if "elicitation" in allow else None,
            list_roots_callback=self._rooted if "roots" in allow else None,
            logging_callback=self._logged if "logging" in allow else None,
            log_level="debug" if "logging" in allow else None,
            message_handler=self._noticed,
            client_info=_OURSELVES,
        )  # fmt: skip

    async def _negotiate(self, session: ClientSession, link: Link) -> None:
        """Agree on a revision, the newest first. A link that ends meanwhile is noticed at once."""
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                await link.ended.wait()
                raise ToolError(link.why)

            tasks.start_soon(watch)
            if self.handshake:
                await session.initialize()
            else:
                await negotiate_auto(session)
                for_whom(session)
            said = session.server_capabilities
            logs = "logging" in self.terms.allow and said is not None and said.logging is not None
            if logs and session.initialize_result is not None:
                level = types.SetLevelRequest(params=types.SetLevelRequestParams(level="debug"))
                await session.send_request(level, types.EmptyResult)
            tasks.cancel_scope.cancel()

    async def _noticed(self, message: types.ServerNotification | Exception) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self.changed.set()
        if self.hears and isinstance(message, types.ResourceUpdatedNotification):
            self.relay.news.tell(message.method, str(message.params.uri))
        elif self.hears and isinstance(message, _LISTS_CHANGED):
            self.relay.news.tell(message.method)

    async def _logged(self, params: types.LoggingMessageNotificationParams) -> None:
        trip = self._trip()
        if trip is None or self._told >= TOLD_MAX or HOLDING.held_by(trip.call_id):
            return  # what a call with a secret is logged with could be that, in pieces
        self._told += 1
        try:
            said = params.model_dump(by_alias=True, mode="json", exclude_none=True)
            await self.relay.client_of(trip.call_id).tell(self.terms.server, "notifications/message", said)
        finally:
            self._told -= 1

    async def _sampled(
        self, context: ClientRequestContext, params: types.CreateMessageRequestParams
    ) -> types.CreateMessageResult | types.CreateMessageResultWithTools | types.ErrorData:
        answer = await self._asked("sampling/createMessage", params)
        return answer if isinstance(answer, types.ErrorData) else _SAMPLED.validate_python(answer, by_name=False)

    async def _elicited(
        self, context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult | types.ErrorData:
        answer = await self._asked("elicitation/create", params)
        return answer if isinstance(answer, types.ErrorData) else types.ElicitResult.model_validate(answer)

    async def _rooted(self, context: ClientRequestContext) -> types.ListRootsResult | types.ErrorData:
        answer = await self._asked("roots/list", None)
        return answer if isinstance(answer, types.ErrorData) else types.ListRootsResult.model_validate(answer)

    async def _asked(self, method: str, params: Any) -> Mapping[str, Any] | types.ErrorData:
        """The answer of the client in front to a question that the server sent by itself."""
        said = {} if params is None else params.model_dump(by_alias=True, mode="json", exclude_none=True)
        trip, said = self._trip(), HOLDING.clean(said)
        if trip is None or not trip.call_id:
            return types.ErrorData(code=_REFUSED, message="it is not known which call this belongs to")
        try:
            check_question(self.terms.server, self.terms.allow, method, said)
            return await self.relay.client_of(trip.call_id).ask(self.terms.server, method, said)
        except InterlockError:
            return types.ErrorData(code=_REFUSED, message=f"{method} is refused")

    def _trip(self) -> Trip | None:
        """The request that something of the server belongs to, where that is known."""
        if (trip := TRIP.get()) is not None:
            return trip
        mine = [each for each in self._calls if each.call_id]
        return mine[0] if self.terms.alone and len(mine) == 1 else None


def _plain(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result as it is recorded: without `_meta`, and without what the revision adds around it."""
    return {key: value for key, value in result.items() if key not in ("_meta", "resultType")}

"""One server behind a plane: its connections, what it lists, and when it is left alone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

import anyio
from anyio.abc import TaskGroup, TaskStatus

from interlock.core.clock import Clock
from interlock.core.tool import CallContext, Tool
from interlock.errors import DefinitionError, NotSent, ToolError
from interlock.sources.mcp_tools import Profile, tool_of

LINES_MAX: Final = 32
"""Connections of one server that principals may have at once; the one that was idle longest makes room."""

PAUSE_MAX_S: Final = 60.0
"""Seconds between tries to reach a server, at most; the first pause is 1 s, and each is twice the one before."""

CALM_S: Final = 0.2
"""Seconds in which further words of a server that its tools changed are one word."""

Key = tuple[str, str]
"""Tenant and principal of a connection; both empty for the shared one."""

SHARED: Final[Key] = ("", "")


class State(StrEnum):
    """How a server stands."""

    STARTING = "starting"
    READY = "ready"
    DOWN = "down"
    QUARANTINED = "quarantined"
    UNREVIEWED = "unreviewed"


_LEFT_ALONE: Final = frozenset({State.QUARANTINED, State.UNREVIEWED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a connection goes by.

    Attributes:
        server: The operator's name of the server.
        allow: What it may ask of the client in front.
        start_s: Seconds until it must have answered who it is; the same again for each list.
        items_max: Entries that one list of it may have.
        alone: Whether a question belongs to the one call under way, because its transport does not say to which.
    """

    server: str
    allow: frozenset[str] = frozenset()
    start_s: float = 30.0
    items_max: int = 512
    alone: bool = False


class Connection(Protocol):
    """A connection to a server, as `mcp_session.Connection` is one; what stands here needs no SDK.

    Attributes:
        changed: Set when the server says that its tools changed, or when the connection ended.
        why: Why it is not open, in our words.
    """

    changed: anyio.Event
    why: str

    @property
    def open(self) -> bool:
        """Whether calls can be made."""
        ...

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        ...

    @property
    def has_tools(self) -> bool:
        """Whether the server says that it has tools."""
        ...

    @property
    def revision(self) -> str:
        """The revision of the protocol that was agreed on; empty before."""
        ...

    @property
    def errors(self) -> bytes:
        """What the server wrote to its standard error, the last of it."""
        ...

    async def keep(self, *, task_status: TaskStatus[None]) -> None:
        """Open it, say so, and keep it until it ends."""
        ...

    def close(self) -> None:
        """Have it end."""
        ...

    async def list(self, method: str, key: str) -> list[dict[str, Any]]:
        """Every entry of a list of the server."""
        ...

    async def call(self, name: str, arguments: Mapping[str, Any], context: CallContext) -> dict[str, Any]:
        """Call a tool."""
        ...

    async def request(self, method: str, params: Mapping[str, Any], call_id: str) -> dict[str, Any]:
        """Make another request on behalf of a call."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a server is reached by.

    Attributes:
        terms: What its connections go by.
        connect: Makes a connection, not open yet.
        profile: The operator's word on its tools.
        per_principal: Whether each principal has a connection of its own.
        relist_s: Seconds after which its tools are listed again in any case.
        objection: Why it may not be started; empty where it may.
    """

    terms: Terms
    connect: Callable[[], Connection]
    profile: Profile
    per_principal: bool = False
    relist_s: float = 300.0
    objection: str = ""


@dataclass(slots=True)
class _Line:
    """A connection with what it listed."""

    connection: Connection
    definitions: dict[str, Mapping[str, Any]] = field(default_factory=dict)


class Server:
    """One server. Its tasks live in the task group that it is given.

    Attributes:
        plan: What it is reached by.
        state: How it stands.
        why: Why it is not ready, or was not last; empty for nothing.
        restarts: How often it had to be opened again.
        refused: The server's name of a tool to why it is none, for the operator.
    """

    def __init__(self, plan: Plan, clock: Clock, tasks: TaskGroup, changed: Callable[[], None]) -> None:
        self.plan = plan
        self.state = State.UNREVIEWED if plan.objection else State.STARTING
        self.why = plan.objection
        self.restarts = 0
        self.refused: dict[str, str] = {}
        self._clock, self._tasks, self._changed = clock, tasks, changed
        self._lines: OrderedDict[Key, _Line] = OrderedDict()
        self._opening = anyio.Lock()
        self._tools: dict[str, Tool] = {}
        self._pause_s = 0.0
        self._not_before_s = 0.0

    @property
    def name(self) -> str:
        """The operator's name of it."""
        return self.plan.terms.server

    @property
    def tools(self) -> tuple[Tool, ...]:
        """Its tools as they were last listed, in its order."""
        return tuple(self._tools.values())

    @property
    def errors(self) -> bytes:
        """What it wrote to its standard error, the last of it."""
        return b"".join(line.connection.errors for line in self._lines.values())

    async def start(self) -> None:
        """Open the shared connection and list the tools; where that fails, it is tried again by `tend`."""
        try:
            await self._line(SHARED)
        except ToolError:
            return

    async def tend(self) -> None:
        """Keep the shared connection open and its list fresh, until cancelled or until it is quarantined."""
        while self.state not in _LEFT_ALONE:
            try:
                line = await self._line(SHARED)
            except ToolError:
                await anyio.sleep(max(0.05, self._not_before_s - self._clock.mono_s()))
                continue
            with anyio.move_on_after(self.plan.relist_s):
                await line.connection.changed.wait()
            if line.connection.open:
                await anyio.sleep(CALM_S)
                await self._relist(line)
            else:
                self._failed(line.connection.why)

    def sees(self, tenant: str, principal_id: str) -> frozenset[str] | None:
        """The names of the tools that this principal's own connection lists; None where it has none as yet."""
        line = self._lines.get(self._key(tenant, principal_id))
        if line is None:
            return None
        return frozenset(self.plan.profile.prefix + name for name in line.definitions)

    async def request(
        self, method: str, params: Mapping[str, Any], *, tenant: str, principal_id: str, call_id: str
    ) -> dict[str, Any]:
        """Make a request on behalf of a principal's call; see `Connection.request`."""
        line = await self._line(self._key(tenant, principal_id))
        return await line.connection.request(method, params, call_id)

    async def entries(self, method: str, key: str, *, tenant: str, principal_id: str) -> list[dict[str, Any]]:
        """Every entry of a list of the server, as this principal is shown it; see `Connection.list`."""
        line = await self._line(self._key(tenant, principal_id))
        return await line.connection.list(method, key)

    def close(self) -> None:
        """Have every connection end."""
        for line in self._lines.values():
            line.connection.close()

    def _key(self, tenant: str, principal_id: str) -> Key:
        return (tenant, principal_id) if self.plan.per_principal else SHARED

    async def _call(self, definition: Mapping[str, Any], arguments: dict[str, Any], context: CallContext) -> object:
        """The body of every tool: the call leaves only where the server still lists what was decided (T7)."""
        line = await self._line(self._key(context.tenant, context.principal_id))
        name = definition["name"]
        listed = line.definitions.get(name)
        if listed != definition:
            what = "is not offered to this principal" if listed is None else "has another definition by now"
            raise NotSent(f"server {self.name!r}: the tool {name!r} {what}")
        return await line.connection.call(name, arguments, context)

    async def _line(self, key: Key) -> _Line:
        """The open connection of a principal, opened where there is none.

        Raises:
            NotSent: There is none, and it could not be opened or should not be yet.
        """
        async with self._opening:
            line = self._lines.get(key)
            if line is not None and line.connection.open:
                self._lines.move_to_end(key)
                return line
            if self.state in _LEFT_ALONE or self._clock.mono_s() < self._not_before_s:
                raise NotSent(f"server {self.name!r} is {self.state.value}: {self.why}")
            if line is not None:
                self.restarts += 1
            return await self._open(key)

    async def _open(self, key: Key) -> _Line:
        connection = self.plan.connect()
        line = self._lines[key] = _Line(connection)
        self._lines.move_to_end(key)
        self._make_room()
        try:
            await self._tasks.start(connection.keep)
            await self._list(line)
        except ToolError as error:
            connection.close()
            if error.code in ("server.too_many", "server.endless"):
                self._quarantine(str(error.args[0]))
            else:
                self._failed(connection.why or str(error.args[0]))
            raise NotSent(f"server {self.name!r} is {self.state.value}: {self.why}") from None
        except TimeoutError:
            connection.close()
            self._failed(f"did not list its tools within {self.plan.terms.start_s:g} s")
            raise NotSent(f"server {self.name!r} is {self.state.value}: {self.why}") from None
        self.state, self.why, self._pause_s = State.READY, "", 0.0
        return line

    async def _relist(self, line: _Line) -> None:
        try:
            await self._list(line)
        except ToolError as error:
            line.connection.close()
            self._quarantine(str(error.args[0])) if error.code.startswith("server.") else self._failed(str(error))
        except TimeoutError:
            line.connection.close()
            self._failed("did not list its tools in time")

    async def _list(self, line: _Line) -> None:
        """List the tools of a connection, and make tools of those that are new or not as they were."""
        line.connection.changed = anyio.Event()
        listed = await line.connection.list("tools/list", "tools") if line.connection.has_tools else []
        line.definitions = {str(each.get("name")): each for each in listed}
        mine = self._lines.get(SHARED) is line
        before = self._tools
        tools = {} if mine else dict(before)
        for name, definition in line.definitions.items():
            if not mine and name in before:
                continue  # another definition than the one that is known is refused when it is called
            known = before.get(name)
            if known is None or not _same(known, definition, self.plan.profile):
                known = self._tool(definition)
            if known is not None:
                tools[name] = known
        if list(tools.items()) != list(before.items()):
            self._tools = tools
            self._changed()

    def _tool(self, definition: Mapping[str, Any]) -> Tool | None:
        async def body(arguments: dict[str, Any], context: CallContext) -> object:
            return await self._call(definition, arguments, context)

        try:
            return tool_of(definition, self.plan.profile, body)
        except DefinitionError as error:
            self.refused[str(definition.get("name"))[:200]] = str(error)
            return None

    def _make_room(self) -> None:
        while len(self._lines) > LINES_MAX:
            idle = [key for key, each in self._lines.items() if key != SHARED and not each.connection.busy]
            oldest = idle[0] if idle else next(key for key in self._lines if key != SHARED)
            self._lines.pop(oldest).connection.close()

    def _failed(self, why: str) -> None:
        self.state, self.why = State.DOWN, why
        self._pause_s = min(PAUSE_MAX_S, self._pause_s * 2 or 1.0)
        self._not_before_s = self._clock.mono_s() + self._pause_s

    def _quarantine(self, why: str) -> None:
        """Leave a server alone that is out of bounds: none of its tools is offered until it is started again (T45)."""
        self.state, self.why = State.QUARANTINED, why
        self.close()
        self._tools = {}
        self._changed()


def _same(tool: Tool, definition: Mapping[str, Any], profile: Profile) -> bool:
    """Whether a tool was made of this definition; by its body's own, which it is compared with at every call."""
    said = {key: value for key, value in definition.items() if key not in ("name", "description", "inputSchema")}
    return (
        tool.name == profile.prefix + str(definition.get("name"))
        and tool.description == (definition.get("description") or "")
        and tool.input_schema == definition.get("inputSchema")
        and tool.claims == said
    )

"""One server behind a plane: its connections, what it lists, and when it is left alone."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup

from interlock.core.clock import Clock
from interlock.core.tool import CallContext, Tool
from interlock.errors import DefinitionError, NotSent, ToolError
from interlock.sources.mcp_connection import SHARED, Connection, Key, Plan
from interlock.sources.mcp_pace import Pace
from interlock.sources.mcp_pulse import SILENT, until_news
from interlock.sources.mcp_tools import is_made_of, tool_of

LINES_MAX: Final = 32
"""Connections of one server that principals may have at once; the one that was idle longest makes room."""

UNSEEN_S: Final = 5.0
"""Seconds that whoever is to be offered tools waits for what a principal's own connection lists."""

ERRORS_KEPT: Final = 64 << 10
"""Bytes of what a server wrote to its standard error that are kept over its restarts."""


class State(StrEnum):
    """How a server stands."""

    STARTING = "starting"
    READY = "ready"
    DOWN = "down"
    QUARANTINED = "quarantined"
    UNREVIEWED = "unreviewed"


_BOMBS: Final = frozenset({"server.too_many", "server.endless"})
"""Codes of lists that are out of bounds."""

_LEFT_ALONE: Final = frozenset({State.QUARANTINED, State.UNREVIEWED})


@dataclass(slots=True)
class _Line:
    """A connection with its pace, what it listed last, and when by the monotonic clock."""

    connection: Connection
    pace: Pace
    definitions: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    listed_s: float = -math.inf


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
        self.state = State.STARTING
        self.why = ""
        self.restarts = 0
        self.refused: dict[str, str] = {}
        self._clock, self._tasks, self._changed = clock, tasks, changed
        self._lines: OrderedDict[Key, _Line] = OrderedDict()
        self._opening: dict[Key, anyio.Lock] = {}
        self._again = anyio.Event()
        self._errors = b""
        self._tools: dict[str, Tool] = {}
        self._pace = Pace(clock)

    @property
    def name(self) -> str:
        """The operator's name of it."""
        return self.plan.terms.server

    @property
    def tools(self) -> tuple[Tool, ...]:
        """Its tools as they were last listed, in its order."""
        return tuple(self._tools.values())

    @property
    def revision(self) -> str:
        """The revision of the protocol that its shared connection goes by; empty where that is not open."""
        line = self._lines.get(SHARED)
        return line.connection.revision if line is not None else ""

    @property
    def errors(self) -> bytes:
        """What it wrote to its standard error, the last of it."""
        now = b"".join(line.connection.errors for line in self._lines.values())
        return (self._errors + now)[-ERRORS_KEPT:]

    def object_to(self, why: str) -> None:
        """Do not start it, for this reason; or let it be started, where there is none."""
        if why:
            self._leave(State.UNREVIEWED, why)
        elif self.state is State.UNREVIEWED:
            self.restart()

    def restart(self) -> None:
        """End its connections and open it again, whatever became of it before."""
        self.close()
        self.state, self.why = State.STARTING, ""
        self._pace = Pace(self._clock)
        self._again.set()

    def retry(self) -> None:
        """Try to reach it now, where it could not be reached: something about it changed."""
        for line in self._lines.values():
            line.pace.at_once()
        if self.state is State.DOWN:
            self._pace.at_once()
            self._again.set()

    async def start(self) -> None:
        """Open the shared connection and list the tools; where that fails, it is tried again by `tend`."""
        with suppress(ToolError):
            await self._line(SHARED)

    async def tend(self) -> None:
        """Keep the shared connection open and its list fresh, until cancelled."""
        while True:
            self._again = anyio.Event()
            try:
                line = await self._line(SHARED)
            except ToolError:
                left = math.inf if self.state in _LEFT_ALONE else max(0.05, self._pace.wait_s)
                with anyio.move_on_after(left):
                    await self._again.wait()
                continue
            await until_news(line.connection, self.plan)
            if line.connection.open:
                await anyio.sleep(self._pace.calm_s)
                await self._relist(line)
            else:
                self._failed(line.connection.why or SILENT)

    @property
    def offers(self) -> frozenset[str]:
        """What it says that it has; nothing while it is not ready."""
        line = self._lines.get(SHARED)
        return frozenset() if line is None else line.connection.offers

    async def unseen(self, tenant: str, principal_id: str) -> frozenset[str]:
        """Names of its tools that this principal's own connection does not list as they are known (T43).

        All of them where that does not answer within `UNSEEN_S`. Of a server with a connection for each principal.
        """
        listed: Mapping[str, Mapping[str, Any]] = {}
        with anyio.move_on_after(UNSEEN_S), suppress(ToolError):
            listed = (await self._fresh(self._key(tenant, principal_id))).definitions
        profile = self.plan.profile
        return frozenset(
            tool.name for name, tool in self._tools.items() if not is_made_of(tool, listed.get(name, {}), profile)
        )

    async def list_resources(self, tenant: str, principal_id: str) -> list[dict[str, Any]]:
        """The resources that this principal is shown, as the server says them: data, at most `items_max`.

        Raises:
            ToolError: It cannot be reached, refuses, or is out of bounds. The same of the next three.
        """
        return await self._entries("resources/list", "resources", self._key(tenant, principal_id))

    async def list_templates(self, tenant: str, principal_id: str) -> list[dict[str, Any]]:
        """The templates of resources that this principal is shown."""
        return await self._entries("resources/templates/list", "resourceTemplates", self._key(tenant, principal_id))

    async def list_prompts(self, tenant: str, principal_id: str) -> list[dict[str, Any]]:
        """The prompts that this principal is shown."""
        return await self._entries("prompts/list", "prompts", self._key(tenant, principal_id))

    async def read_resource(self, uri: str, context: CallContext) -> dict[str, Any]:
        """What stands in a resource, for a call of `resources.read`: `{"contents": […]}`."""
        return await self._request("resources/read", {"uri": uri}, context)

    async def get_prompt(self, name: str, arguments: Mapping[str, str], context: CallContext) -> dict[str, Any]:
        """A prompt filled in, for a call of `prompts.get`: `{"messages": […]}`. It is data, not an instruction."""
        return await self._request("prompts/get", {"name": name, "arguments": dict(arguments)}, context)

    async def complete(self, params: Mapping[str, Any], context: CallContext) -> dict[str, Any]:
        """What an argument of a prompt or a template may be: `params` as of `completion/complete`."""
        return await self._request("completion/complete", params, context)

    async def _request(self, method: str, params: Mapping[str, Any], context: CallContext) -> dict[str, Any]:
        line = await self._line_for(context)
        answer = await line.connection.request(method, params, context.call_id)
        return {key: value for key, value in answer.items() if key not in ("_meta", "resultType")}

    async def _entries(self, method: str, key: str, who: Key) -> list[dict[str, Any]]:
        line = await self._line(who)
        try:
            return await line.connection.list(method, key)
        except TimeoutError:
            raise ToolError(f"server {self.name!r} did not list its {key} in time", code="server.lost") from None

    def close(self) -> None:
        """Have every connection end."""
        for line in self._lines.values():
            line.connection.close()

    def _key(self, tenant: str, principal_id: str) -> Key:
        return (tenant, principal_id, False) if self.plan.per_principal else SHARED

    async def _line_for(self, context: CallContext) -> _Line:
        """The connection that a call goes by.

        A server can ask a client of the older revisions something during a call only over a connection that is of one
        too. Where it could ask, and answers at an address, it has one more: a process of it would be another process.
        """
        key = self._key(context.tenant, context.principal_id)
        line, terms = await self._fresh(key), self.plan.terms
        if terms.alone or not terms.allow or not self.plan.older(context.call_id) or not line.connection.stateless:
            return line
        try:
            return await self._fresh((key[0], key[1], True))
        except NotSent:  # it does not know them any more
            return line

    async def _call(self, definition: Mapping[str, Any], arguments: dict[str, Any], context: CallContext) -> object:
        """The body of every tool: the call leaves only where the server still lists what was decided (T7)."""
        line = await self._line_for(context)
        name = definition["name"]
        listed = line.definitions.get(name)
        if listed != definition:
            what = "is not offered to this principal" if listed is None else "has another definition by now"
            raise NotSent(f"server {self.name!r}: the tool {name!r} {what}")
        return await line.connection.call(name, arguments, context)

    async def _fresh(self, key: Key) -> _Line:
        """The open connection of a principal, listed again where its server said that its tools changed, or long ago.

        Raises:
            NotSent: There is none, or it could not be listed.
        """
        line = await self._line(key)
        if self._is_stale(line):
            if self._pace.restless:
                raise NotSent(f"server {self.name!r} changes its tools over and over")
            async with self._opening.setdefault(key, anyio.Lock()):
                if self._is_stale(line):
                    await self._relist(line)
            if not line.connection.open:
                raise NotSent(f"server {self.name!r} did not list its tools again")
        return line

    def _is_stale(self, line: _Line) -> bool:
        return line.connection.changed.is_set() or self._clock.mono_s() - line.listed_s > self.plan.relist_s

    async def _line(self, key: Key) -> _Line:
        """The open connection of a principal, opened where there is none.

        Raises:
            NotSent: There is none, and it could not be opened or should not be yet.
        """
        if (line := self._open_line(key)) is not None:
            return line
        async with self._opening.setdefault(key, anyio.Lock()):  # one that is slow to open keeps nobody else waiting
            if (line := self._open_line(key)) is not None:
                return line
            if self.state in _LEFT_ALONE or self._pace.wait_s > 0:
                raise NotSent(f"server {self.name!r} is {self.state.value}: {self.why}")
            if (line := self._lines.get(key)) is not None:
                if key != SHARED and line.pace.wait_s > 0:
                    raise NotSent(
                        f"server {self.name!r}: this principal's own connection failed and is tried again in "
                        f"{math.ceil(line.pace.wait_s)} s: {line.connection.why}"
                    )
                self.restarts += 1
                self._errors = (self._errors + line.connection.errors)[-ERRORS_KEPT:]
            elif not self._make_room():
                raise NotSent(f"server {self.name!r}: all {LINES_MAX} connections are in use")
            return await self._open(key)

    def _open_line(self, key: Key) -> _Line | None:
        line = self._lines.get(key)
        if line is None or not line.connection.open:
            return None
        self._lines.move_to_end(key)
        return line

    async def _open(self, key: Key) -> _Line:
        connection = self.plan.connect(key)
        before = self._lines.get(key)
        pace = self._pace if key == SHARED else Pace(self._clock) if before is None else before.pace
        line = self._lines[key] = _Line(connection, pace, {} if before is None else before.definitions)
        self._lines.move_to_end(key)
        try:
            await self._tasks.start(connection.keep)
            await self._list(line)
        except (ToolError, TimeoutError) as error:
            why = self._gave_up(line, error)
            raise NotSent(f"server {self.name!r} is {self.state.value}: {why}") from None
        if key == SHARED:
            self.state, self.why = State.READY, ""
        pace.opened()
        return line

    async def _relist(self, line: _Line) -> None:
        try:
            await self._list(line)
        except (ToolError, TimeoutError) as error:
            self._gave_up(line, error)

    def _gave_up(self, line: _Line, error: ToolError | TimeoutError) -> str:
        """End a connection that did not open or list, and say why. Of the shared one that concerns the whole server."""
        line.connection.close()
        code = error.code if isinstance(error, ToolError) else ""
        if isinstance(error, ToolError):
            why = line.connection.why or str(error.args[0])
        else:
            why = f"did not list its tools within {self.plan.terms.start_s:g} s"
        if self._lines.get(SHARED) is not line:
            line.pace.failed()
            return why
        if code in _BOMBS:
            self._leave(State.QUARANTINED, why)
        else:
            self._failed(why)
        return why

    async def _list(self, line: _Line) -> None:
        """List the tools of a connection, and make tools of those that are new or not as they were.

        What another connection lists besides stays: a tool may be shown to some principals alone.
        """
        line.connection.changed = anyio.Event()
        listed = await line.connection.list("tools/list", "tools") if "tools" in line.connection.offers else []
        last, line.definitions = line.definitions, {str(each.get("name")): each for each in listed}
        line.listed_s = self._clock.mono_s()
        mine = self._lines.get(SHARED) is line
        others = {name for each in self._lines.values() if each is not line for name in each.definitions}
        self.refused = {name: why for name, why in self.refused.items() if name in others} | dict(line.connection.odd)
        before = self._tools
        tools: dict[str, Tool] = {}
        for name, definition in line.definitions.items():
            known = before.get(name)
            if known is None or not ((name in others and not mine) or is_made_of(known, definition, self.plan.profile)):
                known = self._tool(definition)  # one that others list otherwise is refused when it is called
            if known is not None:
                tools[name] = known
        gone = last.keys() - line.definitions.keys() - others
        if len(before) > self.plan.terms.items_max:
            gone |= before.keys() - others  # those of connections that made room
        kept = {name: tool for name, tool in before.items() if name not in gone and name not in line.definitions}
        tools = tools | kept if mine else kept | tools
        if list(tools.items()) != list(before.items()):
            self._tools = tools
            self._pace.changed()
            self._changed()

    def _tool(self, definition: Mapping[str, Any]) -> Tool | None:
        async def body(arguments: dict[str, Any], context: CallContext) -> object:
            return await self._call(definition, arguments, context)

        try:
            return tool_of(definition, self.plan.profile, body)
        except DefinitionError as error:
            self.refused[str(definition.get("name"))[:200]] = str(error)
            return None

    def _make_room(self) -> bool:
        """Whether there is room for one more connection; the one that was idle longest is ended for it."""
        if len(self._lines) < LINES_MAX:
            return True
        idle = (key for key, each in self._lines.items() if key != SHARED and not each.connection.busy)
        if (oldest := next(idle, None)) is None:
            return False
        self._lines.pop(oldest).connection.close()
        self._opening.pop(oldest, None)
        return True

    def _failed(self, why: str) -> None:
        self.state, self.why = State.DOWN, why
        self._pace.failed()

    def _leave(self, state: State, why: str) -> None:
        """Leave it alone: none of its tools is offered until a person has it started again (T45)."""
        self.state, self.why = state, why
        self.close()
        if self._tools:
            self._tools = {}
            self._changed()

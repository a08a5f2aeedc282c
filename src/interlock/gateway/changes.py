"""Tells clients what changed: once for however many changes, and nobody waits for a slow one."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

import anyio
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)

from interlock.sources.news import News

logger = logging.getLogger("interlock.gateway")

_EVERY_S = 0.5
"""Seconds between two looks: what changes more often is told once."""

_SESSIONS_MAX = 10_000

_WAITING_MAX = 1024
"""Changes that wait to be told; further ones of resources are not told."""

TOOLS = "notifications/tools/list_changed"
_PROMPTS = "notifications/prompts/list_changed"
_RESOURCES = "notifications/resources/list_changed"


class Told(Protocol):
    """A connection of the older revisions."""

    async def send_tool_list_changed(self) -> None:
        """The tools are others."""
        ...

    async def send_prompt_list_changed(self) -> None:
        """The prompts are."""
        ...

    async def send_resource_list_changed(self) -> None:
        """The resources are."""
        ...

    async def send_resource_updated(self, uri: str) -> None:
        """Something else stands in one."""
        ...


class Changes:
    """Who is to be told.

    Attributes:
        bus: Tells those of the revision of 2026, who asked for it.

    Args:
        news: What the servers behind say by themselves.
        follows: Whether a session follows a resource.
        tell_s: Seconds that one client may take to be told; it is forgotten then.
    """

    def __init__(self, news: News, follows: Callable[[str, str], bool], tell_s: float = 5.0) -> None:
        self.bus = InMemorySubscriptionBus()
        self._news = news
        self._follows = follows
        self._waiting: dict[tuple[str, str], None] = {}
        self._sessions: dict[str, Told] = {}
        self._tell_s = tell_s

    @property
    def count(self) -> int:
        """How many of the older revisions there are."""
        return len(self._sessions)

    def add(self, session: str, connection: Told) -> None:
        """A client of the older revisions is there."""
        if len(self._sessions) < _SESSIONS_MAX:
            self._sessions[session] = connection

    def remove(self, session: str) -> None:
        """It is gone."""
        self._sessions.pop(session, None)

    async def watch(self, registry: Callable[[], object]) -> None:
        """Tell everybody whenever the registry is another one, or a server says that something is, until cancelled."""
        seen = registry()
        with self._news.telling(self.note):
            while True:
                await anyio.sleep(_EVERY_S)
                if (now := registry()) is not seen:
                    seen = now
                    self.note(TOOLS)
                if self._waiting:
                    await self.tell()

    def note(self, method: str, uri: str = "") -> None:
        """Have everybody told soon whom it concerns."""
        if len(self._waiting) < _WAITING_MAX or not uri:
            self._waiting[method, uri] = None

    async def tell(self) -> None:
        """Tell what was noted, everybody at the same time."""
        noted, self._waiting = list(self._waiting), {}
        for method, uri in noted:
            await self.bus.publish(_event(method, uri))
        async with anyio.create_task_group() as tasks:
            for session, connection in list(self._sessions.items()):
                mine = [each for each in noted if not each[1] or self._follows(session, each[1])]
                if mine:
                    tasks.start_soon(self._tell, session, connection, mine)

    async def _tell(self, session: str, connection: Told, noted: list[tuple[str, str]]) -> None:
        with anyio.move_on_after(self._tell_s) as scope:
            try:
                for method, uri in noted:
                    await _sent(connection, method, uri)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                self.remove(session)
        if scope.cancelled_caught:
            logger.warning("a client was not told in %.0f s what changed", self._tell_s)
            self.remove(session)


def _event(method: str, uri: str) -> ServerEvent:
    """What changed, as the revision of 2026 says it."""
    if uri:
        return ResourceUpdated(uri=uri)
    if method == _PROMPTS:
        return PromptsListChanged()
    return ResourcesListChanged() if method == _RESOURCES else ToolsListChanged()


def _sent(connection: Told, method: str, uri: str) -> Awaitable[None]:
    """The same, sent as the older revisions say it."""
    if uri:
        return connection.send_resource_updated(uri)
    if method == _PROMPTS:
        return connection.send_prompt_list_changed()
    return connection.send_resource_list_changed() if method == _RESOURCES else connection.send_tool_list_changed()

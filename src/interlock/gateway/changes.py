"""Tells clients that the tools are others now: once for however many changes, and nobody waits for a slow one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

import anyio
from mcp.server.subscriptions import InMemorySubscriptionBus, ToolsListChanged

logger = logging.getLogger("interlock.gateway")

_EVERY_S = 0.5
"""Seconds between two looks: what changes more often is told once."""

_SESSIONS_MAX = 10_000


class Told(Protocol):
    """A connection of the older revisions."""

    async def send_tool_list_changed(self) -> None:
        """Say so."""
        ...


class Changes:
    """Who is to be told.

    Attributes:
        bus: Tells those of the revision of 2026, who asked for it.

    Args:
        tell_s: Seconds that one client may take to be told; it is forgotten then.
    """

    def __init__(self, tell_s: float = 5.0) -> None:
        self.bus = InMemorySubscriptionBus()
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
        """Tell everybody whenever the registry is another one, until cancelled."""
        seen = registry()
        while True:
            await anyio.sleep(_EVERY_S)
            if (now := registry()) is not seen:
                seen = now
                await self.tell()

    async def tell(self) -> None:
        """Tell everybody, all at the same time."""
        await self.bus.publish(ToolsListChanged())
        async with anyio.create_task_group() as tasks:
            for session, connection in list(self._sessions.items()):
                tasks.start_soon(self._tell, session, connection)

    async def _tell(self, session: str, connection: Told) -> None:
        with anyio.move_on_after(self._tell_s) as scope:
            try:
                await connection.send_tool_list_changed()
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                self.remove(session)
        if scope.cancelled_caught:
            logger.warning("a client was not told in %.0f s that the tools are others", self._tell_s)
            self.remove(session)

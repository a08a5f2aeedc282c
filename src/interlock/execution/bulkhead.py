"""Room for calls that execute: so many in the process, in a run and in a tool, so that none starves the others."""

from __future__ import annotations

from collections import deque
from types import TracebackType

import anyio

from interlock.core.call import ToolCall
from interlock.core.tool import Tool

PROCESS_MAX = 256
"""Calls that may execute at once in one process (spec: limits)."""

RUN_MAX = 16
"""Calls of one run that may execute at once (spec: limits)."""

WAITING_MAX = 4096
"""Calls of a process that may wait for room; the next one is turned away at once."""


class Full(Exception):
    """There is no room, and waiting any longer is of no use. Caught by `execute` alone."""


class Bulkhead:
    """Counts who is inside, and lets those who wait in, in their order, as soon as all of their limits allow.

    A call that is made for another one (a question to the far end, a look-up) counts in its tool alone: the other's
    place in run and process is its own, and waiting for a second one could wait for itself.
    """

    def __init__(self, process_max: int = PROCESS_MAX, run_max: int = RUN_MAX, waiting_max: int = WAITING_MAX) -> None:
        self._process_max = process_max
        self._run_max = run_max
        self._waiting_max = waiting_max
        self._inside: dict[tuple[str, ...], int] = {}
        self._waiting: deque[Room] = deque()

    def room(self, tool: Tool, call: ToolCall) -> Room:
        """A place for one call, to be entered as a context."""
        limits: dict[tuple[str, ...], int] = {("tool", tool.server, tool.name, tool.version): tool.at_once}
        if not call.parent_id:
            limits["run", call.run_id] = self._run_max
            limits["process",] = self._process_max
        return Room(self, limits, tool.timeout_s)

    def enter(self, room: Room) -> bool:
        """Take the place where there is room; whether it was taken. Who waits was let in before, if it could be."""
        inside = self._inside
        for name, most in room.limits.items():
            if inside.get(name, 0) >= most:
                return False
        for name in room.limits:
            inside[name] = inside.get(name, 0) + 1
        return True

    def wait(self, room: Room) -> None:
        """Stand in line.

        Raises:
            Full: Too many stand there already.
        """
        if len(self._waiting) >= self._waiting_max:
            raise Full
        self._waiting.append(room)

    def leave(self, room: Room) -> None:
        """Give the place back, or up, and let in whoever fits now."""
        if not room.taken:
            self._waiting.remove(room)
            return
        for name in room.limits:
            left = self._inside[name] - 1
            if left:
                self._inside[name] = left
            else:
                del self._inside[name]
        for other in list(self._waiting):
            if self.enter(other):
                self._waiting.remove(other)
                other.taken = True
                other.free.set()


class Room:
    """The place of one call; entering waits for it, for as long as one try of the tool may take.

    Attributes:
        limits: What is counted, each with its limit.
        free: Set when it was let in from the line.
        taken: Whether it is inside.
    """

    __slots__ = ("_bulkhead", "_wait_s", "free", "limits", "taken")

    def __init__(self, bulkhead: Bulkhead, limits: dict[tuple[str, ...], int], wait_s: float) -> None:
        self.limits = limits
        self.taken = False
        self.free: anyio.Event
        self._bulkhead = bulkhead
        self._wait_s = wait_s

    async def __aenter__(self) -> None:
        """Wait for the place.

        Raises:
            Full: It was not to be had in time. Nothing has run.
        """
        self.taken = self._bulkhead.enter(self)
        if self.taken:
            return
        self.free = anyio.Event()
        self._bulkhead.wait(self)
        inside = False
        try:
            with anyio.move_on_after(self._wait_s):
                await self.free.wait()
            inside = self.taken
        finally:
            if not inside:
                self._bulkhead.leave(self)
        if not inside:
            raise Full

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Let the next one in."""
        self._bulkhead.leave(self)

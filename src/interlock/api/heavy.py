"""What takes a core for a while is done in a thread, one at a time in each process: others wait for their turn.

Nobody else's request waits for it, and many of them do not starve what calls need.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")


class Heavy:
    """The turn of a process."""

    def __init__(self) -> None:
        self._turn = anyio.CapacityLimiter(1)

    async def done(self, work: Callable[[], T]) -> T:
        """Do it in a thread, when it is its turn. Where whoever asked is gone meanwhile, it ends by itself."""
        return await anyio.to_thread.run_sync(work, limiter=self._turn, abandon_on_cancel=True)

    async def awaited(self, work: Callable[[], Awaitable[T]]) -> T:
        """Await what uses threads of its own, when it is its turn."""
        async with self._turn:
            return await work()

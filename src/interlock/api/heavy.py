"""What takes a core for a while is done in a thread, one at a time in each process: others wait for their turn.

Nobody else's request waits for it, and many of them do not starve what calls need. A turn lasts as long as its work:
whoever asks and leaves, again and again, starts no second one beside the first.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread

T = TypeVar("T")


class Heavy:
    """The turn of a process."""

    def __init__(self) -> None:
        self._turn = anyio.CapacityLimiter(1)

    async def done(self, work: Callable[[], T]) -> T:
        """Do it in a thread, when it is its turn; where whoever asked is gone by then, not at all.

        Who asked may leave while it is done: nobody waits for it any longer, and the turn is over when the work is.
        """
        turn, begun = object(), threading.Lock()

        def in_turn() -> T:
            if not begun.acquire(blocking=False):
                raise RuntimeError("whoever asked was gone before the work began")
            try:
                return work()
            finally:
                anyio.from_thread.run_sync(self._turn.release_on_behalf_of, turn)

        await self._turn.acquire_on_behalf_of(turn)
        try:
            return await anyio.to_thread.run_sync(in_turn, abandon_on_cancel=True)
        finally:
            if begun.acquire(blocking=False):  # no thread did it, nor will: they left, or there was none to be had
                self._turn.release_on_behalf_of(turn)

    async def awaited(self, work: Callable[[], Awaitable[T]]) -> T:
        """Await what uses threads of its own, when it is its turn."""
        async with self._turn:
            return await work()

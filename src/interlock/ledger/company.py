"""Who may work at the same time as others in this process, and who only alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio


class Company:
    """Many work together, or one alone.

    A run over which workers were lost may be what ends them. Advanced alone, it takes no other run's call with it.
    """

    def __init__(self) -> None:
        self._together = 0
        self._turn = anyio.Lock()
        self._left = anyio.Event()

    @asynccontextmanager
    async def join(self, *, alone: bool) -> AsyncIterator[None]:
        """Work until the block is left. Whoever wants to be alone waits for those who work, and lets nobody else in."""
        async with self._turn:
            if alone:
                while self._together:
                    self._left = anyio.Event()
                    await self._left.wait()
                yield
                return
            self._together += 1
        try:
            yield
        finally:
            self._together -= 1
            if not self._together:
                self._left.set()

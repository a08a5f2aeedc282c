"""How far a call is, told to its client while the call runs: no more than the client takes, and never backwards."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream

from interlock.core.canonical import Json
from interlock.core.progress import Heard, Progress
from interlock.engine.beside import tasks_beside

_WAIT_MAX = 16
"""Reports that wait for a client; what comes while they do is dropped."""

_SLOW_S = 2.0
"""Seconds that one report may take; a client that is slower is told no more."""


class Tells(Protocol):
    """What a client is told by."""

    async def report_progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Tell it."""
        ...


@asynccontextmanager
async def reporting(client: Tells, clean: Callable[[Json], Json]) -> AsyncIterator[Heard]:
    """A listener whose reports reach the client as long as the block lasts, and before it ends.

    Args:
        clean: What may be told of a message.
    """
    sending, waiting = anyio.create_memory_object_stream[Progress](_WAIT_MAX)
    async with tasks_beside(sending.close) as tasks:
        tasks.start_soon(_tell, waiting, client, clean)
        yield _only_forward(sending.send_nowait)


def _only_forward(send: Callable[[Progress], None]) -> Heard:
    """The protocol wants each amount above the one before; a call that is tried again begins again."""
    last = -math.inf

    def heard(progress: Progress) -> None:
        nonlocal last
        if progress.done > last:
            try:
                send(progress)
            except (anyio.WouldBlock, anyio.BrokenResourceError):
                return
            last = progress.done

    return heard


async def _tell(waiting: MemoryObjectReceiveStream[Progress], client: Tells, clean: Callable[[Json], Json]) -> None:
    async with waiting:
        async for progress in waiting:
            with anyio.move_on_after(_SLOW_S) as telling:
                message = str(clean(progress.message)) if progress.message else None
                await client.report_progress(progress.done, progress.total, message)
            if telling.cancelled_caught:
                return

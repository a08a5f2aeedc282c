"""Concurrency of a batch: n calls over so many tasks, each making one call after the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import pairwise

import anyio


async def spread(n: int, lanes: int, lane: Callable[[int, int], Awaitable[None]]) -> None:
    """Run `lane(first, count)` in `lanes` tasks so that together they make n calls, numbered from 0."""
    if lanes == 1:
        await lane(0, n)
        return
    bounds = [n * k // lanes for k in range(lanes + 1)]
    async with anyio.create_task_group() as group:
        for first, following in pairwise(bounds):
            group.start_soon(lane, first, following - first)

"""Work that goes on beside a block, for as long as the block lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup


@asynccontextmanager
async def beside(
    work: Callable[[], Coroutine[Any, Any, None]], stop: Callable[[], None] | None = None
) -> AsyncIterator[None]:
    """Work going on beside a block.

    Args:
        stop: Asks the work to end, where it can be asked; else it is cancelled.
    """
    async with tasks_beside(stop) as tasks:
        tasks.start_soon(work)
        yield


@asynccontextmanager
async def tasks_beside(stop: Callable[[], None] | None = None) -> AsyncIterator[TaskGroup]:
    """Tasks beside a block. An error of the block is raised as itself, not within the task group's.

    Args:
        stop: Asks them to end, where they can be asked; else they are cancelled.
    """
    try:
        async with anyio.create_task_group() as tasks:
            try:
                yield tasks
            finally:
                (stop or tasks.cancel_scope.cancel)()
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise

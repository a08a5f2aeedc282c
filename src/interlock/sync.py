"""Interlock from code that is not async: a portal to an event loop in a thread of its own, not twin functions.

    with open_plane(tools=[refund]) as plane, plane.run(ana, words="…") as run:
        outcome = run.call("refund", {"payment_id": 7, "amount_cents": 500})

Every method waits and returns what the async one returns.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import wraps
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from interlock.app import open_plane as open_async


class Blocking:
    """An object of Interlock's whose methods wait: each returns what the async one returns.

    Methods that give an async context manager give a plain one, and those that give events an iterator; everything else
    is passed through.
    """

    def __init__(self, portal: BlockingPortal, inner: object) -> None:
        self._portal = portal
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        """The inner attribute; a method made to wait."""
        found = getattr(self._inner, name)
        return self._waiting(found) if callable(found) else found

    def _waiting(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def wait(*args: Any, **kwargs: Any) -> Any:
            if inspect.iscoroutinefunction(method):
                return self._portal.call(lambda: method(*args, **kwargs))
            made = method(*args, **kwargs)
            if inspect.isasyncgen(made):
                return self._iterated(made)
            return self._entered(made) if isinstance(made, AbstractAsyncContextManager) else made

        return wait

    def _iterated(self, events: AsyncGenerator[Any, Any]) -> Iterator[Any]:
        over = object()

        async def following() -> Any:
            return await anext(events, over)

        try:
            while (event := self._portal.call(following)) is not over:
                yield event
        finally:
            self._portal.call(events.aclose)

    @contextmanager
    def _entered(self, manager: AbstractAsyncContextManager[Any]) -> Iterator[Blocking]:
        with self._portal.wrap_async_context_manager(manager) as inner:
            yield Blocking(self._portal, inner)


@contextmanager
def open_plane(*args: Any, **kwargs: Any) -> Iterator[Blocking]:
    """`interlock.open_plane`, waiting: the same arguments, the same errors."""
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(open_async(*args, **kwargs)) as plane,
    ):
        yield Blocking(portal, plane)

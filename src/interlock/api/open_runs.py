"""The runs that requests of this process work in: claimed while any does, and free for another worker right after.

So clients need not come to the same worker again, and a call is never executed without a claim: what is recorded as
under way is lost only where its worker is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakValueDictionary

import anyio

from interlock.app import Interlock
from interlock.core.principal import Principal
from interlock.errors import Conflict, StaleClaim
from interlock.ledger.conversation import Conversation
from interlock.runs import Run

BUSY_S: Final = 5.0
"""Seconds that a request waits for a run that another worker, or another door, works on."""

_LOOK_S: Final = 0.05


@dataclass(slots=True)
class _Open:
    """A run that is open here, whose it is, and how many requests use it."""

    conversation: Conversation
    owner: tuple[str, str]
    users: int = 0
    leave: AsyncExitStack = field(default_factory=AsyncExitStack)


class OpenRuns:
    """The runs of a plane that requests use now.

    Args:
        plane: Where they are.
        busy_s: See `BUSY_S`.
    """

    def __init__(self, plane: Interlock, busy_s: float = BUSY_S) -> None:
        self._plane = plane
        self._busy_s = busy_s
        self._open: dict[str, _Open] = {}
        self._locks: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def run(self, principal: Principal, run_id: str) -> AsyncIterator[Run]:
        """A run of this principal, for one request.

        Raises:
            NotFound: It is not this principal's.
            Conflict: Something else drives it, or another worker works on it all the time.
            LedgerError: It could not be claimed.
        """
        lock = self._locks.setdefault(run_id, anyio.Lock())
        async with lock:
            found = self._open.get(run_id)
            if found is None or found.owner != (principal.tenant, principal.id):  # a stranger: told by whoever opens it
                found = await self._opened(principal, run_id)
            found.users += 1
        try:
            yield Run(self._plane.plane, found.conversation, principal)
        finally:
            with anyio.CancelScope(shield=True):
                async with lock:
                    found.users -= 1
                    if not found.users:
                        self._open.pop(run_id, None)
                        await found.leave.aclose()

    async def _opened(self, principal: Principal, run_id: str) -> _Open:
        until_s = anyio.current_time() + self._busy_s
        while True:
            stack = AsyncExitStack()
            try:
                await stack.enter_async_context(self._plane.run(principal, run_id=run_id))
            except StaleClaim:
                if anyio.current_time() >= until_s:
                    raise Conflict(
                        f"another worker, or another door, works on run {run_id}", code="run.busy",
                        remedy="Ask again in a moment, by the same Idempotency-Key.",
                    ) from None  # fmt: skip
                await anyio.sleep(_LOOK_S)
                continue
            conversation = await self._plane.plane.ledger.conversation(run_id, principal.tenant)
            found = self._open[run_id] = _Open(conversation, (principal.tenant, principal.id), leave=stack)
            return found

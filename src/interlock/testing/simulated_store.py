"""One store, and a handle on it for each simulated process: slow, failing, cut off, or dead with its process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import anyio

from interlock.core.clock import Clock
from interlock.core.due import Due
from interlock.core.event import Event
from interlock.core.points import Points
from interlock.errors import StoreUnavailable
from interlock.ledger.chain import Entropy
from interlock.ledger.pages import COUNT_MAX, Page, Where
from interlock.ledger.store import Append, MemoryStore
from interlock.testing.scheduler import Crashed, Host, a_turn, whole_turn


class Trouble(StrEnum):
    """What goes wrong with one transaction."""

    BEFORE = "before"
    AFTER = "after"
    SLOW = "slow"
    VERY_SLOW = "very_slow"
    CUT = "cut"


_SLOW_S = {Trouble.SLOW: 2.0, Trouble.VERY_SLOW: 45.0}


class SharedStore(MemoryStore):
    """The database that all simulated processes share.

    Attributes:
        commits: How many transactions it made.
        transactions: How many were asked for.
        trouble: What goes wrong, by number of the transaction asked for.
        cut: Nobody reaches it.
        watch: Is told every transaction that stands.
        warn: Is told what goes wrong with one, before it does.
    """

    def __init__(
        self, clock: Clock, entropy: Entropy, watch: Callable[[list[Event]], None], warn: Callable[[Trouble], None]
    ) -> None:  # fmt: skip
        super().__init__(clock, entropy)
        self.commits = 0
        self.transactions = 0
        self.trouble: dict[int, Trouble] = {}
        self.cut = False
        self.watch = watch
        self.warn = warn

    @property
    def everything(self) -> list[Event]:
        """All events in the order of their commits."""
        return list(self._order)

    def holds(self, worker: str) -> bool:
        """Whether a claim of the worker's could be renewed."""
        return any(holder == worker for _, holder, until_us in self._claims.values() if until_us)

    def next_trouble(self) -> Trouble | None:
        """What goes wrong with the transaction that is asked for now; a cut lasts until it is mended."""
        self.transactions += 1
        found = self.trouble.get(self.transactions)
        if found is not None:
            self.warn(found)
            self.cut = self.cut or found is Trouble.CUT
        elif self.cut:
            self.warn(Trouble.CUT)
        return found

    async def append(self, append: Append) -> list[Event]:
        """See `Store.append`; suspends nowhere."""
        events = await super().append(append)
        self.commits += 1
        self.watch(events)
        return events


class StoreHandle:
    """The store as one process reaches it. Every call suspends, as a database's would; see `Store` for what they mean.

    Args:
        store: The store.
        host: The process; when it is dead every call ends it.
        reach: Told the crash points of a transaction.
    """

    def __init__(self, store: SharedStore, host: Host, reach: Points) -> None:
        self._store = store
        self._host = host
        self._reach = reach
        self._own = 0

    async def append(self, append: Append) -> list[Event]:
        """See `Store.append`. Cancelled, it still returns only when it is known what stands."""
        store = self._store
        trouble = await self._entered()
        self._reach("append.begun")
        if store.cut or trouble is Trouble.BEFORE:
            raise StoreUnavailable("the store cannot be reached")
        self._reach("append.written")
        events = await store.append(append)
        self._own += 1
        self._reach("append.committed")
        await whole_turn()
        self._alive()
        if trouble is Trouble.AFTER:
            raise StoreUnavailable("the answer was lost")
        return events

    async def renew(self, worker: str, lease_s: float) -> None:
        """See `Store.renew`."""
        await self._write()
        await self._store.renew(worker, lease_s)

    async def release(self, run_id: str, epoch: int) -> None:
        """See `Store.release`."""
        await self._write()
        await self._store.release(run_id, epoch)

    async def erase(self, append: Append, seqs: Sequence[int]) -> list[Event]:
        """See `Store.erase`."""
        await self._write()
        return await self._store.erase(append, seqs)

    async def rebuild(self) -> None:
        """See `Store.rebuild`."""
        await self._write()
        await self._store.rebuild()

    async def read(self, chain: str, after: int = 0, limit: int | None = None) -> list[Event]:
        """See `Store.read`."""
        await self._look()
        return await self._store.read(chain, after, limit)

    async def beginnings(self, chains: Sequence[str], limit: int) -> dict[str, list[Event]]:
        """See `Store.beginnings`."""
        await self._look()
        return await self._store.beginnings(chains, limit)

    async def tail(self, chain: str, after: int = 0) -> Iterable[Event]:
        """See `Store.tail`."""
        await self._look()
        return await self._store.tail(chain, after)

    async def follow(self, after: int = 0, limit: int = 1000) -> list[tuple[int, Event]]:
        """See `Store.follow`."""
        await self._look()
        return await self._store.follow(after, limit)

    async def due(self, limit: int = 100, after: Due | None = None, ahead_s: float = 0) -> list[Due]:
        """See `Store.due`."""
        await self._look()
        return await self._store.due(limit, after, ahead_s)

    async def guards(self, prefix: str = "") -> dict[str, int]:
        """See `Store.guards`."""
        await self._look()
        return await self._store.guards(prefix)

    async def rows(self, table: str, where: Mapping[str, Any] | None = None, limit: int = 1000) -> list[dict[str, Any]]:
        """See `Store.rows`."""
        await self._look()
        return await self._store.rows(table, where, limit)

    async def page(
        self, table: str, where: Where | None = None, *, limit: int = 100, before: int | None = None
    ) -> Page:
        """See `Store.page`."""
        await self._look()
        return await self._store.page(table, where, limit=limit, before=before)

    async def count(self, table: str, where: Where | None = None, upto: int = COUNT_MAX) -> int:
        """See `Store.count`."""
        await self._look()
        return await self._store.count(table, where, upto)

    def changes(self) -> int:
        """See `Store.changes`: what others have committed."""
        self._alive()
        return self._store.commits - self._own

    def position(self) -> int:
        """See `Store.position`."""
        self._alive()
        if self._store.cut:
            raise StoreUnavailable("the store cannot be reached")
        return self._store.position()

    def refusing(self) -> StoreUnavailable | None:
        """Never for good: what cannot be reached may be again."""
        return None

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _entered(self) -> Trouble | None:
        self._alive()
        trouble = self._store.next_trouble()
        if trouble in _SLOW_S:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(_SLOW_S[trouble])
        else:
            await whole_turn()
        self._alive()
        return trouble

    async def _write(self) -> None:
        trouble = await self._entered()
        if self._store.cut or trouble is Trouble.BEFORE:
            raise StoreUnavailable("the store cannot be reached")

    async def _look(self) -> None:
        self._alive()
        await a_turn()
        self._alive()
        if self._store.cut:
            raise StoreUnavailable("the store cannot be reached")

    def _alive(self) -> None:
        if self._host.dead:
            raise Crashed

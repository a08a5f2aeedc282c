"""The store in one SQLite file: what a laptop, a demo and a single server need.

One thread writes, with group commit; readers have read-only connections of their own and run in threads.
Several processes may open the same file.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import starmap
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import apsw

from interlock.core.clock import SECOND_US, Clock
from interlock.core.due import Due
from interlock.core.event import Event
from interlock.core.points import Points, pass_by
from interlock.errors import StoreUnavailable
from interlock.ledger.chain import Entropy, read_event, tail_event
from interlock.ledger.pages import COUNT_MAX, Page, Where, page_of, refuse_bad, refuse_unknown
from interlock.ledger.sqlite_append import Appender
from interlock.ledger.sqlite_file import LedgerFile, opening
from interlock.ledger.sqlite_log import Log, Sealing
from interlock.ledger.sqlite_select import Sql, bindable, count, select
from interlock.ledger.sqlite_writer import Writer
from interlock.ledger.store import AHEAD_MAX_S, Append
from interlock.ledger.tables import TABLES, Row

T = TypeVar("T")

READERS_MAX = 4
"""Reads that run at once; further ones wait."""

BUSY_S = 5.0
"""Seconds that a transaction waits for another process's."""


class SqliteStore:
    """See `Store`. Opening blocks for some milliseconds, longer where another process is writing.

    Several event loops may use it; close it when no other one appends any more.

    Attributes:
        path: The file.
        appended: Told how many events each append made, on the loop of whoever appended; None for nobody.
    """

    def __init__(
        self,
        path: Path | str,
        clock: Clock,
        entropy: Entropy = os.urandom,
        busy_s: float = BUSY_S,
        reach: Points = pass_by,
    ) -> None:
        """Open the file, creating it where there is none.

        Args:
            reach: Told the name of each crash point as it is passed, on the thread that writes.

        Raises:
            StoreUnavailable: It cannot be opened, is no ledger, or was written by a newer release.
        """
        self._clock = clock
        self.path = Path(path)
        self._file = LedgerFile(self.path, busy_s)
        with opening(self.path):
            try:
                self._writer = Writer(self._file, clock, entropy, reach)
            except (apsw.Error, RuntimeError):
                self._file.leave()
                raise
            try:
                self._watch = self._file.connect(reader=True)
            except apsw.Error:
                self._writer.stop()
                raise
        self._seen_version = -1
        self._others = 0
        self._newest = (-1, 0)
        self._idle: list[apsw.Connection] = []
        self._reads = anyio.CapacityLimiter(READERS_MAX)
        self._closed = False
        self._halted: StoreUnavailable | None = None
        self.appended: Callable[[int], None] | None = None

    async def append(self, append: Append) -> list[Event]:
        """See `Store.append`. Cancelled, it still returns only when it is known what stands."""
        self._refuse_halted()
        events: list[Event] = await self._written(lambda appender, now_us: appender.append(append, now_us))
        if self.appended is not None:
            self.appended(len(events))
        return events

    async def log(self, work: Callable[[Log], T]) -> T:
        """What work finds in the sealed log, as it stands at one moment; done in a thread.

        Raises:
            LookupError: A tile that it needs is damaged.
        """
        return await self._read(lambda database: _at_one_moment(database, work))

    async def seal(self, sealing: Sealing) -> None:
        """Write a checkpoint and the tiles below it, durable on return.

        Raises:
            Conflict: Somebody else has sealed since; nothing was written.
        """
        await self._written(lambda appender, now_us: appender.seal(sealing, now_us))

    def halt(self, why: StoreUnavailable | None) -> None:
        """Refuse every append from now on, or take that back with None. Reading and sealing go on."""
        self._halted = why

    async def erase(self, append: Append, seqs: Sequence[int]) -> list[Event]:
        """See `Store.erase`. The file keeps no copy either: the log of older pages is emptied as well."""
        self._refuse_halted()
        events = await self._written(lambda appender, now_us: appender.erase(append, seqs, now_us))
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._file.empty_wal)
        return events

    async def rebuild(self) -> None:
        """See `Store.rebuild`."""
        await self._written(lambda appender, _: appender.rebuild())

    async def renew(self, worker: str, lease_s: float) -> None:
        """See `Store.renew`."""
        await self._written(lambda appender, now_us: appender.renew(worker, lease_s, now_us))

    async def release(self, run_id: str, epoch: int) -> None:
        """See `Store.release`."""
        await self._written(lambda appender, _: appender.release(run_id, epoch))

    async def read(self, chain: str, after: int = 0, limit: int | None = None) -> list[Event]:
        """See `Store.read`."""
        asked = (chain, after, -1 if limit is None else limit)
        return await self._read(lambda database: [read_event(*row) for row in database.execute(_SOME, asked)])

    async def beginnings(self, chains: Sequence[str], limit: int) -> dict[str, list[Event]]:
        """See `Store.beginnings`. One hop for all of them."""
        return await self._read(lambda database: {
            chain: [read_event(*row) for row in database.execute(_SOME, (chain, 0, limit))] for chain in chains
        })  # fmt: skip

    async def tail(self, chain: str, after: int = 0) -> Iterator[Event]:
        """See `Store.tail`."""
        return starmap(
            tail_event, await self._read(lambda database: database.execute(_TAIL, (chain, after)).fetchall())
        )

    async def follow(self, after: int = 0, limit: int = 1000) -> list[tuple[int, Event]]:
        """See `Store.follow`."""
        return await self._read(
            lambda database: [(pos, read_event(*row)) for pos, *row in database.execute(_FOLLOW, (after, limit))]
        )

    async def due(self, limit: int = 100, after: Due | None = None, ahead_s: float = 0) -> list[Due]:
        """See `Store.due`."""
        now_us = self._clock.wall_us()
        asked = (
            limit, now_us + int(ahead_s * SECOND_US), *((0, "", "") if after is None else after.place),
            now_us, now_us + int(AHEAD_MAX_S * SECOND_US),
        )  # fmt: skip
        return await self._read(lambda database: [Due(*row) for row in database.execute(_DUE, asked)])

    async def guards(self, prefix: str = "") -> dict[str, int]:
        """See `Store.guards`."""
        return await self._read(
            lambda database: {name: value for name, value in database.execute(_GUARDS, (prefix, prefix, prefix))}
        )

    async def rows(self, table: str, where: Mapping[str, Any] | None = None, limit: int = 1000) -> list[dict[str, Any]]:
        """See `Store.rows`."""
        refuse_unknown(table, where or {})
        found = await self._selected(table, select(table, where or {}), limit)
        return [row for _, row in reversed(found)]

    async def page(
        self, table: str, where: Where | None = None, *, limit: int = 100, before: int | None = None
    ) -> Page:
        """See `Store.page`."""
        refuse_bad(table, where or {}, limit)
        return page_of(await self._selected(table, select(table, where or {}, before), limit + 1), limit)

    async def count(self, table: str, where: Where | None = None, upto: int = COUNT_MAX) -> int:
        """See `Store.count`."""
        refuse_bad(table, where or {})
        sql, values = count(table, where or {})
        if not bindable(values):
            return 0
        found: int = await self._read(lambda database: database.execute(sql, (*values, upto + 1)).get)
        return found

    async def _selected(self, table: str, query: Sql, limit: int) -> list[tuple[int, Row]]:
        """Position and row of each that a query finds, in its order."""
        sql, values = query
        if not bindable(values):
            return []
        columns = TABLES[table].columns
        found: list[Any] = await self._read(lambda database: database.execute(sql, (*values, limit)).fetchall())
        return [(row[0], dict(zip(columns, row[1:], strict=True))) for row in found]

    def changes(self) -> int:
        """See `Store.changes`. Reads one number of the file's shared memory: some microseconds."""
        try:
            version = self._watch.execute("PRAGMA data_version").get
            if version != self._seen_version:
                self._seen_version = version
                # It differs after our own commits too; before those of others our own writer has noticed.
                if self._watch.execute("SELECT value FROM mark WHERE name = 'writer'").get != self._file.number:
                    self._others += 1
        except apsw.Error as error:
            raise _unreadable(error) from error
        return self._others + self._writer.others

    def position(self) -> int:
        """See `Store.position`. As cheap as `changes`."""
        try:
            version = self._watch.execute("PRAGMA data_version").get
            if version != self._newest[0]:
                self._newest = (version, self._watch.execute("SELECT ifnull(max(pos), 0) FROM event").get)
        except apsw.Error as error:
            raise _unreadable(error) from error
        return self._newest[1]

    def refusing(self) -> StoreUnavailable | None:
        """See `Store.refusing`: after a fault of the disk, for a file that was replaced, and what `halt` was told."""
        return self._halted or self._writer.refusing

    async def close(self) -> None:
        """See `Store.close`."""
        if not self._closed:
            self._closed = True
            self._writer.stop()
            # Readers first: only a writer that is the last to close brings all into the one file.
            self._watch.close()
            while self._idle:
                self._idle.pop().close()
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._writer.join)

    def _refuse_halted(self) -> None:
        if (why := self._halted) is not None:
            raise StoreUnavailable(str(why.args[0]), code=why.code, remedy=why.remedy)

    async def _written(self, work: Callable[[Appender, int], T]) -> T:
        """What work returned, once it is durable.

        A cancelled caller waits for the transaction all the same, and is cancelled at its next step: whoever
        appends an intent must know whether it stands.
        """
        answer = self._writer.lane().submit(work)
        try:
            found: T = await answer
        except asyncio.CancelledError as error:
            if anyio.current_effective_deadline() > -math.inf:
                # A task's own cancellation is told once, so it is told again. That of a scope is not: anyio tells it
                # at every step, and another in its place would pass the scope and end whoever opened it.
                task = asyncio.current_task()
                assert task is not None, "a coroutine runs in a task"
                task.uncancel()
                task.cancel(*error.args)
            found = answer.result()
        return found

    async def _read(self, work: Callable[[apsw.Connection], T]) -> T:
        try:
            return await anyio.to_thread.run_sync(self._read_here, work, limiter=self._reads)
        except RuntimeError as error:  # no thread could be started: a limit of the machine's (K36)
            raise _unreadable(error) from error

    def _read_here(self, work: Callable[[apsw.Connection], T]) -> T:
        """Do work with a connection of this thread's own, for as long as it takes."""
        if self._closed:
            raise StoreUnavailable("the store is closed", code="ledger.closed")
        self._file.refuse_another()
        try:
            database = self._idle.pop() if self._idle else self._file.connect(reader=True)
            found = work(database)
        except apsw.Error as error:
            raise _unreadable(error) from error
        self._idle.append(database)
        return found


_READ = """
SELECT event.header, payload.salt, payload.body
FROM extent
JOIN event ON event.pos BETWEEN extent.pos AND extent.pos + extent.last - extent.first
LEFT JOIN payload ON payload.pos = event.pos
WHERE extent.chain = (SELECT no FROM chain WHERE name = ?1) AND extent.last > ?2
  AND event.pos > extent.pos + ?2 - extent.first
ORDER BY extent.last, event.pos
"""
_SOME = f"{_READ}LIMIT ?3"
_TAIL = _READ.replace("event.header, payload.salt,", "event.pos - extent.pos + extent.first, event.header,")
_FOLLOW = """
SELECT event.pos, event.header, payload.salt, payload.body
FROM event LEFT JOIN payload ON payload.pos = event.pos
WHERE event.pos > ? ORDER BY event.pos LIMIT ?
"""
_DUE = """
SELECT run_id, tenant, at_us, why, ref FROM due
WHERE at_us BETWEEN ?3 AND ?2 AND (at_us, run_id, ref) > (?3, ?4, ?5)
UNION
SELECT chain.name, chain.tenant, min(claim.until_us, ?6), 'claim.lapsed', ''
FROM tool_call JOIN chain ON chain.name = tool_call.run_id JOIN claim ON claim.chain = chain.no
WHERE tool_call.status = 'intent' AND tool_call.status <> 'closed'
  AND (claim.until_us <= ?6 OR claim.until_us > ?7)
  AND (min(claim.until_us, ?6), chain.name, '') > (?3, ?4, ?5)
UNION
SELECT chain.name, chain.tenant, min(claim.until_us, ?6), 'claim.lapsed', ''
FROM run JOIN chain ON chain.name = run.run_id JOIN claim ON claim.chain = chain.no
WHERE run.status = 'open' AND run.driver <> 'calls' AND run.waits = 0
  AND (claim.until_us <= ?6 OR claim.until_us > ?7)
  AND (min(claim.until_us, ?6), chain.name, '') > (?3, ?4, ?5)
ORDER BY 3, 1, 5 LIMIT ?1
"""
_GUARDS = "SELECT name, value FROM guard WHERE name >= ? AND substr(name, 1, length(?)) = ?"


def _at_one_moment(database: apsw.Connection, work: Callable[[Log], T]) -> T:
    database.execute("BEGIN")
    try:
        return work(Log(database))
    finally:
        database.execute("ROLLBACK")


def _unreadable(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"the ledger cannot be read: {error}", code="ledger.unreadable", remedy="Try again.")

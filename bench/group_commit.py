"""The SQLite floor: one thread that commits whatever waits, in one transaction, to a WAL file with FULL sync.

What a ledger on SQLite cannot beat: no chain, no hash, no projection, no decision; one table of records.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from pathlib import Path
from types import TracebackType

import apsw

INSERT = "INSERT INTO record (body) VALUES (?)"

Waiting = list[tuple[bytes, asyncio.Future[None]]]


class GroupCommit:
    """Appends records durably. `async with` it; everything happens on the loop that opened it."""

    def __init__(self, path: Path, prefilled: int = 0) -> None:
        self._path = path
        self._prefilled = prefilled
        self._waiting: Waiting = []
        self._flushing = False
        self._handed: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="group-commit", daemon=True)

    async def __aenter__(self) -> GroupCommit:
        self._loop = asyncio.get_running_loop()
        self._database = _opened(self._path, self._prefilled)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handed.put(None)
        self._thread.join()
        self._database.close()

    def append(self, body: bytes) -> asyncio.Future[None]:
        """Queue one record; the future is done when it is on disk."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((body, done))
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)  # after every task that is ready now has appended
        return done

    def _flush(self) -> None:
        self._handed.put(self._waiting)
        self._waiting = []

    def _write(self) -> None:
        execute, executemany = self._database.execute, self._database.executemany
        while (group := self._handed.get()) is not None:
            execute("BEGIN IMMEDIATE")
            executemany(INSERT, ((body,) for body, _ in group))
            execute("COMMIT")
            self._loop.call_soon_threadsafe(self._committed, group)

    def _committed(self, group: Waiting) -> None:
        for _, done in group:
            done.set_result(None)
        self._flushing = bool(self._waiting)
        if self._waiting:
            self._loop.call_soon(self._flush)


def _opened(path: Path, prefilled: int) -> apsw.Connection:
    database = apsw.Connection(str(path))
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    modes = [database.execute(f"PRAGMA {name}").fetchone() for name in ("journal_mode", "synchronous")]
    assert modes == [("wal",), (2,)], modes
    database.execute("CREATE TABLE record (seq INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    with database:
        database.executemany(INSERT, ((_filler(seq),) for seq in range(prefilled)))
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return database


def _filler(seq: int) -> bytes:
    return b'{"call_id":"%016x","city":"City %d","days":3,"celsius":7.5,"sky":"rain"}' % (seq, seq)

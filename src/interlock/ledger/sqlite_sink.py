"""The sink that is a second SQLite file, such as one on another volume that another user owns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw

from interlock.errors import LedgerError
from interlock.ledger.sqlite_file import refuse_affected

APPLICATION_ID = 0x494C4B43
"""`ILKC`: marks a SQLite file as checkpoints of ours."""

_BUSY_MS = 2000

_SCHEMA = f"""
CREATE TABLE checkpoint (no INTEGER PRIMARY KEY AUTOINCREMENT, note TEXT NOT NULL) STRICT;
CREATE TRIGGER checkpoint_is_never_changed BEFORE UPDATE ON checkpoint
    BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER checkpoint_is_never_deleted BEFORE DELETE ON checkpoint
    BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
PRAGMA application_id = {APPLICATION_ID};
"""


class DatabaseSink:
    """A SQLite file with one table, `checkpoint`, that only grows.

    Args:
        path: Where; its folder must be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """Its path."""
        return str(self._path)

    def newest(self) -> str | None:
        """See `Sink.newest`."""
        if not self._path.exists():
            return None
        with self._open(writes=False) as database:
            return _newest(database)

    def notes(self) -> Iterator[str]:
        """See `Sink.notes`."""
        if self._path.exists():
            with self._open(writes=False) as database:
                for (note,) in database.execute("SELECT note FROM checkpoint ORDER BY no"):
                    yield str(note)

    def send(self, notes: Sequence[str], onto: str | None) -> bool:
        """See `Sink.send`."""
        with self._open(writes=True) as database:
            database.execute("BEGIN IMMEDIATE")
            if not database.execute("SELECT count(*) FROM sqlite_schema").get:
                database.execute(_SCHEMA)
            if database.pragma("application_id") != APPLICATION_ID:
                raise self._failed("it is a SQLite file of something else")
            if _newest(database) != onto:
                return False
            database.executemany("INSERT INTO checkpoint (note) VALUES (?)", [(note,) for note in notes])
            database.execute("COMMIT")
        return True

    @contextmanager
    def _open(self, *, writes: bool) -> Iterator[apsw.Connection]:
        """A connection of its own for each use: sealing is rare, and a file may be put away meanwhile."""
        refuse_affected(apsw.sqlite_lib_version())
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE if writes else apsw.SQLITE_OPEN_READONLY
        try:
            database = apsw.Connection(str(self._path), flags=flags)
            try:
                database.set_busy_timeout(_BUSY_MS)
                database.execute("PRAGMA synchronous = FULL")
                yield database
            finally:
                database.close(force=True)
        except apsw.Error as error:
            raise self._failed(str(error)) from error

    def _failed(self, why: str) -> LedgerError:
        return LedgerError(
            f"the sink {self.name!r} cannot be used: {why}",
            code="ledger.sink",
            remedy="Mend it: checkpoints wait in the ledger and are sent then.",
        )


def _newest(database: apsw.Connection) -> str | None:
    found = database.execute("SELECT note FROM checkpoint ORDER BY no DESC LIMIT 1").get
    return None if found is None else str(found)

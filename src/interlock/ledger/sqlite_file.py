"""The database file: opened, found sound, brought up to date, and watched while it is open."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import apsw

from interlock.errors import StoreUnavailable
from interlock.ledger.migrations import APPLICATION_ID, MIGRATIONS
from interlock.ledger.presence import Presence

_FIRST_AFFECTED, _FIRST_SOUND = (3, 7, 0), (3, 51, 3)
"""Two connections that write or checkpoint can corrupt a WAL database in versions between these."""

_SWITCH_MS = 10
"""Milliseconds between two tries to switch a file to WAL."""

_STATEMENTS_KEPT = 400
"""Prepared statements of one connection: the writer has about a hundred and must never prepare one twice."""


_MARKED = 2
"""The schema that first says whether the file was closed cleanly."""


class LedgerFile:
    """One SQLite file. Opening it creates it (mode 0600) or brings its schema up to date.

    Attributes:
        path: Where it is.
        number: How often it was opened, this time included: tells this opening from every other.
    """

    def __init__(self, path: Path, busy_s: float) -> None:
        refuse_affected(apsw.sqlite_lib_version())
        self.path = path
        self._busy_ms = int(busy_s * 1000)
        with opening(path), ExitStack() as undo:
            _make_private(self.path)
            self._identity = _identity(self.path.stat())
            self._presence = Presence(path)
            undo.callback(self._presence.close)
            connection = self.connect()
            undo.callback(connection.close)
            if self._presence.first:
                _refuse_unsound(connection, path)
            self.number = _prepare(connection, path)
            connection.close()
            self._presence.share()
            undo.pop_all()

    def leave(self, database: apsw.Connection | None = None) -> None:
        """Have the file open no more. Whoever is the last one to go says that the end was a clean one.

        Args:
            database: A connection that writes, to be closed; None where the end was not a clean one.
        """
        if database is not None:
            with suppress(apsw.Error):
                if self._presence.last():
                    database.execute("UPDATE mark SET value = 0 WHERE name = 'unclean'")
            database.close()
        self._presence.close()

    def connect(self, *, reader: bool = False) -> apsw.Connection:
        """A connection to this file; a reader's can change nothing.

        Raises:
            apsw.Error: SQLite could not open it.
        """
        flags = apsw.SQLITE_OPEN_READONLY if reader else apsw.SQLITE_OPEN_READWRITE
        connection = apsw.Connection(str(self.path), flags=flags, statementcachesize=_STATEMENTS_KEPT)
        connection.set_busy_timeout(self._busy_ms)
        for pragma in ("mmap_size = 0", "cell_size_check = ON", "trusted_schema = OFF"):
            connection.execute(f"PRAGMA {pragma}")
        if reader:
            connection.execute("PRAGMA query_only = ON")
        else:
            self._use_wal(connection)
            connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _use_wal(self, connection: apsw.Connection) -> None:
        """Switch the file to WAL, where it is not. Two that switch a new file at once: SQLite lets neither wait."""
        for _ in range(1 + self._busy_ms // _SWITCH_MS):
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                break
            except apsw.BusyError:
                time.sleep(_SWITCH_MS / 1000)
        if (mode := connection.pragma("journal_mode")) != "wal":
            raise apsw.CantOpenError(f"its journal mode stays {mode!r}, not 'wal'")

    def empty_wal(self) -> None:
        """Bring everything into the file itself and cut the log of older pages to nothing.

        Raises:
            StoreUnavailable: A reader or writer was in the way for too long; nothing is lost, and older pages stay.
        """
        try:
            connection = self.connect()
            try:
                busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0]
            finally:
                connection.close()
        except apsw.Error as error:
            raise StoreUnavailable(f"the ledger's log cannot be emptied: {error}", code="ledger.wal") from error
        if busy:
            raise StoreUnavailable(
                "what was erased still stands in the ledger's log, because somebody reads or writes", code="ledger.wal",
                remedy="It goes with the next checkpoint; close the other processes to have it gone now.",
            )  # fmt: skip

    def refuse_another(self) -> None:
        """Make sure that the path still names the file that was opened, and that its owner may write it.

        Raises:
            StoreUnavailable: It was deleted, replaced or locked away (fault K16): what this process wrote
                from now on would be in no file that anybody can find.
        """
        try:
            found = os.stat(self.path)  # noqa: PTH116  # once per transaction: Path.stat costs twice as much
        except OSError as error:
            raise self._gone(f"is gone: {error.strerror}") from error
        if _identity(found) != self._identity:
            raise self._gone("was replaced by another file")
        if found.st_mode & 0o600 != 0o600:
            raise self._gone("may no longer be written by its owner")

    def _gone(self, what: str) -> StoreUnavailable:
        return StoreUnavailable(
            f"the ledger {str(self.path)!r} {what}",
            code="ledger.replaced",
            remedy="Stop, put the right file back and verify it before you start again.",
        )


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Say of whatever fails within that the ledger cannot be opened: also of a thread that cannot be started (K36).

    Raises:
        StoreUnavailable: Something failed.
    """
    try:
        yield
    except (OSError, apsw.Error, RuntimeError) as error:
        raise StoreUnavailable(
            f"the ledger {str(path)!r} cannot be opened: {error}",
            code="ledger.open",
            remedy="Check that the folder exists, that it is on a local disk, and that this user may write there.",
        ) from error


def refuse_affected(version: str) -> None:
    """Refuse a SQLite that can corrupt a WAL database (fault K14).

    Raises:
        StoreUnavailable: The version is 3.7.0 to 3.51.2.
    """
    numbers = tuple(int(part) for part in version.split("."))
    if _FIRST_AFFECTED <= numbers < _FIRST_SOUND:
        raise StoreUnavailable(
            f"SQLite {version} can corrupt the ledger when two processes write",
            code="ledger.sqlite_version",
            remedy="Install the apsw wheel from the package index: it bundles a fixed SQLite.",
        )


def _refuse_unsound(connection: apsw.Connection, path: Path) -> None:
    """Have SQLite look at every page where the last process to have the file open did not end cleanly.

    Raises:
        StoreUnavailable: It found something.
    """
    if connection.pragma("user_version") < _MARKED:
        return
    if connection.execute("SELECT value FROM mark WHERE name = 'unclean'").get:
        found = connection.execute("PRAGMA quick_check(1)").get
        if found != "ok":
            raise StoreUnavailable(
                f"the ledger {str(path)!r} was not closed cleanly and is damaged: {found}", code="ledger.damaged",
                remedy="Run `interlock ledger verify`, and restore the newest backup.",
            )  # fmt: skip


def _prepare(connection: apsw.Connection, path: Path) -> int:
    """Bring the schema up to date and count this opening, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.pragma("user_version")
        application = connection.pragma("application_id")
        if version > len(MIGRATIONS):
            raise StoreUnavailable(
                f"the ledger {str(path)!r} has schema {version}, this release knows {len(MIGRATIONS)}",
                code="ledger.newer",
                remedy="Use the release that wrote it, or a newer one.",
            )
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
        if application != APPLICATION_ID and (version or tables):
            raise StoreUnavailable(
                f"{str(path)!r} is a SQLite file, but no ledger", code="ledger.foreign", remedy="Name another file."
            )
        for number in range(version, len(MIGRATIONS)):
            connection.execute(MIGRATIONS[number])
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("UPDATE mark SET value = 1 WHERE name = 'unclean'")
        number = connection.execute("UPDATE mark SET value = value + 1 WHERE name = 'opened' RETURNING value").get
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    assert isinstance(number, int), "the first migration sets the mark"
    return number


def _make_private(path: Path) -> None:
    """Create the file for its owner alone, or take it from all others.

    A file that exists is never opened here: closing a descriptor lets go of the locks that SQLite holds on
    the same file in this process, and the file is corrupted some time later.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        path.chmod(0o600)


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino

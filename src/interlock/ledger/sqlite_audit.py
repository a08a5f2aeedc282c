"""The ledger's file read by a verifier: nothing is trusted, damage is told and gone round, nothing is changed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from interlock.core.event import Event
from interlock.errors import StoreUnavailable
from interlock.ledger.findings import Finding, Found
from interlock.ledger.migrations import MIGRATIONS
from interlock.ledger.projections import fold
from interlock.ledger.sqlite_file import refuse_affected
from interlock.ledger.sqlite_log import Log
from interlock.ledger.sqlite_rows import WRITTEN, Inserts, RowBuffer

_PAGE = 1000
_CHECKS_MAX = 100
_UNREADABLE_MAX = 1000
"""Rows of one table that cannot be read before the rest of it is given up."""


class Row(NamedTuple):
    """An event as it stands in the file. What a damaged page says may be of any type.

    Attributes:
        pos: Its position.
        header: As stored.
        salt, body: As stored; None where there is no payload.
    """

    pos: int
    header: object
    salt: object
    body: object


Tell = Callable[[Found], None]

Damaged = (apsw.Error, UnicodeDecodeError)
"""What is said of a page that cannot be read, and of a text in it that is none."""


class Audited:
    """A ledger's file, open for reading alone."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            StoreUnavailable: There is no file that can be opened.
        """
        refuse_affected(apsw.sqlite_lib_version())
        if not path.is_file():
            raise StoreUnavailable(f"no ledger at {str(path)!r}", code="ledger.open", remedy="Name another file.")
        self.database = _opened(path)
        self.log = Log(self.database)

    def close(self) -> None:
        """Let go of the file."""
        self.database.close(force=True)

    def one_moment(self) -> None:
        """Look at the file as it is now until it is closed: others may go on writing."""
        self.database.execute("BEGIN")

    def count(self, sql: str) -> int:
        """One number; 0 where it cannot be read."""
        try:
            found = self.database.execute(sql).get
        except Damaged:
            return 0
        return found if isinstance(found, int) else 0

    def rows(self, sql: str, tell: Tell, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a query; damage ends them, and is told."""
        try:
            yield from self.database.execute(sql, values)
        except Damaged as error:
            tell(Found(Finding.UNREADABLE, f"the file is damaged: {error}"))

    def events(self, start: int, end: int, tell: Tell) -> Iterator[Row]:
        """The events at these positions, in order. One that cannot be read is told, and the next one is tried."""
        after, unreadable = start - 1, 0
        while after < end:
            upto = min(after + _PAGE, end)
            try:
                page = [Row(*row) for row in self.database.execute(_EVENTS, (after, upto))]
            except Damaged:
                page = []
                for pos in range(after + 1, upto + 1):
                    if unreadable >= _UNREADABLE_MAX:
                        return
                    try:
                        page += [Row(*row) for row in self.database.execute(_EVENTS, (pos - 1, pos))]
                    except Damaged as error:
                        unreadable += 1
                        tell(Found(Finding.UNREADABLE, f"the event at position {pos} cannot be read: {error}", pos))
            yield from page
            after = upto

    def schema(self, tell: Tell) -> None:
        """Tell of every table, index, view and trigger that is not as the migrations make it."""
        made = apsw.Connection(":memory:")
        for step in MIGRATIONS:
            made.execute(step)
        should = {(row[0], row[1]): row[2] for row in made.execute(_SCHEMA)}
        made.close()
        stands = {(row[0], row[1]): row[2] for row in self.rows(_SCHEMA, tell)}
        for kind, name in sorted({*should, *stands}, key=str):
            if (kind, name) not in stands:
                tell(Found(Finding.SCHEMA, f"the {kind} {name!r} is gone"))
            elif (kind, name) not in should:
                tell(Found(Finding.SCHEMA, f"the {kind} {name!r} is none of Interlock's"))
            elif should[kind, name] != stands[kind, name]:
                tell(Found(Finding.SCHEMA, f"the {kind} {name!r} was changed"))
        if self.count("PRAGMA user_version") != len(MIGRATIONS):
            tell(Found(Finding.SCHEMA, "the number of its schema was changed"))

    def integrity(self, tell: Tell) -> None:
        """Tell of what SQLite itself finds: broken pages, and indices that are not what their tables say."""
        for (said,) in self.rows(f"PRAGMA integrity_check({_CHECKS_MAX})", tell):
            if said != "ok":
                tell(Found(Finding.UNREADABLE, f"SQLite says of the file: {said}"))


class Refolded:
    """The tables as the events say them, in a temporary file beside the ledger's own."""

    def __init__(self) -> None:
        self._database = apsw.Connection("")
        for step in MIGRATIONS:
            self._database.execute(step)
        self._database.execute("BEGIN")
        self._rows = RowBuffer(self._database)
        self._once = Inserts("once", ("key", "chain"), " ON CONFLICT DO NOTHING")
        self._taken = 0

    def take(self, pos: int, event: Event, chain_no: int) -> None:
        """Fold in the next event."""
        self._rows.pos = pos
        fold(event, self._rows)
        if unique := event.fact.unique:
            self._once.values += (unique, chain_no)
        self._taken += 1
        if not self._taken % _PAGE:
            self._write()

    def compare(self, audited: Audited, tell: Tell) -> None:
        """Tell of every row that is not what the events say."""
        self._write()
        for table, order in (*((name, "pos") for name in WRITTEN), ("once", "key, chain")):
            sql = f"SELECT * FROM {table} ORDER BY {order}"
            should = iter(self._database.execute(sql))
            stands = audited.rows(sql, tell)
            for number, (one, other) in enumerate(itertools.zip_longest(should, stands)):
                if one != other:
                    place = one or other
                    pos = place[0] if place is not None and isinstance(place[0], int) else 0
                    tell(Found(Finding.PROJECTION, f"{table}: row {number + 1} is not what the events say", pos))
                    break

    def close(self) -> None:
        """Delete the temporary file."""
        self._database.close(force=True)

    def _write(self) -> None:
        self._rows.write()
        self._once.write(self._database)


def _opened(path: Path) -> apsw.Connection:
    """A connection that changes nothing; where the folder may not be written to, one that looks at the file alone."""
    last: apsw.Error | None = None
    for uri in (f"file:{_quoted(path)}?mode=ro", f"file:{_quoted(path)}?mode=ro&immutable=1"):
        try:
            flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
            database = apsw.Connection(uri, flags=flags)
            database.set_busy_timeout(5000)
            for pragma in ("mmap_size = 0", "cell_size_check = ON", "trusted_schema = OFF", "query_only = ON"):
                database.execute(f"PRAGMA {pragma}")
            database.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        except apsw.Error as error:
            last = error
        else:
            return database
    raise StoreUnavailable(
        f"the ledger {str(path)!r} cannot be opened: {last}", code="ledger.unreadable",
        remedy="It is damaged: restore the newest backup.",
    )  # fmt: skip


def _quoted(path: Path) -> str:
    return str(path.resolve()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


_EVENTS = """
SELECT event.pos, event.header, payload.salt, payload.body
FROM event LEFT JOIN payload ON payload.pos = event.pos
WHERE event.pos > ? AND event.pos <= ? ORDER BY event.pos
"""
_SCHEMA = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name"

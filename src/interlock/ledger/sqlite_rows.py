"""Rows on their way into SQLite: gathered during a group of appends, written table by table at its end.

A group writes each row once, however many of its events changed it, and many rows with one statement: a
statement costs a prepared step, and giving up Python's lock and taking it again, whatever it writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import apsw

from interlock.ledger.tables import TABLES, Key, Row

_AT_ONCE = (32, 16, 8, 4, 3, 2, 1)
"""Rows of one statement: few enough that every statement stays prepared, many enough to save the steps."""

_KEPT_MAX = 10_000
"""Rows of open calls that are kept between groups; beyond it they are read again."""


class Inserts:
    """The statements that insert into one table, and the values that wait for it."""

    def __init__(self, table: str, columns: Sequence[str], on_conflict: str = "") -> None:
        self.values: list[Any] = []
        self._width = len(columns)
        names = ", ".join(f'"{column}"' for column in columns)
        row = f"({', '.join('?' * self._width)})"
        self._sql = [
            (rows * self._width, f"INSERT INTO {table} ({names}) VALUES {', '.join([row] * rows)}{on_conflict}")
            for rows in _AT_ONCE
        ]

    def write(self, database: apsw.Connection) -> None:
        """Insert what waits."""
        values, self.values = self.values, []
        done, end = 0, len(values)
        for size, sql in self._sql:
            while end - done >= size:
                database.execute(sql, values[done : done + size])
                done += size


class RowBuffer:
    """Keeps the rows that a group changes; what is not here is read from the file. A `Rows` for folds.

    Attributes:
        pos: Position of the event being folded: where a new row will stand.
    """

    def __init__(self, database: apsw.Connection) -> None:
        self.pos = 0
        self._database = database
        self._known: dict[str, dict[Key, tuple[int, Row]]] = {name: {} for name in _KEYED}
        self._changed: dict[str, dict[Key, tuple[int, Row]]] = {name: {} for name in _KEYED}
        self._gone: dict[str, dict[Key, None]] = {name: {} for name in _KEYED}
        self._added = {name: Inserts(name, ("pos", *TABLES[name].columns)) for name in _ADDED}
        self._upserts = {name: _upsert(name) for name in _KEYED}
        self._select = {name: _select(name) for name in _KEYED}

    def get(self, table: str, key: Key) -> Row | None:
        """See `Rows.get`."""
        known = self._known[table].get(key)
        if known is None and key not in self._gone[table]:
            known = self._read(table, key)
        return known[1] if known is not None else None

    def put(self, table: str, key: Key, row: Row) -> None:
        """See `Rows.put`; a keyed row that stands in the file unread is found by its key and keeps its place."""
        if (added := self._added.get(table)) is not None:
            added.values += (self.pos, *row.values())
            return
        known = self._known[table].get(key)
        if known is None or known[1] is not row:
            known = self._known[table][key] = (known[0] if known is not None else self.pos, row)
        self._changed[table][key] = known

    def drop(self, table: str, key: Key) -> None:
        """See `Rows.drop`."""
        self._known[table].pop(key, None)
        self._changed[table].pop(key, None)
        self._gone[table][key] = None

    def write(self) -> None:
        """Write what changed, and keep of it only the calls that will change again soon: open and not held."""
        for added in self._added.values():
            if added.values:
                added.write(self._database)
        for table in _KEYED:
            if gone := self._gone[table]:
                self._database.executemany(_delete(table), list(gone))
                gone.clear()
            if changed := self._changed[table]:
                upsert = self._upserts[table]
                for pos, row in changed.values():
                    upsert.values += (pos, *row.values())
                upsert.write(self._database)
        rests = [key for key, (_, row) in self._changed["tool_call"].items() if row["status"] in ("closed", "held")]
        calls = self._known["tool_call"]
        for key in rests:
            del calls[key]
        if len(calls) > _KEPT_MAX:
            calls.clear()
        for table in _KEYED:
            self._changed[table].clear()
            if table != "tool_call":
                self._known[table].clear()

    def forget(self) -> None:
        """Let go of everything: the group was rolled back, or somebody else wrote."""
        for table in _KEYED:
            self._known[table].clear()
            self._changed[table].clear()
            self._gone[table].clear()
        for inserts in chain(self._added.values(), self._upserts.values()):
            inserts.values = []

    def _read(self, table: str, key: Key) -> tuple[int, Row] | None:
        found = self._database.execute(self._select[table], key).get
        if found is None:
            return None
        known = (found[0], dict(zip(TABLES[table].columns, found[1:], strict=True)))
        self._known[table][key] = known
        return known


_KEYED = ("run", "tool_call", "approval", "grant", "budget", "due", "notice")
"""Tables whose rows change; each has a unique index over its key."""

_ADDED = ("authz_decision", "tool_result", "compensation_action", "dead_letter", "retry", "eval")
"""Tables that only grow: a row for each event of some kind."""

WRITTEN = (*_KEYED, *_ADDED)
"""Every table that folds write."""


def _upsert(table: str) -> Inserts:
    columns = TABLES[table].columns
    settings = ", ".join(f'"{column}" = excluded."{column}"' for column in columns)
    return Inserts(table, ("pos", *columns), f" ON CONFLICT DO UPDATE SET {settings}")


def _select(table: str) -> str:
    columns = ", ".join(f'"{column}"' for column in ("pos", *TABLES[table].columns))
    return f"SELECT {columns} FROM {table} WHERE {_by_key(table)}"


def _delete(table: str) -> str:
    return f"DELETE FROM {table} WHERE {_by_key(table)}"


def _by_key(table: str) -> str:
    return " AND ".join(f'"{column}" = ?' for column in TABLES[table].key)

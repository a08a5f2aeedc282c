"""The tables held against the events: every projection folded again, and each difference named."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from interlock.ledger.projections import Tables, fold
from interlock.ledger.store import Store
from interlock.ledger.tables import TABLES, Key, Row

_PAGE = 1000
"""Events that are read at once."""

_ALL = 1 << 62
"""More rows than a table can have."""

_ROUNDS_MAX = 10
"""How often the tables are read again because somebody was writing meanwhile."""


class Difference(NamedTuple):
    """Where a table does not say what the events say.

    Attributes:
        table, key: Which row.
        column: Which column of it; empty where the row is missing, or there is one too many.
        stands: What the table has; None where the row is missing.
        should: What the events say; None where they know of no such row.
    """

    table: str
    key: Key
    column: str
    stands: Any
    should: Any

    def __str__(self) -> str:
        """One sentence: which row and column, what stands there, and what the events say."""
        row = f"{self.table} {'/'.join(map(str, self.key))}"
        if self.column:
            return f"{row}: {self.column} is {self.stands!r}, and the events say {self.should!r}"
        if self.stands is None:
            return f"{row}: the row is missing"
        return f"{row}: the events know of no such row" if self.should is None else f"{row}: the row stands twice"


async def differences(store: Store) -> list[Difference]:
    """Rebuild every projection from the events and compare; empty where all tables say what the events say.

    `step` is a view of `tool_call`, and says what that says.

    Others may write meanwhile: what differs is looked at again with the events that came since.

    Raises:
        StoreUnavailable: The store cannot be read.
        LedgerError: An event is unreadable; verify the ledger first.
    """
    tables, position = Tables(), 0
    found: list[Difference] = []
    for _ in range(_ROUNDS_MAX):
        read = position
        position = await _absorb(store, tables, position)
        if read and position == read:
            break
        found = [
            each
            for table in TABLES
            if table != "step"
            for each in _compared(table, tables, await store.rows(table, limit=_ALL))
        ]
        if not found:
            break
    return found


async def _absorb(store: Store, tables: Tables, position: int) -> int:
    """Fold in what follows a position; the new one."""
    while events := await store.follow(position, _PAGE):
        for position, event in events:  # noqa: B007  # the last one is where to go on
            fold(event, tables)
    return position


def _compared(table: str, tables: Tables, rows: list[Row]) -> list[Difference]:
    names = TABLES[table].key
    stands = {tuple(row[name] for name in names): row for row in rows}
    should = {tuple(row[name] for name in names): row for row in tables.rows(table)}
    found = []
    for key in {**should, **stands}:
        one, other = stands.get(key), should.get(key)
        if one is None or other is None:
            found.append(Difference(table, key, "", one, other))
        else:
            found += [
                Difference(table, key, column, one[column], other[column])
                for column in TABLES[table].columns
                if one[column] != other[column]
            ]
    twice = Counter(tuple(row[name] for name in names) for row in rows)
    found += [Difference(table, key, "", count, 1) for key, count in twice.items() if count > 1]
    return found

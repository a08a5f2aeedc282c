"""Erasing in the file, and writing rows anew from the events. Works inside the writer's transaction.

Whoever calls has written all that its group gathered so far.
"""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from interlock.errors import LedgerError
from interlock.ledger.chain import read_event
from interlock.ledger.projections import fold
from interlock.ledger.sqlite_rows import WRITTEN, RowBuffer

_GROUP = 1000
"""Events whose rows are gathered before they are written."""

_OF_CHAIN = """
FROM extent JOIN event ON event.pos BETWEEN extent.pos AND extent.pos + extent.last - extent.first
WHERE extent.chain = (SELECT no FROM chain WHERE name = ?1)
"""


def erase(database: apsw.Connection, rows: RowBuffer, chain: str, seqs: Sequence[int]) -> None:
    """Delete payloads of a chain, overwritten with zeros, and write its rows anew from what is left."""
    database.execute("PRAGMA secure_delete = ON")
    try:
        database.executemany(_ERASE, [(chain, seq) for seq in seqs])
        for table in WRITTEN:
            database.execute(f"DELETE FROM {table} WHERE pos IN (SELECT event.pos {_OF_CHAIN})", (chain,))
        _refold(database, rows, f"SELECT event.pos, event.header, payload.salt, payload.body {_WITH_PAYLOAD}", (chain,))
    finally:
        database.execute("PRAGMA secure_delete = OFF")


def refold_all(database: apsw.Connection, rows: RowBuffer) -> None:
    """Write every row of every projection anew, or none.

    Raises:
        LedgerError: An event says what no table can show.
    """
    try:
        with database:  # a savepoint: others may share the transaction
            for table in WRITTEN:
                database.execute(f"DELETE FROM {table}")
            _refold(database, rows, _ALL, ())
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        rows.forget()
        raise LedgerError(
            f"the tables cannot show what the event at position {rows.pos} says: {error!r}", code="ledger.unreadable",
            remedy="It is damaged: run `interlock ledger verify`.",
        ) from error  # fmt: skip


def _refold(database: apsw.Connection, rows: RowBuffer, sql: str, values: tuple[str, ...]) -> None:
    rows.forget()
    for number, (pos, header, salt, body) in enumerate(database.execute(sql, values), 1):
        rows.pos = pos
        fold(read_event(header, salt, body), rows)
        if not number % _GROUP:
            rows.write()
    rows.write()


_WITH_PAYLOAD = _OF_CHAIN.replace("\nWHERE", "\nLEFT JOIN payload ON payload.pos = event.pos\nWHERE") + (
    "ORDER BY extent.last, event.pos"
)
_ALL = """
SELECT event.pos, event.header, payload.salt, payload.body
FROM event LEFT JOIN payload ON payload.pos = event.pos ORDER BY event.pos
"""
_ERASE = """
DELETE FROM payload WHERE pos = (
    SELECT pos + ?2 - first FROM extent
    WHERE chain = (SELECT no FROM chain WHERE name = ?1) AND ?2 BETWEEN first AND last
)
"""

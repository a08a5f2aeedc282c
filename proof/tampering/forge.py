"""A forger at work on the copy of a ledger: with all rights on the file, and sometimes with more care than others.

A forger may leave things as they fall, put the positions right, make the hashes anew, fold the tables again, grow the
tree anew and sign it with a key of their own, or even with the real one: then only the sinks know better.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from interlock.core.canonical import canonical, keyed
from interlock.errors import LedgerError
from interlock.ledger.chain import chain_hash
from interlock.ledger.merkle import Tree, leaf_hash
from interlock.ledger.note import Checkpoint, read_note
from interlock.ledger.signing import Signer, read_signer
from interlock.ledger.sqlite_erase import refold_all
from interlock.ledger.sqlite_rows import RowBuffer
from proof.tampering.ledgers import KEY, LEDGER

EVIL = b"\x66" * 32
"""Seed of the forger's own key."""


class Raw(NamedTuple):
    """An event as it stands in the file; no salt and body where they were erased."""

    header: bytes
    salt: bytes | None
    body: bytes | None

    @property
    def fields(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.header)
        return found

    def saying(self, **changed: Any) -> Raw:
        """The same with other header fields, in canonical form."""
        return self._replace(header=canonical({**self.fields, **changed}))


@contextmanager
def opened(path: Path) -> Iterator[apsw.Connection]:
    """The file without its triggers, which are put back in the end."""
    database = apsw.Connection(str(path))
    try:
        triggers = database.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        database.execute("PRAGMA synchronous = OFF")
        database.execute("BEGIN")
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        yield database
        for _, sql in triggers:
            database.execute(sql)
        database.execute("COMMIT")
    finally:
        database.close()


def raws(database: apsw.Connection) -> list[Raw]:
    """Every event in the order of positions."""
    sql = "SELECT header, salt, payload.body FROM event LEFT JOIN payload USING (pos) ORDER BY pos"
    return [Raw(*row) for row in database.execute(sql)]


def write(database: apsw.Connection, events: Sequence[Raw]) -> None:
    """Put these events in place of all that stood there, with positions and extents that fit."""
    for table in ("event", "payload", "extent"):
        database.execute(f"DELETE FROM {table}")
    numbers = dict(database.execute("SELECT name, no FROM chain").fetchall())
    extents: list[list[int]] = []
    for pos, raw in enumerate(events, 1):
        database.execute("INSERT INTO event VALUES (?, ?)", (pos, raw.header))
        if raw.body is not None:
            database.execute("INSERT INTO payload VALUES (?, ?, ?)", (pos, raw.salt, raw.body))
        fields = raw.fields
        name, seq = fields["run_id"], fields["seq"]
        if name not in numbers:
            numbers[name] = len(numbers) + 1
            database.execute("INSERT INTO chain VALUES (?, ?, ?)", (numbers[name], name, fields["tenant"]))
        if extents and extents[-1][0] == numbers[name] and extents[-1][1] == seq - 1:
            extents[-1][1] = seq
        else:
            extents.append([numbers[name], seq, seq, pos])
    database.executemany("INSERT OR REPLACE INTO extent VALUES (?, ?, ?, ?)", extents)


def rechained(events: Sequence[Raw]) -> list[Raw]:
    """The same events with every number, hash and commitment made anew, so that each chain holds."""
    heads: dict[str, tuple[int, bytes]] = {}
    found = []
    for raw in events:
        fields = raw.fields
        seq, prev = heads.get(fields["run_id"], (0, b""))
        changed: dict[str, Any] = {"seq": seq + 1, "prev_hash": prev.hex()}
        if raw.body is not None and raw.salt is not None:
            changed["payload_commit"] = keyed(raw.salt, raw.body).hex()
        raw = raw.saying(**changed)
        heads[fields["run_id"]] = (seq + 1, chain_hash(prev, raw.header))
        found.append(raw)
    return found


def refold(database: apsw.Connection) -> None:
    """Make the tables say what the events say, as far as they can still be read."""
    with contextlib.suppress(LedgerError):  # then they stay as they were
        refold_all(database, RowBuffer(database))


def leaves(events: Sequence[Raw]) -> list[bytes]:
    """The leaves of these events."""
    return [leaf_hash(chain_hash(bytes.fromhex(raw.fields["prev_hash"]), raw.header)) for raw in events]


def regrow(database: apsw.Connection, events: Sequence[Raw], signer: Signer | None) -> None:
    """Grow the tree anew over the events; sign every head of it again, where there is a key."""
    stored = database.execute("SELECT size, at_us, note FROM checkpoint ORDER BY size").fetchall()
    sizes = [size for size, _, _ in stored if size < len(events)] or [len(events)]
    if stored and stored[-1][0] >= len(events):
        sizes = [*[size for size in sizes if size < len(events)], len(events)]
    tree = Tree(0, lambda level, no: b"")
    tree.extend(leaves(events)[: sizes[-1]])
    database.execute("DELETE FROM tile")
    tiles = [(level, no, hashes) for (level, no), hashes in tree.changed.items()]
    database.executemany("INSERT INTO tile VALUES (?, ?, ?)", tiles)
    if signer is None or not stored:
        return
    origin = read_note(stored[0][2]).checkpoint.origin
    database.execute("DELETE FROM checkpoint")
    for size in sizes:
        note = signer.note(Checkpoint(origin, size, tree.root(size))).text
        database.execute("INSERT INTO checkpoint VALUES (?, ?, ?)", (size, stored[0][1], note))


def real_signer(folder: Path) -> Signer:
    """The key of the ledger: a forger may have stolen it."""
    return read_signer((folder / KEY).read_text())


def evil_signer(folder: Path) -> Signer:
    """A key of the forger's own, under the log's name."""
    return Signer(real_signer(folder).public.name, EVIL)


def overwrite(path: Path, at: int, what: bytes) -> None:
    """Change bytes of a file in place."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.pwrite(handle, what, at)
    finally:
        os.close(handle)


def ledger_of(folder: Path) -> Path:
    """The database file."""
    return folder / LEDGER

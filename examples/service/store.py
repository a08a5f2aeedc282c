"""The service's one SQLite file: tables, transactions, and the effects table that bears witness.

A change and its effect row are one transaction, on disk before the caller hears of it: whatever `effects`
holds happened, and nothing else did. The same row keeps the answer, so a repeated idempotency key gets it
again and a reconciling caller can ask for it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from examples.service.answer import Answer, Problem
from examples.service.request import Request

EFFECTS = (
    "CREATE TABLE effects (n INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, kind TEXT NOT NULL,"
    " idempotency_key TEXT UNIQUE, digest TEXT NOT NULL, body TEXT NOT NULL,"
    " status INTEGER NOT NULL, answer TEXT NOT NULL)",
    "CREATE TRIGGER effects_are_never_changed BEFORE UPDATE ON effects"
    " BEGIN SELECT RAISE(ABORT, 'an effect is never changed'); END",
    "CREATE TRIGGER effects_are_never_deleted BEFORE DELETE ON effects"
    " BEGIN SELECT RAISE(ABORT, 'an effect is never deleted'); END",
)
"""What bears witness, in every service's file."""

Value = str | int | None
Row = dict[str, Any]


class Books(NamedTuple):
    """What a service keeps.

    Attributes:
        application_id: Stands in the file, so that no other program's database is taken for ours.
        tables: Statements that make its tables.
        records: What a new file holds, by table; each row in the order of the table's columns.
    """

    application_id: int
    tables: Sequence[str]
    records: Callable[[], Mapping[str, Sequence[tuple[Value, ...]]]]


class FileRefused(Exception):
    """The file cannot be used: locked, out of reach, or no database of this service's. It is as it was."""


class Effect(NamedTuple):
    """What is about to be done.

    Attributes:
        kind: The endpoint's name.
        body: What was asked, with the path's ids and the defaults, as JSON with its names in order.
        digest: SHA-256 of `body` in hex; with `kind` it tells one request from another.
    """

    kind: str
    key: str | None
    body: str
    digest: str


class Store:
    """The open file. One connection behind one lock: requests read and change it one at a time.

    Args:
        path: Created and filled where it does not exist or is empty.
        books: What it holds.
        now: The time, with its zone.

    Raises:
        FileRefused: `path` is something else, or cannot be opened.
    """

    def __init__(self, path: Path, books: Books, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._db = _open(path)
        try:
            # Syncs the file and, once the journal is gone, its folder: what COMMIT returns from is on disk.
            self._db.execute("PRAGMA synchronous = EXTRA")
            self._create(books)
        except (sqlite3.Error, FileRefused) as error:
            self._db.close()
            raise FileRefused(f"{path} cannot be used: {error}") from error

    def rows(self, query: str, *values: Value) -> list[Row]:
        """What `query` finds."""
        with self._lock:
            return [dict(row) for row in self._db.execute(query, values)]

    def one(self, noun: str, id_: int) -> Row:
        """The property, tenant, payment or lease with this id.

        Raises:
            Problem: 404 `<noun>_not_found`.
        """
        with self._lock:
            return find_one(self._db, noun, id_)

    def change(self, kind: str, request: Request, do: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Run `do` and write its effect in one transaction; on disk when this returns.

        A request whose key has an effect already is not done again: it gets the first answer. A problem
        that `do` raises leaves neither change nor effect nor key, so the mended request may use it.

        Raises:
            Problem: 409 `idempotency_key_reused` for a key that named another request; what `do` raises.
        """
        effect = _effect(kind, request)
        with self._lock, self._transaction() as db:
            first = _first_answer(db, effect)
            if first is not None:
                return first
            answer = do(db)
            _write(db, effect, self.timestamp(), answer)
            return answer

    def by_key(self, kind: str, key: str) -> Row | None:
        """The effect of this kind that the key named, or None if there is none (yet)."""
        found = self.rows("SELECT * FROM effects WHERE kind = ? AND idempotency_key = ?", kind, key)
        return _decoded(found[0]) if found else None

    def effects(self, after: int) -> list[Row]:
        """Every effect with a number above `after`, in order."""
        return [_decoded(row) for row in self.rows("SELECT * FROM effects WHERE n > ? ORDER BY n", after)]

    def timestamp(self) -> str:
        """Now, as it is written into rows."""
        return self._now().isoformat(timespec="milliseconds")

    def close(self) -> None:
        """Close the file after the request that is using it."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:  # left by an exception
                self._db.execute("ROLLBACK")

    def _create(self, books: Books) -> None:
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application == books.application_id:
            return
        if tables:
            raise FileRefused("another program made it")
        with self._transaction() as db:
            for statement in (*books.tables, *EFFECTS):
                db.execute(statement)
            for table, records in books.records().items():
                _fill(db, table, records)
            db.execute(f"PRAGMA application_id = {books.application_id}")


def find_one(db: sqlite3.Connection, noun: str, id_: int) -> Row:
    """As `Store.one`, within a change."""
    table = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    row = db.execute(f"SELECT * FROM {table} WHERE id = ?", (id_,)).fetchone()
    if row is None:
        raise Problem(404, f"{noun}_not_found", f"There is no {noun} {id_}.", field=f"{noun}_id")
    return dict(row)


def created(db: sqlite3.Connection, table: str, row: Row) -> Answer:
    """Add a row to one of our tables; answer 201 with it and its new id."""
    columns, places = ", ".join(row), ", ".join("?" * len(row))
    cursor = db.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", tuple(row.values()))
    return Answer(201, {"id": cursor.lastrowid, **row})


def _open(path: Path) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise FileRefused(f"{path} cannot be opened: {error}") from error
    db.row_factory = sqlite3.Row
    return db


def _effect(kind: str, request: Request) -> Effect:
    body = json.dumps(request.read, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Effect(kind, request.key, body, hashlib.sha256(body.encode()).hexdigest())


def _first_answer(db: sqlite3.Connection, effect: Effect) -> Answer | None:
    if effect.key is None:
        return None
    row = db.execute("SELECT * FROM effects WHERE idempotency_key = ?", (effect.key,)).fetchone()
    if row is None:
        return None
    if (row["kind"], row["digest"]) != (effect.kind, effect.digest):
        raise Problem(409, "idempotency_key_reused", "This idempotency key named another request.")
    return Answer(row["status"], json.loads(row["answer"]), replayed=True)


def _write(db: sqlite3.Connection, effect: Effect, at: str, answer: Answer) -> None:
    db.execute(
        "INSERT INTO effects (at, kind, idempotency_key, digest, body, status, answer) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (at, effect.kind, effect.key, effect.digest, effect.body, answer.status, json.dumps(answer.body)),
    )


def _decoded(effect: Row) -> Row:
    return effect | {name: json.loads(effect[name]) for name in ("body", "answer")}


def _fill(db: sqlite3.Connection, table: str, records: Sequence[tuple[Value, ...]]) -> None:
    places = ", ".join("?" * len(records[0]))
    db.executemany(f"INSERT INTO {table} VALUES ({places})", records)

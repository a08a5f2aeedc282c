"""The sealed log in the SQLite file: what is read to seal, prove and compare it, and what sealing writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import apsw

from interlock.core.event import Event, Kind
from interlock.errors import Conflict
from interlock.ledger.chain import read_event
from interlock.ledger.merkle import Tree
from interlock.ledger.note import PublicKey, read_public
from interlock.ledger.sealing import Stored
from interlock.ledger.store import DEPLOYMENT


class Sealing(NamedTuple):
    """What one sealing adds.

    Attributes:
        older: Size of the checkpoint that it goes on from; 0 where there is none.
        size: Its own size.
        tiles: Tiles that grew, by level and number, whole.
        note: The signed note.
    """

    older: int
    size: int
    tiles: Mapping[tuple[int, int], bytes]
    note: str


class Said(NamedTuple):
    """A fact of the deployment.

    Attributes:
        pos: Position of its event.
        kind: What it says.
        step: Number in its header; 0 for none.
        body: Its payload; empty where there is none to read.
    """

    pos: int
    kind: str
    step: int
    body: Mapping[str, Any]


class Log:
    """The log as a connection sees it."""

    def __init__(self, database: apsw.Connection) -> None:
        self._database = database

    @property
    def events(self) -> int:
        """Position of the newest event; 0 where there is none."""
        return int(self._database.execute("SELECT ifnull(max(pos), 0) FROM event").get)

    @property
    def newest(self) -> Stored | None:
        """The newest checkpoint."""
        return self._one("ORDER BY size DESC LIMIT 1")

    @property
    def sealed(self) -> int:
        """How many events the newest checkpoint is over."""
        newest = self.newest
        return newest.size if newest is not None else 0

    @property
    def count(self) -> int:
        """How many checkpoints there are."""
        return int(self._database.execute("SELECT count(*) FROM checkpoint").get)

    def at(self, size: int) -> Stored | None:
        """The checkpoint over so many events."""
        return self._one("WHERE size = ?", size)

    def checkpoints(self, after: int = 0, limit: int = 1000) -> list[Stored]:
        """Checkpoints over more than `after` events, the smallest first."""
        return self._stored("WHERE size > ? ORDER BY size LIMIT ?", after, limit)

    def headers(self, after: int, limit: int) -> list[bytes]:
        """Headers of the events after a position, in order."""
        rows = self._database.execute("SELECT header FROM event WHERE pos > ? ORDER BY pos LIMIT ?", (after, limit))
        return [header for (header,) in rows]

    def position(self, chain: str, seq: int) -> int | None:
        """Position of an event; None where there is none."""
        found = self._database.execute(_POSITION, (chain, seq)).get
        return None if found is None else int(found)

    def tile(self, level: int, no: int) -> bytes:
        """A tile of the tree; empty where there is none."""
        found = self._database.execute("SELECT hashes FROM tile WHERE level = ? AND no = ?", (level, no)).get
        return found if isinstance(found, bytes) else b""

    def tree(self, size: int | None = None) -> Tree:
        """The tree over the events that are sealed, or over so many of them."""
        return Tree(self.sealed if size is None else size, self.tile)

    def said(self, kind: Kind) -> Iterator[Said]:
        """Facts of one kind in the deployment's chain, in order."""
        for pos, header, body in self._database.execute(_SAID, (DEPLOYMENT, f'"kind":"{kind}"')):
            yield said(pos, header, body)

    def keys(self) -> list[tuple[PublicKey, str]]:
        """The keys that the log names, oldest first, each with the word by which the one before hands over."""
        return [(read_public(said.body["key"]), said.body["word"]) for said in self.said(Kind.KEY_ROTATED)]

    def chain(self, name: str) -> Iterator[tuple[int, Event]]:
        """Events of a chain with their positions, in order."""
        for pos, header, salt, body in self._database.execute(_CHAIN, (name,)):
            yield pos, read_event(header, salt, body)

    def _one(self, condition: str, *values: int) -> Stored | None:
        found = self._stored(condition, *values)
        return found[0] if found else None

    def _stored(self, condition: str, *values: int) -> list[Stored]:
        rows: list[Any] = self._database.execute(f"{_CHECKPOINTS} {condition}", values).fetchall()
        return [Stored(*row) for row in rows]


def said(pos: int, header: bytes, body: bytes | None) -> Said:
    """The fact at a position; what cannot be read of it is left out: `verify` says that it is damaged."""
    return Said(pos, str(_object(header).get("kind", "")), _number(_object(header).get("step", 0)), _object(body))


def write_sealing(database: apsw.Connection, sealing: Sealing, now_us: int) -> None:
    """Write a checkpoint and the tiles below it, inside the writer's transaction.

    Raises:
        Conflict: Somebody else has sealed since; nothing was written.
    """
    if Log(database).sealed != sealing.older:
        raise Conflict("another process has sealed the log", code="ledger.sealed", remedy="Read it again.")
    tiles = [(level, no, hashes) for (level, no), hashes in sealing.tiles.items()]
    database.executemany("INSERT OR REPLACE INTO tile VALUES (?, ?, ?)", tiles)
    database.execute("INSERT INTO checkpoint VALUES (?, ?, ?)", (sealing.size, now_us, sealing.note))


def _object(text: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(text) if text is not None else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _number(found: object) -> int:
    return found if isinstance(found, int) else 0


_CHECKPOINTS = "SELECT size, at_us, note FROM checkpoint"
_CHAIN = """
SELECT event.pos, event.header, payload.salt, payload.body
FROM extent
JOIN event ON event.pos BETWEEN extent.pos AND extent.pos + extent.last - extent.first
LEFT JOIN payload ON payload.pos = event.pos
WHERE extent.chain = (SELECT no FROM chain WHERE name = ?1)
ORDER BY extent.last, event.pos
"""
_POSITION = """
SELECT pos + ?2 - first FROM extent
WHERE chain = (SELECT no FROM chain WHERE name = ?1) AND ?2 BETWEEN first AND last
"""
_SAID = """
SELECT event.pos, event.header, payload.body
FROM extent
JOIN event ON event.pos BETWEEN extent.pos AND extent.pos + extent.last - extent.first
LEFT JOIN payload ON payload.pos = event.pos
WHERE extent.chain = (SELECT no FROM chain WHERE name = ?1) AND instr(event.header, CAST(?2 AS BLOB)) > 0
ORDER BY event.pos
"""

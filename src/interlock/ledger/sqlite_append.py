"""What an append becomes in the file. Works inside the writer's transaction, on the writer's thread.

What is known of the file is kept between transactions: while nobody else writes, an append reads nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from interlock.core.clock import SECOND_US
from interlock.core.event import Event, Fact, GuardChange
from interlock.errors import DuplicateFact, GuardRefused, StaleClaim
from interlock.ledger.chain import EMPTY, Entropy, Head, link_all, read_event
from interlock.ledger.guards import changed
from interlock.ledger.projections import fold
from interlock.ledger.sqlite_erase import erase, refold_all
from interlock.ledger.sqlite_log import Sealing, write_sealing
from interlock.ledger.sqlite_rows import Inserts, RowBuffer
from interlock.ledger.store import AHEAD_MAX_S, Append, lapsed

_KNOWN_MAX = 65_536
"""Chains, guards and unique facts that are remembered; beyond it they are read again."""


@dataclass(slots=True)
class _Chain:
    """What is known of a chain; `no` is 0 until its first append is taken."""

    no: int
    head: Head
    epoch: int
    worker: str
    until_us: int


class Appender:
    """Checks and links appends, gathers what they write, and writes it at the end of the transaction.

    Attributes:
        careful: Look every unique fact up in the file. Otherwise the table's key is left to find a double:
            that fails the whole transaction, which is then done again one by one, carefully.
        others: How often somebody else was found to have written, or a transaction failed.
    """

    def __init__(self, database: apsw.Connection, number: int, entropy: Entropy) -> None:
        self.careful = False
        self.others = 0
        self._database = database
        self._number = number
        self._entropy = entropy
        self._new_chains = Inserts("chain", ("no", "name", "tenant"))
        self._events = Inserts("event", ("pos", "header"))
        self._payloads = Inserts("payload", ("pos", "salt", "body"))
        self._extents = Inserts("extent", ("chain", "last", "first", "pos"))
        self._unique = Inserts("once", ("key", "chain"))
        self._rows = RowBuffer(database)
        self._chains: dict[str, _Chain] = {}
        self._guards: dict[str, int] = {}
        self._once: dict[int, set[str]] = {}
        self._once_known = 0
        self._claimed: dict[int, _Chain] = {}
        self._released: set[str] = set()
        self._guarded: set[str] = set()
        self._version = -1
        self._pos = self._chain_no = 0

    def begin(self) -> None:
        """At the start of a transaction: forget what is known where another process has written since."""
        database = self._database
        version = database.execute("PRAGMA data_version").get
        if version != self._version:
            self.forget()
            self.others += 1
            self._version = version
            self._pos = database.execute("SELECT ifnull(max(pos), 0) FROM event").get
            self._chain_no = database.execute("SELECT ifnull(max(no), 0) FROM chain").get
            database.execute("UPDATE mark SET value = ? WHERE name = 'writer'", (self._number,))
        elif max(len(self._chains), len(self._guards), self._once_known) > _KNOWN_MAX:
            self._forget_known()

    def append(self, append: Append, now_us: int) -> list[Event]:
        """Take one append.

        Raises:
            StaleClaim, DuplicateFact, GuardRefused: See `Store.append`. Nothing of it was taken.
            BadInput: A body has no JSON form. Nothing of it was taken.
        """
        name = append.chain
        chain = self._chains.get(name) or self._read_chain(name)
        epoch = _admit(append, chain, now_us)
        facts = append.facts
        if append.claim is not None:
            facts = [append.claim.fact(epoch), *facts]
        once = self._standing_once(facts, chain)
        values = self._changed(append.guards, now_us) if append.guards else {}
        events = link_all(chain.head, name, append.tenant, facts, now_us, self._entropy)
        # Nothing refuses from here on.
        if events:
            self._take(append, chain, events)
        for key in once:
            self._once.setdefault(chain.no, set()).add(key)
            self._once_known += 1
            self._unique.values += (key, chain.no)
        if append.claim is not None:
            chain.epoch, chain.worker = epoch, append.claim.worker
            chain.until_us = now_us + int(append.claim.lease_s * SECOND_US)
            self._claimed[chain.no] = chain
            self._released.discard(name)
        self._guards.update(values)
        self._guarded.update(values)
        if append.release:
            self.release(name, epoch)
        return events

    def erase(self, append: Append, seqs: Sequence[int], now_us: int) -> list[Event]:
        """See `Store.erase`.

        Raises:
            StaleClaim, DuplicateFact, BadInput: As `append`; nothing of it was taken.
        """
        events = self.append(append, now_us)
        self.write()
        erase(self._database, self._rows, append.chain, seqs)
        return events

    def rebuild(self) -> None:
        """See `Store.rebuild`."""
        self.write()
        refold_all(self._database, self._rows)

    def seal(self, sealing: Sealing, now_us: int) -> None:
        """See `SqliteStore.seal`.

        Raises:
            Conflict: Somebody else has sealed since; nothing was written.
        """
        write_sealing(self._database, sealing, now_us)

    def renew(self, worker: str, lease_s: float, now_us: int) -> None:
        """See `Store.renew`."""
        self._write_claims()
        until_us = now_us + int(lease_s * SECOND_US)
        self._database.execute(
            "UPDATE claim SET until_us = ? WHERE worker = ? AND until_us BETWEEN ? AND ?",
            (until_us, worker, now_us + 1, now_us + int(AHEAD_MAX_S * SECOND_US)),
        )
        for chain in self._chains.values():
            if chain.worker == worker and not lapsed(chain.until_us, now_us):
                chain.until_us = until_us

    def release(self, run_id: str, epoch: int) -> None:
        """See `Store.release`."""
        chain = self._chains.get(run_id) or self._read_chain(run_id)
        if chain.no and chain.epoch == epoch:
            chain.until_us = 0
            self._claimed[chain.no] = chain
            self._released.add(run_id)

    def write(self) -> None:
        """Write all that was taken, table by table."""
        for inserts in (self._new_chains, self._events, self._payloads, self._extents, self._unique):
            inserts.write(self._database)
        self._rows.write()
        self._write_claims()
        if self._guarded:
            changed = [(name, self._guards[name]) for name in self._guarded]
            self._guarded.clear()
            self._database.executemany("INSERT OR REPLACE INTO guard VALUES (?, ?)", changed)
        for name in self._released:  # it is over, or waits, and is read again when somebody comes back to it
            if (chain := self._chains.pop(name, None)) is not None:
                self._once_known -= len(self._once.pop(chain.no, ()))
        self._released.clear()

    def forget(self) -> None:
        """The transaction was rolled back, or what is known is no longer so: forget all of it."""
        self._version = -1
        for inserts in (self._new_chains, self._events, self._payloads, self._extents, self._unique):
            inserts.values = []
        self._rows.forget()
        self._claimed.clear()
        self._released.clear()
        self._guarded.clear()
        self._forget_known()

    def _forget_known(self) -> None:
        self._chains.clear()
        self._guards.clear()
        self._once.clear()
        self._once_known = 0

    def _take(self, append: Append, chain: _Chain, events: list[Event]) -> None:
        if not chain.no:
            self._chain_no = chain.no = self._chain_no + 1
            self._chains[append.chain] = chain
            self._new_chains.values += (chain.no, append.chain, append.tenant)
        pos, last = self._pos, events[-1]
        self._extents.values += (chain.no, last.seq, events[0].seq, pos + 1)
        headers, payloads, rows = self._events.values, self._payloads.values, self._rows
        for event in events:
            pos += 1
            headers += (pos, event.header)
            payloads += (pos, event.salt, event.payload)
            rows.pos = pos
            fold(event, rows)
        self._pos = pos
        chain.head = Head(last.seq, last.hash)

    def _standing_once(self, facts: Sequence[Fact], chain: _Chain) -> list[str]:
        """Keys of the facts that may stand once."""
        keys: list[str] = []
        known = self._once.get(chain.no, ())
        for fact in facts:
            if key := fact.unique:
                if key in known or key in keys or (self.careful and self._stands(key, chain)):
                    raise DuplicateFact(f"{key} stands already")
                keys.append(key)
        return keys

    def _stands(self, key: str, chain: _Chain) -> bool:
        sql = "SELECT count(*) FROM once WHERE key = ? AND chain = ?"
        return bool(self._database.execute(sql, (key, chain.no)).get)

    def _changed(self, guards: tuple[GuardChange, ...], now_us: int) -> dict[str, int]:
        try:
            return changed(guards, self._guard, now_us)
        except GuardRefused as refused:
            if refused.mended is not None:
                self._guards[refused.guard] = refused.mended
                self._guarded.add(refused.guard)
            raise

    def _guard(self, name: str) -> int:
        """A guard's value. This transaction holds the file's lock: nobody else changes it."""
        value = self._guards.get(name)
        if value is None:
            value = self._guards[name] = self._database.execute(_GUARD, (name,)).get or 0
        return value

    def _read_chain(self, name: str) -> _Chain:
        found = self._database.execute(_READ_CHAIN, (name,)).get
        if found is None:
            return _Chain(0, EMPTY, 0, "", 0)
        no, header, epoch, worker, until_us = found
        head = EMPTY
        if header is not None:
            last = read_event(header, None, None)
            head = Head(last.seq, last.hash)
        self._chains[name] = chain = _Chain(no, head, epoch or 0, worker or "", until_us or 0)
        return chain

    def _write_claims(self) -> None:
        if self._claimed:
            changed = [(chain.no, chain.epoch, chain.worker, chain.until_us) for chain in self._claimed.values()]
            self._claimed.clear()
            self._database.executemany("INSERT OR REPLACE INTO claim VALUES (?, ?, ?, ?)", changed)


_GUARD = "SELECT value FROM guard WHERE name = ?"

_READ_CHAIN = """
SELECT chain.no,
       (SELECT header FROM extent JOIN event ON event.pos = extent.pos + extent.last - extent.first
        WHERE extent.chain = chain.no ORDER BY extent.last DESC LIMIT 1),
       claim.epoch, claim.worker, claim.until_us
FROM chain LEFT JOIN claim ON claim.chain = chain.no
WHERE chain.name = ?
"""


def _admit(append: Append, chain: _Chain, now_us: int) -> int:
    """The epoch that this append works under, or a refusal."""
    if append.claim is not None:
        if not lapsed(chain.until_us, now_us) and chain.worker != append.claim.worker:
            raise StaleClaim(f"run {append.chain} is claimed by another worker")
        return chain.epoch + 1
    if append.epoch and append.epoch != chain.epoch:
        raise StaleClaim(f"claim {append.epoch} of run {append.chain} is past: {chain.epoch} is the newest")
    return append.epoch

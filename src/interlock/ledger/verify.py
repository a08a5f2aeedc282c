"""The whole verification: every event, chain, payload, head, key, table and page of a ledger's file.

One pass over the events in the order of their commits, in bounded memory whatever their number; then what they make
is held against what was signed. Nothing is changed, nothing is trusted, and damage is a finding, never a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.core.event import Event, Kind
from interlock.errors import LedgerError, StoreUnavailable
from interlock.ledger.checkpoint import Restore, read_restores
from interlock.ledger.findings import Finding, Found, Report
from interlock.ledger.heads import Court, Head, own_heads, sink_heads, sink_texts
from interlock.ledger.leaves import Leaves, Place
from interlock.ledger.links import Chains, Extents
from interlock.ledger.merkle import HASH_BYTES, TILE_BITS, TILE_HASHES, Frontier, Tree
from interlock.ledger.note import PublicKey
from interlock.ledger.signing import KeyHistory
from interlock.ledger.sinks import Sink, readable
from interlock.ledger.sqlite_audit import Audited, Damaged, Refolded, Row
from interlock.ledger.store import DEPLOYMENT
from interlock.ledger.strictly import Read, payload_is_wrong, read_body, read_strictly

_TELL_EVERY = 10_000

Progress = Callable[[int, int], None]
"""Told how many events were looked at, and how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What to verify, and against what.

    Attributes:
        start: First position to look at.
        end: Last one; None for all that there are.
        keys: Public keys that are known to be right from outside the ledger.
        anchor: A signed checkpoint that an auditor kept; empty for none.
        tables: Whether to fold every table anew and compare it; a third of the time.
        progress: Told how far it is.
    """

    start: int = 1
    end: int | None = None
    keys: Sequence[PublicKey] = ()
    anchor: str = ""
    tables: bool = True
    progress: Progress | None = None


def verify(path: Path, sinks: Sequence[Sink] = (), scope: Scope | None = None) -> Report:
    """Verify a ledger's file. Blocks; others may go on writing, and what they write meanwhile is not looked at.

    Raises:
        StoreUnavailable: There is no such file.
    """
    scope = scope or Scope()
    report = Report(vouched=bool(scope.keys))
    try:
        audited = Audited(path)
    except StoreUnavailable as error:
        if error.code == "ledger.open":
            raise
        report.add(Found(Finding.UNREADABLE, str(error.args[0])))
        return report
    try:
        _Verification(audited, sinks, scope, report).run()
    except Damaged as error:  # where a page is damaged that leads to all others, little can be said beside that
        report.add(Found(Finding.UNREADABLE, f"the file is damaged: {error}"))
    finally:
        audited.close()
    return report


class _Verification:
    """One verification, from its beginning to its end."""

    def __init__(self, audited: Audited, sinks: Sequence[Sink], scope: Scope, report: Report) -> None:
        self._audited = audited
        self._log = audited.log
        self._scope = scope
        self._report = report
        self._tell = report.add
        self._links: list[Found] = []  # what the chains say; the sealed leaves say it better, where they can
        self._keys = KeyHistory(scope.keys)
        self._operators: list[tuple[int, dict[str, Any]]] = []
        self._erased: dict[tuple[str, int], int] = {}
        self._roots: dict[int, bytes] = {}
        self._sinks = [(sink.name, *sink_texts(sink)) for sink in sinks]

    def run(self) -> None:
        """Look at everything."""
        audited, report, scope = self._audited, self._report, self._scope
        audited.schema(self._tell)
        audited.integrity(self._tell)
        audited.one_moment()
        report.events = audited.count("SELECT ifnull(max(pos), 0) FROM event")
        report.sealed = audited.count("SELECT ifnull(max(size), 0) FROM checkpoint")
        end = report.events if scope.end is None else min(scope.end, report.events)
        report.verified = (scope.start, end)
        tree = Tree(report.sealed, self._log.tile)
        leaves = Leaves(self._log.tile, min(report.sealed, scope.end or report.sealed))
        own = self._own()
        self._pass(end, tree, leaves, self._sizes(own, end))
        if scope.end is not None:
            self._later_erasures(end)
        self._judge(own, tree, leaves, end)
        for (chain, seq), pos in self._erased.items():
            self._tell(Found(Finding.ERASURE, "its payload is gone, and no event says why", pos, chain, seq))
        self._beside()
        if report.sealed and not leaves.differ and scope.start == 1 and scope.end is None:
            self._tiles(tree)
        first = report.anchored
        report.unanchored_tail = max(0, report.events - first)
        if self._keys.newest is not None:
            report.key = self._keys.newest.text

    # ------------------------------------------------------------------ events

    def _pass(self, end: int, tree: Tree, leaves: Leaves, sizes: Sequence[int]) -> None:
        """Look at every event once."""
        scope, wanted = self._scope, iter(sizes)
        frontier, whole = self._begun(tree), True
        size = next(wanted, 0)
        chains, extents = Chains(self._audited, scope.start > 1), Extents(self._audited, scope.start, end)
        refolded = Refolded() if scope.tables and scope.start == 1 and scope.end is None else None
        expected = leaves_from = scope.start
        leaves.skip(leaves_from - 1)
        for row in self._audited.events(scope.start, end, self._tell):
            if row.pos != expected:
                whole = False
                self._link(Finding.MISSING, f"nothing stands at positions {expected} to {row.pos - 1}", expected)
            expected = row.pos + 1
            read = read_strictly(row.header)
            place = Place(read.chain, read.seq)
            leaves.take(row.pos, read.leaf, place)
            if whole:
                frontier.add(read.leaf)
                if row.pos == size:
                    self._roots[size], size = frontier.root(), next(wanted, 0)
            if read.why:
                self._link(Finding.HEADER, read.why, row.pos, place)
            else:
                for found in chains.follow(row.pos, read):
                    self._links.append(found)
                self._payload(row, read, place)
            no = extents.take(row.pos, read, self._tell)
            if refolded is not None and not read.why:
                refolded = self._fold(refolded, row, read, no)
            if scope.progress is not None and row.pos % _TELL_EVERY == 0:
                scope.progress(row.pos - scope.start + 1, end - scope.start + 1)
        if scope.progress is not None:
            scope.progress(end - scope.start + 1, end - scope.start + 1)
        leaves.end()
        extents.end(self._tell)
        if refolded is not None:
            refolded.compare(self._audited, self._tell)
            refolded.close()

    def _payload(self, row: Row, read: Read, place: Place) -> None:
        """Hold a payload against its header, and keep what the deployment says of keys and restores."""
        fields = read.fields
        if row.salt is None and row.body is None:
            self._erased[place] = row.pos
            return
        if why := payload_is_wrong(fields, row.salt, row.body):
            self._tell(Found(Finding.PAYLOAD, why, row.pos, *place))
            return
        kind = fields["kind"]
        if kind == Kind.REDACT:
            self._forgive(place, read_body(row.body) or {})
        elif place.chain == DEPLOYMENT and kind == Kind.KEY_ROTATED:
            why = self._keys.absorb(row.pos, fields.get("step", 0), read_body(row.body) or {})
            if why:
                self._tell(Found(Finding.SIGNATURE, f"this change of the key does not count: {why}", row.pos, *place))
        elif place.chain == DEPLOYMENT and kind == Kind.OPERATOR:
            self._operators.append((row.pos, read_body(row.body) or {}))

    def _forgive(self, place: Place, body: dict[str, Any]) -> None:
        """An erasure of events of the same chain is recorded here."""
        ranges = body.get("events")
        for pair in ranges if isinstance(ranges, list) else ():
            if isinstance(pair, list) and len(pair) == 2 and all(type(number) is int for number in pair):
                first, last = pair
                for seq in range(max(first, 1), min(last, place.seq - 1) + 1):
                    self._erased.pop((place.chain, seq), None)

    def _later_erasures(self, end: int) -> None:
        """Events beyond the scope may say who erased what is in it."""
        sql = "SELECT event.pos, event.header, payload.salt, payload.body FROM event JOIN payload USING (pos) " \
              "WHERE event.pos > ? AND instr(event.header, CAST(? AS BLOB)) > 0"  # fmt: skip
        for row in self._audited.rows(sql, self._tell, end, f'"kind":"{Kind.REDACT}"'):
            read = read_strictly(row[1])
            if not read.why and not payload_is_wrong(read.fields, row[2], row[3]):
                self._forgive(Place(read.chain, read.seq), read_body(row[3]) or {})

    def _fold(self, refolded: Refolded, row: Row, read: Read, no: int) -> Refolded | None:
        """Fold an event into the tables; None once one cannot be folded."""
        fields = read.fields
        body = read_body(row.body) or {}
        payload, salt = (row.body, row.salt) if isinstance(row.body, bytes) else (b"", b"")
        event = Event(
            read.fact(body), read.fields["tenant"], read.chain, read.seq, fields["at"],
            bytes.fromhex(fields["prev_hash"]), row.header if isinstance(row.header, bytes) else b"", read.hash,
            salt if isinstance(salt, bytes) else b"", payload,
        )  # fmt: skip
        try:
            refolded.take(row.pos, event, no)
        except (LedgerError, LookupError, TypeError, ValueError, AttributeError, OverflowError, *Damaged) as error:
            what = f"no table can show what this event says: {type(error).__name__}"
            self._tell(Found(Finding.PROJECTION, what, row.pos, read.chain, read.seq))
            refolded.close()
            return None
        return refolded

    def _link(self, finding: Finding, what: str, pos: int, place: Place | None = None) -> None:
        self._links.append(Found(finding, what, pos, *(place or ())))

    def _begun(self, tree: Tree) -> Frontier:
        """The tree before the first event that is looked at, as it is kept."""
        try:
            return Frontier.of(tree, min(self._scope.start - 1, tree.size))
        except LookupError:
            return Frontier()

    # ------------------------------------------------------------------- heads

    def _own(self) -> list[Head]:
        try:
            return own_heads(self._log, self._tell)
        except Damaged as error:
            self._tell(Found(Finding.UNREADABLE, f"the checkpoints cannot be read: {error}"))
            return []

    def _sizes(self, own: Sequence[Head], end: int) -> list[int]:
        """Sizes at which the root is wanted, in order."""
        sizes = {head.size for head in own}
        for _, texts, _ in self._sinks:
            sizes.update(note.checkpoint.size for text in texts if (note := readable(text)) is not None)
        if (note := readable(self._scope.anchor)) is not None:
            sizes.add(note.checkpoint.size)
        return sorted(size for size in sizes if self._scope.start <= size <= end)

    def _judge(self, own: Sequence[Head], tree: Tree, leaves: Leaves, end: int) -> None:
        """Hold what the events make against every head."""
        report, scope = self._report, self._scope
        restores = self._restores()
        heads = [*own, *self._outside(restores)]
        if scope.end is not None:
            heads = [head for head in heads if head.size <= end]
        for head in heads:
            if head.size < scope.start:  # not looked at: what is kept of them stands for them
                self._roots[head.size] = _root(tree, head.size)
        report.checkpoints, report.restores = len(heads), len(restores)
        if scope.keys and self._keys.eras and not {key for _, key in self._keys.eras} & set(scope.keys):
            self._tell(Found(Finding.SIGNATURE, "none of the keys that are known to be right signs this log"))
        if heads and scope.start > 1:
            self._whole_history()
        judged = Court(self._roots, tree, self._keys, report.events).judge(heads, self._tell)
        report.anchored = judged.anchored
        if leaves.differ:
            self._links = [found for found in self._links if found.pos > judged.proven]
            for found in leaves.explain(report.events):
                if found.pos > judged.sound:
                    self._tell(found)
            if judged.proven <= judged.sound:
                self._tell(Found(Finding.PROJECTION, "the tree that is kept is not what the events make"))
        for found in self._links:
            self._tell(found)

    def _restores(self) -> list[Restore]:
        return read_restores(body for pos, body in self._operators if pos <= self._report.sealed)

    def _outside(self, restores: Sequence[Restore]) -> Iterator[Head]:
        """The heads that are kept outside."""
        for name, texts, why in self._sinks:
            if why:
                self._report.notes.append(f"Not looked at: {why}.")
            yield from sink_heads(name, texts, restores, self._tell)
        if self._scope.anchor:
            note = readable(self._scope.anchor)
            if note is None:
                self._tell(Found(Finding.SIGNATURE, "the checkpoint that you have is none"))
            else:
                yield Head(note, "your checkpoint", True)

    def _whole_history(self) -> None:
        """Keys that came in before what is looked at."""
        self._keys = KeyHistory(self._scope.keys)
        for said in self._log.said(Kind.KEY_ROTATED):
            self._keys.absorb(said.pos, said.step, said.body)

    # ---------------------------------------------------------- beside the log

    def _beside(self) -> None:
        """Rows that belong to no event."""
        for (pos,) in self._audited.rows(_ORPHANS, self._tell):
            self._tell(Found(Finding.EXTRA, f"a payload stands at position {pos}, where no event is", pos))
        for (name,) in self._audited.rows(_CHAINS, self._tell):
            self._tell(Found(Finding.PROJECTION, f"the chain {name!r} has no events"))

    def _tiles(self, tree: Tree) -> None:
        """Tiles above the leaves, and that no tile is too long or too many."""
        size = tree.size
        for level, no, length in self._audited.rows("SELECT level, no, length(hashes) FROM tile", self._tell):
            there = (size >> (TILE_BITS * level)) - no * TILE_HASHES
            if length != max(0, min(there, TILE_HASHES)) * HASH_BYTES:
                self._tell(Found(Finding.PROJECTION, f"tile {no} of level {level} has {length} bytes"))
            elif level and not self._is_above(tree, level, no):
                self._tell(Found(Finding.PROJECTION, f"tile {no} of level {level} is not what is below it"))

    def _is_above(self, tree: Tree, level: int, no: int) -> bool:
        hashes = self._log.tile(level, no)
        try:
            return all(
                hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES] == tree.joined(level - 1, no * TILE_HASHES + at)
                for at in range(len(hashes) // HASH_BYTES)
            )
        except LookupError:
            return False


def _root(tree: Tree, size: int) -> bytes:
    try:
        return tree.root(size) if size <= tree.size else b""
    except LookupError:
        return b""


_ORPHANS = "SELECT pos FROM payload WHERE NOT EXISTS (SELECT 1 FROM event WHERE event.pos = payload.pos) LIMIT 100"
_CHAINS = "SELECT name FROM chain WHERE NOT EXISTS (SELECT 1 FROM extent WHERE extent.chain = chain.no) LIMIT 100"

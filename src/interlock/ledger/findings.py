"""What a verification says: nine findings about the log, three about what stands around it, and the report."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

FOUND_MAX = 1000
"""Findings that a report lists; further ones are counted."""


class Finding(StrEnum):
    """What is wrong. The first nine are about the log; the last three about the rest of the file."""

    HEADER = "header"
    PAYLOAD = "payload"
    MISSING = "missing"
    EXTRA = "extra"
    ORDER = "order"
    TRUNCATED = "truncated"
    FORK = "fork or rollback"
    SIGNATURE = "signature"
    ERASURE = "unrecorded erasure"
    PROJECTION = "projection"
    SCHEMA = "schema"
    UNREADABLE = "unreadable"


MEANINGS = {
    Finding.HEADER: "a header is not the one that was sealed, or is no header",
    Finding.PAYLOAD: "a payload is not what its header commits to",
    Finding.MISSING: "an event that was there is gone",
    Finding.EXTRA: "an event stands where none was",
    Finding.ORDER: "events stand in another order, or under another number",
    Finding.TRUNCATED: "events at the end are gone",
    Finding.FORK: "this is not the log that a checkpoint is over: it was rewritten, forked or put back",
    Finding.SIGNATURE: "a checkpoint or a key is not signed by the key that had to",
    Finding.ERASURE: "a payload is gone and no event says who erased it and why",
    Finding.PROJECTION: "a table does not say what the events say",
    Finding.SCHEMA: "a table, index or trigger is not as Interlock made it",
    Finding.UNREADABLE: "the file or a sink is damaged: a part of it cannot be read",
}


_RANKS = (
    Finding.UNREADABLE, Finding.MISSING, Finding.EXTRA, Finding.ORDER, Finding.HEADER, Finding.TRUNCATED, Finding.FORK,
    Finding.SIGNATURE, Finding.ERASURE, Finding.PAYLOAD,
)  # fmt: skip
"""Findings about the log: of two about one event, the first one here says more."""


class Found(NamedTuple):
    """One thing that is wrong.

    Attributes:
        finding: What kind of thing.
        what: The thing itself, one sentence.
        pos: Position of the event that it is about; 0 where it is about none.
        chain, seq: That event in its chain, where that is known; empty and 0 else.
    """

    finding: Finding
    what: str
    pos: int = 0
    chain: str = ""
    seq: int = 0


@dataclass(slots=True)
class Report:
    """What a verification found.

    Attributes:
        events: Events that the ledger has.
        verified: Positions of the first and the last event that were looked at.
        sealed: Events that the newest checkpoint of the ledger itself is over.
        checkpoints: Heads that were checked: the ledger's, those of its sinks, and the auditor's.
        anchored: Events that the newest sound head outside the ledger is over.
        unanchored_tail: Events that came after that: whatever became of them, nobody outside could tell.
        key: The public key that signs now; empty where there is none.
        vouched: Whether anybody outside the ledger vouches for its keys.
        restores: Restores that operators accepted.
        found: What is wrong, in the order in which it was found, at most 1000.
        counts: How often each finding was made.
        notes: What is to be known beside, a sentence each.
    """

    events: int = 0
    verified: tuple[int, int] = (0, 0)
    sealed: int = 0
    checkpoints: int = 0
    anchored: int = 0
    unanchored_tail: int = 0
    key: str = ""
    vouched: bool = False
    restores: int = 0
    found: list[Found] = field(default_factory=list)
    counts: Counter[Finding] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.counts

    @property
    def first_bad(self) -> Found | None:
        """What is wrong with the earliest event of the log; where nothing is wrong with one, what was found first."""
        placed = [found for found in self.found if found.pos and found.finding in _RANKS]
        if placed:
            return min(placed, key=lambda found: (found.pos, _RANKS.index(found.finding)))
        return min(self.found, key=lambda found: found.finding not in _RANKS, default=None)

    @property
    def finding(self) -> Finding | None:
        """The kind of that."""
        first = self.first_bad
        return first.finding if first is not None else None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every kind that was found."""
        return tuple(sorted(self.counts, key=list(Finding).index))

    def add(self, found: Found) -> None:
        """Take in one more thing that is wrong."""
        self.counts[found.finding] += 1
        if len(self.found) < FOUND_MAX:
            self.found.append(found)

"""Where events live: the `Store` protocol, and the store in memory that shows what it means.

One `append` is one transaction: all of its facts, guard changes, projections and the claim, or nothing.
The store assigns numbers, hashes and times. Uniqueness, not position, forbids doubles.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from interlock.core.clock import SECOND_US, Clock
from interlock.core.due import Due
from interlock.core.event import Event, Fact, GuardChange, Kind
from interlock.errors import DuplicateFact, GuardRefused, StaleClaim, StoreUnavailable
from interlock.ledger.chain import EMPTY, Entropy, Head, link_all, read_event
from interlock.ledger.guards import changed
from interlock.ledger.pages import COUNT_MAX, Page, Where, WithCall, fits, page_of, refuse_bad, refuse_unknown
from interlock.ledger.projections import Tables

DEPLOYMENT = "deployment"
"""Chain of facts that belong to no run and no tenant."""


def tenant_chain(tenant: str) -> str:
    """Chain of facts that belong to a tenant and no run: grants, budgets, flags."""
    return "tenant/" + tenant


AHEAD_MAX_S = 1200.0
"""Seconds from now within which a claim ends: the longest lease of the settings, and as much again for clocks that
differ. One that ends later was made before the clock was set back, and counts as lapsed: else nobody could work on
its run until that time comes again."""


class Claim(NamedTuple):
    """A worker's wish to advance a run alone.

    Attributes:
        worker: Id of the process; the same worker may claim again.
        lease_s: Seconds of store time until the claim lapses unless it is renewed.
        why: `advance` for one that is made to do what is due; empty for one by whoever works with the run.
    """

    worker: str
    lease_s: float
    why: str = ""

    def fact(self, epoch: int) -> Fact:
        """The `run.claimed` fact of this claim."""
        body = {"worker": self.worker, "epoch": epoch}
        return Fact(Kind.RUN_CLAIMED, body | {"why": self.why} if self.why else body)


def lapsed(until_us: int, now_us: int) -> bool:
    """Whether a claim that holds until then is over. It is safe to think so too early: the epoch fences its holder."""
    return not now_us < until_us <= now_us + AHEAD_MAX_S * SECOND_US


class Append(NamedTuple):
    """What one transaction writes to one chain.

    Attributes:
        chain, tenant: Where, and whose.
        facts: In order; may be empty where only a claim is made.
        epoch: The claim that this writer works under, refused when another has claimed since;
            0 for facts from outside, which name none and disturb nobody.
        guards: Shared rows to change; one that refuses refuses the whole append.
        claim: Claim the run in the same transaction, before the facts.
        release: Give the claim `epoch` back in the same transaction, after the facts.
    """

    chain: str
    tenant: str
    facts: Sequence[Fact]
    epoch: int = 0
    guards: tuple[GuardChange, ...] = ()
    claim: Claim | None = None
    release: bool = False


class Store(Protocol):
    """What the path needs of a database. Every method may raise `StoreUnavailable`; then nothing was written."""

    async def append(self, append: Append) -> list[Event]:
        """Make one transaction durable and return its events, the `run.claimed` first where one was asked for.

        Raises:
            StaleClaim: The epoch is not the newest, or another worker's claim has not lapsed.
            DuplicateFact: A fact that may stand once stands already.
            GuardRefused: A guard said no.
        """
        ...

    async def erase(self, append: Append, seqs: Sequence[int]) -> list[Event]:
        """Append, and in the same transaction delete payload and salt of these events of the chain for good.

        The chain's rows are written anew from what is left, so that no table keeps what was erased. Whether they may
        be erased is for the caller to know (`redact.py`); one whose payload is gone already is passed over.

        Raises:
            LedgerError: As `append`; nothing was written and nothing is gone.
        """
        ...

    async def rebuild(self) -> None:
        """Write every projection anew from the events, in one transaction."""
        ...

    async def read(self, chain: str, after: int = 0, limit: int | None = None) -> list[Event]:
        """Events of a chain with a number above `after`, in order; the first `limit` of them, None for all."""
        ...

    async def beginnings(self, chains: Sequence[str], limit: int) -> dict[str, list[Event]]:
        """The first events of several chains, at most `limit` of each; a chain that is not there has none."""
        ...

    async def tail(self, chain: str, after: int = 0) -> Iterable[Event]:
        """The same for a fold, which asks less: without what the chain's hashes are made of and the salt.

        A result says its call, its outcome and its payload, and has no body: `CallState.told` is read when asked for.
        A message says its body alone. Go through them once: each is parsed when it is come to, and one that is damaged
        raises then, so that a long run is never all in memory as events.

        Raises:
            LedgerError: As each is come to: it is damaged.
        """
        ...

    async def follow(self, after: int = 0, limit: int = 1000) -> list[tuple[int, Event]]:
        """Events of all chains in the order of their commits, each with its position, above `after`."""
        ...

    async def renew(self, worker: str, lease_s: float) -> None:
        """Extend every unlapsed claim of a worker to `lease_s` from now, store time."""
        ...

    async def release(self, run_id: str, epoch: int) -> None:
        """Let a claim lapse now, so that another worker need not wait; nothing happens where it is another's."""
        ...

    async def due(self, limit: int = 100, after: Due | None = None, ahead_s: float = 0) -> list[Due]:
        """What is due now or within `ahead_s`, by store time, earliest first; only what comes behind `after`.

        Besides the rows of `due`: runs whose claim lapsed or was given back while a call of theirs had an intent and
        no result, or while whatever drives them (`driver`) had neither finished them nor said that they wait.
        """
        ...

    async def guards(self, prefix: str = "") -> dict[str, int]:
        """Values of the guards whose names start so."""
        ...

    async def rows(self, table: str, where: Mapping[str, Any] | None = None, limit: int = 1000) -> list[dict[str, Any]]:
        """Rows of a projection whose columns equal `where`, newest last; at most `limit`, the newest kept."""
        ...

    async def page(
        self, table: str, where: Where | None = None, *, limit: int = 100, before: int | None = None
    ) -> Page:
        """The newest rows of a projection that fit, the newest first.

        A row keeps its place for good, so that whoever goes on with `before` sees each that fits all the time once.

        Args:
            table: Any but `budget`, whose rows have no position of their own.
            where: See `Where`.
            limit: 1 to 10,000.
            before: `Page.before` of the page in front; None for the first.
        """
        ...

    async def count(self, table: str, where: Where | None = None, upto: int = COUNT_MAX) -> int:
        """How many rows fit, exactly, as long as they are at most `upto`; one more than that where they are more."""
        ...

    def changes(self) -> int:
        """A number that differs once somebody else has committed since it was last asked; cheap, no waiting."""
        ...

    def position(self) -> int:
        """Position of the newest event (see `follow`), whoever committed it; 0 where there is none. Cheap, no waiting.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        ...

    def refusing(self) -> StoreUnavailable | None:
        """Why every append is refused until the store is opened again; None while they are taken. Cheap, no waiting."""
        ...

    async def close(self) -> None:
        """Finish what is under way and let go of the file or the connections."""
        ...


class MemoryStore:
    """The store of tests and of processes that keep nothing. Everything is gone when the process ends."""

    def __init__(self, clock: Clock, entropy: Entropy = os.urandom) -> None:
        self._clock = clock
        self._entropy = entropy
        self._chains: dict[str, list[Event]] = {}
        self._order: list[Event] = []
        self._once: set[tuple[str, str]] = set()
        self._guards: dict[str, int] = {}
        self._claims: dict[str, tuple[int, str, int]] = {}
        self._tables: Tables | None = None
        self._closed = False

    async def append(self, append: Append) -> list[Event]:
        """See `Store.append`; durable until the process ends."""
        if (why := self.refusing()) is not None:
            raise why
        now_us = self._clock.wall_us()
        chain = append.chain
        epoch = self._admit(append, now_us)
        facts = append.facts
        if append.claim is not None:
            facts = [append.claim.fact(epoch), *facts]
        once = [(chain, key) for fact in facts if (key := fact.unique)]
        for pair in once:
            if pair in self._once or once.count(pair) > 1:
                raise DuplicateFact(f"{pair[1]} stands in chain {chain} already")
        values = self._changed(append.guards, now_us) if append.guards else {}
        stored = self._chains.setdefault(chain, [])
        head = Head(stored[-1].seq, stored[-1].hash) if stored else EMPTY
        events = link_all(head, chain, append.tenant, facts, now_us, self._entropy)
        if append.claim is not None:
            until = now_us + int(append.claim.lease_s * SECOND_US)
            self._claims[chain] = (epoch, append.claim.worker, until)
        self._once.update(once)
        self._guards.update(values)
        stored.extend(events)
        self._order.extend(events)
        if append.release:
            await self.release(chain, epoch)
        return events

    async def erase(self, append: Append, seqs: Sequence[int]) -> list[Event]:
        """See `Store.erase`."""
        events = await self.append(append)
        gone, stored = frozenset(seqs), self._chains[append.chain]
        stored[:] = [_erased(event) if event.seq in gone else event for event in stored]
        self._order = [
            _erased(event) if event.chain == append.chain and event.seq in gone else event for event in self._order
        ]
        await self.rebuild()
        return events

    async def rebuild(self) -> None:
        """See `Store.rebuild`."""
        self._tables = None

    async def read(self, chain: str, after: int = 0, limit: int | None = None) -> list[Event]:
        """See `Store.read`."""
        return self._chains.get(chain, [])[after:][:limit]

    async def beginnings(self, chains: Sequence[str], limit: int) -> dict[str, list[Event]]:
        """See `Store.beginnings`."""
        return {chain: self._chains.get(chain, [])[:limit] for chain in chains}

    async def tail(self, chain: str, after: int = 0) -> list[Event]:
        """See `Store.tail`: here they are whole."""
        return await self.read(chain, after)

    async def follow(self, after: int = 0, limit: int = 1000) -> list[tuple[int, Event]]:
        """See `Store.follow`."""
        return list(enumerate(self._order[after : after + limit], after + 1))

    async def renew(self, worker: str, lease_s: float) -> None:
        """See `Store.renew`."""
        now_us = self._clock.wall_us()
        for run_id, (epoch, holder, until) in self._claims.items():
            if holder == worker and not lapsed(until, now_us):
                self._claims[run_id] = (epoch, holder, now_us + int(lease_s * SECOND_US))

    async def release(self, run_id: str, epoch: int) -> None:
        """See `Store.release`."""
        held = self._claims.get(run_id)
        if held is not None and held[0] == epoch:
            self._claims[run_id] = (epoch, held[1], 0)

    async def due(self, limit: int = 100, after: Due | None = None, ahead_s: float = 0) -> list[Due]:
        """See `Store.due`."""
        now_us = self._clock.wall_us()
        tables = self._folded()
        found = [Due(**row) for row in tables.rows("due") if row["at_us"] <= now_us + ahead_s * SECOND_US]
        left = {row["run_id"]: row["tenant"] for row in tables.rows("tool_call") if row["status"] == "intent"}
        left |= {
            row["run_id"]: row["tenant"]
            for row in tables.rows("run")
            if row["status"] == "open" and row["driver"] not in (None, "calls") and not row["waits"]
        }
        for run_id, tenant in left.items():
            claim = self._claims.get(run_id)
            if claim is not None and lapsed(until_us := claim[2], now_us):  # 0: given back, and nobody holds it either
                found.append(Due(run_id, tenant, min(until_us, now_us), "claim.lapsed", ""))
        behind = [due for due in found if after is None or due.place > after.place]
        return sorted(behind, key=lambda due: due.place)[:limit]

    async def guards(self, prefix: str = "") -> dict[str, int]:
        """See `Store.guards`."""
        return {name: value for name, value in self._guards.items() if name.startswith(prefix)}

    async def rows(self, table: str, where: Mapping[str, Any] | None = None, limit: int = 1000) -> list[dict[str, Any]]:
        """See `Store.rows`."""
        refuse_unknown(table, where or {})
        return [row for _, row in self._placed(table, where or {})][-limit:]

    async def page(
        self, table: str, where: Where | None = None, *, limit: int = 100, before: int | None = None
    ) -> Page:
        """See `Store.page`."""
        refuse_bad(table, where or {}, limit)
        found = [
            (position, row)
            for position, row in reversed(self._placed(table, where or {}))
            if before is None or position < before
        ]
        return page_of(found, limit)

    async def count(self, table: str, where: Where | None = None, upto: int = COUNT_MAX) -> int:
        """See `Store.count`."""
        refuse_bad(table, where or {})
        return min(len(self._placed(table, where or {})), upto + 1)

    def changes(self) -> int:
        """Always 0: nobody else can write here."""
        return 0

    def position(self) -> int:
        """See `Store.position`."""
        return len(self._order)

    def refusing(self) -> StoreUnavailable | None:
        """See `Store.refusing`."""
        return StoreUnavailable("the store is closed", code="ledger.closed") if self._closed else None

    async def close(self) -> None:
        """Refuse what comes after."""
        self._closed = True

    def _admit(self, append: Append, now_us: int) -> int:
        """The epoch that this append works under, or a refusal."""
        newest, holder, until_us = self._claims.get(append.chain, (0, "", 0))
        if append.claim is not None:
            if not lapsed(until_us, now_us) and holder != append.claim.worker:
                raise StaleClaim(f"run {append.chain} is claimed by another worker")
            return newest + 1
        if append.epoch and append.epoch != newest:
            raise StaleClaim(f"claim {append.epoch} of run {append.chain} is past: {newest} is the newest")
        return append.epoch

    def _changed(self, guards: tuple[GuardChange, ...], now_us: int) -> dict[str, int]:
        try:
            return changed(guards, lambda name: self._guards.get(name, 0), now_us)
        except GuardRefused as refused:
            if refused.mended is not None:
                self._guards[refused.guard] = refused.mended
            raise

    def _placed(self, table: str, where: Where) -> list[tuple[int, dict[str, Any]]]:
        if isinstance(asked := where.get("run_id"), WithCall):
            where = {**where, "run_id": frozenset(row["run_id"] for _, row in self._placed("tool_call", asked.where))}
        return [(position, row) for position, row in self._folded().placed(table) if fits(row, where)]

    def _folded(self) -> Tables:
        """The projections, folded on demand: an append in memory writes no rows."""
        if self._tables is None:
            self._tables = Tables()
        self._tables.absorb(self._order)
        return self._tables


def _erased(event: Event) -> Event:
    return read_event(event.header, None, None)

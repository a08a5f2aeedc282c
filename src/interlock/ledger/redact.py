"""Erasing what an event says, with a record that it was erased, by whom and why.

The header stays, and with it the commitment to what was erased; without its salt nobody can guess that. What a call
or a run still needs is not erased: after a crash an open call is recovered from its arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import anyio.to_thread

from interlock.core.event import Event, Fact, Kind
from interlock.core.principal import ADMIN, OPERATOR, Principal
from interlock.core.run import RunState
from interlock.errors import BadInput, Conflict, NotEntitled, NotFound
from interlock.ledger.chain import read_event
from interlock.ledger.projections import Tables
from interlock.ledger.store import Append, Store

REASON_MAX = 2000
"""Characters of why something is erased."""

_PAGE = 1000
"""Events that are read at once."""

_BARE = frozenset(
    {
        Kind.RUN_CLAIMED, Kind.RUN_WAITING, Kind.TOOLS_OFFERED, Kind.REDACT, Kind.APPROVAL_CONSUMED,
        Kind.MEMORY_FORGOTTEN,
    }
)  # fmt: skip
"""Kinds whose bodies are about nobody; a record of an erasure is never erased."""

_FIRST = frozenset({Kind.RUN_CLAIMED, Kind.RUN_STARTED, Kind.MEMORY_REMEMBERED, Kind.EVAL_RECORDED})
"""What the chains begin with whose events may be erased one by one."""

_OF_NOBODY = frozenset({Kind.FLAG, Kind.EVAL_RECORDED})
"""Kinds that are not about whoever said them: what is erased of a person leaves them."""


class Kept(NamedTuple):
    """An event that could not be erased yet.

    Attributes:
        chain, seq: Which.
        why: What still needs it.
    """

    chain: str
    seq: int
    why: str


class Redactable(NamedTuple):
    """What an erasure of some events of one run would come to.

    Attributes:
        events: The whole run as it stands.
        wanted: Numbers of the events that were asked about.
        gone: Numbers of those whose payloads would go.
        kept: Those that are needed still: while there is one, nothing of them is erased.
    """

    events: Sequence[Event]
    wanted: frozenset[int]
    gone: Sequence[int]
    kept: Sequence[Kept]

    def said(self, reason: str, approver: Principal) -> list[int]:
        """Numbers of those that the approver had erased before, in these words and at once; empty for none."""
        for event in reversed(self.events):
            said, before = event.fact.body, recorded([event])
            if before and before <= self.wanted and (said["approver"], said["reason"]) == (approver.id, reason):
                return sorted(before)
        return []


class Erased(NamedTuple):
    """What became of the erasure of all that is about one person.

    Attributes:
        events: How many payloads are gone now.
        runs: How many runs they were in.
        kept: What is needed still; erase again when it is over.
    """

    events: int
    runs: int
    kept: Sequence[Kept]


async def redactable(store: Store, chain: str, seqs: Iterable[int] | None, approver: Principal) -> Redactable:
    """What `redact` would erase; nothing is.

    Args:
        seqs: Numbers of the events; all of the run where None.

    Raises:
        NotFound: No such run or event in the approver's tenant.
    """
    events = await _run(store, chain, approver.tenant)
    there = frozenset(event.seq for event in events)
    wanted = there if seqs is None else frozenset(seqs)
    if missing := wanted - there:
        raise NotFound(f"no event {min(missing)} in {chain!r}", code="redact.no_event", remedy="See `runs replay`.")
    kept, gone = await anyio.to_thread.run_sync(_sorted_out, events, wanted)  # which folds all of the run
    return Redactable(events, wanted, gone, kept)


async def redact(
    store: Store, chain: str, seqs: Iterable[int] | None, reason: str, approver: Principal
) -> list[int]:  # fmt: skip
    """Erase payload and salt of events of one run, for good, and record it in the same transaction.

    Args:
        chain: The run; or the chain of a principal's memory, or of a tenant's evals.
        seqs: Numbers of the events; all of the run where None.
        reason: Why; it stays for ever, so it names nobody.
        approver: Who answers for it.

    Returns:
        The numbers of the events whose payloads are gone now.

    Raises:
        NotEntitled: The approver is neither operator nor admin.
        NotFound: No such run or event in the approver's tenant.
        Conflict: An event is needed still, or all were erased before. Nothing was erased.
        BadInput: No reason, or too long a one.
    """
    _entitled(approver, reason)
    events, _, gone, kept = await redactable(store, chain, seqs, approver)
    if kept:
        raise Conflict(
            f"event {kept[0].seq} of {chain!r} is needed: {kept[0].why}", code="redact.needed",
            remedy="Erase it when that is over.",
        )  # fmt: skip
    if not gone:
        raise Conflict("nothing is left of these events to erase", code="redact.erased")
    await _erase(store, events, gone, reason, approver)
    return list(gone)


async def erase_subject(store: Store, subject: str, reason: str, approver: Principal) -> Erased:
    """Erase all that is about one principal: every event of their runs, and what they said in the runs of others.

    What others wrote about them into runs that are not theirs is not found: nothing but the text says so.

    Args:
        subject: Principal id, as headers have it.

    Raises:
        NotEntitled, BadInput: As `redact`.
        NotFound: Nothing of them stands in the approver's tenant.
    """
    _entitled(approver, reason)
    runs = await store.rows("run", {"principal_id": subject, "tenant": approver.tenant}, 1 << 62)
    whole = {row["run_id"] for row in runs}
    said = await _said_by(store, subject, approver.tenant)
    if not whole and not said:
        raise NotFound(f"nothing of {subject!r} stands here", code="redact.no_subject")
    kept: list[Kept] = []
    events = changed = 0
    for chain in sorted({*whole, *said}):
        found = await store.read(chain)
        wanted = frozenset(event.seq for event in found) if chain in whole else said[chain]
        needed, gone = await anyio.to_thread.run_sync(_sorted_out, found, wanted)
        kept += needed
        if gone:
            await _erase(store, found, gone, reason, approver)
            events, changed = events + len(gone), changed + 1
    return Erased(events, changed, kept)


def recorded(events: Iterable[Event]) -> set[int]:
    """Numbers of the events of one chain whose erasure its own `redact` events record."""
    return {
        seq
        for event in events
        if event.fact.kind is Kind.REDACT
        for first, last in event.fact.body.get("events", ())
        for seq in range(first, last + 1)
    }


def erasable(events: Sequence[Event]) -> list[int]:
    """Numbers of the events of one whole run that may be erased now and are not yet."""
    return _sorted_out(events, frozenset(event.seq for event in events))[1]


def redact_fact(events: Sequence[Event], seqs: Sequence[int], reason: str, approver: str, **more: str) -> Fact:
    """The record of an erasure of events of the chain that it is appended to, with what they charge to budgets.

    Args:
        events: The whole chain as it stands.
        seqs: Numbers of those that are erased.
    """
    body: dict[str, Any] = {"events": _ranges(seqs), "reason": reason, "approver": approver, **more}
    if charged := _charged(events, frozenset(seqs)):
        body["budget"] = charged
    return Fact(Kind.REDACT, body, principal_id=approver)


def _charged(events: Sequence[Event], gone: frozenset[int]) -> list[list[Any]]:
    """What is reserved and spent of each budget by the events that are erased: nobody could read it there any more."""
    whole, left = Tables(), Tables()
    whole.absorb(events)
    left.absorb([event if event.seq not in gone else read_event(event.header, None, None) for event in events])
    stays = {row["name"]: row for row in left.rows("budget")}
    charged = []
    for row in whole.rows("budget"):
        kept = stays.get(row["name"], {"reserved": 0, "spent": 0})
        reserved, spent = row["reserved"] - kept["reserved"], row["spent"] - kept["spent"]
        if reserved or spent:
            charged.append([row["name"], row["unit"], reserved, spent])
    return charged


async def _erase(
    store: Store, events: Sequence[Event], seqs: Sequence[int], reason: str, approver: Principal
) -> None:  # fmt: skip
    record = await anyio.to_thread.run_sync(redact_fact, events, seqs, reason, approver.id)  # folds all of it, twice
    await store.erase(Append(events[0].chain, approver.tenant, [record]), seqs)


def _entitled(approver: Principal, reason: str) -> None:
    if not approver.roles & {OPERATOR, ADMIN}:
        raise NotEntitled(
            f"{approver.id!r} is neither {OPERATOR} nor {ADMIN}", code="redact.role", remedy="Ask somebody who is."
        )
    if not 0 < len(reason) <= REASON_MAX:
        raise BadInput(
            f"reason: {len(reason)} characters", code="redact.reason",
            remedy=f"Say why in 1 to {REASON_MAX} characters, and name nobody in it.",
        )  # fmt: skip


async def _run(store: Store, chain: str, tenant: str) -> list[Event]:
    events = await store.read(chain)
    if not events or events[0].tenant != tenant or events[0].fact.kind not in _FIRST:
        raise NotFound(f"no run {chain!r} here", code="run.not_found", remedy="List runs with `interlock runs list`.")
    return events


async def _said_by(store: Store, subject: str, tenant: str) -> dict[str, frozenset[int]]:
    """What a principal is named in the headers of, by chain of a run."""
    said: dict[str, frozenset[int]] = {}
    position = 0
    while page := await store.follow(position, _PAGE):
        position = page[-1][0]
        for _, event in page:
            if event.fact.principal_id == subject and event.tenant == tenant and event.fact.kind not in _OF_NOBODY:
                said[event.chain] = said.get(event.chain, frozenset()) | {event.seq}
    return said


def _sorted_out(events: Sequence[Event], wanted: frozenset[int]) -> tuple[list[Kept], list[int]]:
    """Of the wanted events of a run, those that are needed still, and those that can go and are not gone."""
    run = RunState(events[0].chain, events[0].tenant)
    run.absorb(events)
    kept, gone = [], []
    for event in events:
        if event.seq not in wanted or not event.payload or event.fact.kind in _BARE:
            continue
        if why := _needed(event, run):
            kept.append(Kept(event.chain, event.seq, why))
        else:
            gone.append(event.seq)
    return kept, gone


def _needed(event: Event, run: RunState) -> str:
    """What still needs this event; empty where nothing does."""
    fact = event.fact
    if fact.kind in (Kind.MEMORY_REMEMBERED, Kind.EVAL_RECORDED):
        return ""
    if run.principal is None:
        return "it is no run's, and says what holds for all"
    if fact.call_id in run.reservations:
        return "what it reserves is not settled"
    if (run.course or run.task) and run.status == "open":
        return "what drives it is not over"
    if fact.call_id:
        status = run.calls[fact.call_id].status if fact.call_id in run.calls else "closed"
        return "" if status == "closed" else f"its call is {status}"
    return "" if run.status != "open" else "its run is open"


def _ranges(seqs: Sequence[int]) -> list[list[int]]:
    """Numbers in order as the fewest pairs of first and last."""
    found: list[list[int]] = []
    for seq in sorted(seqs):
        if found and found[-1][1] == seq - 1:
            found[-1][1] = seq
        else:
            found.append([seq, seq])
    return found

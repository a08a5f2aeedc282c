"""Everything that waits for a person, in one list: held, unknown, given up on, not undone, stuck, rolled back.

Read from the tables; nothing is written. What comes in great number, or again and again, is one item, so that a flood
buries nothing (spec: threat T26).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import anyio

from interlock.core.tool import Effect
from interlock.ledger.pages import VALUES_MAX
from interlock.ledger.store import Store, tenant_chain
from interlock.registry.rollout import NO_ROLLOUTS

FLOOD_FROM = 21
"""Items of one kind in one run from which on they are one summary item."""

READ_MAX = 10_000
"""Rows of a table that are looked at, the newest."""

_CALLS_MAX = 100_000
"""Calls that a run may have at most, by any settings."""

_ALL = 1 << 62

_TENANTS_MAX = 64
"""Tenants whose inbox is kept."""

_NOT_UNDONE = ("refused", "held", "failed", "withheld", "unknown")
"""Outcomes of a compensation after which its call is not undone: all but `done`."""

Rank = tuple[int, int, str]
"""What the list is ordered by: the highest effect first, then the oldest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that waits for a person, or many that are alike.

    Attributes:
        kind: `held` (approve or reject it), `unknown` (settle it), `dead_letter` (a write that was given up on: retry
            it, or leave it), `not_undone` (its compensation failed), `stuck` (a saga can go neither way) or
            `rolled_back` (a version of a tool failed and was taken back; until somebody says otherwise).
        tool: Name of the tool; empty where it differs within a summary.
        effect: Its effect; the highest of a summary; empty where it is not known.
        subject: On whose behalf; empty where it differs within a summary.
        run_id: The run; empty for a summary over several, and for what is of no run.
        ids: Approvals of what is held, runs that are stuck, rollouts that were taken back, else calls; oldest first.
        since_us, until_us: Since when it waits; when it expires, None where it does not.
        groups: Who may decide; empty for operators.
        command: What to type next: everything begins with looking.
        why: `flood` or `equal` for a summary; empty for one thing.
    """

    kind: str
    tool: str
    effect: str
    subject: str
    run_id: str
    ids: tuple[str, ...]
    since_us: int
    until_us: int | None
    groups: tuple[str, ...]
    command: str
    why: str = ""

    @property
    def rank(self) -> Rank:
        """Its place in the list."""
        return -(Effect(self.effect).rank if self.effect else len(Effect)), self.since_us, self.ids[0]


class Inboxes:
    """The inboxes of a store, each read once for as long as nothing is committed and nothing in it expires.

    However many pages show one, and however many are loaded anew at once because something happened. It belongs to one
    event loop.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reading = anyio.Lock()
        self._read: dict[str, _Read] = {}

    async def of(self, tenant: str, now_us: int) -> list[Item]:
        """See `inbox`."""
        async with self._reading:
            seen = (self._store.position(), self._store.changes())
            known = self._read.get(tenant)
            if known is None or known.seen != seen or not known.from_us <= now_us < known.until_us:
                items = await inbox(self._store, tenant, now_us)
                until_us = min((item.until_us for item in items if item.until_us is not None), default=_ALL)
                if len(self._read) >= _TENANTS_MAX:
                    self._read.clear()
                known = self._read[tenant] = _Read(seen, now_us, until_us, tuple(items))
            return list(known.items)


class _Read(NamedTuple):
    """An inbox, and when it is what the ledger says: until something is committed, and within these times."""

    seen: tuple[int, int]
    from_us: int
    until_us: int
    items: tuple[Item, ...]


async def inbox(store: Store, tenant: str, now_us: int, run_id: str = "") -> list[Item]:
    """What waits for a person of this tenant: the most dangerous first, then the oldest.

    More than 20 of a kind in one run are one item; so are requests that ask for an equal call, of whichever runs. Not
    in it: what has expired, was settled, or was proposed again.

    Args:
        now_us: The time, by which a request has expired.
        run_id: A run whose items are wanted one by one; empty for all runs, summed up.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    where = {"tenant": tenant} | ({"run_id": run_id} if run_id else {})
    held, digests = await _held(store, where, now_us)
    found = [
        *held,
        *await _unknown(store, where),
        *await _dead(store, where),
        *await _not_undone(store, where),
    ]
    found += await _stuck(store, where, {item.run_id for item in found})
    if not run_id:
        found = [*_summed_up(found, digests), *await _rolled_back(store, tenant)]
    return sorted(found, key=lambda item: item.rank)


def page_of(items: Sequence[Item], limit: int, after: Rank | None = None) -> tuple[list[Item], Rank | None]:
    """Some of the items of an inbox, and from where to go on; None where there are no more.

    What was decided or has come meanwhile shifts nothing: an item keeps its rank for as long as it waits, but for a
    summary, whose rank is that of the first that it stands for.

    Args:
        limit: At most so many; at least 1.
        after: Where the page in front ended; None for the first.
    """
    assert limit >= 1, "a page has an item"
    left = [item for item in items if after is None or item.rank > after]
    return left[:limit], left[limit - 1].rank if len(left) > limit else None


async def _held(store: Store, where: dict[str, Any], now_us: int) -> tuple[list[Item], dict[tuple[str, str], str]]:
    """Requests that wait, and the digest of the call that each asks for; itself where that was erased."""
    rows = await store.rows("approval", where | {"status": "pending"}, READ_MAX)
    found = [
        Item(
            kind="held",
            tool=row["tool"] or "",
            effect=row["effect"] or "",
            subject=row["subject"] or "",
            run_id=row["run_id"],
            ids=(row["approval_id"],),
            since_us=row["requested_us"],
            until_us=row["expires_us"],
            groups=tuple(json.loads(row["groups"] or "[]")),
            command=f"interlock approvals show {row['approval_id']}",
        )
        for row in rows
        if row["expires_us"] is None or row["expires_us"] > now_us
    ]
    return found, {(row["run_id"], row["approval_id"]): row["digest"] or row["approval_id"] for row in rows}


async def _unknown(store: Store, where: dict[str, Any]) -> list[Item]:
    rows = await store.rows("tool_call", where | {"status": "unknown"}, READ_MAX)
    return [_of_call("unknown", row, row["intent_us"] or row["proposed_us"]) for row in rows]


async def _dead(store: Store, where: dict[str, Any]) -> list[Item]:
    """Calls that were given up on and are known to have taken no effect; one that may have is `unknown`.

    What a saga gives up on it undoes, or says so itself.
    """
    letters = await store.rows("dead_letter", where, READ_MAX)
    ids = [row["call_id"] for row in letters]
    sagas = {
        row["run_id"] for row in await _of(store, "run", "run_id", [row["run_id"] for row in letters], driver="saga")
    }
    retried = {_key(row) for row in await _of(store, "retry", "call_id", ids)}
    calls = await _calls(store, ids)
    return [
        _of_call("dead_letter", calls[_key(row)], row["at_us"])
        for row in letters
        if row["run_id"] not in sagas
        and _key(row) not in retried
        and calls[_key(row)]["outcome"] in ("refused", "failed")
    ]


async def _not_undone(store: Store, where: dict[str, Any]) -> list[Item]:
    """Calls of which the last word on their compensation is that it failed."""
    failed = await store.rows("compensation_action", where | {"outcome": _NOT_UNDONE}, READ_MAX)
    ids = list(dict.fromkeys(row["call_id"] for row in failed))
    last = {_key(row): row for row in await _of(store, "compensation_action", "call_id", ids)}
    calls = await _calls(store, ids)
    return [
        replace(_of_call("not_undone", calls[key], last[key]["at_us"]), command=f"interlock saga show {key[0]}")
        for key in dict.fromkeys(map(_key, failed))
        if last[key]["outcome"] in _NOT_UNDONE
    ]


async def _stuck(store: Store, where: dict[str, Any], seen: set[str]) -> list[Item]:
    """Sagas that rest, though nothing of theirs waits for a person and nothing is due."""
    rows = await store.rows("run", where | {"driver": "saga", "status": "open", "waits": 1}, READ_MAX)
    rows = [row for row in rows if row["run_id"] not in seen]
    due = {row["run_id"] for row in await _of(store, "due", "run_id", [row["run_id"] for row in rows])}
    found = []
    for row in rows:
        run = row["run_id"]
        if run in due:
            continue
        calls = await store.rows("tool_call", {"run_id": run}, _CALLS_MAX)
        effect = max((Effect(call["effect"]) for call in calls if call["effect"]), key=lambda one: one.rank, default="")
        since_us = max((call["ended_us"] or call["proposed_us"] for call in calls), default=row["started_us"])
        found.append(
            Item(
                kind="stuck", tool="", effect=effect, subject=row["principal_id"] or "", run_id=run, ids=(run,),
                since_us=since_us, until_us=None, groups=(), command=f"interlock saga show {run}",
            )
        )  # fmt: skip
    return found


async def _rolled_back(store: Store, tenant: str) -> list[Item]:
    """Versions of tools that were taken back by their errors and that nobody has spoken of since."""
    rollouts = NO_ROLLOUTS.after(await store.tail(tenant_chain(tenant)))
    return [
        Item(
            kind="rolled_back", tool=f"{each.tool} {each.version}", effect="", subject="", run_id="",
            ids=(each.rollout_id,), since_us=each.at_us, until_us=None, groups=(), command="interlock tools rollouts",
        )
        for each in rollouts.all
        if each.state == "rolled_back"
    ]  # fmt: skip


def _of_call(kind: str, call: dict[str, Any], since_us: int) -> Item:
    """An item about a call, which an operator sees to."""
    return Item(
        kind=kind, tool=call["tool"] or "", effect=call["effect"] or "", subject=call["principal_id"] or "",
        run_id=call["run_id"], ids=(call["call_id"],), since_us=since_us, until_us=None,
        groups=(), command=f"interlock calls show {call['call_id']}",
    )  # fmt: skip


async def _calls(store: Store, ids: Sequence[str]) -> dict[tuple[str, str], dict[str, Any]]:
    return {_key(row): row for row in await _of(store, "tool_call", "call_id", ids)}


def _key(row: dict[str, Any]) -> tuple[str, str]:
    """A call's id alone is another call's in another run."""
    return row["run_id"], row["call_id"]


async def _of(store: Store, table: str, column: str, values: Sequence[str], **also: Any) -> list[dict[str, Any]]:
    """All rows with one of these values, in a few questions instead of one for each.

    Args:
        also: What other columns shall equal.
    """
    found: list[dict[str, Any]] = []
    known = list(dict.fromkeys(values))
    for first in range(0, len(known), VALUES_MAX):
        found += await store.rows(table, {column: tuple(known[first : first + VALUES_MAX]), **also}, _ALL)
    return found


def _summed_up(items: Sequence[Item], digests: Mapping[tuple[str, str], str]) -> list[Item]:
    """Floods first; of what is left, requests for an equal call."""
    left: list[Item] = []
    found: list[Item] = []
    for alike in _groups(items, lambda item: (item.kind, item.run_id)):
        if len(alike) >= FLOOD_FROM:
            found.append(replace(_sum(alike, "flood"), command=f"interlock inbox --run {alike[0].run_id}"))
        elif alike[0].kind == "held":
            left += alike
        else:
            found += alike
    for equal in _groups(left, lambda item: (item.tool, item.effect, item.subject, digests[item.run_id, item.ids[0]])):
        found.append(equal[0] if len(equal) == 1 else _sum(equal, "equal"))
    return found


def _sum(items: Sequence[Item], why: str) -> Item:
    """Many items as one: what they have in common, the worst effect, the oldest, the first deadline."""
    ordered = sorted(items, key=lambda item: (item.since_us, item.ids))
    worst = min(ordered, key=lambda item: item.rank)
    ends = [item.until_us for item in ordered if item.until_us is not None]
    return replace(
        ordered[0],
        tool=_common(item.tool for item in ordered),
        effect=worst.effect,
        subject=_common(item.subject for item in ordered),
        run_id=_common(item.run_id for item in ordered),
        ids=tuple(found for item in ordered for found in item.ids),
        until_us=min(ends, default=None),
        groups=tuple(sorted({group for item in ordered for group in item.groups})),
        why=why,
    )


def _common(texts: Iterable[str]) -> str:
    found = set(texts)
    return found.pop() if len(found) == 1 else ""


def _groups(items: Iterable[Item], key: Callable[[Item], Hashable]) -> list[list[Item]]:
    found: dict[Hashable, list[Item]] = defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return list(found.values())

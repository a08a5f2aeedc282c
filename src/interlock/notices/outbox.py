"""What people are waited for now, and who was told: read from the ledger's tables, which are the outbox."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any, Final, NamedTuple

from anyio.lowlevel import checkpoint

from interlock.core.clock import SECOND_US, Clock
from interlock.core.event import Kind
from interlock.ledger.alerted import Alert, AlertBook
from interlock.ledger.store import Store
from interlock.notices.notice import OF_ALERTS, OF_CALLS, Audience, Key, Notice, NoticeKind

READ_MAX: Final = {"approval": 10_000, "tool_call": 10_000, "dead_letter": 1_000, "compensation_action": 1_000}
"""Rows that are read at once, the newest; older ones come when some of those are decided."""

LOOKS_BACK_US: Final = 7 * 86_400 * SECOND_US
"""A call that was given up on longer ago is nobody's news: it waits for ever. So does one that could not be undone."""

MANY: Final = 20
"""Requests of one run: where more wait, they are told as one."""

LAST_PART: Final = 4
"""Somebody is reminded when a fourth of a request's time is left."""


_WELL = ("done", None)
"""Outcomes of a compensation of which nobody need be told."""

_TURN = 200
"""Notices that are looked at before others have a turn of the event loop."""


class Told(NamedTuple):
    """What became of a notice.

    Attributes:
        kind: Of the message that it was in.
        at_us: When.
    """

    kind: str
    at_us: int


class Outbox:
    """What waits, for all channels."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._alerts = AlertBook(store)

    async def waiting(self) -> list[Notice]:
        """All that somebody is waited for now, the longest first.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        now_us = self._clock.wall_us()
        found: list[Notice] = []
        for table, where, read in (
            ("approval", {"status": "pending"}, _requested),
            ("tool_call", {"status": "unknown"}, _unknown),
            ("dead_letter", None, _dead),
            ("compensation_action", None, _not_undone),
        ):
            for number, row in enumerate(await self._store.rows(table, where, READ_MAX[table]), 1):
                if number % _TURN == 0:
                    await checkpoint()
                notice = read(row)
                if _is_news(notice, now_us) and (read is not _not_undone or row["outcome"] not in _WELL):
                    found.append(notice)
        found += await self._alerted(now_us)
        return sorted(found, key=lambda notice: notice.at_us)

    async def still(self, notice: Notice) -> Notice | None:
        """The notice with all that is known of it, where it is still to be told; None where it was decided meanwhile.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        if notice.kind in OF_ALERTS:
            return notice if notice in await self._alerted(self._clock.wall_us()) else None
        if notice.kind in OF_CALLS:
            rows = await self._store.rows("tool_call", {"run_id": notice.run_id, "call_id": notice.ref}, 1)
            waits = bool(rows) and await _WAITS[notice.kind](self._store, rows[0])
            return _of_call(notice.kind, rows[0], notice.at_us) if waits else None
        rows = await self._store.rows("approval", {"run_id": notice.run_id, "approval_id": notice.ref}, 1)
        pending = rows and rows[0]["status"] == "pending" and _is_news(notice, self._clock.wall_us())
        return notice if pending else None

    async def _alerted(self, now_us: int) -> list[Notice]:
        """Alerts that stand, and those that were over not long ago."""
        alerted = await self._alerts.now()
        over = (alert for alert in alerted.over if now_us - alert.resolved_us < LOOKS_BACK_US)
        return [
            *(_of_alert(NoticeKind.ALERT, alert, alert.raised_us) for alert in alerted.standing.values()),
            *(_of_alert(NoticeKind.OVER, alert, alert.resolved_us) for alert in over),
        ]

    async def told(self, notice_id: str) -> Told | None:
        """What became of a notice; None where it is to be sent.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        rows = await self._store.rows("notice", {"notice_id": notice_id}, 1)
        return Told(rows[0]["kind"], rows[0]["at_us"]) if rows else None


class Memory:
    """What one channel was told, as far as it is of use: of what waits now.

    The ledger is asked once for each notice, and only whoever sends may add to it.
    """

    def __init__(self, outbox: Outbox, channel: str, audience: Audience) -> None:
        self._outbox = outbox
        self._channel = channel
        self._audience = audience
        self._known: dict[Key, Told | None] = {}

    async def untold(self, waiting: list[Notice], now_us: int) -> list[tuple[Notice, tuple[Notice, ...]]]:
        """What is to be sent, the longest waiting first: each with the notices that its delivery ends.

        Where more than `MANY` requests of a run wait, they are one message, and the next one comes when all that it
        stood for are decided, or no more than that wait.
        """
        wants = self._audience.wants
        requests = Counter(notice.run_id for notice in waiting if notice.kind is NoticeKind.REQUESTED and wants(notice))
        of_many: dict[str, list[tuple[Notice, Told | None]]] = {}
        known: dict[Key, Told | None] = {}
        found: list[tuple[Notice, tuple[Notice, ...]]] = []
        for number, notice in enumerate(waiting, 1):
            if number % _TURN == 0:
                await checkpoint()
            wanted = wants(notice) and not await self._never_raised(notice, known)
            told = await self._ask(notice, known) if wanted else None
            reminder = replace(notice, kind=NoticeKind.EXPIRES)
            if wanted and notice.kind is NoticeKind.REQUESTED and requests[notice.run_id] > MANY:
                of_many.setdefault(notice.run_id, []).append((notice, told))
            elif wanted and told is None:
                found.append((notice, (notice,)))
            elif _is_reminded(notice, told, now_us) and wants(reminder) and await self._ask(reminder, known) is None:
                found.append((reminder, (reminder,)))
        for each in of_many.values():
            if not any(told is not None and told.kind == NoticeKind.MANY for _, told in each):
                stands_for = tuple(notice for notice, told in each if told is None)
                if stands_for:
                    found.append((_summary(stands_for, len(each)), stands_for))
        self._known = known
        return sorted(found, key=lambda entry: entry[0].at_us)

    def add(self, notice: Notice, kind: NoticeKind, at_us: int) -> None:
        """A notice was told, or given up on, just now."""
        self._known[notice.key] = Told(kind, at_us)

    def pass_over(self, notice: Notice, now_us: int) -> None:
        """Nobody waits for this any more, though its row stays: it need not be looked at again."""
        if notice.kind in (NoticeKind.DEAD, NoticeKind.NOT_UNDONE):
            self.add(notice, notice.kind, now_us)

    def forget(self) -> None:
        """Somebody else may have sent meanwhile."""
        self._known.clear()

    async def _never_raised(self, notice: Notice, known: dict[Key, Told | None]) -> bool:
        """Whether it says that something is over which this channel was never told of."""
        raised = replace(notice, kind=NoticeKind.ALERT)
        return notice.kind is NoticeKind.OVER and await self._ask(raised, known) is None

    async def _ask(self, notice: Notice, known: dict[Key, Told | None]) -> Told | None:
        key = notice.key
        told = self._known[key] if key in self._known else await self._outbox.told(notice.id_for(self._channel))
        known[key] = told
        return told


def _is_reminded(notice: Notice, told: Told | None, now_us: int) -> bool:
    """Whether the last part of a request's time has begun, and it was not told in that part."""
    if notice.kind is not NoticeKind.REQUESTED or notice.expires_us is None:
        return False
    last_us = notice.expires_us - (notice.expires_us - notice.at_us) // LAST_PART
    return last_us <= now_us and (told is None or told.at_us < last_us)


def _is_news(notice: Notice, now_us: int) -> bool:
    """Whether it is not too late to tell."""
    if notice.kind in (NoticeKind.DEAD, NoticeKind.NOT_UNDONE):
        return now_us - notice.at_us < LOOKS_BACK_US
    return notice.expires_us is None or now_us < notice.expires_us


def _summary(requests: tuple[Notice, ...], count: int) -> Notice:
    """One notice for all of a run: of its oldest request, with what they have in common."""
    first = requests[0]
    groups = tuple(sorted({group for request in requests for group in request.groups}))
    return Notice(
        kind=NoticeKind.MANY, ref=first.ref, tenant=first.tenant, run_id=first.run_id, at_us=first.at_us,
        subject=first.subject, groups=groups, count=count,
        expires_us=min(request.expires_us for request in requests if request.expires_us is not None),
    )  # fmt: skip


def _requested(row: dict[str, Any]) -> Notice:
    return Notice(
        kind=NoticeKind.REQUESTED, ref=row["approval_id"], tenant=row["tenant"], run_id=row["run_id"],
        at_us=row["requested_us"] or 0, tool=row["tool"] or "", effect=row["effect"] or "",
        subject=row["subject"] or "", groups=_listed(row["groups"]), quorum=row["quorum"] or 1,
        expires_us=row["expires_us"],
    )  # fmt: skip


@cache
def _listed(text: str) -> tuple[str, ...]:
    """The groups of a row; policies name few different lists of them."""
    return tuple(json.loads(text))


def _unknown(row: dict[str, Any]) -> Notice:
    at_us = row["intent_us"] or row["proposed_us"] or 0
    return _of_call(NoticeKind.UNKNOWN, row, at_us)


def _dead(row: dict[str, Any]) -> Notice:
    return _of_call(NoticeKind.DEAD, row, row["at_us"])


def _not_undone(row: dict[str, Any]) -> Notice:
    return _of_call(NoticeKind.NOT_UNDONE, row, row["at_us"])


async def _is_unknown(store: Store, call: dict[str, Any]) -> bool:
    return bool(call["status"] == "unknown")


async def _is_dead(store: Store, call: dict[str, Any]) -> bool:
    """Whether it is known to have done nothing, was not proposed again, and no saga sees to it; as the inbox has it."""
    if call["outcome"] not in ("refused", "failed"):
        return False
    run_id = call["run_id"]
    if await store.rows("run", {"run_id": run_id, "driver": "saga"}, 1):
        return False
    said = [event.fact for event in await store.tail(run_id)]
    return all(fact.kind is not Kind.OPERATOR or fact.call_id != call["call_id"] for fact in said)


async def _is_not_undone(store: Store, call: dict[str, Any]) -> bool:
    """Whether the last word on its compensation is that it failed."""
    words = await store.rows("compensation_action", {"run_id": call["run_id"], "call_id": call["call_id"]}, 1)
    return bool(words) and words[-1]["outcome"] not in _WELL


_WAITS = {NoticeKind.UNKNOWN: _is_unknown, NoticeKind.DEAD: _is_dead, NoticeKind.NOT_UNDONE: _is_not_undone}
"""Whether a call still waits for somebody, by why it is told."""


def _of_alert(kind: NoticeKind, alert: Alert, at_us: int) -> Notice:
    about = alert.about
    return Notice(
        kind=kind, ref=alert.alert_id, tenant=about.tenant, run_id=alert.run_id, at_us=at_us, says=alert.says
    )  # fmt: skip


def _of_call(kind: NoticeKind, row: dict[str, Any], at_us: int) -> Notice:
    return Notice(
        kind=kind, ref=row["call_id"], tenant=row["tenant"], run_id=row["run_id"], at_us=at_us,
        tool=row["tool"] or "", effect=row.get("effect") or "", subject=row.get("principal_id") or "",
    )  # fmt: skip

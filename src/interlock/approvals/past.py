"""Past requests for approval with what people made of them, read from the ledger: what grants are proposed from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from interlock.approvals.grant import ToolIdentity
from interlock.core.event import Event, Kind
from interlock.core.run import RunState
from interlock.ledger.pages import LIMIT_MAX, Between
from interlock.ledger.store import Store
from interlock.ledger.tables import Row

_ALL = 1 << 62

_TENANTS_MAX = 64
"""Tenants of which the answers are kept."""


class Said(NamedTuple):
    """One person's answer.

    Attributes:
        person: Principal id.
        decision: `approve`, `reject`, ….
        at_us: When, microseconds UTC.
        viewed_ms: Milliseconds that they had it before them; None where nobody measured it.
    """

    person: str
    decision: str
    at_us: int
    viewed_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One request for approval, and what came of it.

    Attributes:
        approval_id: Which.
        tool: For which tool, as it was defined then.
        effect: Its effect.
        subject: On whose behalf.
        arguments: What would run.
        status: As `ApprovalState.status`; one that nobody answered in time is `expired`.
        requested_us: When it was asked.
        said: What people answered, in order.
    """

    approval_id: str
    tool: ToolIdentity
    effect: str
    subject: str
    arguments: Mapping[str, Any]
    status: str
    requested_us: int
    said: tuple[Said, ...] = ()

    @property
    def approved(self) -> bool:
        """Whether people released it as it was."""
        return self.status in ("approved", "consumed")

    @property
    def turned_down(self) -> bool:
        """Whether nobody released it as it was: rejected, edited, answered in its place, or left to expire."""
        return self.status in ("rejected", "edited", "responded", "expired")


async def past_requests(store: Store, tenant: str, since_us: int, now_us: int) -> list[Past]:
    """A tenant's requests of a time, in the order of their asking; those whose content was erased are left out."""
    rows = await store.rows("approval", {"tenant": tenant}, _ALL)
    runs = dict.fromkeys(row["run_id"] for row in rows if (row["requested_us"] or 0) >= since_us)
    found = [past for run_id in runs for past in _of_run(await store.tail(run_id), run_id, tenant, now_us)]
    return sorted((past for past in found if past.requested_us >= since_us), key=lambda past: past.requested_us)


class Answered:
    """Requests that people answered, for figures: a run is read again only once its requests stand otherwise.

    What nobody answered is left out, so that a thousand that wait cost nothing. It belongs to one event loop.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, dict[str, tuple[list[Row], list[Past]]]] = {}

    async def since(self, tenant: str, since_us: int, now_us: int) -> list[Past]:
        """Those of a tenant that were asked from a time on, in the order of their asking.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        runs: dict[str, list[Row]] = defaultdict(list)
        before: int | None = None
        while True:
            where = {"tenant": tenant, "requested_us": Between(since_us)}
            page = await self._store.page("approval", where, limit=LIMIT_MAX, before=before)
            for row in page.rows:
                if row["decided_by"] or row["approvers"] not in (None, "", "[]"):
                    runs[row["run_id"]].append(row)
            if (before := page.before) is None:
                break
        if len(self._read) >= _TENANTS_MAX:
            self._read.clear()
        known, found = self._read.get(tenant, {}), {}
        for run_id, rows in runs.items():
            was = known.get(run_id)
            if was is None or was[0] != rows:
                was = rows, _of_run(await self._store.tail(run_id), run_id, tenant, now_us)
            found[run_id] = was
        self._read[tenant] = found
        past = [each for _, all_ in found.values() for each in all_ if each.requested_us >= since_us]
        return sorted(past, key=lambda each: each.requested_us)


def _of_run(tail: Iterable[Event], run_id: str, tenant: str, now_us: int) -> list[Past]:
    run, events = RunState(run_id, tenant), list(tail)
    run.absorb(events)
    said: dict[str, list[Said]] = {}
    for event in events:
        fact = event.fact
        if fact.kind is Kind.APPROVAL_DECIDED:
            answer = Said(fact.principal_id, fact.decision, event.at_us, fact.body.get("viewed_ms"))
            said.setdefault(fact.approval_id, []).append(answer)
    return [
        Past(
            approval_id=asked.approval_id, tool=ToolIdentity(**asked.request["tool"]), effect=asked.request["effect"],
            subject=asked.request["subject"], arguments=asked.request["arguments"],
            status="expired" if asked.status == "pending" and asked.request["expires_us"] <= now_us else asked.status,
            requested_us=asked.request["requested_us"], said=tuple(said.get(asked.approval_id, ())),
        )
        for asked in run.approvals.values()
        if asked.request
    ]  # fmt: skip

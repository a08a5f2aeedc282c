"""Roles lent to somebody else for a while: who may approve in another one's place. A fold over a tenant's chain.

One step only: what is lent is no role of the borrower's, who cannot lend it on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from interlock.core.clock import SECOND_US
from interlock.core.event import Event, Fact, Kind
from interlock.core.principal import Principal
from interlock.errors import BadInput, NotEntitled
from interlock.ledger.known import Known
from interlock.ledger.store import Append, Store, tenant_chain

DELEGATION_MAX_S = 30 * 86_400
"""Seconds that a role may be lent for."""

_REASON_MAX = 2000
_ID_MAX = 256
"""Characters."""


class Delegation(NamedTuple):
    """What one person has lent to another.

    Attributes:
        lender, borrower: Ids of the two.
        groups: The roles.
        until_us: When it ends, microseconds UTC.
        reason: Why.
    """

    lender: str
    borrower: str
    groups: frozenset[str]
    until_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class Lent:
    """What is lent within one tenant. Of two delegations of the same pair the newer one counts.

    Attributes:
        pairs: By lender and borrower.
    """

    pairs: Mapping[tuple[str, str], Delegation] = field(default_factory=dict)

    def after(self, events: Iterable[Event]) -> Lent:
        """What is lent when further events are folded in; one whose payload was erased says nothing."""
        pairs = dict(self.pairs)
        for event in events:
            fact, body = event.fact, event.fact.body
            if fact.kind is Kind.APPROVAL_DELEGATED and body:
                pair = (fact.principal_id, body["to"])
                pairs[pair] = Delegation(*pair, frozenset(body["groups"]), body["until_us"], body["reason"])
            elif fact.kind is Kind.APPROVAL_UNDELEGATED and body:
                pairs.pop((fact.principal_id, body["to"]), None)
        return Lent(pairs)

    def standing(self, now_us: int) -> list[Delegation]:
        """Those that have not ended."""
        return [each for each in self.pairs.values() if now_us < each.until_us]

    def to(self, person_id: str, now_us: int) -> dict[str, frozenset[str]]:
        """Roles that are lent to somebody, by lender."""
        return {each.lender: each.groups for each in self.standing(now_us) if each.borrower == person_id}

    def by(self, person_id: str, now_us: int) -> dict[str, frozenset[str]]:
        """Roles that somebody has lent, by borrower."""
        return {each.borrower: each.groups for each in self.standing(now_us) if each.lender == person_id}


class Delegations:
    """What is lent, by tenant, as the ledger says it now."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Known[Lent]] = {}

    async def lent(self, tenant: str) -> Lent:
        """What is lent now; read on only where somebody has written."""
        known = self._known.get(tenant)
        if known is None:
            known = self._known[tenant] = Known(self._store, (tenant_chain(tenant),), Lent())
        return await known.now()

    async def record(self, tenant: str, fact: Fact) -> None:
        """Make a fact of this tenant's delegations durable."""
        events = await self._store.append(Append(tenant_chain(tenant), tenant, [fact]))
        if tenant in self._known:
            self._known[tenant].absorb(events)


def delegated(
    lender: Principal, borrower: str, groups: Collection[str], seconds: float, now_us: int, reason: str
) -> Fact:
    """The fact that somebody lends roles of their own.

    Raises:
        NotEntitled: A service, or not all of the roles are the lender's own.
        BadInput: No role, nobody else, no reason, or not within 30 days.
    """
    if lender.kind != "user":
        raise NotEntitled(f"{lender.id!r} is a service; only people decide", code="delegation.service")
    if not 0 < len(borrower) <= _ID_MAX or borrower == lender.id:
        raise BadInput("to: name somebody else", code="delegation.to")
    if not groups:
        raise BadInput("groups: name at least one role", code="delegation.groups")
    if missing := sorted(set(groups) - lender.roles):
        raise NotEntitled(
            f"{lender.id!r} has not the role {', '.join(missing)}", code="delegation.role",
            remedy="Lend roles of your own; what was lent to you cannot be lent on.",
        )  # fmt: skip
    if not 0 < seconds <= DELEGATION_MAX_S:
        raise BadInput("until: more than now, at most 30 days from now", code="delegation.until")
    if not reason.strip() or len(reason) > _REASON_MAX:
        raise BadInput(f"reason: say why, in at most {_REASON_MAX} characters", code="delegation.reason")
    until_us = now_us + int(seconds * SECOND_US)
    body = {"to": borrower, "groups": sorted(set(groups)), "until_us": until_us, "reason": reason}
    return Fact(Kind.APPROVAL_DELEGATED, body, principal_id=lender.id)


def undelegated(lender: Principal, borrower: str) -> Fact:
    """The fact that they take it back."""
    return Fact(Kind.APPROVAL_UNDELEGATED, {"to": borrower}, principal_id=lender.id)

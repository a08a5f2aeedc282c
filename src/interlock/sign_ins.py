"""Who signed in, and what is over: a fold over a tenant's chain, the same in every process.

Whoever has a key is known by the file of keys. Of whom an issuer knows, nothing stands in a file: what it said of them
when they signed in last holds here, for as long as a session of theirs could.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from interlock.approvals.people import People
from interlock.core.clock import SECOND_US, Clock
from interlock.core.event import Event, Fact, Kind
from interlock.core.principal import Principal
from interlock.errors import DuplicateFact
from interlock.ledger.known import Known
from interlock.ledger.store import Append, Store, tenant_chain

LIFE_MAX_S: Final = 24 * 3600
"""Seconds that a session may last at most: what ended so long ago need not be remembered."""


@dataclass(frozen=True, slots=True)
class SignIns:
    """What is known of one tenant's sessions.

    Attributes:
        ended: Sessions that are over before their time, with when that was, microseconds UTC.
        all_ended: People whose sessions until then are all over, with when that was.
        issued: Of people that an issuer knows, the roles that they had when they signed in last, and until when that
            holds, microseconds UTC.
    """

    ended: Mapping[str, int] = field(default_factory=dict)
    all_ended: Mapping[str, int] = field(default_factory=dict)
    issued: Mapping[str, tuple[frozenset[str], int]] = field(default_factory=dict)

    def after(self, events: Iterable[Event]) -> SignIns:
        """The same and what further events say; one whose payload was erased ends what it ended, and opens nothing."""
        ended, all_ended, issued = dict(self.ended), dict(self.all_ended), dict(self.issued)
        last_us = 0
        for event in events:
            fact, last_us = event.fact, event.at_us
            if fact.kind is Kind.SESSION_ENDED and fact.call_id:
                ended[fact.call_id] = event.at_us
            elif fact.kind is Kind.SESSION_ENDED and fact.body:
                all_ended[fact.body["of"]] = event.at_us
                issued.pop(fact.body["of"], None)
            elif fact.kind is Kind.SESSION_OPENED and fact.body.get("by") == "oidc":
                issued[fact.principal_id] = (frozenset(fact.body["roles"]), fact.body["until_us"])
        past_us = last_us - 2 * LIFE_MAX_S * SECOND_US
        return SignIns(
            {session: at_us for session, at_us in ended.items() if at_us > past_us},
            {person: at_us for person, at_us in all_ended.items() if at_us > past_us},
            {person: said for person, said in issued.items() if said[1] > past_us},
        )

    def over(self, session_id: str, person_id: str, opened_us: int) -> bool:
        """Whether a session was ended: by itself, or with all of its person's that were opened by then."""
        return session_id in self.ended or opened_us <= self.all_ended.get(person_id, -1)


class SignedIn:
    """Sessions as the ledger says them now, by tenant.

    Args:
        store: Where it stands.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Known[SignIns]] = {}

    async def now(self, tenant: str) -> SignIns:
        """What is known now; read on only where somebody has written.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        return await self._of(tenant).now()

    async def opened(self, session_id: str, person: Principal, body: Mapping[str, object]) -> bool:
        """Record that a session was opened; whether it is the first by this id, which is the only one that counts.

        Raises:
            LedgerError: It cannot be recorded; there is no session then.
        """
        fact = Fact(Kind.SESSION_OPENED, dict(body), call_id=session_id, principal_id=person.id)
        try:
            await self._record(person.tenant, fact)
        except DuplicateFact:
            return False
        return True

    async def ended(self, session_id: str, person: Principal, why: str) -> None:
        """Record that a session is over; once is enough.

        Raises:
            LedgerError: It cannot be recorded, and the session goes on.
        """
        fact = Fact(Kind.SESSION_ENDED, {"why": why}, call_id=session_id, principal_id=person.id)
        try:
            await self._record(person.tenant, fact)
        except DuplicateFact:
            return

    async def all_ended(self, person_id: str, by: Principal, why: str) -> None:
        """Record that every session of a person of the same tenant is over.

        Raises:
            LedgerError: It cannot be recorded, and they go on.
        """
        await self._record(by.tenant, Fact(Kind.SESSION_ENDED, {"of": person_id, "why": why}, principal_id=by.id))

    async def _record(self, tenant: str, fact: Fact) -> None:
        self._of(tenant).absorb(await self._store.append(Append(tenant_chain(tenant), tenant, [fact])))

    def _of(self, tenant: str) -> Known[SignIns]:
        known = self._known.get(tenant)
        if known is None:
            known = self._known[tenant] = Known(self._store, (tenant_chain(tenant),), SignIns())
        return known


class IssuedPeople:
    """Who has which roles now: by the file of keys, and whoever has no key by what their issuer said last.

    Args:
        people: By the file of keys.
        given: The roles that the settings let the issuer give.
    """

    def __init__(self, people: People, signed_in: SignedIn, clock: Clock, given: frozenset[str]) -> None:
        self._people = people
        self._given = given
        self._signed_in = signed_in
        self._clock = clock

    async def now(self, said: Principal) -> Principal | None:
        """See `People`: None for somebody who has no key and did not sign in of late.

        Raises:
            InterlockError: It cannot be found out.
        """
        found = await self._people.now(said)
        if found is not None or said.kind != "user":
            return found
        roles, until_us = (await self._signed_in.now(said.tenant)).issued.get(said.id, (frozenset[str](), 0))
        return replace(said, roles=roles & self._given) if self._clock.wall_us() < until_us else None

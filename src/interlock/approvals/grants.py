"""The grants that hold now: given, endorsed and taken back by people, and asked by the gate `approve`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interlock.approvals.grant import (
    LIVE_MAX,
    REASON_MAX,
    REVOKED,
    Grant,
    Granted,
    GrantTerms,
    ToolIdentity,
    Voice,
    issued_body,
)  # fmt: skip
from interlock.approvals.people import Entitlement
from interlock.approvals.where import where_of
from interlock.core.call import GrantUse, Stop, VerifiedCall
from interlock.core.call_state import CallState
from interlock.core.clock import SECOND_US, Clock
from interlock.core.decision import Hold
from interlock.core.event import Event, Fact, GuardChange, Kind
from interlock.core.ids import IdMaker, named_id
from interlock.core.principal import ADMIN, OPERATOR, Principal
from interlock.core.tool import Effect, Tool
from interlock.errors import BadInput, Conflict, NotEntitled, NotFound, StoreUnavailable
from interlock.ledger.known import Known
from interlock.ledger.store import Append, Store, tenant_chain


class Grants:
    """The grants of every tenant, as this process knows them: read on only where somebody has written since.

    Args:
        store: Where they stand, each tenant's in its own chain.
        clock: For their end; the one that approvals end by.
        new_id: Makes their ids.
        entitlement: Who is entitled to what, asked when somebody speaks and again for every call.
    """

    def __init__(self, store: Store, clock: Clock, new_id: IdMaker, entitlement: Entitlement) -> None:
        self._store = store
        self._entitlement = entitlement
        self._clock = clock
        self._new_id = new_id
        self._known: dict[str, Known[Granted]] = {}

    async def of(self, tenant: str) -> Granted:
        """A tenant's grants, current."""
        return await self._tenant(tenant).now()

    async def used(self, tenant: str) -> dict[str, int]:
        """How many uses of each grant were taken, by id; those without one are left out."""
        prefix = f"{tenant}/grant/"
        return {
            name.removeprefix(prefix): value % REVOKED for name, value in (await self._store.guards(prefix)).items()
        }

    async def answer(
        self, verified: VerifiedCall, known: CallState | None, otherwise: Callable[[], Stop]
    ) -> GrantUse | None:  # fmt: skip
        """The grant that answers a held call in a quorum's place; None where none does.

        Of several it is the one that ends first. A lost call is answered by the grant that its intent names and by no
        other; its use was counted then, so that neither its number of uses nor its end matters any more.

        Args:
            known: What the run knows of the call; None for a new one.
            otherwise: What it comes to where the use is gone when the intent is written.
        """
        hold = verified.hold
        assert hold is not None, "only a held call is answered"
        valid = verified.limited.allowed.valid
        call = valid.call
        taken = known.grant_id if known is not None and known.status == "intent" else None
        granted = await self.of(call.principal.tenant)
        now_us = self._clock.wall_us()
        excluded = frozenset({call.principal.id, *call.edited_by})
        for grant in granted.by_tool.get(ToolIdentity.of(valid.tool), ()):
            if not (grant.live(now_us) if taken is None else grant.grant_id == taken) or not grant.covers(valid):
                continue
            by = grant.speakers(hold, excluded, await self._groups_now(grant, hold, now_us))
            if by and (taken is not None or await self._left(grant)):
                return GrantUse(
                    grant_id=grant.grant_id, by=by, guard=GuardChange(grant.guard, 1, at_most=grant.uses),
                    otherwise=otherwise,
                )  # fmt: skip
        return None

    async def issue(self, terms: GrantTerms, tool: Tool, person: Principal, approvers: frozenset[str]) -> Grant:
        """Give a grant. It answers calls that are proposed from now on, of every process; no request that waits.

        Args:
            tool: The tool that the terms name, as it is now.
            approvers: The approver groups that there are.

        Raises:
            BadInput: The tool is privileged.
            NotEntitled: A service, or somebody in none of the approver groups.
            Conflict: As many grants are live as may be, or its name belongs to one with other terms.
            LedgerError: It could not be written, and there is none.
        """
        groups = await self._speaks_for(person, approvers)
        if tool.effect is Effect.PRIVILEGED:
            raise BadInput(
                f"{tool.name!r} is privileged", code="grant.privileged", remedy="Each of its calls needs a person."
            )
        grant_id = self._new_id("grant")
        if terms.named:
            grant_id = named_id("grant", person.tenant, person.id, terms.named)
            if (known := (await self.of(person.tenant)).grants.get(grant_id)) is not None:
                return _as_named(known, terms)
        now_us = self._clock.wall_us()
        if len((await self.of(person.tenant)).live(now_us)) >= LIVE_MAX:
            raise Conflict(
                f"{LIVE_MAX} grants are live already", code="grant.too_many", remedy="Revoke those that nobody needs."
            )
        grant = Grant(
            grant_id=grant_id, tenant=person.tenant, tool=ToolIdentity.of(tool),
            where=where_of(terms.where), subject=terms.subject, uses=terms.uses, issued_us=now_us,
            expires_us=now_us + terms.lasts_s * SECOND_US, reason=terms.reason, voices=(Voice(person.id, groups),),
        )  # fmt: skip
        await self._write(Fact(Kind.GRANT_ISSUED, issued_body(grant), principal_id=person.id), person)
        return grant

    async def endorse(self, grant_id: str, person: Principal, approvers: frozenset[str]) -> Grant:
        """Add another person's voice to a grant.

        Raises:
            NotFound: No such grant of the person's tenant.
            NotEntitled: A service, somebody in none of the approver groups, or one whose voice it has.
            Conflict: It is over.
        """
        grant = await self.find(grant_id, person.tenant)
        groups = await self._speaks_for(person, approvers)
        if person.id in {voice.person for voice in grant.voices}:
            raise NotEntitled(f"{person.id!r} has given this grant already", code="grant.twice")
        if not grant.live(self._clock.wall_us()):
            raise Conflict(f"grant {grant_id} is over", code="grant.over", remedy="Issue a new one.")
        body: dict[str, Any] = {"grant_id": grant_id, "groups": sorted(groups)}
        await self._write(Fact(Kind.GRANT_ENDORSED, body, principal_id=person.id), person)
        return await self.find(grant_id, person.tenant)

    async def revoke(self, grant_id: str, person: Principal, reason: str) -> Grant:
        """Take a grant back. No intent that is written after this counts on it, in any process.

        Raises:
            NotFound: No such grant of the person's tenant.
            NotEntitled: Neither one of those who gave it, nor in one of its groups, nor operator or admin.
            Conflict: It was revoked before.
            BadInput: No reason, or too long a one.
        """
        grant = await self.find(grant_id, person.tenant)
        if not 1 <= len(reason.strip()) <= REASON_MAX:
            raise BadInput(
                "reason: none, or too long", code="grant.reason", remedy=f"Give 1 to {REASON_MAX} characters."
            )
        may = {ADMIN, OPERATOR}.union(*(voice.groups for voice in grant.voices))
        if person.id not in {voice.person for voice in grant.voices} and not person.roles & may:
            raise NotEntitled(
                f"{person.id!r} may not revoke it", code="grant.revoker", remedy=f"Ask one of {', '.join(sorted(may))}."
            )
        if grant.revoked:
            raise Conflict(f"grant {grant_id} was revoked before", code="grant.over")
        fact = Fact(Kind.GRANT_REVOKED, {"grant_id": grant_id, "reason": reason}, principal_id=person.id)
        await self._write(fact, person, (GuardChange(grant.guard, REVOKED),))
        return await self.find(grant_id, person.tenant)

    async def find(self, grant_id: str, tenant: str) -> Grant:
        """A grant by its id.

        Raises:
            NotFound: No such grant of this tenant.
        """
        grant = (await self.of(tenant)).grants.get(grant_id)
        if grant is None:
            raise NotFound(f"no grant {grant_id!r}", code="grant.not_found", remedy="See `interlock grants list`.")
        return grant

    async def _speaks_for(self, person: Principal, approvers: frozenset[str]) -> frozenset[str]:
        """The approver groups that a person is in themselves: what others have lent them is for single calls."""
        now = (await self._entitlement.standing(person, self._clock.wall_us())).person
        if now.kind != "user":
            raise NotEntitled(f"{person.id!r} is a service; only people grant", code="grant.service")
        groups = now.roles & approvers
        if not groups:
            raise NotEntitled(
                f"{person.id!r} is in no approver group", code="grant.group",
                remedy=f"Ask a member of {', '.join(sorted(approvers))}." if approvers else "The policy has none.",
            )  # fmt: skip
        return groups

    async def _groups_now(self, grant: Grant, hold: Hold, now_us: int) -> dict[str, frozenset[str]]:
        """The groups that each person behind a grant speaks for now.

        None of them where it cannot be found out, as if there were no grant; and of a pair of whom one has lent the
        other a role, only the first speaks.
        """
        found: dict[str, frozenset[str]] = {}
        for voice in grant.voices:
            said = Principal(voice.person, grant.tenant, voice.groups)
            try:
                standing = await self._entitlement.standing(said, now_us)
            except StoreUnavailable as error:
                if error.code != "people.unavailable":
                    raise
                return {each.person: frozenset() for each in grant.voices}
            twice = any(found.get(other) for other in standing.as_one_with(sorted(hold.groups)))
            entitled = standing.person.kind == "user" and not twice
            found[voice.person] = standing.person.roles if entitled else frozenset()
        return found

    async def _left(self, grant: Grant) -> bool:
        return (await self._store.guards(grant.guard)).get(grant.guard, 0) < grant.uses

    async def _write(self, fact: Fact, person: Principal, guards: tuple[GuardChange, ...] = ()) -> list[Event]:
        chain = tenant_chain(person.tenant)
        events = await self._store.append(Append(chain, person.tenant, [fact], guards=guards))
        self._tenant(person.tenant).absorb(events)
        return events

    def _tenant(self, tenant: str) -> Known[Granted]:
        if tenant not in self._known:
            self._known[tenant] = Known(self._store, (tenant_chain(tenant),), Granted())
        return self._known[tenant]


def _as_named(known: Grant, terms: GrantTerms) -> Grant:
    """The grant that has this name.

    Raises:
        Conflict: It was given with other terms.
    """
    lasts_us = terms.lasts_s * SECOND_US
    given = (known.tool.name, known.where, known.subject, known.uses, known.expires_us - known.issued_us, known.reason)
    if given != (terms.tool, where_of(terms.where), terms.subject, terms.uses, lasts_us, terms.reason):
        raise Conflict(
            f"grant {known.grant_id} has this name, and was given with other terms", code="grant.name_reused",
            remedy="Use another name, or give exactly the same.",
        )  # fmt: skip
    return known

"""A grant with the uses that were taken of it: what every door shows of it, and the same for a program."""

from __future__ import annotations

from typing import Any, NamedTuple

from interlock.approvals.grant import REVOKED, Grant, Granted
from interlock.core.clock import iso
from interlock.ledger.store import Store, tenant_chain


class Counted(NamedTuple):
    """A grant with the uses that were taken of it."""

    grant: Grant
    used: int


def stands(one: Counted, now_us: int) -> str:
    """`live`, `revoked`, `expired` or `used up`."""
    if one.grant.revoked:
        return "revoked"
    if not one.grant.live(now_us):
        return "expired"
    return "live" if one.used < one.grant.uses else "used up"


def grant_document(one: Counted, now_us: int) -> dict[str, Any]:
    """A grant for a program."""
    grant = one.grant
    return {
        "grant_id": grant.grant_id,
        "status": stands(one, now_us),
        "tool": grant.tool._asdict(),
        "where": grant.where.as_json(),
        "subject": grant.subject or None,
        "uses": grant.uses,
        "used": one.used,
        "reason": grant.reason,
        "given_by": [{"person": voice.person, "groups": sorted(voice.groups)} for voice in grant.voices],
        "issued_at": iso(grant.issued_us),
        "expires_at": iso(grant.expires_us),
    }


async def counted(tenant: str, store: Store) -> list[Counted]:
    """The grants of a tenant in the order of their issue, those that are over among them."""
    granted = Granted().after(await store.read(tenant_chain(tenant)))
    rows = await store.guards(f"{tenant}/grant/")
    return [Counted(grant, rows.get(grant.guard, 0) % REVOKED) for grant in granted.grants.values()]

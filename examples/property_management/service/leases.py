"""Leases: drawn up for a tenant, and made void."""

from __future__ import annotations

import sqlite3

from examples.service.answer import Answer, Problem
from examples.service.request import Request
from examples.service.store import Store, created, find_one

_DAY_MAX = 10


def generate_lease(store: Store, request: Request) -> Answer:
    """Draw up a lease at the rent of the tenant's property."""
    tenant_id = request.whole("tenant_id")
    starts_on, ends_on = request.text("starts_on", _DAY_MAX), request.text("ends_on", _DAY_MAX)

    def do(db: sqlite3.Connection) -> Answer:
        tenant = find_one(db, "tenant", tenant_id)
        if not starts_on < ends_on:
            detail = "A lease ends after it starts."
            raise Problem(422, "invalid_parameter", detail, field="ends_on")
        rent = find_one(db, "property", tenant["property_id"])["monthly_rent_cents"]
        lease = {"tenant_id": tenant_id, "property_id": tenant["property_id"], "starts_on": starts_on}
        return created(db, "leases", lease | {"ends_on": ends_on, "monthly_rent_cents": rent, "status": "drawn_up"})

    return store.change("generate_lease", request, do)


def void_lease(store: Store, request: Request) -> Answer:
    """Make a lease void; one that is void stays so."""
    lease_id = request.whole("lease_id")

    def do(db: sqlite3.Connection) -> Answer:
        lease = find_one(db, "lease", lease_id)
        db.execute("UPDATE leases SET status = 'void' WHERE id = ?", (lease_id,))
        return Answer(200, lease | {"status": "void"})

    return store.change("void_lease", request, do)

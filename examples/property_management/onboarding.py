"""A new tenant: all of it or nothing, four steps long: `python -m examples.property_management.onboarding`.

Four steps of which each needs the ones before it, against the running service. The second tenant's letter cannot be
sent; the lease is made void and the record erased again. Erasing somebody waits for the director by policy; that this
office may take back what it has just made was decided when it made it.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import anyio
from pydantic import Field

import interlock
from examples.far_end import FarEnd
from examples.property_management import client, tools
from examples.property_management.deployment import POLICY
from examples.property_management.far_end import serving
from examples.property_management.records import Lease, Tenant
from interlock import Saga, SagaOutcome, Step, given, result

MANAGER = interlock.Principal("beatrix", roles=frozenset({"property_manager"}))
"""On whose behalf tenants are taken in."""

LeaseId = Annotated[int, Field(ge=1, le=9_999_999, description="Number of the lease.", examples=[1])]
Day = Annotated[str, Field(description="A day, ISO.", examples=["2026-02-01"], json_schema_extra={"format": "date"})]


@interlock.tool(
    effect="reversible",
    keyed=True,
    category="tenants",
    resource="property_id",
    entities={"property_id": tools.OF_A_PROPERTY},
    roles={"property_id": "target", "name": "content", "email": "content"},
    compensate="delete_tenant",
    compensate_with={"tenant_id": "/result/id"},
    timeout_s=5,
    examples=[{"property_id": 1120, "name": "Ada Brandt", "email": "ada@mail.example", "phone": "+44 1632 960001"}],
)
def create_tenant(
    context: interlock.CallContext,
    property_id: tools.PropertyId,
    name: Annotated[str, Field(min_length=1, max_length=200, description="As in the lease.", examples=["Ada Brandt"])],
    email: tools.Email,
    phone: Annotated[str, Field(min_length=3, max_length=40, description="As dialled.", examples=["+44 1632 960001"])],
) -> Tenant:
    """Make the record of somebody who is to rent a flat. Call it once; the lease comes after it."""
    body = {"property_id": property_id, "name": name, "email": email, "phone": phone}
    made: Tenant = client.post(context, "/v1/tenants", body)
    return made


@interlock.tool(
    effect="reversible",
    keyed=True,
    category="tenants",
    resource="tenant_id",
    entities={"tenant_id": tools.OF_A_TENANT},
    roles={"tenant_id": "target"},
    compensate="void_lease",
    compensate_with={"lease_id": "/result/id"},
    timeout_s=5,
    examples=[{"tenant_id": 20111, "starts_on": "2026-02-01", "ends_on": "2027-01-31"}],
)
def generate_lease(
    context: interlock.CallContext, tenant_id: tools.TenantId, starts_on: Day, ends_on: Day
) -> Lease:  # fmt: skip
    """Draw up a tenant's lease, at the rent of the property. Call it once the tenant's record is there."""
    made: Lease = client.post(context, f"/v1/tenants/{tenant_id}/leases", {"starts_on": starts_on, "ends_on": ends_on})
    return made


@interlock.tool(
    effect="reversible",
    keyed=True,
    idempotent=True,
    category="tenants",
    roles={"lease_id": "target"},
    timeout_s=5,
    examples=[{"lease_id": 1}],
)
def void_lease(context: interlock.CallContext, lease_id: LeaseId) -> Lease:
    """Make a lease void that nobody has signed."""
    made: Lease = client.delete(context, f"/v1/leases/{lease_id}")
    return made


TOOLS = [
    *(tool for tool in vars(tools).values() if isinstance(tool, interlock.Tool)),
    create_tenant,
    generate_lease,
    void_lease,
]
"""The office's, with those that only the saga needs."""

ONBOARDING = Saga("tenant_onboarding", [
    Step("flat", "get_property", {"property_id": given("/property_id")}),
    Step("record", "create_tenant", {
        "property_id": result("flat", "/id"), "name": given("/name"), "email": given("/email"),
        "phone": given("/phone"),
    }),
    Step("lease", "generate_lease", {
        "tenant_id": result("record", "/id"), "starts_on": given("/starts_on"), "ends_on": given("/ends_on"),
    }, expect={"/status": "drawn_up"}),
    Step("welcome", "send_notice", {
        "tenant_id": result("lease", "/tenant_id"), "subject": "Welcome",
        "message": "Your lease is in the post. Welcome to your new home.",
    }, pivot=True),
])  # fmt: skip

ADA = {
    "property_id": 1120, "name": "Ada Brandt", "email": "ada@mail.example", "phone": "+44 1632 960001",
    "starts_on": "2026-02-01", "ends_on": "2027-01-31",
}  # fmt: skip


BO = ADA | {"name": "Bo Lind", "email": "bo@mail.example", "phone": "+44 1632 960002", "property_id": 1003}


async def take_in(plane: interlock.Interlock, person: dict[str, Any]) -> SagaOutcome:
    """Take somebody in as a tenant; asked again for the same address, it is the same saga."""
    words = f"Take {person['name']} in as a tenant."
    async with plane.saga(ONBOARDING, MANAGER, person, words=words, name=person["email"]) as saga:
        return await saga.outcome()


async def _both(folder: Path, far_end: FarEnd) -> int:
    settings = interlock.Settings(ledger=folder / "ledger.db", folder=folder, policy=POLICY)
    async with interlock.open_plane(settings, tools=TOOLS) as plane:
        first = await take_in(plane, ADA)
        await anyio.to_thread.run_sync(partial(far_end.arm, "send_notice", "drop_before", 10))
        second = await take_in(plane, BO)
    done = len(await anyio.to_thread.run_sync(far_end.effects))
    for outcome in (first, second):
        sys.stdout.write(f"{outcome}\n")
        for step in outcome.steps:
            sys.stdout.write(f"    {step.id:8} {step.status.value:8} undoing: {step.undo.value}\n")
    sys.stdout.write(f"The service counts {done} effects.\n")
    return 0 if (first.completed, second.completed) == (True, False) else 1


def main() -> int:
    """Run it in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "property.db") as far_end:
        return anyio.run(_both, Path(folder), far_end)


if __name__ == "__main__":
    sys.exit(main())

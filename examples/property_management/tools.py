"""The service's operations as tools, each with its effect, its checks and its limits.

The docstrings are what a model reads; the options are what Interlock goes by. Every name or number that stands
for a thing is looked up first (`entities`), so that a call about something that does not exist never leaves,
and comes back with what does exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import AwareDatetime, Field

import interlock
from examples.property_management import client
from examples.property_management.records import (
    Deletion,
    DirectoryEntry,
    LateFee,
    MaintenanceRequest,
    NamedChoice,
    Notice,
    NoticeFound,
    NumberedChoice,
    Payment,
    Property,
    Refund,
    Tenant,
    Visit,
)

PAGE_MAX = 50
"""Rows that the service gives at once."""

FEE_TIMEOUT_S = 2.0
"""The fee endpoint answers within milliseconds or not at all, and nobody wants to wait for that."""

MONEY_TIMEOUT_S = 20.0
"""What cannot be taken back is waited for: an answer that comes late saves asking what became of it."""

CHOICES_MAX = 5

PropertyId = Annotated[int, Field(ge=1, le=999_999, description="Number of the property.", examples=[1120])]
TenantId = Annotated[int, Field(ge=1, le=999_999, description="Number of the tenant.", examples=[20111])]
PaymentId = Annotated[int, Field(ge=1, le=9_999_999, description="Number of the payment.", examples=[500272])]
Email = Annotated[
    str,
    Field(
        min_length=3,
        max_length=200,
        description="Address exactly as it stands in the directory.",
        examples=["jobs@copperline-heating.example"],
        json_schema_extra={"format": "email"},
    ),
]
Words = Annotated[str, Field(min_length=1, max_length=200, description="Words to look for.", examples=["Elmfield"])]
Limit = Annotated[int, Field(ge=1, le=PAGE_MAX, description="How many at most.", examples=[10])]
Reason = Annotated[
    str, Field(min_length=3, max_length=500, description="Why, as the tenant will read it.", examples=["No heating"])
]

OF_A_PROPERTY = interlock.Entity(type="Property", lookup="get_property", suggest="suggest_properties")
OF_A_TENANT = interlock.Entity(type="Renter", lookup="get_tenant")  # in a policy, Tenant is a customer of Interlock's
OF_A_PAYMENT = interlock.Entity(type="Payment", lookup="get_payment")
IN_THE_DIRECTORY = interlock.Entity(
    type="DirectoryEntry", lookup="get_directory_entry", by="email", suggest="suggest_directory_entries"
)


# Properties


@interlock.tool(effect="read", category="properties", timeout_s=5, examples=[{"query": "Elmfield Gardens"}])
def search_properties(context: interlock.CallContext, query: Words, limit: Limit = 10) -> list[Property]:
    """Find properties by words of their name or address. Call it to get the number of one that you know by name."""
    return _items(client.get(context, "/v1/properties", q=query, limit=limit))


@interlock.tool(effect="read", category="properties", timeout_s=5, examples=[{"property_id": 1120}])
def get_property(context: interlock.CallContext, property_id: PropertyId) -> Property | None:
    """Look up one property by its number; null where there is none. Call it when you have the number already."""
    found: Property | None = client.look_up(context, f"/v1/properties/{property_id}", "property_not_found")
    return found


@interlock.tool(effect="read", category="properties", timeout_s=5, examples=[{"query": "1210"}])
def suggest_properties(context: interlock.CallContext, query: Words) -> list[NumberedChoice]:
    """Properties whose name, address or number is like something that was not found, at most five."""
    found = _items(client.get(context, "/v1/properties", q=query, limit=CHOICES_MAX))
    if not found:
        found = _alike(query, _all(context, "/v1/properties"), lambda row: (str(row["id"]), row["name"]))
    return [{"id": row["id"], "label": f"{row['name']}, {row['city']}"} for row in found]


@interlock.tool(
    effect="read",
    category="maintenance",
    resource="property_id",
    entities={"property_id": OF_A_PROPERTY},
    timeout_s=5,
    examples=[{"property_id": 1120, "status": "open"}],
)
def list_maintenance_requests(
    context: interlock.CallContext,
    property_id: PropertyId,
    status: Annotated[Literal["any", "open", "scheduled", "done"], Field(description="In which state.")] = "any",
    limit: Limit = 10,
) -> list[MaintenanceRequest]:
    """What is to be mended in a property, the newest first. Call it before reporting something, to report it once."""
    return _items(client.get(context, "/v1/maintenance-requests", property_id=property_id, status=status, limit=limit))


@interlock.tool(
    effect="reversible",
    keyed=True,
    category="maintenance",
    resource="property_id",
    entities={"property_id": OF_A_PROPERTY},
    roles={"property_id": "target", "description": "content"},
    timeout_s=5,
    examples=[{"property_id": 1120, "category": "heating", "description": "Radiators stay cold since Sunday."}],
)
def create_maintenance_request(
    context: interlock.CallContext,
    property_id: PropertyId,
    category: Annotated[
        Literal[
            "plumbing", "heating", "electrical", "appliance", "locks_and_doors", "windows", "pests", "common_areas"
        ],
        Field(description="What kind of thing is broken."),
    ],
    description: Annotated[
        str,
        Field(
            min_length=10,
            max_length=4000,
            description="What is broken, where, since when.",
            examples=["Radiators stay cold since Sunday."],
        ),
    ],
    priority: Annotated[
        Literal["low", "normal", "high", "emergency"], Field(description="How soon it must be seen to.")
    ] = "normal",
) -> MaintenanceRequest:
    """Report something to mend in a property. Call it once per defect, after looking at what is reported already."""
    body = {"property_id": property_id, "category": category, "priority": priority, "description": description}
    made: MaintenanceRequest = client.post(context, "/v1/maintenance-requests", body)
    return made


# Tenants and their money


@interlock.tool(effect="read", category="tenants", timeout_s=5, examples=[{"tenant_id": 20111}])
def get_tenant(context: interlock.CallContext, tenant_id: TenantId) -> Tenant | None:
    """Who rents what, and until when, by the tenant's number; null where nobody has it."""
    found: Tenant | None = client.look_up(context, f"/v1/tenants/{tenant_id}", "tenant_not_found")
    return found


@interlock.tool(
    effect="read",
    category="tenants",
    resource="property_id",
    entities={"property_id": OF_A_PROPERTY},
    timeout_s=5,
    examples=[{"property_id": 1120}],
)
def list_property_tenants(context: interlock.CallContext, property_id: PropertyId, limit: Limit = 10) -> list[Tenant]:
    """The tenants of one property. Call it to get the number of somebody whom you know by name."""
    return _items(client.get(context, f"/v1/properties/{property_id}/tenants", limit=limit))


@interlock.tool(
    effect="read",
    category="accounts",
    resource="tenant_id",
    entities={"tenant_id": OF_A_TENANT},
    timeout_s=5,
    examples=[{"tenant_id": 20111}],
)
def list_tenant_payments(context: interlock.CallContext, tenant_id: TenantId, limit: Limit = 10) -> list[Payment]:
    """A tenant's payments by day. Call it to get the number of a payment before anything is given back."""
    return _items(client.get(context, f"/v1/tenants/{tenant_id}/payments", limit=limit))


@interlock.tool(effect="read", category="accounts", timeout_s=5, examples=[{"payment_id": 500272}])
def get_payment(context: interlock.CallContext, payment_id: PaymentId) -> Payment | None:
    """Look up one payment by its number; null where there is none. Says how much was given back already."""
    found: Payment | None = client.look_up(context, f"/v1/payments/{payment_id}", "payment_not_found")
    return found


@interlock.tool(
    effect="irreversible",
    keyed=True,
    category="accounts",
    tags=["money"],
    resource="payment_id",
    entities={"payment_id": OF_A_PAYMENT},
    roles={"payment_id": "target", "amount_cents": "amount", "reason": "content"},
    costs={"cents": "amount_cents"},
    timeout_s=MONEY_TIMEOUT_S,
    examples=[{"payment_id": 500272, "amount_cents": 15000, "reason": "No heating for a week in January"}],
)
def refund_payment(
    context: interlock.CallContext,
    payment_id: PaymentId,
    amount_cents: Annotated[int, Field(ge=1, le=500_000, description="How much, in cents.", examples=[15000])],
    reason: Reason,
) -> Refund:
    """Give back part of a payment. Call it once the payment and the amount are agreed; it cannot be taken back."""
    made: Refund = client.post(
        context, f"/v1/payments/{payment_id}/refunds", {"amount_cents": amount_cents, "reason": reason}
    )
    return made


@interlock.tool(
    effect="irreversible",
    category="accounts",
    tags=["money"],
    resource="tenant_id",
    entities={"tenant_id": OF_A_TENANT},
    roles={"tenant_id": "target", "amount_cents": "amount", "reason": "content"},
    timeout_s=FEE_TIMEOUT_S,
    attempts_max=1,
    examples=[{"tenant_id": 20005, "amount_cents": 2500, "reason": "January's rent came twelve days late"}],
)
def charge_late_fee(
    context: interlock.CallContext,
    tenant_id: TenantId,
    amount_cents: Annotated[int, Field(ge=1, le=50_000, description="How much, in cents.", examples=[2500])],
    reason: Reason,
) -> LateFee:
    """Charge a tenant for paying late. Call it once per late payment; sent twice, it charges twice."""
    made: LateFee = client.post_without_key(
        context, f"/v1/tenants/{tenant_id}/late-fees", {"amount_cents": amount_cents, "reason": reason}
    )
    return made


@interlock.tool(effect="read", category="tenants", timeout_s=5, examples=[{"idempotency_key": "k-1"}])
def find_notice(context: interlock.CallContext, idempotency_key: Words) -> NoticeFound:
    """Whether a notice was sent under a key of Interlock's. Asked when nobody knows; not for an agent to call."""
    found = client.get(context, f"/v1/notices/by-key/{quote(idempotency_key, safe='')}")
    return {"done": found["status"] == "done", "result": found.get("answer")}


@interlock.tool(
    effect="irreversible",
    reconcile="find_notice",
    category="tenants",
    resource="tenant_id",
    entities={"tenant_id": OF_A_TENANT},
    roles={"tenant_id": "target", "subject": "content", "message": "content"},
    timeout_s=MONEY_TIMEOUT_S,
    examples=[{"tenant_id": 20111, "subject": "Your heating", "message": "Copperline Heating comes on Tuesday."}],
)
def send_notice(
    context: interlock.CallContext,
    tenant_id: TenantId,
    subject: Annotated[str, Field(min_length=3, max_length=200, description="In a few words.", examples=["Heating"])],
    message: Annotated[
        str, Field(min_length=10, max_length=4000, description="As they will read it.", examples=["On Tuesday."])
    ],
) -> Notice:
    """Write to a tenant, by email. Call it once somebody must know; what is sent cannot be called back."""
    made: Notice = client.post(context, f"/v1/tenants/{tenant_id}/notices", {"subject": subject, "message": message})
    return made


@interlock.tool(
    effect="privileged",
    keyed=True,
    category="tenants",
    resource="tenant_id",
    entities={"tenant_id": OF_A_TENANT},
    roles={"tenant_id": "target"},
    timeout_s=5,
    examples=[{"tenant_id": 20176}],
)
def delete_tenant(context: interlock.CallContext, tenant_id: TenantId) -> Deletion:
    """Erase a tenant for good. Call it only for a tenant who has moved out and asked for it."""
    made: Deletion = client.delete(context, f"/v1/tenants/{tenant_id}")
    return made


# The directory and the calendar


@interlock.tool(
    effect="read", category="calendar", timeout_s=5, examples=[{"email": "jobs@copperline-heating.example"}]
)
def get_directory_entry(context: interlock.CallContext, email: Email) -> DirectoryEntry | None:
    """Look up somebody of the staff or a vendor by their address; null where nobody has it."""
    found: DirectoryEntry | None = client.look_up(
        context, f"/v1/directory/{quote(email, safe='')}", "directory_entry_not_found"
    )
    return found


@interlock.tool(
    effect="read", category="calendar", timeout_s=5, examples=[{"query": "info@copperline-heating.example"}]
)
def suggest_directory_entries(context: interlock.CallContext, query: Words) -> list[NamedChoice]:
    """Staff and vendors whose name or address is like something that was not found, at most five."""
    found = _alike(query, _all(context, "/v1/directory"), lambda row: (row["email"], row["name"]))
    return [{"id": row["email"], "label": f"{row['name']}, {row['role'].replace('_', ' ')}"} for row in found]


@interlock.tool(
    effect="reversible",
    keyed=True,
    category="calendar",
    resource="property_id",
    entities={"property_id": OF_A_PROPERTY, "attendees": IN_THE_DIRECTORY},
    roles={"property_id": "target", "attendees": "target", "title": "content"},
    timeout_s=5,
    examples=[
        {
            "title": "Radiators",
            "property_id": 1120,
            "starts_at": "2026-01-20T09:30:00+00:00",
            "attendees": ["jobs@copperline-heating.example"],
        }
    ],
)
def schedule_visit(
    context: interlock.CallContext,
    title: Annotated[str, Field(min_length=3, max_length=200, description="What it is for.", examples=["Radiators"])],
    property_id: PropertyId,
    starts_at: Annotated[
        AwareDatetime, Field(description="When, with a zone.", examples=["2026-01-20T09:30:00+00:00"])
    ],
    attendees: Annotated[list[Email], Field(min_length=1, max_length=20, description="Who comes.")],
    duration_min: Annotated[int, Field(ge=5, le=480, description="How long, in minutes.", examples=[60])] = 60,
) -> Visit:
    """Put a visit at a property into the calendar. Call it once everybody who attends is known from the directory."""
    body = {"title": title, "property_id": property_id, "starts_at": starts_at.isoformat()}
    made: Visit = client.post(
        context, "/v1/calendar-events", body | {"duration_min": duration_min, "attendees": attendees}
    )
    return made


def _items(page: dict[str, Any]) -> list[Any]:
    items: list[Any] = page["items"]
    return items


def _all(context: interlock.CallContext, path: str) -> list[Any]:
    """Every row of a list, page by page."""
    rows: list[Any] = []
    while True:
        page = client.get(context, path, limit=PAGE_MAX, offset=len(rows))
        rows += _items(page)
        if not page["items"] or len(rows) >= page["total"]:
            return rows


def _alike(query: str, rows: Iterable[Any], names_of: Any) -> list[Any]:
    """The rows of which a name is most like the query, the nearest first."""
    by_name = {name.casefold(): row for row in rows for name in names_of(row)}
    near = get_close_matches(query.casefold(), by_name, n=CHOICES_MAX, cutoff=0.5)
    found = [by_name[name] for name in near]
    return [row for index, row in enumerate(found) if row not in found[:index]]

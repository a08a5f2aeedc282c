"""What can be asked: every route, what runs for it, and the fields that it takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from examples.property_management.service import leases, properties, tenants, visits, witness
from examples.property_management.service.answer import Problem
from examples.property_management.service.faults import Faults
from examples.property_management.service.page import PAGE
from examples.property_management.service.witness import Run


class Endpoint(NamedTuple):
    """A route and what runs for it.

    Attributes:
        name: What a fault names; of a change, also the `kind` of its effect.
        path: `{field}` stands for one segment, percent-decoded.
        fields: What the query of a GET or the body of a POST may hold; anything else is refused.
    """

    name: str
    method: str
    path: str
    run: Run
    fields: Sequence[str] = ()


def _get(path: str, run: Run, *fields: str) -> Endpoint:
    return Endpoint(run.__name__, "GET", path, run, fields)


def _post(path: str, run: Run, *fields: str) -> Endpoint:
    return Endpoint(run.__name__, "POST", path, run, fields)


def _by_key(noun: str, kind: str) -> Endpoint:
    return Endpoint(f"{kind}_by_key", "GET", f"/v1/{noun}/by-key/{{key}}", witness.by_key(kind))


REQUEST = ("property_id", "category", "priority", "description")
TENANT = ("property_id", "name", "email", "phone")
VISIT = ("title", "property_id", "starts_at", "duration_min", "attendees")

READS = (
    _get("/v1/properties", properties.search_properties, "q", "city", *PAGE),
    _get("/v1/properties/{property_id}", properties.get_property),
    _get("/v1/properties/{property_id}/tenants", properties.list_property_tenants, *PAGE),
    _get("/v1/maintenance-requests", properties.list_maintenance_requests, "property_id", "status", *PAGE),
    _get("/v1/tenants", tenants.search_tenants, "q", *PAGE),
    _get("/v1/tenants/{tenant_id}", tenants.get_tenant),
    _get("/v1/tenants/{tenant_id}/payments", tenants.list_tenant_payments, *PAGE),
    _get("/v1/payments/{payment_id}", tenants.get_payment),
    _get("/v1/directory", visits.search_directory, "q", *PAGE),
    _get("/v1/directory/{email}", visits.get_directory_entry),
    _get("/v1/calendar-events", visits.list_calendar_events, "property_id", *PAGE),
)
CHANGES = (
    _post("/v1/maintenance-requests", properties.create_maintenance_request, *REQUEST),
    _post("/v1/tenants", tenants.create_tenant, *TENANT),
    Endpoint("delete_tenant", "DELETE", "/v1/tenants/{tenant_id}", tenants.delete_tenant),
    _post("/v1/tenants/{tenant_id}/leases", leases.generate_lease, "starts_on", "ends_on"),
    Endpoint("void_lease", "DELETE", "/v1/leases/{lease_id}", leases.void_lease),
    _post("/v1/tenants/{tenant_id}/notices", tenants.send_notice, "channel", "subject", "message"),
    _post("/v1/tenants/{tenant_id}/late-fees", tenants.charge_late_fee, "amount_cents", "reason"),
    _post("/v1/payments/{payment_id}/refunds", tenants.refund_payment, "amount_cents", "reason"),
    _post("/v1/calendar-events", visits.schedule_visit, *VISIT),
)
LOOK_UPS = (
    _by_key("maintenance-requests", "create_maintenance_request"),
    _by_key("tenant-deletions", "delete_tenant"),
    _by_key("tenants", "create_tenant"),
    _by_key("leases", "generate_lease"),
    _by_key("lease-voidings", "void_lease"),
    _by_key("notices", "send_notice"),
    _by_key("late-fees", "charge_late_fee"),
    _by_key("refunds", "refund_payment"),
    _by_key("calendar-events", "schedule_visit"),
)
PUBLIC = READS + CHANGES + LOOK_UPS


def admin(faults: Faults) -> tuple[Endpoint, ...]:
    """The routes for whoever runs the demonstration; they ask for the admin token."""
    arm = ("endpoint", "mode", "times")
    return (
        Endpoint("list_effects", "GET", "/admin/effects", witness.list_effects, ("after",)),
        Endpoint("list_faults", "GET", "/admin/faults", witness.list_faults(faults)),
        Endpoint("arm_fault", "POST", "/admin/faults", witness.arm_fault(faults), arm),
    )


def find(endpoints: Iterable[Endpoint], method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
    """The endpoint for this method and path, and what the path's fields hold.

    Raises:
        Problem: 404 `route_not_found`; 405 `method_not_allowed` where another method would do.
    """
    allowed = []
    for endpoint in endpoints:
        fields = _match(endpoint.path, path)
        if fields is not None and endpoint.method == method:
            return endpoint, fields
        if fields is not None:
            allowed.append(endpoint.method)
    if allowed:
        methods = ", ".join(allowed)
        raise Problem(405, "method_not_allowed", f"Here only {methods} is known.", methods=methods)
    raise Problem(404, "route_not_found", "There is nothing at this address.")


def _match(template: str, path: str) -> dict[str, str] | None:
    parts, segments = template.split("/"), path.split("/")
    if len(parts) != len(segments):
        return None
    fields = {}
    for part, segment in zip(parts, segments, strict=True):
        if part.startswith("{") and segment:
            fields[part.strip("{}")] = unquote(segment)
        elif part != segment:
            return None
    return fields

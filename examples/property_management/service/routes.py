"""What can be asked: every route, what runs for it, and the fields that it takes."""

from __future__ import annotations

from examples.property_management.service import leases, properties, tenants, visits
from examples.service.endpoint import Endpoint, by_key, get, post
from examples.service.page import PAGE

REQUEST = ("property_id", "category", "priority", "description")
TENANT = ("property_id", "name", "email", "phone")
VISIT = ("title", "property_id", "starts_at", "duration_min", "attendees")

READS = (
    get("/v1/properties", properties.search_properties, "q", "city", *PAGE),
    get("/v1/properties/{property_id}", properties.get_property),
    get("/v1/properties/{property_id}/tenants", properties.list_property_tenants, *PAGE),
    get("/v1/maintenance-requests", properties.list_maintenance_requests, "property_id", "status", *PAGE),
    get("/v1/tenants", tenants.search_tenants, "q", *PAGE),
    get("/v1/tenants/{tenant_id}", tenants.get_tenant),
    get("/v1/tenants/{tenant_id}/payments", tenants.list_tenant_payments, *PAGE),
    get("/v1/payments/{payment_id}", tenants.get_payment),
    get("/v1/directory", visits.search_directory, "q", *PAGE),
    get("/v1/directory/{email}", visits.get_directory_entry),
    get("/v1/calendar-events", visits.list_calendar_events, "property_id", *PAGE),
)
CHANGES = (
    post("/v1/maintenance-requests", properties.create_maintenance_request, *REQUEST),
    post("/v1/tenants", tenants.create_tenant, *TENANT),
    Endpoint("delete_tenant", "DELETE", "/v1/tenants/{tenant_id}", tenants.delete_tenant),
    post("/v1/tenants/{tenant_id}/leases", leases.generate_lease, "starts_on", "ends_on"),
    Endpoint("void_lease", "DELETE", "/v1/leases/{lease_id}", leases.void_lease),
    post("/v1/tenants/{tenant_id}/notices", tenants.send_notice, "channel", "subject", "message"),
    post("/v1/tenants/{tenant_id}/late-fees", tenants.charge_late_fee, "amount_cents", "reason"),
    post("/v1/payments/{payment_id}/refunds", tenants.refund_payment, "amount_cents", "reason"),
    post("/v1/calendar-events", visits.schedule_visit, *VISIT),
)
LOOK_UPS = (
    by_key("maintenance-requests", "create_maintenance_request"),
    by_key("tenant-deletions", "delete_tenant"),
    by_key("tenants", "create_tenant"),
    by_key("leases", "generate_lease"),
    by_key("lease-voidings", "void_lease"),
    by_key("notices", "send_notice"),
    by_key("late-fees", "charge_late_fee"),
    by_key("refunds", "refund_payment"),
    by_key("calendar-events", "schedule_visit"),
)
PUBLIC = READS + CHANGES + LOOK_UPS

"""What the office keeps: its tables, and what stands in them on the first day."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from examples.property_management.service.seed import SEED, make_portfolio
from examples.service.store import Books, Value

TABLES = (
    "CREATE TABLE directory (name TEXT, email TEXT PRIMARY KEY, role TEXT)",
    "CREATE TABLE properties (id INTEGER PRIMARY KEY, name TEXT, street TEXT, city TEXT, postcode TEXT,"
    " units INTEGER, monthly_rent_cents INTEGER, manager TEXT)",
    "CREATE TABLE tenants (id INTEGER PRIMARY KEY, name TEXT, email TEXT, phone TEXT, property_id INTEGER,"
    " lease_start TEXT, lease_end TEXT)",
    # No foreign key to tenants: the accounts outlive a tenant who is deleted.
    "CREATE TABLE payments (id INTEGER PRIMARY KEY, tenant_id INTEGER, amount_cents INTEGER,"
    " refunded_cents INTEGER, status TEXT, date TEXT,"
    " CHECK (refunded_cents BETWEEN 0 AND amount_cents))",
    "CREATE TABLE refunds (id INTEGER PRIMARY KEY, payment_id INTEGER, amount_cents INTEGER, reason TEXT, at TEXT)",
    "CREATE TABLE late_fees (id INTEGER PRIMARY KEY, tenant_id INTEGER, amount_cents INTEGER, reason TEXT, at TEXT)",
    "CREATE TABLE notices (id INTEGER PRIMARY KEY, tenant_id INTEGER, recipient TEXT, channel TEXT,"
    " subject TEXT, message TEXT, at TEXT)",
    "CREATE TABLE leases (id INTEGER PRIMARY KEY, tenant_id INTEGER, property_id INTEGER, starts_on TEXT,"
    " ends_on TEXT, monthly_rent_cents INTEGER, status TEXT)",
    "CREATE TABLE maintenance_requests (id INTEGER PRIMARY KEY, property_id INTEGER, category TEXT,"
    " priority TEXT, description TEXT, status TEXT)",
    "CREATE TABLE calendar_events (id INTEGER PRIMARY KEY, title TEXT, property_id INTEGER, starts_at TEXT,"
    " duration_min INTEGER, attendees TEXT)",
)


def _records() -> Mapping[str, Sequence[tuple[Value, ...]]]:
    return make_portfolio(random.Random(SEED))._asdict()


BOOKS = Books(0x50_52_4F_50, TABLES, _records)

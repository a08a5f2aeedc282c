"""Tenants: who they are, what is written to them, what they pay, are charged and get back."""

from __future__ import annotations

import sqlite3

from examples.service.answer import Answer, Problem
from examples.service.page import holding, page
from examples.service.request import Request
from examples.service.store import Store, created, find_one

AMOUNT_CENTS_MAX = 10_000_000
LATE_FEE_CENTS_MAX = 50_000
CHANNELS = ("email", "sms", "letter")
NAME_MAX = 200
SUBJECT_MAX, MESSAGE_MAX, REASON_MAX = 200, 4_000, 500


def search_tenants(store: Store, request: Request) -> Answer:
    """Tenants with every word of `q` in their name or email."""
    words = request.text("q", 200, default="")
    return page(holding(words, store.rows("SELECT * FROM tenants ORDER BY id"), "name", "email"), request)


def get_tenant(store: Store, request: Request) -> Answer:
    """One tenant."""
    return Answer(200, store.one("tenant", request.whole("tenant_id")))


def create_tenant(store: Store, request: Request) -> Answer:
    """Make the record of somebody who is to rent in a property; their lease comes afterwards."""
    property_id = request.whole("property_id")
    name, email, phone = request.text("name", NAME_MAX), request.text("email", NAME_MAX), request.text("phone", 40)

    def do(db: sqlite3.Connection) -> Answer:
        find_one(db, "property", property_id)
        if db.execute("SELECT 1 FROM tenants WHERE email = ?", (email,)).fetchone():
            raise Problem(409, "tenant_exists", f"There is a tenant with the address {email} already.", field="email")
        tenant = {"name": name, "email": email, "phone": phone, "property_id": property_id}
        return created(db, "tenants", tenant | {"lease_start": "", "lease_end": ""})

    return store.change("create_tenant", request, do)


def delete_tenant(store: Store, request: Request) -> Answer:
    """Erase a tenant for good; the payments stay in the accounts."""
    tenant_id = request.whole("tenant_id")

    def do(db: sqlite3.Connection) -> Answer:
        find_one(db, "tenant", tenant_id)
        db.execute("DELETE FROM tenants WHERE id = ?", (tenant_id,))
        return Answer(200, {"id": tenant_id, "deleted": True})

    return store.change("delete_tenant", request, do)


def send_notice(store: Store, request: Request) -> Answer:
    """Write to a tenant; what is sent cannot be called back."""
    tenant_id = request.whole("tenant_id")
    channel = request.choice("channel", CHANNELS, default="email")
    subject, message = request.text("subject", SUBJECT_MAX), request.text("message", MESSAGE_MAX)

    def do(db: sqlite3.Connection) -> Answer:
        tenant = find_one(db, "tenant", tenant_id)
        recipient = tenant[{"email": "email", "sms": "phone", "letter": "name"}[channel]]
        notice = {"tenant_id": tenant_id, "recipient": recipient, "channel": channel, "subject": subject}
        return created(db, "notices", notice | {"message": message, "at": store.timestamp()})

    return store.change("send_notice", request, do)


def charge_late_fee(store: Store, request: Request) -> Answer:
    """Charge a tenant; asked twice without a key, it charges twice."""
    tenant_id, amount_cents = request.whole("tenant_id"), request.whole("amount_cents", 1, LATE_FEE_CENTS_MAX)
    reason = request.text("reason", REASON_MAX)

    def do(db: sqlite3.Connection) -> Answer:
        find_one(db, "tenant", tenant_id)
        fee = {"tenant_id": tenant_id, "amount_cents": amount_cents, "reason": reason}
        return created(db, "late_fees", fee | {"at": store.timestamp()})

    return store.change("charge_late_fee", request, do)


def list_tenant_payments(store: Store, request: Request) -> Answer:
    """A tenant's payments by day."""
    tenant_id = request.whole("tenant_id")
    store.one("tenant", tenant_id)
    return page(store.rows("SELECT * FROM payments WHERE tenant_id = ? ORDER BY date, id", tenant_id), request)


def get_payment(store: Store, request: Request) -> Answer:
    """One payment, with what was refunded of it."""
    return Answer(200, store.one("payment", request.whole("payment_id")))


def refund_payment(store: Store, request: Request) -> Answer:
    """Give back part or all of what was paid; irreversible, and never more than was paid."""
    payment_id, amount_cents = request.whole("payment_id"), request.whole("amount_cents", 1, AMOUNT_CENTS_MAX)
    reason = request.text("reason", REASON_MAX)

    def do(db: sqlite3.Connection) -> Answer:
        payment = find_one(db, "payment", payment_id)
        if payment["status"] in ("pending", "failed"):
            raise Problem(409, "payment_not_paid", f"Payment {payment_id} is {payment['status']}, not paid.")
        left = payment["amount_cents"] - payment["refunded_cents"]
        if amount_cents > left:
            detail = f"Of payment {payment_id}, {left} cents can be refunded, not {amount_cents}."
            raise Problem(422, "refund_exceeds_payment", detail, field="amount_cents", refundable_cents=left)
        db.execute(
            "UPDATE payments SET refunded_cents = refunded_cents + ?, status = ? WHERE id = ?",
            (amount_cents, "refunded" if amount_cents == left else "partially_refunded", payment_id),
        )
        refund = {"payment_id": payment_id, "amount_cents": amount_cents, "reason": reason}
        return created(db, "refunds", refund | {"at": store.timestamp()})

    return store.change("refund_payment", request, do)

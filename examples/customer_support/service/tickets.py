"""Tickets: what customers want, and how far it has come."""

from __future__ import annotations

import sqlite3

from examples.service.answer import Answer
from examples.service.page import page
from examples.service.request import Request
from examples.service.store import Store, created, find_one

PRIORITIES = ("low", "normal", "high")
STATUSES = ("open", "waiting", "solved")
SUBJECT_MAX, TEXT_MAX, NOTE_MAX = 200, 4_000, 1_000


def list_tickets(store: Store, request: Request) -> Answer:
    """Tickets in a state, the newest first."""
    status = request.choice("status", STATUSES, default="open")
    return page(store.rows("SELECT * FROM tickets WHERE status = ? ORDER BY id DESC", status), request)


def get_ticket(store: Store, request: Request) -> Answer:
    """One ticket, with whose it is."""
    return Answer(200, store.one("ticket", request.whole("ticket_id")))


def create_ticket(store: Store, request: Request) -> Answer:
    """Open a ticket about an order; its customer is the order's."""
    order_id, priority = request.whole("order_id"), request.choice("priority", PRIORITIES, default="normal")
    subject, text = request.text("subject", SUBJECT_MAX), request.text("text", TEXT_MAX)

    def do(db: sqlite3.Connection) -> Answer:
        customer = find_one(db, "customer", find_one(db, "order", order_id)["customer_id"])
        ticket = {"order_id": order_id, "customer_name": customer["name"], "customer_email": customer["email"]}
        said = {"subject": subject, "text": text, "priority": priority, "status": "open", "note": ""}
        return created(db, "tickets", ticket | said)

    return store.change("create_ticket", request, do)


def update_ticket(store: Store, request: Request) -> Answer:
    """Say how far a ticket has come."""
    ticket_id, status = request.whole("ticket_id"), request.choice("status", STATUSES)
    note = request.text("note", NOTE_MAX, default="")

    def do(db: sqlite3.Connection) -> Answer:
        find_one(db, "ticket", ticket_id)
        db.execute("UPDATE tickets SET status = ?, note = ? WHERE id = ?", (status, note, ticket_id))
        return Answer(200, find_one(db, "ticket", ticket_id))

    return store.change("update_ticket", request, do)

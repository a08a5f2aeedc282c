"""Properties, and what is to be mended in them."""

from __future__ import annotations

import sqlite3

from examples.property_management.service.names import COMPLAINTS
from examples.service.answer import Answer
from examples.service.page import holding, page
from examples.service.request import Request
from examples.service.store import Store, created, find_one

PRIORITIES = ("low", "normal", "high", "emergency")
STATUSES = ("any", "open", "scheduled", "done")
DESCRIPTION_MAX = 4_000


def search_properties(store: Store, request: Request) -> Answer:
    """Properties with every word of `q` in their name or address, and in `city` if it is given."""
    words, city = request.text("q", 200, default=""), request.text("city", 100, default="").casefold()
    rows = store.rows("SELECT * FROM properties ORDER BY id")
    rows = [row for row in rows if city in ("", row["city"].casefold())]
    return page(holding(words, rows, "name", "street", "city", "postcode"), request)


def get_property(store: Store, request: Request) -> Answer:
    """One property."""
    return Answer(200, store.one("property", request.whole("property_id")))


def list_property_tenants(store: Store, request: Request) -> Answer:
    """The tenants of one property, past and coming ones included."""
    property_id = request.whole("property_id")
    store.one("property", property_id)
    return page(store.rows("SELECT * FROM tenants WHERE property_id = ? ORDER BY id", property_id), request)


def list_maintenance_requests(store: Store, request: Request) -> Answer:
    """Requests, the newest first; of one property and in one status where these are given."""
    status = request.choice("status", STATUSES, default="any")
    rows = store.rows("SELECT * FROM maintenance_requests ORDER BY id DESC")
    if "property_id" in request:
        property_id = store.one("property", request.whole("property_id"))["id"]
        rows = [row for row in rows if row["property_id"] == property_id]
    return page([row for row in rows if status in ("any", row["status"])], request)


def create_maintenance_request(store: Store, request: Request) -> Answer:
    """Report something to mend; it begins as `open`."""
    property_id = request.whole("property_id")
    category = request.choice("category", tuple(COMPLAINTS))
    priority = request.choice("priority", PRIORITIES, default="normal")
    description = request.text("description", DESCRIPTION_MAX)

    def do(db: sqlite3.Connection) -> Answer:
        find_one(db, "property", property_id)
        new = {"property_id": property_id, "category": category, "priority": priority}
        return created(db, "maintenance_requests", new | {"description": description, "status": "open"})

    return store.change("create_maintenance_request", request, do)

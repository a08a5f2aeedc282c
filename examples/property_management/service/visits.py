"""The directory of staff and vendors, and the calendar of visits and meetings with them."""

from __future__ import annotations

import json
import sqlite3

from examples.service.answer import Answer, Problem
from examples.service.page import holding, page
from examples.service.request import Request
from examples.service.store import Store, created, find_one

TITLE_MAX, ATTENDEES_MAX = 200, 20
DURATION_MIN = (5, 480)


def search_directory(store: Store, request: Request) -> Answer:
    """Staff and vendors with every word of `q` in their name, email or role."""
    words = request.text("q", 200, default="")
    rows = store.rows("SELECT * FROM directory ORDER BY email")
    return page(holding(words, rows, "name", "email", "role"), request)


def get_directory_entry(store: Store, request: Request) -> Answer:
    """The entry with exactly this email."""
    email = request.text("email", 200)
    found = store.rows("SELECT * FROM directory WHERE email = ?", email)
    if not found:
        raise Problem(404, "directory_entry_not_found", f"Nobody has the email {email} here.", field="email")
    return Answer(200, found[0])


def list_calendar_events(store: Store, request: Request) -> Answer:
    """Visits and meetings by time; of one property where it is given."""
    rows = store.rows("SELECT * FROM calendar_events ORDER BY starts_at, id")
    if "property_id" in request:
        property_id = store.one("property", request.whole("property_id"))["id"]
        rows = [row for row in rows if row["property_id"] == property_id]
    return page([row | {"attendees": json.loads(row["attendees"])} for row in rows], request)


def schedule_visit(store: Store, request: Request) -> Answer:
    """Put a visit or meeting at a property into the calendar; every attendee must be in the directory."""
    title, property_id = request.text("title", TITLE_MAX), request.whole("property_id")
    starts_at, duration_min = request.moment("starts_at"), request.whole("duration_min", *DURATION_MIN)
    attendees = request.texts("attendees", ATTENDEES_MAX)

    def do(db: sqlite3.Connection) -> Answer:
        find_one(db, "property", property_id)
        known = {row["email"] for row in db.execute("SELECT email FROM directory")}
        unknown = [email for email in attendees if email not in known]
        if unknown:
            detail = f"Not in the directory: {', '.join(unknown)}."
            raise Problem(422, "attendee_unknown", detail, field="attendees", unknown=unknown)
        event = {"title": title, "property_id": property_id, "starts_at": starts_at}
        answer = created(
            db, "calendar_events", event | {"duration_min": duration_min, "attendees": json.dumps(attendees)}
        )
        return Answer(201, answer.body | {"attendees": attendees})

    return store.change("schedule_visit", request, do)

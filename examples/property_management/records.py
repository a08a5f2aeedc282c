"""What the service's records look like: the output schemas of the tools, and what policies know of a resource."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict  # pydantic takes no other below Python 3.12


class Property(TypedDict):
    """A building with `units` flats, each let at `monthly_rent_cents`."""

    id: int
    name: str
    street: str
    city: str
    postcode: str
    units: int
    monthly_rent_cents: int
    manager: str


class Tenant(TypedDict):
    """Somebody who rents a flat; both ends of the lease are ISO dates, inclusive."""

    id: int
    name: str
    email: str
    phone: str
    property_id: int
    lease_start: str
    lease_end: str


class Lease(TypedDict):
    """What a tenant signs; both ends are ISO dates, inclusive."""

    id: int
    tenant_id: int
    property_id: int
    starts_on: str
    ends_on: str
    monthly_rent_cents: int
    status: Literal["drawn_up", "void"]


class Payment(TypedDict):
    """One month's rent, and what was given back of it."""

    id: int
    tenant_id: int
    amount_cents: int
    refunded_cents: int
    status: Literal["paid", "pending", "failed", "partially_refunded", "refunded"]
    date: str


class MaintenanceRequest(TypedDict):
    """Something to mend."""

    id: int
    property_id: int
    category: str
    priority: str
    description: str
    status: Literal["open", "scheduled", "done"]


class DirectoryEntry(TypedDict):
    """Staff or a vendor: whom a visit can be arranged with."""

    name: str
    email: str
    role: str


class Visit(TypedDict):
    """A visit in the calendar; `starts_at` is UTC."""

    id: int
    title: str
    property_id: int
    starts_at: str
    duration_min: int
    attendees: list[str]


class Refund(TypedDict):
    """What was given back."""

    id: int
    payment_id: int
    amount_cents: int
    reason: str
    at: str


class LateFee(TypedDict):
    """What was charged."""

    id: int
    tenant_id: int
    amount_cents: int
    reason: str
    at: str


class Notice(TypedDict):
    """What was written to a tenant."""

    id: int
    tenant_id: int
    recipient: str
    channel: str
    subject: str
    message: str
    at: str


class NoticeFound(TypedDict):
    """Whether a notice was sent, and which."""

    done: bool
    result: Notice | None


class Deletion(TypedDict):
    """A tenant who is no longer there."""

    id: int
    deleted: bool


class NumberedChoice(TypedDict):
    """Something that exists, in the place of a number that names nothing."""

    id: int
    label: str


class NamedChoice(TypedDict):
    """The same for what is named by a text."""

    id: str
    label: str

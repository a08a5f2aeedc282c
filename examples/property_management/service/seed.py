"""The portfolio that a new service starts with: the same for the same random source, and nobody real in it.

Ids of different nouns do not overlap, so that an id of the wrong noun is never found by accident.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from typing import NamedTuple

from examples.property_management.service.names import (
    CITIES,
    COMPLAINTS,
    FAMILY_NAMES,
    FIRST_NAMES,
    HOUSE_KINDS,
    HOUSE_WORDS,
    ROOMS,
    STAFF,
    STREETS,
    VENDORS,
)

SEED = 7
TODAY = date(2026, 1, 15)
"""The day on which the seeded portfolio stands; leases and payments are laid around it."""

PROPERTIES, TENANTS, PAYMENTS, REQUESTS, CALENDAR_EVENTS = 120, 200, 300, 150, 40
RENT_MONTHS = 6
"""Months of rent before TODAY that payments are drawn from."""


class Property(NamedTuple):
    """A building with `units` flats, each let at `monthly_rent_cents`. `manager` is a directory email."""

    id: int
    name: str
    street: str
    city: str
    postcode: str
    units: int
    monthly_rent_cents: int
    manager: str


class Tenant(NamedTuple):
    """A person who rents a unit of one property; both ends of the lease are ISO dates, inclusive."""

    id: int
    name: str
    email: str
    phone: str
    property_id: int
    lease_start: str
    lease_end: str


class Payment(NamedTuple):
    """One month's rent. `status`: paid, pending, failed, partially_refunded, refunded."""

    id: int
    tenant_id: int
    amount_cents: int
    refunded_cents: int
    status: str
    date: str


class MaintenanceRequest(NamedTuple):
    """Something to mend. `priority`: low, normal, high, emergency; `status`: open, scheduled, done."""

    id: int
    property_id: int
    category: str
    priority: str
    description: str
    status: str


class DirectoryEntry(NamedTuple):
    """Staff or a vendor: whom a visit can be arranged with."""

    name: str
    email: str
    role: str


class CalendarEvent(NamedTuple):
    """A visit or meeting. `starts_at` is ISO with a zone, `attendees` a JSON list of directory emails."""

    id: int
    title: str
    property_id: int
    starts_at: str
    duration_min: int
    attendees: str


class Portfolio(NamedTuple):
    """Everything that the service starts with; each field is the table of its name."""

    directory: list[DirectoryEntry]
    properties: list[Property]
    tenants: list[Tenant]
    payments: list[Payment]
    maintenance_requests: list[MaintenanceRequest]
    calendar_events: list[CalendarEvent]


def make_portfolio(rng: random.Random) -> Portfolio:
    """All of it, decided by `rng` alone; the service passes `random.Random(SEED)`."""
    directory = _directory()
    properties = _properties(rng, [entry for entry in directory if entry.role == "property_manager"])
    tenants = _tenants(rng, properties)
    return Portfolio(
        directory=directory,
        properties=properties,
        tenants=tenants,
        payments=_payments(rng, properties, tenants),
        maintenance_requests=_maintenance_requests(rng, properties),
        calendar_events=_calendar_events(rng, properties, directory),
    )


def _directory() -> list[DirectoryEntry]:
    staff = [DirectoryEntry(name, _mailbox(name) + "@hearthside.example", role) for name, role in STAFF]
    vendors = [DirectoryEntry(name, "jobs@" + _domain(name) + ".example", role) for name, role in VENDORS]
    return staff + vendors


def _properties(rng: random.Random, managers: list[DirectoryEntry]) -> list[Property]:
    names = rng.sample([f"{word} {kind}" for word, kind in product(HOUSE_WORDS, HOUSE_KINDS)], PROPERTIES)
    addresses = rng.sample(list(product(range(1, 140), STREETS)), PROPERTIES)
    made = []
    for id_, (name, (number, street)) in enumerate(zip(names, addresses, strict=True), 1001):
        city, area = rng.choice(CITIES)
        made.append(
            Property(
                id=id_,
                name=name,
                street=f"{number} {street}",
                city=city,
                postcode=f"{area}{rng.randint(1, 9)} {rng.randint(1, 9)}{_letters(rng, 2)}",
                units=rng.choice((1, 1, 2, 2, 3, 4, 6, 8, 12, 18, 24)),
                monthly_rent_cents=rng.randrange(62_000, 245_000, 2_500),
                manager=rng.choice(managers).email,
            )
        )
    return made


def _tenants(rng: random.Random, properties: list[Property]) -> list[Tenant]:
    names = rng.sample([f"{first} {family}" for first, family in product(FIRST_NAMES, FAMILY_NAMES)], TENANTS)
    homes = rng.sample([home.id for home in properties for _ in range(home.units)], TENANTS)  # one a unit
    phones = rng.sample(range(1000), TENANTS)
    made = []
    for id_, (name, home, phone) in enumerate(zip(names, homes, phones, strict=True), 20_001):
        start = _first_of_month(TODAY, rng.randint(-22, 0))
        end = _first_of_month(start, rng.choice((12, 24, 36))) - timedelta(days=1)
        made.append(
            Tenant(
                id=id_,
                name=name,
                email=f"{_mailbox(name)}@{rng.choice(('example.com', 'example.net', 'example.org'))}",
                phone=f"+44 1632 960{phone:03}",  # the range that the British regulator keeps for fiction
                property_id=home,
                lease_start=start.isoformat(),
                lease_end=end.isoformat(),
            )
        )
    return made


def _payments(rng: random.Random, properties: list[Property], tenants: list[Tenant]) -> list[Payment]:
    rent = {home.id: home.monthly_rent_cents for home in properties}
    months = [_first_of_month(TODAY, -back) for back in range(RENT_MONTHS)]
    owed = [
        (month, tenant)
        for month, tenant in product(months, tenants)
        if tenant.lease_start <= month.isoformat() <= tenant.lease_end
    ]
    drawn = sorted((month + timedelta(days=rng.randrange(6)), who) for month, who in rng.sample(owed, PAYMENTS))
    made = []
    for id_, (day, tenant) in enumerate(drawn, 500_001):
        status = rng.choices(("paid", "pending", "failed", "refunded"), weights=(88, 5, 4, 3))[0]
        amount = rent[tenant.property_id]
        refunded = amount if status == "refunded" else 0
        made.append(Payment(id_, tenant.id, amount, refunded, status, day.isoformat()))
    return made


def _maintenance_requests(rng: random.Random, properties: list[Property]) -> list[MaintenanceRequest]:
    made = []
    for id_ in range(7001, 7001 + REQUESTS):
        category = rng.choice(tuple(COMPLAINTS))
        made.append(
            MaintenanceRequest(
                id=id_,
                property_id=rng.choice(properties).id,
                category=category,
                priority=rng.choices(("low", "normal", "high", "emergency"), weights=(25, 50, 20, 5))[0],
                description=rng.choice(COMPLAINTS[category]).format(room=rng.choice(ROOMS)),
                status=rng.choices(("open", "scheduled", "done"), weights=(40, 20, 40))[0],
            )
        )
    return made


def _calendar_events(
    rng: random.Random, properties: list[Property], directory: list[DirectoryEntry]
) -> list[CalendarEvent]:
    vendors = [entry.email for entry in directory[len(STAFF) :]]
    made = []
    for id_ in range(9001, 9001 + CALENDAR_EVENTS):
        home = rng.choice(properties)
        purpose = rng.choice(("Annual inspection", "Viewing", "Contractor visit", "Handover", "Safety check"))
        day = TODAY + timedelta(days=rng.randint(1, 45))
        starts_at = datetime.combine(day, time(rng.randint(8, 16), rng.choice((0, 30))), tzinfo=UTC)
        made.append(
            CalendarEvent(
                id=id_,
                title=f"{purpose}: {home.name}",
                property_id=home.id,
                starts_at=starts_at.isoformat(),
                duration_min=rng.choice((30, 45, 60, 90)),
                attendees=json.dumps([home.manager, rng.choice(vendors)]),
            )
        )
    return made


def _first_of_month(day: date, months: int) -> date:
    """The first of the month that lies `months` after the month of `day` (before it, if negative)."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1)


def _mailbox(name: str) -> str:
    return name.lower().replace(" ", ".")


def _domain(name: str) -> str:
    return name.lower().replace(" & ", "-and-").replace(" ", "-")


def _letters(rng: random.Random, many: int) -> str:
    return "".join(rng.choices("ABDEFGHJLNPRSTUWXYZ", k=many))

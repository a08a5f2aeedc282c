"""The seeded portfolio: always the same, of a believable size, consistent, and nobody real in it."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from examples.property_management.service.seed import SEED, Portfolio, make_portfolio


@pytest.fixture(scope="module")
def portfolio() -> Portfolio:
    return make_portfolio(random.Random(SEED))


def test_the_same_random_source_makes_the_same_portfolio_and_another_makes_another(portfolio: Portfolio) -> None:
    assert make_portfolio(random.Random(SEED)) == portfolio
    assert make_portfolio(random.Random(SEED + 1)) != portfolio


def test_it_has_the_size_of_a_real_portfolio(portfolio: Portfolio) -> None:
    sizes = {table: len(rows) for table, rows in portfolio._asdict().items()}
    assert sizes == {
        "directory": 20,
        "properties": 120,
        "tenants": 200,
        "payments": 300,
        "maintenance_requests": 150,
        "calendar_events": 40,
    }


def test_no_name_or_address_stands_twice_so_that_a_name_leads_to_one_id(portfolio: Portfolio) -> None:
    for names in (
        [home.name for home in portfolio.properties],
        [(home.street, home.city) for home in portfolio.properties],
        [tenant.name for tenant in portfolio.tenants],
        [tenant.email.partition("@")[0] for tenant in portfolio.tenants],
        [tenant.phone for tenant in portfolio.tenants],
        [entry.email for entry in portfolio.directory],
    ):
        assert len(set(names)) == len(names)


def test_ids_of_different_nouns_do_not_overlap(portfolio: Portfolio) -> None:
    tables = (
        portfolio.properties,
        portfolio.tenants,
        portfolio.payments,
        portfolio.maintenance_requests,
        portfolio.calendar_events,
    )
    ids = [row.id for table in tables for row in table]
    assert len(set(ids)) == len(ids)


def test_every_reference_leads_somewhere_and_no_house_has_more_tenants_than_units(portfolio: Portfolio) -> None:
    homes = {home.id: home for home in portfolio.properties}
    tenants = {tenant.id: tenant for tenant in portfolio.tenants}
    emails = {entry.email for entry in portfolio.directory}
    assert {home.manager for home in portfolio.properties} <= emails
    assert {email for event in portfolio.calendar_events for email in json.loads(event.attendees)} <= emails
    assert {request.property_id for request in portfolio.maintenance_requests} <= set(homes)
    for home_id, living in Counter(tenant.property_id for tenant in portfolio.tenants).items():
        assert living <= homes[home_id].units
    for payment in portfolio.payments:
        tenant = tenants[payment.tenant_id]
        assert tenant.lease_start <= payment.date <= tenant.lease_end
        assert payment.amount_cents == homes[tenant.property_id].monthly_rent_cents
        assert payment.refunded_cents == (payment.amount_cents if payment.status == "refunded" else 0)


def test_mail_telephone_and_postcodes_are_of_the_ranges_kept_for_fiction(portfolio: Portfolio) -> None:
    for entry in portfolio.directory:
        assert entry.email.endswith(".example")
    for tenant in portfolio.tenants:
        assert tenant.email.endswith(("@example.com", "@example.net", "@example.org"))
        assert tenant.phone.startswith("+44 1632 960")
    assert {home.postcode[0] for home in portfolio.properties} == {"Q"}

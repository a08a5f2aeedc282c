"""One property service for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.examples.property_process import Service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("service") / "property.db")
    yield service
    armed = service.get("/admin/faults").body["items"]
    assert service.end() == 0
    assert armed == [], "a test left a fault armed"


@pytest.fixture
def tenant(service: Service) -> dict[str, Any]:
    """Some tenant who is still there."""
    found: dict[str, Any] = service.get("/v1/tenants?limit=1").body["items"][0]
    return found


@pytest.fixture
def paid(service: Service) -> dict[str, Any]:
    """A payment of which nothing was refunded yet, of a tenant who is still there."""
    payments = (service.get(f"/v1/payments/{payment_id}").body for payment_id in range(500_001, 500_301))
    paid = (payment for payment in payments if payment["status"] == "paid")
    return next(payment for payment in paid if service.get(f"/v1/tenants/{payment['tenant_id']}").status == 200)

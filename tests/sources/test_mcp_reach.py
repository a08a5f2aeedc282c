"""T17 for servers at an address: what is sent to one goes where the operator said, and nowhere inside."""

from __future__ import annotations

import httpx2
import pytest

from interlock.net.reach import PUBLIC, Reach, reach_of
from interlock.sources.mcp_http import Address, Bounded
from interlock.sources.mcp_link import TRIP, Trip
from tests.net.far_ends import FarEnd
from tests.sources.documents import TLS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("reach", "reached"),
    [(PUBLIC, False), (reach_of(["127.0.0.1"], "x"), True), (PUBLIC.with_literal("http://x/"), False)],
)
async def test_a_server_that_is_not_public_is_reached_only_where_the_operator_said_so(
    reach: Reach, reached: bool
) -> None:
    with FarEnd() as canary:
        bounded = Bounded(Address(url=canary.url, reach=reach, tls=TLS))
        trip = Trip()
        TRIP.set(trip)
        request = httpx2.Request("POST", canary.url, content=b"{}", extensions={"timeout": {"connect": 5, "read": 5}})
        response = await bounded.handle_async_request(request)
        await response.aclose()
        await bounded.aclose()
    assert (canary.connections == 1) is reached and trip.not_sent is not reached

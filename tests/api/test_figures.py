"""Figures over HTTP: each of one's own tenant, and a deployment's for those who run it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from interlock import Principal
from interlock.keys import READ
from interlock.ledger.alerted import About, AlertBook
from tests.api.stand import Api, opened

pytestmark = pytest.mark.anyio

LIMITS = {
    "budgets": [{"name": "a-day", "unit": "calls", "most": 5, "every": "day"}],
    "rates": [{"name": "slow", "calls": 10, "per_s": 60}],
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened(tmp_path, limits=LIMITS) as found:
        yield found


async def counted(api: Api) -> None:
    """Return once the figures have what was committed."""
    with anyio.fail_after(30):
        while api.site.measures.position < api.site.store.position():
            await anyio.lowlevel.checkpoint()


async def two_calls(api: Api) -> str:
    run_id = await api.run("ana", budget={"calls": 9})
    await api.call(run_id, "look_up")
    await api.call(run_id, "refund")
    await counted(api)
    api.clock.advance(1.0)
    return run_id


async def test_an_overview_is_of_ones_tenant_and_of_a_time(api: Api) -> None:
    """T35."""
    await two_calls(api)
    found = (await api.get("vera", "/overview?since=1h")).body
    assert (found["calls"], found["answers"]["done"], found["answers"]["held"]) == (2, 1, 1)
    assert {each["tool"] for each in found["tools"]} == {"look_up", "refund"}
    assert (await api.get("eve", "/overview")).body["calls"] == 0
    for query in ("since=1h&until=2h", "since=1h&until=1h", "until=1900-01-01T00:00Z", "until=2999-01-01T00:00Z"):
        assert (await api.get("vera", f"/overview?{query}")).code == "overview.range"
    assert (await api.get("ana", "/overview")).status == 403


async def test_budgets_and_rates_are_told_as_they_stand(api: Api) -> None:
    run_id = await two_calls(api)
    found = (await api.get("vera", "/budgets")).body
    used = {(each["name"], each["whose"].get("run")): each["spent"] + each["reserved"] for each in found["budgets"]}
    assert used == {("a-day", None): 1, ("", run_id): 1}
    assert [(each["name"], each["calls"], each["free"]) for each in found["rates"]] == [("slow", 10, 9)]
    theirs = (await api.get("eve", "/budgets")).body
    assert [(each["spent"], each["reserved"]) for each in theirs["budgets"]] == [(0, 0)]
    assert theirs["rates"] == []


async def test_what_is_out_of_the_ordinary_is_told_of_ones_own_tenant(api: Api) -> None:
    about = About("default", "errors", "refund")
    await AlertBook(api.site.store).raise_(about, "half of the calls fail", {"failed": 5, "calls": 10})
    [alert] = (await api.get("vera", "/alerts")).body["items"]
    assert (alert["rule"], alert["subject"], alert["figures"]["failed"]) == ("errors", "refund", 5)
    assert (await api.get("eve", "/alerts")).body["items"] == []


async def test_prometheus_is_told_all_only_by_a_key_of_those_who_run_the_deployment(api: Api) -> None:
    """T35: whoever may see a tenant's figures gets that tenant's; the scope `read` is enough for either."""
    await two_calls(api)
    run_id = await api.run("eve-agent")
    await api.call(run_id, "look_up", "eve-agent")
    await counted(api)
    scraper = await api.key(Principal("scraper", roles=frozenset({"operator"}), kind="service"), {READ})
    whole = await api.get(scraper, "/metrics")
    assert whole.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'interlock_calls_total{effect="irreversible",outcome="held"' in whole.body
    assert 'tenant="default"' in whole.body and 'tenant="other"' in whole.body
    for who, own, other in (("vera", "default", "other"), ("eve", "other", "default")):
        part = (await api.get(who, "/metrics")).body
        assert f'tenant="{own}"' in part
        assert f'tenant="{other}"' not in part
    assert (await api.get("", "/metrics")).status == 401
    assert (await api.get("ana", "/metrics")).status == 403

"""The ledger over HTTP: how far it is sealed, whether it holds, proofs, and the audit's questions within one tenant."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interlock.api import ledger
from tests.api.stand import Api, opened

pytestmark = pytest.mark.anyio


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened(tmp_path, ledger=Path("ledger.db")) as found:
        yield found


async def test_the_state_of_the_seal_is_for_those_who_run_the_deployment(api: Api) -> None:
    await api.run("ana")
    await api.plane.seal()
    found = (await api.get("opa", "/ledger")).body
    assert found["kept"] and found["missing"] == ""
    assert found["sealed"] == found["events"] > 0
    assert [sink["standing"] for sink in found["sinks"]] == ["current"]
    for who in ("vera", "bob", "eve"):
        assert (await api.get(who, "/ledger")).status == 403
    assert (await api.get("eve", "/ledger")).code == "ledger.tenant"


async def test_a_small_ledger_is_verified_while_one_waits(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await api.run("ana")
    await api.plane.seal()
    found = (await api.post("opa", "/ledger/verify")).body
    assert (found["ok"], found["finding"], found["found"]) == (True, None, [])
    assert found["verified"] == [1, found["events"]]
    for who in ("vera", "eve"):
        assert (await api.post(who, "/ledger/verify")).status == 403
    monkeypatch.setattr(ledger, "EVENTS_MAX", 1)
    large = await api.post("opa", "/ledger/verify")
    assert (large.status, large.code) == (409, "ledger.large")
    assert "interlock ledger verify" in large.body["remedy"]


async def test_an_event_of_ones_tenant_is_proved_and_no_other(api: Api) -> None:
    run_id = await api.run("ana")
    await api.plane.seal()
    found = (await api.get("vera", f"/ledger/proofs/{run_id}/1")).body
    assert found["event"] == f"{run_id}/1"
    assert found["index"] < found["to"]
    theirs = await api.get("eve", f"/ledger/proofs/{run_id}/1")
    assert (theirs.status, theirs.code) == (404, "run.not_found")
    assert (await api.get("vera", f"/ledger/proofs/{run_id}/99")).code == "prove.no_event"
    assert (await api.get("vera", f"/ledger/proofs/{run_id}/0")).status == 422
    later = await api.run("ana")
    assert (await api.get("vera", f"/ledger/proofs/{later}/1")).code == "prove.later"


async def test_a_ledger_in_memory_says_that_it_is_kept_nowhere(tmp_path: Path) -> None:
    async with opened(tmp_path) as api:
        run_id = await api.run("ana")
        assert (await api.get("opa", "/ledger")).body["kept"] is False
        for found in (await api.post("opa", "/ledger/verify"), await api.get("vera", f"/ledger/proofs/{run_id}/1")):
            assert (found.status, found.code) == (409, "ledger.in_memory")


async def test_the_audit_is_asked_page_by_page_within_ones_tenant(api: Api) -> None:
    """T35."""
    run_id = await api.run("ana")
    for n in range(3):
        await api.call(run_id, "look_up", n=n)
    await api.call(run_id, "refund")
    seen, path = [], "/audit/tool_call?tool=look_up&since=1h&limit=2"
    page = (await api.get("vera", path)).body
    seen += page["items"]
    last = (await api.get("vera", f"{path}&cursor={page['next']}")).body
    seen += last["items"]
    assert last["next"] is None
    assert len({item["call_id"] for item in seen}) == 3
    assert {item["tool"] for item in seen} == {"look_up"}
    held = (await api.get("vera", f"/audit/authz_decision?run_id={run_id}&decision=require_approval")).body["items"]
    assert len(held) == 1
    assert (await api.get("eve", f"/audit/tool_call?run_id={run_id}")).body["items"] == []
    other = await api.get("eve", f"{path}&cursor={page['next']}")
    assert (other.status, other.code) == (400, "http.cursor")


async def test_a_question_that_cannot_be_asked_is_refused_with_what_is_wrong(api: Api) -> None:
    assert (await api.get("vera", "/audit/nothing")).status == 422
    assert (await api.get("vera", "/audit/run?tool=refund")).code == "audit.column"
    assert (await api.get("vera", "/audit/run?tenant=other")).status == 422
    assert (await api.get("vera", "/audit/run?since=soon")).code == "time.unreadable"
    assert (await api.get("ana", "/audit/run")).status == 403

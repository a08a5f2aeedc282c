"""The policy over HTTP: read, checked, explained, tried on recorded calls, and loaded again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interlock.core.event import Fact, Kind
from interlock.ledger.loaded import loaded_body
from tests.api.stand import RULES, Api, opened

pytestmark = pytest.mark.anyio


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened(tmp_path) as found:
        yield found


async def test_the_policy_in_force_is_read_rule_by_rule(api: Api) -> None:
    found = await api.get("vera", "/policy")
    assert (found.body["mode"], found.body["shadow"]) == ("enforce", None)
    assert [(rule["effect"], rule["approvers"]) for rule in found.body["rules"]] == [
        ("permit", []), ("forbid", ["approver"]), ("forbid", ["approver"]),
    ]  # fmt: skip
    assert found.body["rules"][2]["quorum"] == 2
    assert (await api.get("vera", "/policy", if_none_match=found.headers["etag"])).status == 304


async def test_a_policy_is_checked_without_coming_into_force(api: Api) -> None:
    before = (await api.get("vera", "/policy")).body
    good = await api.post(
        "vera", "/policy/check", {"text": RULES + 'forbid (principal, action == Action::"note", resource);'}
    )
    assert len(good.body["rules"]) == 4
    for wrong in ("permit (principal", 'permit (principal, action == Action::"nothing", resource);'):
        refused = await api.post("vera", "/policy/check", {"text": wrong})
        assert refused.status == 422
        assert "sent.cedar" in refused.body["detail"]
    assert (await api.get("vera", "/policy")).body == before


async def test_a_call_is_explained_and_nothing_of_it_is_recorded(api: Api) -> None:
    before = api.site.store.position()
    asked = {"tool": "refund", "arguments": {"n": 1}, "principal": "ana", "roles": ["support"]}
    found = (await api.post("vera", "/policy/explain", asked)).body
    assert found["stopped"] is None
    assert found["explanation"]["decision"]["verdict"] == "require_approval"
    assert [rule["rule"] for rule in found["explanation"]["rules"] if rule["determined"]][1:] == ["a-person-looks"]
    stopped = (await api.post("vera", "/policy/explain", {**asked, "tool": "nothing"})).body
    assert (stopped["stopped"]["outcome"], stopped["explanation"]) == ("refused", None)
    assert api.site.store.position() == before
    assert api.far.ran == []


async def test_a_change_is_tried_on_the_tenants_recorded_calls(api: Api) -> None:
    run_id = await api.run("ana")
    for tool in ("look_up", "note", "refund"):
        await api.call(run_id, tool)
    closed = RULES + 'forbid (principal, action == Action::"look_up", resource);'
    before = api.site.store.position()
    found = (await api.post("opa", "/policy/backtest", {"text": closed, "since": "1h"})).body
    assert (found["calls"], found["compared"], found["changed"]) == (3, 3, 1)
    assert found["tools"] == [{"tool": "look_up", "was": "allow", "now": "deny", "calls": 1}]
    assert api.site.store.position() == before
    theirs = (await api.post("eve", "/policy/backtest", {"text": closed})).body
    assert theirs["calls"] == 0
    assert (await api.post("vera", "/policy/backtest", {"text": closed})).status == 403
    assert (await api.post("opa", "/policy/backtest", {"text": "permit ("})).status == 422
    assert (await api.post("opa", "/policy/backtest", {"text": closed, "since": "soon"})).code == "time.unreadable"


async def test_the_operators_files_are_loaded_again_and_what_does_not_load_changes_nothing(api: Api) -> None:
    rules = api.folder / "policy" / "rules.cedar"
    before = (await api.get("vera", "/policy")).body["digest"]
    rules.write_text(RULES + 'forbid (principal, action == Action::"look_up", resource);')
    loaded = await api.post("opa", "/policy/reload")
    assert loaded.body["digest"] != before
    assert len((await api.get("vera", "/policy")).body["rules"]) == 4
    run_id = await api.run("ana")
    assert (await api.call(run_id, "look_up")).body["outcome"] == "refused"
    rules.write_text("permit (")
    broken = await api.post("opa", "/policy/reload")
    assert broken.status == 422
    assert (await api.get("vera", "/policy")).body["digest"] == loaded.body["digest"]
    for who in ("vera", "bob", "eve"):
        assert (await api.post(who, "/policy/reload")).status == 403


async def test_a_process_whose_files_are_not_those_that_were_loaded_elsewhere_is_not_ready(api: Api) -> None:
    assert (await api.get("", "/readyz")).status == 200
    said = Fact(Kind.CONFIG, loaded_body("0" * 64, ""), principal_id="olga")
    await api.plane.plane.switch.say("default", said, everywhere=True)  # as another process
    assert (await api.get("", "/readyz")).status == 503
    assert (await api.get("", "/healthz")).status == 200
    run_id = await api.run("ana")
    assert (await api.call(run_id, "look_up")).body["outcome"] == "done"
    assert "not those that were loaded" in (await api.get("vera", "/policy")).body["behind"]
    assert (await api.post("opa", "/policy/reload")).status == 200
    assert (await api.get("vera", "/policy")).body["behind"] is None
    assert (await api.get("", "/readyz")).status == 200

"""Grants, stops and whose a key is, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interlock.keys import TOOLS
from tests.api.stand import BOB, Api, opened

pytestmark = pytest.mark.anyio

TERMS = {"tool": "refund", "where": {"/n": {"equals": 1}}, "uses": 1, "lasts_s": 3600, "reason": "spring"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened(tmp_path) as found:
        yield found


async def test_a_grant_answers_a_hold_as_often_as_it_says(api: Api) -> None:
    given = await api.post("bob", "/grants", TERMS)
    assert (given.status, given.body["status"], given.body["used"]) == (201, "live", 0)
    path = given.headers["location"].removeprefix("/api/v1")
    run_id = await api.run()
    assert (await api.call(run_id, "refund")).body["outcome"] == "done"
    used = (await api.get("vera", path)).body
    assert (used["used"], used["status"]) == (1, "used up")
    assert (await api.call(await api.run(), "refund")).status == 202


async def test_the_same_key_gives_one_grant(api: Api) -> None:
    first = await api.post("bob", "/grants", TERMS, idempotency_key="k")
    again = await api.post("bob", "/grants", TERMS, idempotency_key="k")
    assert (first.status, again.status, again.headers["idempotent-replay"]) == (201, 200, "true")
    assert again.body == first.body
    other = await api.post("bob", "/grants", {**TERMS, "uses": 2}, idempotency_key="k")
    assert (other.status, other.code) == (409, "grant.name_reused")
    somebody = await api.post("cay", "/grants", TERMS, idempotency_key="k")
    assert (somebody.status, somebody.body["grant_id"] == first.body["grant_id"]) == (201, False)
    assert len((await api.get("vera", "/grants")).body["items"]) == 2


async def test_only_a_person_who_decides_grants(api: Api) -> None:
    """T24."""
    assert [(await api.post(who, "/grants", TERMS)).status for who in ("ana", "host", "opa", "vera", "")] == [
        403, 403, 403, 403, 401,
    ]  # fmt: skip
    assert (await api.get("vera", "/grants")).body["items"] == []
    agent = await api.key(BOB, {TOOLS})  # an approver's, for tools
    assert (await api.post(agent, "/grants", TERMS)).code == "auth.scope"
    given = (await api.post("bob", "/grants", TERMS)).body
    assert (await api.post(agent, f"/grants/{given['grant_id']}/endorse")).code == "auth.scope"
    assert (await api.ask(agent, "DELETE", f"/grants/{given['grant_id']}?reason=x")).code == "auth.scope"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"tool": "nowhere"}, 404),
        ({"tool": "delete_tenant"}, 400),
        ({"uses": 0}, 422),
        ({"uses": True}, 422),
        ({"lasts_s": 30 * 86_400 + 1}, 422),
        ({"reason": ""}, 422),
        ({"where": {"/n": {"like": 1}}}, 400),
    ],
)
async def test_terms_that_are_none_are_refused(api: Api, change: dict[str, object], status: int) -> None:
    assert (await api.post("bob", "/grants", TERMS | change)).status == status
    assert (await api.get("vera", "/grants")).body["items"] == []


async def test_a_grant_is_endorsed_once_by_another_and_revoked_once(api: Api) -> None:
    given = (await api.post("bob", "/grants", TERMS)).body
    path = f"/grants/{given['grant_id']}"
    seen = await api.get("cay", path)
    assert (await api.post("bob", f"{path}/endorse")).code == "grant.twice"
    assert (await api.post("cay", f"{path}/endorse", if_match='"another"')).code == "http.match"
    for again in (None, "true"):
        told = await api.post("cay", f"{path}/endorse", idempotency_key="k")
        assert (told.status, told.headers.get("idempotent-replay")) == (200, again)
        assert [voice["person"] for voice in told.body["given_by"]] == ["bob", "cay"]
    stale = await api.ask("opa", "DELETE", f"{path}?reason=over", if_match=seen.headers["etag"])
    assert stale.status == 412
    assert [(await api.ask(who, "DELETE", f"{path}?reason=x")).status for who in ("ana", "vera", "eve")] == [
        403, 403, 404,
    ]  # fmt: skip
    assert (await api.ask("opa", "DELETE", path)).status == 422
    for again in (None, "true"):
        told = await api.ask("opa", "DELETE", f"{path}?reason=over", idempotency_key="k")
        assert (told.status, told.body["status"], told.headers.get("idempotent-replay")) == (200, "revoked", again)
    assert (await api.ask("opa", "DELETE", f"{path}?reason=over")).code == "grant.over"
    assert (await api.ask("bob", "DELETE", f"{path}?reason=over", idempotency_key="k")).code == "grant.over"
    assert (await api.get("vera", f"{path}x")).code == "grant.not_found"


async def test_grants_are_listed_page_by_page_and_by_how_they_stand(api: Api) -> None:
    made = [(await api.post("bob", "/grants", {**TERMS, "uses": n})).body["grant_id"] for n in (1, 2, 3)]
    first = (await api.get("vera", "/grants?limit=2")).body
    rest = (await api.get("vera", f"/grants?limit=2&cursor={first['next']}")).body
    assert [item["grant_id"] for item in first["items"] + rest["items"]] == made[::-1]
    assert rest["next"] is None
    assert (await api.get("vera", "/grants?status=revoked")).body["items"] == []
    assert len((await api.get("vera", "/grants?status=live&tool=refund")).body["items"]) == 3
    assert (await api.get("eve", "/grants")).body["items"] == []
    assert (await api.get("ana", "/grants")).status == 403


async def test_a_stop_binds_the_next_call_and_is_taken_back(api: Api) -> None:
    run_id = await api.run()
    stop = {"scope": "tool", "target": "look_up", "reason": "drill"}
    assert [(await api.post(who, "/stops", stop)).status for who in ("ana", "vera", "bob", "")] == [403, 403, 403, 401]
    for _ in range(2):
        told = await api.post("opa", "/stops", stop)
        assert told.body["items"] == [{**stop, "tenant": "default"}]
    assert (await api.call(run_id, "look_up")).body["outcome"] == "refused"
    gone = await api.ask("opa", "DELETE", "/stops?scope=tool&target=look_up")
    assert (gone.status, gone.body["items"]) == (200, [])
    assert (await api.call(run_id, "look_up", n=2)).body["outcome"] == "done"


@pytest.mark.parametrize("stop", [{"scope": "all", "target": "x"}, {"scope": "tool"}, {"scope": "tool", "target": ""}])
async def test_a_stop_names_what_it_stops(api: Api, stop: dict[str, str]) -> None:
    refused = await api.post("opa", "/stops", {**stop, "reason": "drill"})
    assert (refused.status, refused.code) == (400, "http.target")


async def test_a_stop_of_another_tenant_is_neither_made_nor_seen_from_here(api: Api) -> None:
    for scope, target in (("all", ""), ("tenant", "default")):
        refused = await api.post("eve", "/stops", {"scope": scope, "target": target, "reason": "x"})
        assert (refused.status, refused.code) == (403, "switch.tenant")
    await api.post("opa", "/stops", {"scope": "tool", "target": "look_up", "reason": "ours"})
    await api.post("opa", "/stops", {"scope": "tenant", "target": "default", "reason": "ours"})
    await api.post("opa", "/stops", {"scope": "tenant", "target": "other", "reason": "theirs"})
    assert [item["target"] for item in (await api.get("eve", "/stops")).body["items"]] == ["other"]
    assert len((await api.get("vera", "/stops")).body["items"]) == 3


async def test_a_key_says_whose_it_is_and_what_it_opens(api: Api) -> None:
    bob = (await api.get("bob", "/me")).body
    assert bob == {
        "id": "bob", "tenant": "default", "kind": "user", "roles": ["approver"], "scopes": ["console"], "by": "key",
        "permissions": ["see", "decide"], "groups": ["approver"],
    }  # fmt: skip
    assert (await api.get("ana", "/me")).body["permissions"] == ["propose"]
    assert (await api.get("host", "/me")).body["scopes"] == ["attest:words", "tools"]
    assert (await api.get("opa", "/me")).body["permissions"] == ["see", "operate"]
    assert (await api.get("", "/me")).status == 401

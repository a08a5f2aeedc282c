"""Approvals over HTTP: who may see and decide, that an answer binds what was shown, and that it counts once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest

from interlock import Principal
from interlock.api import approvals
from interlock.api.who import Who
from interlock.errors import NotEntitled
from interlock.keys import CONSOLE, READ, TOOLS, WRITE
from tests.api.stand import BOB, OPA, Api, opened

pytestmark = pytest.mark.anyio


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened(tmp_path) as found:
        yield found


async def held(api: Api, tool: str = "refund", n: int = 1, who: str = "ana") -> tuple[str, dict[str, Any]]:
    """A run with a call that waits, and its request as somebody who may see it is shown it."""
    run_id = await api.run(who)
    told = await api.call(run_id, tool, who, n=n)
    assert told.status == 202
    return run_id, (await api.get("bob", told.headers["location"].removeprefix("/api/v1"))).body


def saying(request: dict[str, Any], decision: str = "approve", **more: Any) -> dict[str, Any]:
    return {"decision": decision, "digest": request["digest"], "nonce": request["nonce"], **more}


def at(request: dict[str, Any]) -> str:
    return f"/approvals/{request['approval_id']}"


async def test_a_request_shows_exactly_what_would_run(api: Api) -> None:
    """B10."""
    run_id, request = await held(api, n=7)
    assert (request["status"], request["arguments"], request["text"]) == ("pending", {"n": 7}, '{"n":7}')
    assert (request["tool"]["name"], request["effect"], request["subject"]["id"]) == ("refund", "irreversible", "ana")
    assert (request["groups"], request["quorum"], request["run_id"]) == (["approver"], 1, run_id)


async def test_an_approval_counts_once_and_the_call_runs_once(api: Api) -> None:
    run_id, request = await held(api)
    path, body = f"{at(request)}/decision", saying(request, viewed_ms=3000)
    first = await api.post("bob", path, body, idempotency_key="k")
    assert (first.status, first.body["status"], first.body["approved_by"]) == (200, "approved", ["bob"])
    again = await api.post("bob", path, body, idempotency_key="k")
    assert (again.status, again.headers["idempotent-replay"]) == (200, "true")
    assert again.body == first.body
    assert (await api.post("bob", path, body)).code == "approval.settled"
    assert (await api.post("cay", path, body, idempotency_key="k")).code == "approval.settled"
    for change in ({"words": "fine"}, {"nonce": "0" * 32}, {"digest": "0" * 64}):
        assert (await api.post("bob", path, body | change, idempotency_key="k")).code == "approval.settled"
    other = await api.post("bob", path, saying(request, "reject", words="no"), idempotency_key="k")
    assert (other.status, other.code) == (409, "approval.settled")
    await api.plane.advance(run_id)
    assert api.far.names == ["refund"]
    done = await api.get("ana", f"/runs/{run_id}/calls/{request['call_id']}")
    assert done.body["told"]["outcome"] == "done"
    assert (await api.post("bob", path, body, idempotency_key="k")).status == 200
    assert api.far.names == ["refund"]


async def test_a_rejection_an_edit_and_a_response_are_each_told(api: Api) -> None:
    run_id, request = await held(api)
    told = await api.post("bob", f"{at(request)}/decision", saying(request, "reject", words="refund the other one"))
    assert (told.body["status"], told.body["words_of_answer"]) == ("rejected", "refund the other one")
    body = saying(request, "respond", words="refund the other one", value=None)
    assert (await api.post("bob", f"{at(request)}/decision", body, idempotency_key="k")).code == "approval.settled"
    _, request = await held(api, n=2)
    body = saying(request, "respond", value={"n": 9})
    told = await api.post("bob", f"{at(request)}/decision", body, idempotency_key="r")
    assert told.body["status"] == "responded"
    assert (await api.post("bob", f"{at(request)}/decision", body, idempotency_key="r")).status == 200
    answered = await api.post("ana", f"/runs/{request['run_id']}/resume", {})
    assert answered.status == 200
    call = await api.get("ana", f"/runs/{request['run_id']}/calls/{request['call_id']}")
    assert call.body["told"]["value"] == {"n": 9}
    _, request = await held(api, n=3)
    for arguments in ({"n": 4}, '{"n": 4}'):
        told = await api.post(
            "bob", f"{at(request)}/decision", saying(request, "edit", arguments=arguments), idempotency_key="e"
        )
        assert (told.status, told.body["status"]) == (200, "edited")
    wrong = await api.post("bob", f"{at(request)}/decision", saying(request, "edit", arguments={"n": 5}),
                           idempotency_key="e")  # fmt: skip
    assert wrong.status == 409
    assert api.far.ran == []
    assert run_id


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"digest": "0" * 64}, "approval.digest"),
        ({"nonce": "0" * 32}, "approval.nonce"),
        ({"arguments": {"n": 2}}, "approval.arguments"),
        ({"value": 1}, "approval.value"),
        ({"endorse": ["/nothing"]}, "approval.endorse"),
    ],
)
async def test_an_answer_to_anything_else_is_refused(api: Api, change: dict[str, Any], code: str) -> None:
    _, request = await held(api)
    refused = await api.post("bob", f"{at(request)}/decision", saying(request) | change, idempotency_key="k")
    assert (refused.status, refused.code) == (400, code)
    assert (await api.get("bob", at(request))).body["status"] == "pending"


async def test_an_edit_of_arguments_that_name_a_key_twice_is_refused(api: Api) -> None:
    _, request = await held(api)
    refused = await api.post(
        "bob", f"{at(request)}/decision", saying(request, "edit", arguments='{"n": 1, "n": 2}'), idempotency_key="k"
    )
    assert (refused.status, refused.code) == (400, "approval.edit")


async def test_whoever_holds_a_key_for_tools_decides_nothing_whoever_they_are(tmp_path: Path) -> None:
    """T24: an agent has its user's key; the user is an approver."""
    async with opened(tmp_path) as api:
        _, request = await held(api)
        agent = await api.key(Principal("bob", roles=frozenset({"approver"})), {TOOLS})
        operator = await api.key(Principal("opa", roles=frozenset({"operator"})), {WRITE, TOOLS})
        for who in (agent, operator, "ana", "host", "opa", "vera"):
            refused = await api.post(who, f"{at(request)}/decision", saying(request))
            assert (refused.status, refused.code) in ((403, "auth.scope"), (403, "auth.role"))
        assert (await api.post("", f"{at(request)}/decision", saying(request))).status == 401
        assert (await api.get("bob", at(request))).body["status"] == "pending"


async def test_nobody_decides_about_their_own_call_or_twice(tmp_path: Path) -> None:
    """T24."""
    async with opened(tmp_path) as api:
        both = Principal("dan", roles=frozenset({"approver"}))
        tools, console = await api.key(both, {TOOLS}), await api.key(both, {CONSOLE})
        _, request = await held(api, who=tools)
        own = await api.post(console, f"{at(request)}/decision", saying(request))
        assert (own.status, own.code) == (403, "approval.own_call")
        _, request = await held(api, "delete_tenant")
        path = f"{at(request)}/decision"
        one = await api.post("bob", path, saying(request), idempotency_key="k")
        assert (one.body["status"], one.body["approved_by"]) == ("pending", ["bob"])
        twice = await api.post("bob", path, saying(request))
        assert (twice.status, twice.code) == (403, "approval.twice")
        assert (await api.post("bob", path, saying(request), idempotency_key="k")).headers[
            "idempotent-replay"
        ] == "true"
        assert (await api.post("cay", path, saying(request))).body["status"] == "approved"


async def test_what_changed_since_it_was_seen_is_not_decided(api: Api) -> None:
    _, request = await held(api, "delete_tenant")
    seen = await api.get("cay", at(request))
    assert (await api.get("cay", at(request), if_none_match=seen.headers["etag"])).status == 304
    await api.post("bob", f"{at(request)}/decision", saying(request))
    stale = await api.post("cay", f"{at(request)}/decision", saying(request), if_match=seen.headers["etag"])
    assert (stale.status, stale.code) == (412, "http.match")
    now = await api.get("cay", at(request))
    assert (
        await api.post("cay", f"{at(request)}/decision", saying(request), if_match=now.headers["etag"])
    ).status == 200


async def test_whoever_the_call_runs_for_is_told_how_it_stands_and_no_rule(api: Api) -> None:
    _, request = await held(api)
    own = (await api.get("ana", at(request))).body
    assert (own["status"], own["subject"]) == ("pending", "ana")
    assert not {"rules", "nonce", "digest", "origins", "arguments"} & own.keys()
    assert (await api.get("host", at(request))).status == 404
    assert (await api.get("eve", at(request))).status == 404
    assert [each["approval_id"] for each in (await api.get("ana", "/approvals")).body["items"]] == [own["approval_id"]]
    assert (await api.get("host", "/approvals")).body["items"] == []
    assert (await api.get("host", "/approvals?subject=ana")).body["items"] == []


async def test_a_request_is_withdrawn_by_its_subject_or_an_operator(api: Api) -> None:
    run_id, request = await held(api)
    path = f"{at(request)}/withdraw"
    assert (await api.post("host", path, {"reason": "x"})).status == 404
    assert (await api.post("vera", path, {"reason": "x"})).status == 403
    assert (await api.post("bob", path, {"reason": "x"})).status == 403
    first = await api.post("ana", path, {"reason": "no longer wanted"}, idempotency_key="k")
    assert (first.status, first.body["status"]) == (200, "withdrawn")
    again = await api.post("ana", path, {"reason": "no longer wanted"}, idempotency_key="k")
    assert again.headers["idempotent-replay"] == "true"
    assert (await api.post("ana", path, {"reason": "no longer wanted"})).code == "approval.settled"
    assert (await api.post("opa", path, {"reason": "x"}, idempotency_key="k")).status == 409
    _, other = await held(api, n=2)
    assert (await api.post("opa", f"{at(other)}/withdraw", {"reason": "x"})).body["status"] == "withdrawn"
    assert run_id and api.far.ran == []


async def test_a_request_is_not_withdrawn_by_what_changed_or_by_a_key_that_does_not_operate(api: Api) -> None:
    """T24: an agent that bears a key of an operator is none."""
    _, request = await held(api)
    path = f"{at(request)}/withdraw"
    stale = await api.post("ana", path, {"reason": "x"}, if_match='"another"')
    assert (stale.status, stale.code) == (412, "http.match")
    agent = await api.key(OPA, {TOOLS, READ})
    assert (await api.post(agent, path, {"reason": "x"})).code == "auth.scope"
    assert (await api.get("bob", at(request))).body["status"] == "pending"


async def test_another_answer_by_the_same_key_is_not_taken_for_the_first(api: Api) -> None:
    _, request = await held(api)
    path, body = f"{at(request)}/decision", saying(request, "respond", value={"n": 9})
    assert (await api.post("bob", path, body, idempotency_key="k")).status == 200
    assert (await api.post("bob", path, body | {"value": {"n": 8}}, idempotency_key="k")).code == "approval.settled"
    _, request = await held(api, n=2)
    path, body = f"{at(request)}/decision", saying(request)
    assert (await api.post("bob", path, body, idempotency_key="k")).status == 200
    assert (await api.post("bob", path, body | {"endorse": ["/n"]}, idempotency_key="k")).status in (400, 409)


async def test_what_is_mine_to_decide_is_no_call_of_mine_and_nothing_of_a_service(api: Api) -> None:
    dan = Principal("dan", roles=frozenset({"approver", "viewer"}))
    await held(api, who=await api.key(dan, {TOOLS}))
    robot = await api.key(Principal("robot", roles=frozenset({"approver", "viewer"}), kind="service"), {READ})
    for who, count in ((await api.key(dan, {CONSOLE}), 0), (robot, 0), ("bob", 1)):
        assert len((await api.get(who, "/approvals?mine=true")).body["items"]) == count


async def test_requests_are_listed_by_who_may_decide_page_by_page(api: Api) -> None:
    made = [(await held(api, n=n))[1]["approval_id"] for n in range(5)]
    await held(api, "delete_tenant")
    found, path = [], "/approvals?limit=2&effect=irreversible&mine=true"
    while True:
        page = (await api.get("bob", path)).body
        found += [item["approval_id"] for item in page["items"]]
        if page["next"] is None:
            break
        path = f"/approvals?limit=2&effect=irreversible&mine=true&cursor={page['next']}"
    assert found == made[::-1]
    assert (await api.get("vera", "/approvals?mine=true")).body["items"] == []
    assert len((await api.get("vera", "/approvals?group=approver&status=pending")).body["items"]) == 6
    assert (await api.get("vera", "/approvals?group=nobody")).body["items"] == []
    cursor = (await api.get("bob", "/approvals?limit=2&mine=true")).body["next"]
    assert (await api.get("cay", f"/approvals?limit=2&mine=true&cursor={cursor}")).code == "http.cursor"


async def test_what_waits_is_in_the_inbox(api: Api) -> None:
    _, request = await held(api)
    await held(api, "delete_tenant")
    first = (await api.get("vera", "/inbox?limit=1")).body
    assert [(item["kind"], item["tool"]) for item in first["items"]] == [("held", "delete_tenant")]
    rest = (await api.get("vera", f"/inbox?limit=1&cursor={first['next']}")).body
    assert (rest["items"][0]["ids"], rest["next"]) == ([request["approval_id"]], None)
    assert (await api.get("ana", "/inbox")).status == 403
    assert (await api.get("eve", "/inbox")).body["items"] == []


@pytest.mark.parametrize("decision", ["approve", "edit", "respond"])
async def test_nothing_privileged_passes_by_a_token_of_which_nobody_knows_how_old_its_sign_in_is(
    decision: Literal["approve", "edit", "respond"], api: Api
) -> None:
    """T24: as in the console, whoever lets it pass has shown who they are a short while ago; a key shows it."""
    _, request = await held(api, "delete_tenant")
    bearer = Who(principal=BOB, scopes=frozenset({CONSOLE}), by="token", approvers=frozenset({"approver"}))
    said = approvals.Decision(
        decision=decision, digest=request["digest"], nonce=request["nonce"], arguments={"n": 1}, value=1
    )
    with pytest.raises(NotEntitled) as refused:
        await approvals.decide(request["approval_id"], said, api.site, bearer)
    assert refused.value.code == "auth.again"
    assert (await api.get("bob", at(request))).body["status"] == "pending"
    rejected = approvals.Decision(decision="reject", digest=request["digest"], nonce=request["nonce"])
    await approvals.decide(request["approval_id"], rejected, api.site, bearer)
    assert (await api.get("bob", at(request))).body["status"] == "rejected"

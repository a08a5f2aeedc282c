"""Calls over HTTP: the one path, asked for by a name, and read as strictly as a model's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from interlock import Principal
from interlock.core.tool import CallContext
from interlock.errors import NotSent
from interlock.keys import WRITE
from tests.api.stand import ANA, BOB, Api, opened
from tests.planes import Far, saying

pytestmark = pytest.mark.anyio


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened(tmp_path) as found:
        yield found


async def test_what_is_done_refused_and_held_is_each_an_outcome(api: Api) -> None:
    run_id = await api.run()
    done = await api.call(run_id, "look_up")
    assert (done.status, done.body["value"]) == (200, {"n": 1})
    wrong = await api.post("ana", f"/runs/{run_id}/calls", {"tool": "look_up", "arguments": {"m": 1}})
    assert (wrong.status, wrong.body["outcome"], wrong.body["code"]) == (200, "refused", "validate.schema")
    none = await api.post("ana", f"/runs/{run_id}/calls", {"tool": "nowhere"})
    assert (none.status, none.body["outcome"]) == (200, "refused")
    held = await api.call(run_id, "refund")
    assert (held.status, held.body["outcome"]) == (202, "held")
    assert held.headers["location"] == f"/api/v1/approvals/{held.body['approval_id']}"
    assert api.far.names == ["look_up"]


async def test_asking_twice_by_a_key_runs_once_and_says_so(api: Api) -> None:
    run_id = await api.run()
    first = await api.call(run_id, "note", idempotency_key="k")
    again = await api.call(run_id, "note", idempotency_key="k")
    assert first.body | {"repeated": True} == again.body
    assert (first.headers.get("idempotent-replay"), again.headers["idempotent-replay"]) == (None, "true")
    other = await api.call(run_id, "note", n=2, idempotency_key="k")
    assert (other.status, other.code) == (409, "http.key_reused")
    tool = await api.call(run_id, "look_up", idempotency_key="k")
    assert tool.status == 409
    assert api.far.ran == [("note", {"n": 1})]
    elsewhere = await api.call(await api.run(), "note", idempotency_key="k")
    assert elsewhere.headers.get("idempotent-replay") is None
    assert len(api.far.ran) == 2


async def test_a_name_in_the_body_is_a_key_and_two_names_are_refused(api: Api) -> None:
    run_id = await api.run()
    call = {"tool": "note", "arguments": {"n": 1}, "name": "mine"}
    await api.post("ana", f"/runs/{run_id}/calls", call)
    again = await api.post("ana", f"/runs/{run_id}/calls", call, idempotency_key="mine")
    assert again.headers["idempotent-replay"] == "true"
    refused = await api.post("ana", f"/runs/{run_id}/calls", call, idempotency_key="other")
    assert (refused.status, refused.code) == (400, "http.key")
    assert len(api.far.ran) == 1


@pytest.mark.parametrize("key", ["a b", "", "x" * 129, "é"])
async def test_a_key_that_is_none_is_refused(api: Api, key: str) -> None:
    run_id = await api.run()
    refused = await api.ask("ana", "POST", f"/runs/{run_id}/calls", {"tool": "note", "arguments": {"n": 1}},
                            idempotency_key=key.encode())  # type: ignore[arg-type]  # fmt: skip
    assert refused.status == 422
    assert api.far.ran == []


async def test_a_held_call_is_found_again_by_its_key_and_runs_once_it_is_approved(api: Api) -> None:
    run_id = await api.run()
    held = (await api.call(run_id, "refund", idempotency_key="k")).body
    assert (await api.call(run_id, "refund", idempotency_key="k")).status == 202
    request = (await api.plane.approval(held["approval_id"])).request
    await api.plane.answer(held["approval_id"], saying(request), BOB)
    done = await api.call(run_id, "refund", idempotency_key="k")
    assert (done.status, done.body["outcome"]) == (200, "done")
    again = await api.call(run_id, "refund", idempotency_key="k")
    assert (again.body["outcome"], again.headers["idempotent-replay"]) == ("done", "true")
    assert api.far.names == ["refund"]


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ('{"tool": "note", "arguments": {"n": 1, "n": 2}}', 400, "json.duplicate_key"),
        ('{"tool": "note", "tool": "refund", "arguments": {"n": 1}}', 400, "json.duplicate_key"),
        ('{"tool": "note", "arguments": {"n": NaN}}', 400, "json.number"),
        ('{"tool": "note", "arguments": {"n": 1e999}}', 400, "json.number"),
        ('{"tool": "note", "arguments": {"n": ' + "[" * 70 + "]" * 70 + "}}", 400, "json.depth"),
        ('{"tool": "note", "arguments": {"n": "\\ud800"}}', 400, "json.surrogate"),
        ('{"tool": "note"', 400, "json.syntax"),
        ('{"tool": "note", "arguments": {"n": 1}, "more": 1}', 422, "http.value"),
        ('{"tool": 7}', 422, "http.value"),
        ('{"tool": "note", "arguments": [1]}', 422, "http.value"),
        ("[]", 422, "http.value"),
        ("", 422, "http.value"),
    ],
)
async def test_a_body_is_read_as_strictly_as_the_path_reads(api: Api, text: str, status: int, code: str) -> None:
    run_id = await api.run()
    refused = await api.ask("ana", "POST", f"/runs/{run_id}/calls", text=text)
    assert (refused.status, refused.code) == (status, code)
    assert api.far.ran == []


async def test_a_body_that_is_called_something_else_is_refused(api: Api) -> None:
    run_id = await api.run()
    for media in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp"):
        refused = await api.ask("ana", "POST", f"/runs/{run_id}/calls", {"tool": "note"}, content_type=media)
        assert (refused.status, refused.code) == (415, "http.media")


async def test_arguments_as_a_text_are_read_by_the_path_and_refused_on_record(api: Api) -> None:
    run_id = await api.run()
    done = await api.post("ana", f"/runs/{run_id}/calls", {"tool": "note", "arguments": '{"n": 9007199254740993}'})
    assert done.body["value"] == {"n": 9007199254740993}
    twice = await api.post("ana", f"/runs/{run_id}/calls", {"tool": "note", "arguments": '{"n": 1, "n": 2}'})
    assert (twice.status, twice.body["outcome"]) == (200, "refused")
    calls = (await api.get("vera", f"/calls?run_id={run_id}")).body["items"]
    assert [call["outcome"] for call in calls] == ["refused", "done"]


async def test_numbers_arrive_as_they_were_sent(api: Api) -> None:
    run_id = await api.run()
    exact = await api.ask("ana", "POST", f"/runs/{run_id}/calls",
                          text='{"tool": "note", "arguments": {"n": 9223372036854775807}}')  # fmt: skip
    assert exact.body["value"] == {"n": 9223372036854775807}
    assert api.far.ran == [("note", {"n": 9223372036854775807})]


async def test_a_rehearsal_decides_and_executes_nothing(api: Api) -> None:
    """B9, over HTTP."""
    run_id = await api.run()
    path = f"/runs/{run_id}/calls/dry-run"
    would = await api.post("ana", path, {"tool": "note", "arguments": {"n": 1}}, idempotency_key="k")
    assert (would.status, would.body["code"]) == (200, "rehearsal.would_run")
    wait = await api.post("ana", path, {"tool": "refund", "arguments": {"n": 1}})
    assert wait.body["code"] == "rehearsal.would_hold"
    wrong = await api.post("ana", path, {"tool": "note", "arguments": {}})
    assert wrong.body["code"] == "validate.schema"
    assert api.far.ran == []
    assert (await api.get("vera", "/calls?status=held")).body["items"] == []
    real = await api.call(run_id, "note", idempotency_key="k")
    assert (real.status, real.code) == (409, "http.key_reused")  # it is another proposal, and its key is taken


async def test_a_batch_is_decided_whole_and_says_what_became_of_each(api: Api) -> None:
    """B14, over HTTP."""
    run_id = await api.run()
    batch = {
        "calls": [
            {"id": "a", "tool": "look_up", "arguments": {"n": 5}},
            {"tool": "note", "arguments": {"n": {"$result": "a", "pointer": "/n"}}},
            {"tool": "refund", "arguments": {"n": 6}},
            {"tool": "nowhere", "arguments": {}},
        ]
    }
    told = await api.post("ana", f"/runs/{run_id}/batches", batch, idempotency_key="k")
    assert [each["outcome"] for each in told.body["outcomes"]] == ["done", "done", "held", "refused"]
    assert api.far.ran == [("look_up", {"n": 5}), ("note", {"n": 5})]
    again = await api.post("ana", f"/runs/{run_id}/batches", batch, idempotency_key="k")
    assert (again.headers["idempotent-replay"], len(api.far.ran)) == ("true", 2)
    assert [each["call_id"] for each in again.body["outcomes"]] == [each["call_id"] for each in told.body["outcomes"]]
    batch["calls"][0]["arguments"] = {"n": 6}
    assert (await api.post("ana", f"/runs/{run_id}/batches", batch, idempotency_key="k")).code == "http.key_reused"
    batch["calls"].pop()
    assert (await api.post("ana", f"/runs/{run_id}/batches", batch, idempotency_key="k")).code == "http.key_reused"
    assert len(api.far.ran) == 2


@pytest.mark.parametrize("calls", [[], [{"tool": "note"}] * 65])
async def test_a_batch_has_one_to_sixty_four_calls(api: Api, calls: list[dict[str, Any]]) -> None:
    run_id = await api.run()
    assert (await api.post("ana", f"/runs/{run_id}/batches", {"calls": calls})).status == 422


async def test_a_reference_to_nothing_refuses_the_batch(api: Api) -> None:
    run_id = await api.run()
    calls = [{"tool": "note", "arguments": {"n": {"$result": "x", "pointer": "/n"}}}, {"tool": "note", "id": "x"}]
    assert (await api.post("ana", f"/runs/{run_id}/batches", {"calls": calls})).status == 400
    assert (await api.get("ana", f"/runs/{run_id}")).body["calls"] == {}


async def test_calls_are_listed_and_read_by_whoever_may_see_them(api: Api) -> None:
    run_id = await api.run()
    held = (await api.call(run_id, "refund")).body
    await api.call(run_id, "look_up")
    assert [c["tool"] for c in (await api.get("vera", "/calls")).body["items"]] == ["look_up", "refund"]
    assert [c["tool"] for c in (await api.get("ana", "/calls?status=held")).body["items"]] == ["refund"]
    assert (await api.get("host", "/calls")).body["items"] == []
    assert (await api.get("host", "/calls?principal_id=ana")).body["items"] == []
    assert (await api.get("eve", "/calls")).body["items"] == []
    path = f"/runs/{run_id}/calls/{held['call_id']}"
    found = await api.get("ana", path)
    assert (found.body["told"]["outcome"], found.body["approval_id"]) == ("held", held["approval_id"])
    assert (await api.get("vera", path, if_none_match=found.headers["etag"])).status == 304
    assert [(await api.get(who, path)).status for who in ("host", "eve")] == [404, 404]
    assert (await api.get("vera", f"/runs/{run_id}/calls/call_none")).code == "call.not_found"


async def test_what_is_unknown_is_settled_by_an_operator_once(tmp_path: Path) -> None:
    far = Far()

    async def lost(arguments: dict[str, Any], context: CallContext) -> object:
        raise TimeoutError

    async with opened(tmp_path, [far.tool("pay", "reversible", lost)]) as api:
        run_id = await api.run()
        told = (await api.call(run_id, "pay")).body
        assert told["outcome"] == "unknown"
        [item] = (await api.get("opa", "/calls?status=unknown")).body["items"]
        path, body = f"/calls/{item['call_id']}/settle", {"outcome": "done", "note": "the bank shows it"}
        assert [(await api.post(who, path, body)).status for who in ("vera", "bob", "ana")] == [403, 403, 403]
        assert (await api.post("eve", path, body)).status == 404
        assert (await api.post("opa", path, body, if_match='"another"')).code == "http.match"
        read = await api.get("opa", f"/runs/{run_id}/calls/{item['call_id']}")
        first = await api.post("opa", path, body, idempotency_key="k", if_match=read.headers["etag"])
        assert (first.status, first.body["outcome"]) == (200, "done")
        again = await api.post("opa", path, body, idempotency_key="k", if_match=read.headers["etag"])
        assert (again.status, again.headers["idempotent-replay"]) == (200, "true")
        ola = await api.key(Principal("ola", roles=frozenset({"operator"})), {WRITE})
        assert (await api.post(ola, path, body, idempotency_key="k")).code == "settle.not_unknown", "it is opa's word"
        other = await api.post("opa", path, {**body, "outcome": "failed"}, idempotency_key="k")
        assert (other.status, other.code) == (409, "settle.not_unknown")
        assert (await api.post("opa", path, body)).status == 409


async def test_what_was_given_up_on_is_proposed_again_by_an_operator(tmp_path: Path) -> None:
    far, works = Far(), []

    async def flaky(arguments: dict[str, Any], context: CallContext) -> object:
        if not works:
            raise NotSent("nobody there")
        return {"n": 1}

    async with opened(tmp_path, [far.tool("pay", "reversible", flaky)]) as api:
        run_id = await api.run()
        told = (await api.call(run_id, "pay")).body
        assert told["outcome"] == "failed"
        works.append(True)
        path = f"/calls/{told['call_id']}/retry"
        assert (await api.post("ana", path, {"reason": "up again"})).status == 403
        assert (await api.post("opa", path, {"reason": "up again"}, if_match='"another"')).code == "http.match"
        first = await api.post("opa", path, {"reason": "up again"})
        assert (first.status, first.body["outcome"]) == (200, "done")
        assert (await api.post("opa", path, {"reason": "up again"})).body["call_id"] == first.body["call_id"]


async def test_nothing_is_proposed_without_the_scope_for_it(api: Api) -> None:
    run_id = await api.run()
    body = {"tool": "note", "arguments": {"n": 1}}
    for path in ("calls", "calls/dry-run", "batches"):
        said = {"calls": [body]} if path == "batches" else body
        assert (await api.post("bob", f"/runs/{run_id}/{path}", said)).code == "auth.scope"
        assert (await api.post("", f"/runs/{run_id}/{path}", said)).status == 401
    assert ANA.id == "ana" and api.far.ran == []

"""Runs over HTTP: whose they are, that asking twice starts one, and that what is not theirs is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from interlock import Agent, Principal
from interlock.core.event import Event
from interlock.core.message import Message, Role
from interlock.core.tool import CallContext
from interlock.keys import READ, TOOLS, WRITE
from interlock.testing import ScriptedModel
from tests.api.stand import ANA, BOB, Api, opened
from tests.planes import Far, saying

pytestmark = pytest.mark.anyio


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened(tmp_path) as found:
        yield found


async def test_a_run_is_started_and_stays_open_until_its_client_finishes_it(api: Api) -> None:
    made = await api.post("ana", "/runs", {})
    assert made.status == 201
    assert made.headers["location"] == f"/api/v1/runs/{made.body['run_id']}"
    assert (made.body["status"], made.body["kept"], made.body["words"]) == ("open", True, None)
    run_id = made.body["run_id"]
    assert (await api.call(run_id, "look_up")).body["outcome"] == "done"
    assert (await api.call(run_id, "note", n=2)).body["outcome"] == "done"
    done = await api.post("ana", f"/runs/{run_id}/finish")
    assert (done.status, done.body["status"]) == (200, "finished")
    assert (await api.post("ana", f"/runs/{run_id}/finish")).body["status"] == "finished"


async def test_the_same_key_starts_one_run_and_says_so(api: Api) -> None:
    first = await api.post("host", "/runs", {"words": "refund 7"}, idempotency_key="k1")
    again = await api.post("host", "/runs", {"words": "refund 7"}, idempotency_key="k1")
    assert (first.status, again.status) == (201, 200)
    assert again.body["run_id"] == first.body["run_id"]
    assert (first.headers.get("idempotent-replay"), again.headers["idempotent-replay"]) == (None, "true")
    other = await api.post("host", "/runs", {"words": "refund 8"}, idempotency_key="k1")
    assert (other.status, other.code) == (409, "run.name_reused")
    somebody = await api.post("ana", "/runs", {}, idempotency_key="k1")
    assert somebody.status == 201
    assert somebody.body["run_id"] != first.body["run_id"]
    assert len((await api.get("vera", "/runs")).body["items"]) == 2


async def test_a_key_is_found_again_by_another_process_on_the_ledger(api: Api) -> None:
    """The key is the run's name: nothing but the ledger knows it, and that is enough."""
    run_id = await api.run("ana")
    first = await api.post("ana", "/runs", {}, idempotency_key="k")
    known = api.plane.plane.ledger
    api.plane.plane.ledger = type(known)(known.store, known.reach)  # as a worker that was just started
    again = await api.post("ana", "/runs", {}, idempotency_key="k")
    assert (again.status, again.body["run_id"]) == (200, first.body["run_id"])
    assert again.body["run_id"] != run_id


@pytest.mark.parametrize("start", [{"words": "refund everything"}, {"mandates": ["refund"]}])
async def test_only_a_key_that_may_says_what_the_user_wants(api: Api, start: dict[str, object]) -> None:
    refused = await api.post("ana", "/runs", start)
    assert (refused.status, refused.code) == (403, "auth.words")
    assert (await api.get("vera", "/runs")).body["items"] == []
    assert (await api.post("host", "/runs", start)).status == 201


async def test_words_mandates_and_budgets_are_the_runs(api: Api) -> None:
    start = {"words": "refund 7", "mandates": ["refund"], "budget": {"calls": 1}}
    run_id = await api.run("host", **start)
    found = (await api.get("host", f"/runs/{run_id}")).body
    assert (found["words"], found["mandates"]) == ("refund 7", ["refund"])
    assert [(each["unit"], each["most"]) for each in found["budgets"]] == [("calls", 1)]
    assert (await api.call(run_id, "look_up", "host")).body["outcome"] == "done"
    assert (await api.call(run_id, "look_up", "host", n=2)).body["outcome"] == "refused"


async def test_a_run_is_worked_in_by_whom_it_runs_for_and_by_nobody_else(api: Api) -> None:
    run_id = await api.run("ana")
    assert (await api.call(run_id, "look_up", "host")).status == 404
    assert (await api.get("host", f"/runs/{run_id}")).status == 404
    for reader in ("vera", "opa", "bob"):
        assert (await api.get(reader, f"/runs/{run_id}")).status == 200
        refused = await api.call(run_id, "look_up", reader)
        assert (refused.status, refused.code) == (403, "auth.scope")
    both = await api.key(Principal("max", roles=frozenset({"viewer"})), {TOOLS, READ})  # who may see it, and propose
    refused = await api.call(run_id, "look_up", both)
    assert (refused.status, refused.code) == (409, "run.not_yours")
    assert (await api.post(both, f"/runs/{run_id}/finish")).code == "run.not_yours"
    assert api.far.ran == []
    assert [item["run_id"] for item in (await api.get("ana", "/runs")).body["items"]] == [run_id]
    assert (await api.get("host", "/runs")).body["items"] == []
    assert (await api.get("host", "/runs?principal_id=ana")).body["items"] == []


async def test_pages_of_runs_have_each_run_once_and_a_cursor_is_for_its_own_list(api: Api) -> None:
    made = [await api.run("ana") for _ in range(5)]
    found, path = [], "/runs?limit=2"
    while True:
        page = (await api.get("vera", path)).body
        found += [item["run_id"] for item in page["items"]]
        if page["next"] is None:
            break
        path = f"/runs?limit=2&cursor={page['next']}"
    assert found == made[::-1]
    cursor = (await api.get("vera", "/runs?limit=2")).body["next"]
    for who, other in (
        ("vera", "status=open&"), ("vera", "driver=agent&"), ("eve", ""), ("ana", ""),
    ):  # fmt: skip
        refused = await api.get(who, f"/runs?{other}cursor={cursor}")
        assert (refused.status, refused.code) == (400, "http.cursor")
    for forged in ("AAAA", cursor[:-1], cursor + "A", "é", cursor[:-4] + "...."):
        assert (await api.get("vera", f"/runs?cursor={forged}")).code == "http.cursor"


async def test_a_filter_that_is_none_is_refused(api: Api) -> None:
    refused = await api.get("vera", "/runs?stat=open")
    assert (refused.status, refused.code) == (422, "http.value")
    assert refused.body["problems"][0]["field"] == "query.stat"


async def test_a_tag_changes_with_what_is_shown_and_with_nothing_else(api: Api) -> None:
    run_id = await api.run("ana")
    first = await api.get("ana", f"/runs/{run_id}")
    tag = first.headers["etag"]
    same = await api.get("ana", f"/runs/{run_id}", if_none_match=f'"other", W/{tag}')
    assert (same.status, same.body) == (304, None)
    await api.call(run_id, "look_up")
    changed = await api.get("ana", f"/runs/{run_id}", if_none_match=tag)
    assert (changed.status, changed.body["calls"]) == (200, {"closed": 1})
    stale = await api.post("ana", f"/runs/{run_id}/cancel", {"reason": "over"}, if_match=tag)
    assert (stale.status, stale.code) == (412, "http.match")
    weak = await api.post("ana", f"/runs/{run_id}/finish", if_match=f"W/{changed.headers['etag']}")
    assert weak.status == 412
    assert (await api.get("ana", f"/runs/{run_id}")).body["status"] == "open"
    good = await api.post("ana", f"/runs/{run_id}/finish", if_match=f'"x", {changed.headers["etag"]}')
    assert good.body["status"] == "finished"


async def test_cancelling_lets_what_is_held_fall_and_asking_twice_cancels_once(api: Api) -> None:
    run_id = await api.run("ana")
    held = await api.call(run_id, "refund")
    assert held.status == 202
    gone = await api.post("ana", f"/runs/{run_id}/cancel", {"reason": "no longer wanted"})
    assert (gone.body["status"], gone.body["reason"], gone.body["held"]) == ("cancelled", "no longer wanted", [])
    assert (await api.post("ana", f"/runs/{run_id}/cancel", {"reason": "again"})).body["reason"] == "no longer wanted"
    approval = await api.get("vera", f"/runs/{run_id}/calls/{held.body['call_id']}")
    assert (approval.body["status"], approval.body["outcome"]) == ("closed", "refused")
    assert (await api.call(run_id, "look_up")).body["code"] == "recall.run_over"
    assert api.far.ran == []


async def test_an_operator_cancels_what_is_anybodys_of_the_tenant_and_nobody_elses(api: Api) -> None:
    run_id = await api.run("ana")
    body = {"reason": "stop it"}
    assert (await api.post("vera", f"/runs/{run_id}/cancel", body)).status == 403
    assert (await api.post("bob", f"/runs/{run_id}/cancel", body)).status == 403
    assert (await api.post("host", f"/runs/{run_id}/cancel", body)).status == 404
    assert (await api.post("eve", f"/runs/{run_id}/cancel", body)).status == 404
    assert (await api.post("opa", f"/runs/{run_id}/cancel", body)).body["status"] == "cancelled"
    finished = await api.run("ana")
    admin = await api.key(Principal("amy", roles=frozenset({"admin"})), {WRITE})
    refused = await api.post(admin, f"/runs/{finished}/cancel", body)
    assert (refused.status, refused.code) == (403, "run.operator")
    await api.post("ana", f"/runs/{finished}/finish")
    over = await api.post("opa", f"/runs/{finished}/cancel", body)
    assert (over.status, over.code) == (409, "run.over")


async def test_a_run_in_which_something_waits_is_not_finished(api: Api) -> None:
    run_id = await api.run("ana")
    await api.call(run_id, "refund")
    refused = await api.post("ana", f"/runs/{run_id}/finish")
    assert (refused.status, refused.code) == (409, "run.waiting")
    assert (await api.post("vera", f"/runs/{run_id}/finish")).status == 403


async def test_a_page_of_events_reads_no_more_of_the_run_than_it_has(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    run_id = await api.run("ana")
    for number in range(8):
        await api.call(run_id, "look_up", n=number)
    store, lengths = api.site.store, []
    reading = store.read

    async def watched(*asked: Any) -> list[Event]:
        found = await reading(*asked)
        lengths.append(len(found))
        return found

    monkeypatch.setattr(store, "read", watched)
    path, seqs = f"/runs/{run_id}/events?limit=3", list[int]()
    following: str | None = ""
    while following is not None and len(seqs) < 18:
        page = (await api.get("vera", f"{path}&cursor={following}" if following else path)).body
        seqs += [item["seq"] for item in page["items"]]
        following = page["next"]
    assert seqs == list(range(1, 19))
    assert max(lengths) == 4, "one more than the page, to know whether it is the last"


async def test_events_are_read_in_order_and_waited_for(api: Api) -> None:
    run_id = await api.run("ana")
    assert (await api.get("ana", f"/runs/{run_id}/events")).status == 403
    first = (await api.get("vera", f"/runs/{run_id}/events?limit=1")).body
    assert [event["kind"] for event in first["items"]] == ["run.claimed"]
    rest = (await api.get("vera", f"/runs/{run_id}/events?cursor={first['next']}")).body
    assert [event["kind"] for event in rest["items"]] == ["run.started"]
    assert rest["items"][0]["body"]["kept"] is True
    found: list[str] = []

    async def follow() -> None:
        page = (await api.get("vera", f"/runs/{run_id}/events?wait_s=20&cursor={rest['next']}")).body
        found.extend(event["kind"] for event in page["items"])

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            await api.call(run_id, "look_up")
    assert found
    await api.post("ana", f"/runs/{run_id}/finish")
    path = f"/runs/{run_id}/events"
    last = (await api.get("vera", path)).body
    assert last["next"] is None
    assert [event["seq"] for event in last["items"]] == list(range(1, len(last["items"]) + 1))


async def test_going_on_does_what_is_due_once(api: Api) -> None:
    run_id = await api.run("ana")
    held = (await api.call(run_id, "refund")).body
    request = (await api.plane.approval(held["approval_id"])).request
    await api.plane.answer(held["approval_id"], saying(request), BOB)
    for _ in range(2):
        gone_on = await api.post("opa", f"/runs/{run_id}/resume", {})
        assert (gone_on.status, gone_on.body["calls"], gone_on.body["status"]) == (200, {"closed": 1}, "open")
    assert api.far.names == ["refund"]
    assert (await api.call(run_id, "look_up")).body["outcome"] == "done"


async def test_a_run_that_another_worker_holds_is_waited_for_and_then_said_to_be_busy(api: Api) -> None:
    run_id = await api.run("ana")
    async with api.plane.run(ANA, run_id=run_id):  # as another door, or another worker
        busy = await api.call(run_id, "look_up")
        assert (busy.status, busy.code) == (409, "run.busy")
    assert (await api.call(run_id, "look_up")).status == 200


async def test_requests_of_one_run_work_side_by_side(tmp_path: Path) -> None:
    far, together = Far(), anyio.Event()
    waiting: list[int] = []

    async def both(arguments: dict[str, Any], context: CallContext) -> object:
        waiting.append(arguments["n"])
        if len(waiting) == 2:
            together.set()
        with anyio.fail_after(30):
            await together.wait()
        return arguments

    async with opened(tmp_path, [far.tool("meet", "read", both)]) as api:
        run_id = await api.run("ana")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(api.call, run_id, "meet", n=1))
            tasks.start_soon(partial(api.call, run_id, "meet", n=2))
        assert sorted(waiting) == [1, 2]
        assert (await api.get("ana", f"/runs/{run_id}")).body["calls"] == {"closed": 2}


async def test_an_agent_is_started_talked_to_and_told_apart_by_its_words(tmp_path: Path) -> None:
    model = ScriptedModel(said("Which order?"), said("Done."))
    desk = Agent(name="desk", model=model, instructions="Help.")
    async with opened(tmp_path, agents=[desk], engine=True) as api:
        start = {"agent": "desk", "conversation": True, "words": "my order is late"}
        run_id = (await api.post("host", "/runs", start, idempotency_key="k")).body["run_id"]
        assert (await api.post("host", "/runs", start, idempotency_key="k")).headers["idempotent-replay"] == "true"
        first = await answered(api, run_id, 1)
        assert (first["result"]["end"], first["result"]["text"]) == ("answer", "Which order?")
        assert (await api.post("host", f"/runs/{run_id}/calls", {"tool": "look_up"})).code == "run.driven"
        stale = await api.post("host", f"/runs/{run_id}/say", {"words": "number 7"}, if_match='"another"')
        assert (stale.status, stale.code) == (412, "http.match")
        for again in (None, "true"):
            told = await api.post("host", f"/runs/{run_id}/say", {"words": "number 7"}, idempotency_key="s1")
            assert (told.status, told.headers.get("idempotent-replay")) == (200, again)
        assert (await api.post("host", f"/runs/{run_id}/say", {"words": "8"}, idempotency_key="s1")).status == 409
        last = await answered(api, run_id, 2)
        assert (last["result"]["text"], last["words"]) == ("Done.", "my order is late\n\nnumber 7")
        assert (await api.post("host", f"/runs/{run_id}/finish")).body["status"] == "finished"
        assert (await api.post("host", f"/runs/{run_id}/say", {"words": "more"})).code == "run.not_listening"


async def test_words_are_said_by_a_key_that_may_in_a_conversation_of_their_own(api: Api) -> None:
    run_id = await api.run("ana")
    assert (await api.post("ana", f"/runs/{run_id}/say", {"words": "x"})).code == "auth.words"
    own = await api.run("host")
    assert (await api.post("host", f"/runs/{own}/say", {"words": "x"})).code == "run.not_listening"
    assert (await api.post("host", f"/runs/{run_id}/say", {"words": "x"})).status == 404


def said(text: str) -> Message:
    return Message(role=Role.MODEL, text=text)


async def answered(api: Api, run_id: str, turns: int) -> dict[str, Any]:
    """The run once its agent has answered so often."""
    with anyio.fail_after(30):
        while True:
            found: dict[str, Any] = (await api.get("host", f"/runs/{run_id}")).body
            if found["result"]["turns"] == turns and found["waits"]:
                return found
            await api.get("vera", f"/runs/{run_id}/events?wait_s=0.1")
            await anyio.lowlevel.checkpoint()

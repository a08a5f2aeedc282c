"""Evals over HTTP: a suite held against recorded runs, what is kept of it, and whose it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from interlock.api import evals
from interlock.evals.suite_file import suite_of
from tests.api.stand import Api, opened

pytestmark = pytest.mark.anyio

LOOKED = {"name": "it looks", "words": "words of ana", "expect": {"tools": {"exactly": ["look_up"]}}}
REFUNDS = {"name": "no refund", "words": "words of ana", "expect": {"forbidden": ["look_up"]}}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened(tmp_path, ledger=Path("ledger.db")) as found:
        run_id = await found.run("host", words="words of ana")
        await found.call(run_id, "look_up", "host")
        yield found


def suite(*cases: dict[str, Any], **said: Any) -> dict[str, Any]:
    return {"suite": "desk", "cases": list(cases or (LOOKED,)), **said}


async def test_a_suite_is_held_against_the_tenants_recorded_runs_and_nothing_is_written(api: Api) -> None:
    before = api.site.store.position()
    found = (await api.post("opa", "/evals", suite(LOOKED, REFUNDS, need={"pass_rate": 0.8}))).body
    said = found["outcome"]
    assert (said["passed"], said["trials"], said["met"], said["how"]) == (1, 2, False, "recorded")
    assert found["refusals"] == ["50.0 % passed, and 80 % must"]
    [missed] = found["missed"]
    assert (missed["case"], missed["failures"]) == ("no refund", ["forbidden: look_up; it was called, and is done"])
    assert said["cases"][1]["runs"] == [missed["run_id"]]
    assert said["policies"] == [(await api.get("vera", "/policy")).body["digest"]]
    assert found["kept"] is None
    theirs = (await api.post("eve", "/evals", suite())).body
    assert theirs["missed"] == [{"case": "it looks", "run_id": None,
                                 "failures": ["run: the ledger has none of this case"]}]  # fmt: skip
    assert api.site.store.position() == before
    assert api.far.ran == [("look_up", {"n": 1})], "nothing was played"


async def test_a_kept_result_is_listed_read_and_proved_by_its_tenant_alone(api: Api) -> None:
    kept = [(await api.post("opa", "/evals", suite(suite=name, record=True))).body["kept"] for name in ("one", "two")]
    listed = (await api.get("vera", "/evals")).body["items"]
    assert [(each["eval_id"], each["suite"], each["met"]) for each in listed] == [
        (kept[1]["eval_id"], "two", True), (kept[0]["eval_id"], "one", True),
    ]  # fmt: skip
    assert [each["suite"] for each in (await api.get("vera", "/evals?suite=one")).body["items"]] == ["one"]
    page = (await api.get("vera", "/evals?limit=1")).body
    assert [
        each["suite"] for each in (await api.get("vera", f"/evals?limit=1&cursor={page['next']}")).body["items"]
    ] == ["one"]
    path = f"/evals/{kept[0]['eval_id']}"
    read = await api.get("vera", path)
    assert read.body == kept[0]
    assert (read.body["principal_id"], read.body["event"]) == ("opa", "evals/default/1")
    assert (await api.get("vera", path, if_none_match=read.headers["etag"])).status == 304
    await api.plane.seal()
    proved = (await api.get("vera", f"{path}/proof")).body
    assert proved["event"] == "evals/default/1"
    for where in (path, f"{path}/proof"):
        refused = await api.get("eve", where)
        assert (refused.status, refused.code) == (404, "eval.not_found")
    assert (await api.get("eve", "/evals")).body["items"] == []
    assert [row["eval_id"] for row in (await api.get("vera", "/audit/eval?limit=5")).body["items"]] == [
        kept[1]["eval_id"], kept[0]["eval_id"],
    ]  # fmt: skip


async def test_the_same_suite_has_the_same_digest_as_its_file(api: Api) -> None:
    file = {"suite": "desk", "runs": {"since": "7d"}, "cases": [LOOKED]}
    found = (await api.post("opa", "/evals", suite())).body
    assert found["outcome"]["suite_digest"] == suite_of(file, "file").digest


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ({"agent": "desk"}, 422, "http.value"),
        ({"judge": {"model": "openai:gpt"}}, 422, "http.value"),
        ({"answers": {"look_up": [{"value": 1}]}}, 422, "http.value"),
        ({"cases": []}, 422, "http.value"),
        ({"cases": [LOOKED, LOOKED]}, 422, "eval.suite"),
        ({"cases": [{"name": "one"}]}, 422, "eval.suite"),
        ({"cases": [{"name": "one", "words": "x", "rubric": "polite"}]}, 422, "http.value"),
        ({"cases": [LOOKED | {"expect": {"answer": {"matches": ["("]}}}]}, 422, "eval.suite"),
        ({"cases": [LOOKED | {"expect": {"calls": [{"tool": "look_up"}] * 201}}]}, 422, "http.value"),
        ({"since": "soon"}, 400, "time.unreadable"),
    ],
)
async def test_what_is_no_suite_of_recorded_runs_is_refused(
    api: Api, said: dict[str, Any], status: int, code: str
) -> None:  # fmt: skip
    refused = await api.post("opa", "/evals", {**suite(), **said, "record": True})
    assert (refused.status, refused.code) == (status, code), refused.body
    assert (await api.get("vera", "/evals")).body["items"] == []


async def test_more_than_a_request_waits_for_is_refused_with_what_does_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    for limit in ("RUNS_MAX", "TRIALS_MAX"):
        with monkeypatch.context() as patched:
            patched.setattr(evals, limit, 0)
            refused = await api.post("opa", "/evals", suite())
        assert (refused.status, refused.code) == (409, "eval.runs")
        assert "interlock eval run" in refused.body["remedy"]


async def test_whoever_may_only_look_holds_nothing_against_runs(api: Api) -> None:
    for who in ("vera", "ana", "bob"):
        assert (await api.post(who, "/evals", suite())).status == 403
    assert (await api.get("ana", "/evals")).status == 403

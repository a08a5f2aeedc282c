"""Runs taken over HTTP as bundles, and what a run says erased over HTTP (spec: Keeping and restoring, Erasure)."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from interlock import Principal
from interlock.api import bundle
from interlock.keys import CONSOLE, READ, WRITE
from interlock.ledger.archive import Exported
from interlock.ledger.bundle import verifier
from tests.api.stand import OPA, Answer, Api, opened
from tests.planes import Far

pytestmark = pytest.mark.anyio

ADA = Principal("ada", roles=frozenset({"admin"}))
SECRET = "sk_live_4f9aZ+/q"
PAYS = {
    "type": "object", "properties": {"n": {"type": "integer"}, "key": {"type": "string"}}, "required": ["n", "key"],
}  # fmt: skip
ALLOWED = {"allow": [{"tool": "pay", "argument": "key", "references": ["env://PAY_KEY"]}]}


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.setenv("PAY_KEY", SECRET)
    pay = Far().tool("pay", "reversible", input_schema=PAYS)
    async with opened(tmp_path, [pay], ledger=Path("ledger.db"), secrets=ALLOWED) as found:
        yield found


async def checked(folder: Path, taken: Answer, key: str = "") -> subprocess.CompletedProcess[str]:
    """What the one-file verifier says of a bundle, in a process that has nothing of Interlock."""

    def check() -> subprocess.CompletedProcess[str]:
        (folder / "offline.py").write_text(verifier(), encoding="utf-8")
        (folder / "evidence.jsonl").write_text(taken.body, encoding="utf-8")
        asked = [sys.executable, "-I", "offline.py", "evidence.jsonl", "--key", key or taken.headers[bundle.KEY]]
        return subprocess.run(asked, cwd=folder, capture_output=True, text=True, timeout=30, check=False)

    return await anyio.to_thread.run_sync(check)


async def files(api: Api) -> set[str]:
    """What stands in the deployment's folder, and what of it is open without a name."""
    return await anyio.to_thread.run_sync(lambda: {*map(str, api.folder.iterdir()), *nameless(api.folder)})


def nameless(folder: Path) -> set[str]:
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        try:
            to = str(each.readlink())
        except OSError:  # that of the listing itself
            continue
        if to.startswith(f"{folder}/") and to.endswith("(deleted)"):
            found.add(to)
    return found


async def test_a_run_is_taken_whole_and_holds_for_whoever_has_its_key(api: Api, tmp_path: Path) -> None:
    run_id = await api.run("host", words="look up 1")
    await api.call(run_id, "look_up", "host")
    await api.plane.seal()  # which writes files of its own, the first time
    before = await files(api)
    taken = await api.post("opa", "/ledger/export", {"runs": [run_id, run_id]})
    assert taken.status == 200, taken.body
    digest = b64encode(hashlib.sha256(taken.body.encode()).digest()).decode()
    assert taken.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert taken.headers["content-disposition"] == 'attachment; filename="evidence.jsonl"'
    assert taken.headers["cache-control"] == "no-store"
    assert "look up 1" in taken.body, "it is in clear"
    assert await files(api) == before
    found = await checked(tmp_path, taken)
    assert found.returncode == 0, found.stdout + found.stderr
    events = len(await api.plane.store.read(run_id))
    assert f"{events} events of 1 chains" in found.stdout, "what was not sealed yet was sealed"
    key = taken.headers[bundle.KEY]
    other = await checked(tmp_path, taken, f"{key[:-4]}AAA=")
    assert other.returncode == 1


async def test_runs_are_taken_by_when_they_started(api: Api) -> None:
    first = await api.run("ana")
    api.clock.advance(7200)
    second = await api.run("ana")
    api.clock.advance(7200)

    async def taken(**asked: str) -> list[bool]:
        said = (await api.post("opa", "/ledger/export", asked)).body
        return [run_id in said for run_id in (first, second)]

    assert await taken(since="1d") == [True, True]
    assert await taken(since="3h") == [False, True]
    assert await taken(since="1d", until="3h") == [True, False]
    none = await api.post("opa", "/ledger/export", {"since": "1h"})
    assert (none.status, none.code) == (404, "archive.nothing")


async def test_only_operators_take_runs_and_only_those_of_their_tenant(api: Api) -> None:
    """T35."""
    run_id = await api.run("host", words="the secret of host")
    lent = await api.key(OPA, {READ})
    for who in ("vera", "bob", "ana", lent):
        assert (await api.post(who, "/ledger/export", {"runs": [run_id]})).status == 403, who
    theirs = await api.post("eve", "/ledger/export", {"runs": [run_id]})
    assert (theirs.status, theirs.code) == (404, "run.not_found")
    assert (await api.post("eve", "/ledger/export", {"since": "1d"})).code == "archive.nothing"
    own = await api.run("eve-agent", words="hers")
    both = await api.post("eve", "/ledger/export", {"runs": [own, run_id]})
    assert (both.status, both.code) == (404, "run.not_found")
    taken = await api.post("eve", "/ledger/export", {"since": "1d"})
    assert own in taken.body
    assert run_id not in taken.body
    for chain in ("deployment", "tenant/default"):
        assert (await api.post("opa", "/ledger/export", {"runs": [chain]})).code == "run.not_found", "no run"


async def test_either_runs_are_named_or_a_time(api: Api) -> None:
    wrong: list[dict[str, Any]] = [
        {}, {"runs": []}, {"until": "1d"}, {"runs": ["run_1"], "since": "1d"}, {"runs": ["run_1"], "until": "1d"}
    ]  # fmt: skip
    for asked in wrong:
        found = await api.post("opa", "/ledger/export", asked)
        assert (found.status, found.code) == (400, "archive.which"), asked


async def test_what_is_too_large_for_a_request_is_left_to_the_command(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T30: and nothing of it stays."""
    await api.run("ana")
    await api.run("ana")
    await api.plane.seal()  # which writes files of its own, the first time
    before = await files(api)
    for limit, asked in (("BYTES_MAX", 2000), ("RUNS_MAX", 1)):
        with monkeypatch.context() as less:
            less.setattr(bundle, limit, asked)
            found = await api.post("opa", "/ledger/export", {"since": "1d"})
        assert (found.status, found.code) == (409, "archive.large")
        assert "interlock ledger export" in found.body["remedy"]
    assert await files(api) == before


async def test_where_the_disk_is_full_that_is_said(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = await api.run("ana")
    with monkeypatch.context() as full:
        full.setattr(bundle, "TemporaryFile", lambda dir: open("/dev/full", "r+b"))  # noqa: PTH123, SIM115
        found = await api.post("opa", "/ledger/export", {"runs": [run_id]})
    assert (found.status, found.code) == (503, "archive.disk")
    assert (await api.post("opa", "/ledger/export", {"runs": [run_id]})).status == 200, "and the next one is made"


async def test_bundles_are_made_one_at_a_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """T30: each reads, hashes and proves, for as long as a core takes."""
    run_id = await api.run("ana")
    inside, most = 0, 0
    make = bundle.export_to

    async def counted(*given: Any) -> Exported:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await anyio.sleep(0)
        try:
            return await make(*given)
        finally:
            inside -= 1

    monkeypatch.setattr(bundle, "export_to", counted)
    statuses: list[int] = []

    async def take() -> None:
        statuses.append((await api.post("opa", "/ledger/export", {"runs": [run_id]})).status)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(take)
    assert (statuses, most) == ([200] * 4, 1)


async def test_a_secret_that_a_call_referred_to_is_in_no_bundle(api: Api) -> None:
    """T32: the ledger has the reference alone."""
    run_id = await api.run("ana")
    said = {"tool": "pay", "arguments": {"n": 1, "key": {"$secret": "env://PAY_KEY"}}}
    assert (await api.post("ana", f"/runs/{run_id}/calls", said)).body["outcome"] == "done"
    taken = (await api.post("opa", "/ledger/export", {"runs": [run_id]})).body
    assert "env://PAY_KEY" in taken
    assert SECRET not in taken
    assert b64encode(SECRET.encode()).decode() not in taken


async def test_where_nothing_is_kept_or_sealed_nothing_is_taken(tmp_path: Path) -> None:
    for name, code, settings in (
        ("memory", "ledger.in_memory", {}),
        ("unsealed", "ledger.unsealed", {"ledger": Path("ledger.db"), "seal": {"on": False}}),
    ):
        async with opened(tmp_path / name, **settings) as api:
            run_id = await api.run("ana")
            for asked in ({"runs": [run_id]}, {"since": "1d"}):
                found = await api.post("opa", "/ledger/export", asked)
                assert (found.status, found.code) == (409, code)


async def finished(api: Api, words: str) -> str:
    run_id = await api.run("host", words=words)
    await api.call(run_id, "look_up", "host")
    await api.post("host", f"/runs/{run_id}/finish")
    return run_id


async def test_what_a_run_says_is_told_first_and_erased_once_one_is_sure(api: Api) -> None:
    ada = await api.key(ADA, {CONSOLE})
    run_id = await finished(api, "the secret of host")
    asked = {"run_id": run_id, "reason": "request 7"}
    told = (await api.post(ada, "/ledger/redact", asked)).body
    assert (told["erased"], told["kept"]) == (False, [])
    assert "the secret of host" in str(await api.plane.store.read(run_id))
    one = (await api.post(ada, "/ledger/redact", {**asked, "seqs": told["seqs"][:1], "sure": True})).body
    assert (one["erased"], one["seqs"]) == (True, told["seqs"][:1])
    rest = (await api.post(ada, "/ledger/redact", {**asked, "sure": True})).body
    assert rest["seqs"] == told["seqs"][1:]
    events = await api.plane.store.read(run_id)
    assert "the secret of host" not in str(events)
    assert [event.fact.body["reason"] for event in events[-2:]] == ["request 7"] * 2
    taken = await api.post("opa", "/ledger/export", {"runs": [run_id]})
    assert (await checked(api.folder, taken)).returncode == 0, "its bundle shows who erased it"


async def test_asked_twice_by_a_key_it_is_erased_once(api: Api) -> None:
    ada = await api.key(ADA, {CONSOLE})
    run_id = await finished(api, "the secret of host")
    asked = {"run_id": run_id, "reason": "request 7", "sure": True}
    first = await api.post(ada, "/ledger/redact", asked, idempotency_key="r7")
    events = len(await api.plane.store.read(run_id))
    again = await api.post(ada, "/ledger/redact", asked, idempotency_key="r7")
    assert again.body == first.body
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert len(await api.plane.store.read(run_id)) == events
    for other in ({**asked, "reason": "request 8"}, {**asked, "seqs": first.body["seqs"][:1]}):
        refused = await api.post(ada, "/ledger/redact", other, idempotency_key="r7")
        assert (refused.status, refused.code) == (409, "redact.erased")
    assert (await api.post(ada, "/ledger/redact", asked)).code == "redact.erased", "without a key"


async def test_what_is_needed_still_is_named_and_nothing_is_erased(api: Api) -> None:
    ada = await api.key(ADA, {CONSOLE})
    run_id = await api.run("host", words="the secret of host")
    asked = {"run_id": run_id, "reason": "request 7"}
    told = (await api.post(ada, "/ledger/redact", asked)).body
    assert {each["why"] for each in told["kept"]} == {"its run is open"}
    refused = await api.post(ada, "/ledger/redact", {**asked, "sure": True})
    assert (refused.status, refused.code) == (409, "redact.needed")
    assert "the secret of host" in str(await api.plane.store.read(run_id))


async def test_only_an_administrator_erases_and_only_in_their_tenant(api: Api) -> None:
    """T35."""
    ada, written = await api.key(ADA, {CONSOLE}), await api.key(ADA, {WRITE})
    run_id = await finished(api, "the secret of host")
    asked = {"run_id": run_id, "reason": "request 7", "sure": True}
    for who in ("vera", "bob", "ana", "opa", written):
        assert (await api.post(who, "/ledger/redact", asked)).status == 403, who
    for who, run in (("eve", run_id), (ada, "deployment"), (ada, "run_none")):
        found = await api.post(who, "/ledger/redact", {**asked, "run_id": run})
        assert (found.status, found.code) == (404, "run.not_found")
    assert (await api.post(ada, "/ledger/redact", {**asked, "seqs": [99]})).code == "redact.no_event"
    assert "the secret of host" in str(await api.plane.store.read(run_id))

"""Two who saw the same and act at once: both are past their `If-Match`, and the ledger takes one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from interlock.core.event import Kind
from interlock.core.tool import CallContext
from tests.api.stand import Answer, Api, opened
from tests.api.test_approvals import at, held, saying
from tests.api.test_grants import TERMS
from tests.planes import Far

pytestmark = pytest.mark.anyio


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened(tmp_path, ledger=tmp_path / "l.db") as found:
        yield found


async def together(
    api: Api, monkeypatch: pytest.MonkeyPatch, act: str, asked: Sequence[partial[Any]]
) -> list[Answer]:  # fmt: skip
    """The answers to requests of which none acts before all have been let through by what they saw."""
    acting, arrived, all_there = getattr(api.plane, act), [], anyio.Event()

    async def waiting(*said: Any, **more: Any) -> Any:
        arrived.append(said)
        if len(arrived) == len(asked):
            all_there.set()
        await all_there.wait()
        return await acting(*said, **more)

    monkeypatch.setattr(api.plane, act, waiting)
    found: list[Answer] = []

    async def ask(each: partial[Any]) -> None:
        found.append(await each())

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for each in asked:
                tasks.start_soon(ask, each)
    assert len(arrived) == len(asked)
    return found


def codes(answers: Sequence[Answer]) -> list[tuple[int, str]]:
    return sorted((each.status, each.code if each.status >= 400 else "") for each in answers)


async def count(api: Api, chain: str, kind: Kind) -> int:
    return sum(event.fact.kind is kind for event in await api.site.store.read(chain))


async def test_of_two_decisions_on_one_request_one_counts(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    _, request = await held(api)
    tag = {who: (await api.get(who, at(request))).headers["etag"] for who in ("bob", "cay")}
    asked = [
        partial(api.post, who, f"{at(request)}/decision", saying(request, said), if_match=tag[who])
        for who, said in (("bob", "approve"), ("cay", "reject"))
    ]
    found = await together(api, monkeypatch, "answer", asked)
    assert codes(found) == [(200, ""), (409, "approval.settled")]
    [counted] = [each.body["status"] for each in found if each.status == 200]
    now = await api.plane.approval(request["approval_id"])
    assert now.status == counted, "who was told that it counted is who was counted"


async def test_of_two_words_on_an_unknown_call_one_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(arguments: dict[str, Any], context: CallContext) -> object:
        raise TimeoutError

    async with opened(tmp_path, [Far().tool("pay", "reversible", lost)], ledger=tmp_path / "l.db") as api:
        run_id = await api.run()
        call_id = (await api.call(run_id, "pay")).body["call_id"]
        tag = (await api.get("opa", f"/runs/{run_id}/calls/{call_id}")).headers["etag"]
        asked = [
            partial(api.post, "opa", f"/calls/{call_id}/settle", {"outcome": said, "note": said}, if_match=tag)
            for said in ("done", "failed")
        ]
        found = await together(api, monkeypatch, "settle", asked)
        assert codes(found) == [(200, ""), (409, "settle.not_unknown")]
        assert await count(api, run_id, Kind.CALL_RECONCILED) == 1


async def test_of_two_endorsements_by_one_person_one_counts(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    given = (await api.post("bob", "/grants", TERMS)).body
    path = f"/grants/{given['grant_id']}"
    tag = (await api.get("cay", path)).headers["etag"]
    asked = [partial(api.post, "cay", f"{path}/endorse", if_match=tag) for _ in range(2)]
    await together(api, monkeypatch, "endorse_grant", asked)
    voices = (await api.get("bob", path)).body["given_by"]
    assert [voice["person"] for voice in voices] == ["bob", "cay"]

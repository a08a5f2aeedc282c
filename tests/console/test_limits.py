"""What one person can take of a process by its pages, and what a stream still shows to whoever may see no more."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from interlock.api.live import STILL_S, facts
from interlock.api.who import Who
from interlock.console import ledger
from interlock.ledger.findings import Report
from tests.api.stand import ANA, VERA, opened
from tests.console.test_routes import asked, session

pytestmark = pytest.mark.anyio


async def test_a_ledger_is_verified_by_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T30: each reads the whole of it, in a thread that the calls of everybody else need as well."""
    inside, most, entered, go = 0, 0, threading.Event(), threading.Event()
    verify = ledger.verify

    def slow(*given: object) -> Report:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        entered.set()
        go.wait(10)
        try:
            return verify(*given)  # type: ignore[arg-type]  # handed on as it came
        finally:
            inside -= 1

    monkeypatch.setattr(ledger, "verify", slow)
    async with opened(tmp_path, ledger=Path("ledger.db"), seal={"on": False}) as api:
        cookie = await session(api, replace(VERA, id="root", roles=frozenset({"operator"})))
        statuses: list[int] = []

        async def verifying() -> None:
            statuses.append((await asked(api, "POST", "/audit/ledger", cookie)).status_code)

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                for _ in range(4):
                    tasks.start_soon(verifying)
                await anyio.to_thread.run_sync(entered.wait)
                for _ in range(20):
                    await asked(api, "GET", "/audit", cookie)  # everybody else is answered meanwhile
                go.set()
    assert (statuses, most) == ([200] * 4, 1)


@pytest.mark.parametrize("number", ["9" * 19, "9" * 5000, "-1", "1.5", "x", "%0a1"])
async def test_a_proof_of_a_number_that_no_event_has_is_not_there(tmp_path: Path, number: str) -> None:
    async with opened(tmp_path, ledger=Path("ledger.db")) as api:
        run_id = await api.run()
        cookie = await session(api, replace(VERA, id="looks"))
        answer = await asked(api, "GET", f"/audit/proof/{run_id}/{number}", cookie)
        assert answer.status_code == 404


async def test_a_stream_ends_for_whoever_lost_the_role_that_opened_it(tmp_path: Path) -> None:
    """T24: a role that somebody has no more shows them nothing more, though they are still somebody."""
    async with opened(tmp_path) as api:
        who = Who(principal=VERA, scopes=frozenset({"read"}), by="key")

        async def now() -> Who:
            return replace(who, principal=replace(VERA, roles=frozenset()))

        stream = facts(api.site, who, api.site.store.position(), still=now)
        await api.run()
        assert await anext(stream) is not None
        api.clock.advance(STILL_S + 1)
        await api.run()
        with anyio.fail_after(30):
            shown = [each async for each in stream]
        assert all(event.at_us < api.site.now_us for _, event in filter(None, shown)), "what came after is not shown"


async def test_whether_another_tenant_has_calls_is_not_told_by_the_switch(tmp_path: Path) -> None:
    """T35: the page that asks again says of a name that no call has it: of one's own tenant alone."""
    async with opened(tmp_path) as api:
        await api.call(await api.run(), "look_up")
        cookie = await session(api, replace(ANA, id="ola", tenant="other", roles=frozenset({"operator"})))
        said = {"act": "stop", "scope": "tenant", "reason": "x"}
        pages = []
        for tenant in ("default", "nowhere"):
            page = await asked(api, "POST", "/stop", cookie, {**said, "target": tenant})
            pages.append(page.text.replace(tenant, "-"))
        assert pages[0] == pages[1]

"""K40: a call that ends every worker which takes it up is given up on, and takes no other with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from interlock.core.run import VAIN_MAX
from interlock.ledger.company import Company
from interlock.testing import EffectOracle
from tests.engine.at_work import POISON, accounts, look_once, opened
from tests.planes import ANA, BOB, saying
from tests.workers import killed

ACCOUNTS = (1, 2, POISON, 3, 4)


@pytest.fixture
def oracle(tmp_path: Path) -> Iterator[EffectOracle]:
    with EffectOracle(tmp_path / "effects.jsonl") as oracle:
        yield oracle


@pytest.mark.anyio
async def test_a_call_that_ends_each_worker_is_given_up_on_and_the_others_are_done(
    tmp_path: Path, oracle: EffectOracle
) -> None:
    ledger = str(tmp_path / "ledger.db")
    async with opened(ledger, "first", accounts(oracle.port)) as plane:
        for number in ACCOUNTS:
            async with plane.run(ANA, words="pay") as run:
                held = await run.call("pay", {"n": number})
            asked = await plane.approval(held.approval_id)
            await plane.answer(held.approval_id, saying(asked.request), BOB)

    deaths = 0
    while await anyio.to_thread.run_sync(killed, look_once, ledger, oracle.port, 60.0 * (deaths + 1)):
        deaths += 1
        assert deaths <= VAIN_MAX, "it goes on for ever"
    assert deaths == VAIN_MAX

    async with opened(ledger, "last", accounts(oracle.port), 3600) as plane:
        assert await plane.store.due() == []
        calls: list[dict[str, Any]] = [row for row in await plane.store.rows("tool_call") if row["tool"] == "pay"]
        codes = [(row["outcome"], row["code"]) for row in calls]
        assert codes == [("failed", "recovery.quarantined") if n == POISON else ("done", None) for n in ACCOUNTS]
        [letter] = await plane.store.rows("dead_letter")
        assert letter["call_id"] == calls[2]["call_id"]
        assert (await plane.store.rows("run", {"run_id": calls[2]["run_id"]}))[0]["status"] == "finished"
    assert sorted(effect["arguments"]["n"] for effect in oracle.effects()) == [1, 2, 3, 4]


@pytest.mark.anyio
async def test_whoever_wants_to_be_alone_waits_for_those_who_work_and_lets_nobody_in() -> None:
    company = Company()
    said: list[str] = []
    go_on = {name: anyio.Event() for name in ("a", "b", "suspect", "late")}

    async def work(name: str, *, alone: bool = False) -> None:
        async with company.join(alone=alone):
            said.append(name)
            await go_on[name].wait()

    async def settle() -> None:
        for _ in range(10):
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work, "a")
        tasks.start_soon(work, "b")
        await settle()
        tasks.start_soon(lambda: work("suspect", alone=True))
        await settle()
        tasks.start_soon(work, "late")
        await settle()
        assert said == ["a", "b"]
        go_on["a"].set()
        await settle()
        assert said == ["a", "b"]
        go_on["b"].set()
        await settle()
        assert said == ["a", "b", "suspect"]
        go_on["suspect"].set()
        await settle()
        assert said == ["a", "b", "suspect", "late"]
        go_on["late"].set()

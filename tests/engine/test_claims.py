"""Claims in real time: kept while a long call runs, lapsed and fenced where the event loop is blocked."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from interlock.core.event import Kind
from interlock.testing import EffectOracle
from tests.engine.at_work import LEASE_S, in_real_time, keyed_put, long_call, stopped_call
from tests.workers import Worker

pytestmark = pytest.mark.anyio


@pytest.fixture
def oracle(tmp_path: Path) -> Iterator[EffectOracle]:
    with EffectOracle(tmp_path / "effects.jsonl") as oracle:
        yield oracle


async def test_a_call_that_takes_longer_than_a_lease_keeps_its_run(tmp_path: Path, oracle: EffectOracle) -> None:
    ledger = str(tmp_path / "ledger.db")
    worker = Worker(long_call, ledger, oracle.port, False)
    run_id = await anyio.to_thread.run_sync(worker.receive)
    async with in_real_time(ledger, []) as plane:
        with anyio.move_on_after(2.5 * LEASE_S):
            while True:
                assert await plane.store.due() == [], "its claim has lapsed"
                assert await plane.advance(run_id) is False, "somebody else could take it"
                await anyio.sleep(0.05)
        worker.send("go on")
        assert await anyio.to_thread.run_sync(worker.receive) == "done"
        worker.end()
        assert [event.fact.kind for event in await plane.store.read(run_id)].count(Kind.RUN_CLAIMED) == 1


async def test_a_blocked_event_loop_loses_its_run_and_one_effect_is_one_effect(
    tmp_path: Path, oracle: EffectOracle
) -> None:
    """K37: nobody renews the claim, so another worker takes over. What the first one then says comes from outside."""
    ledger = str(tmp_path / "ledger.db")
    worker = Worker(long_call, ledger, oracle.port, True)
    run_id = await anyio.to_thread.run_sync(worker.receive)
    async with in_real_time(ledger, [], engine=True) as plane:
        with anyio.fail_after(30):
            while (await plane.store.rows("tool_call", {"run_id": run_id}))[0]["status"] == "intent":
                await anyio.sleep(0.02)
        [row] = await plane.store.rows("tool_call", {"run_id": run_id})
        assert (row["status"], row["code"]) == ("unknown", "execute.lost")
        worker.send("go on")
        assert await anyio.to_thread.run_sync(worker.receive) == "done"
        worker.end()
        [row] = await plane.store.rows("tool_call", {"run_id": run_id})
        assert (row["status"], row["outcome"]) == ("closed", "done")
        said = [event.fact for event in await plane.store.read(run_id) if event.fact.outcome]
        assert [(fact.kind, fact.body.get("how")) for fact in said] == [
            (Kind.CALL_UNKNOWN, None), (Kind.CALL_RECONCILED, "late")
        ]  # fmt: skip
        [run] = await plane.store.rows("run", {"run_id": run_id})
        assert run["status"] == "finished", "whoever leaves it finishes it, though the claim was lost meanwhile"
    assert len(oracle.effects()) == 1


async def test_a_stopped_worker_that_goes_on_finds_its_run_taken_and_writes_nothing_under_its_old_claim(
    tmp_path: Path, oracle: EffectOracle
) -> None:
    """K6: SIGSTOP past the lease, another worker takes over, SIGCONT. The keyed effect is one, nothing is flagged."""
    ledger = str(tmp_path / "ledger.db")
    worker = Worker(stopped_call, ledger, oracle.port)
    run_id = await anyio.to_thread.run_sync(worker.receive)
    worker.signal(signal.SIGSTOP)
    async with in_real_time(ledger, [keyed_put(oracle.port)], engine=True) as plane:
        with anyio.fail_after(30):
            while (await plane.store.rows("tool_call", {"run_id": run_id}))[0]["status"] != "closed":
                await anyio.sleep(0.02)
        worker.signal(signal.SIGCONT)
        worker.send("go on")
        assert await anyio.to_thread.run_sync(worker.receive) == "done", "what the other worker recorded"
        second = await anyio.to_thread.run_sync(worker.receive)
        worker.end()
        [row] = await plane.store.rows("tool_call", {"run_id": run_id})
        events = await plane.store.read(run_id)
    assert (row["status"], row["outcome"]) == ("closed", "done")
    assert second == "ledger.stale_claim", "nothing new under a claim that is past"
    assert [event.fact.kind for event in events].count(Kind.CALL_INTENT) == 1
    assert len(oracle.effects()) == 1

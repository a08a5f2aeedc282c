"""Cancelled at whichever await: the record is true, nothing is done twice, nobody waits for ever."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from interlock import CallContext, Outcome, OutcomeKind, Proposal, Run
from interlock.core.run import RunState
from interlock.pipeline import call_tool
from tests.planes import ANA, CutAt, Far, Stage, WatchedStore, proposed, staged

pytestmark = pytest.mark.anyio

POINTS = 40
"""More suspensions than any of these calls has."""


async def slowly(arguments: dict[str, Any], context: CallContext) -> object:
    await checkpoint()
    await checkpoint()
    return arguments["n"]


def check_truth(effect: str, far: Far, state: RunState, call_id: str = "call_x") -> None:
    """What the ledger says of a call agrees with what ran."""
    call = state.calls.get(call_id)
    if call is None:
        assert far.ran == [], "nothing runs without a record"
        return
    assert call.outcome is not None, "no call is left open by a worker that is still there"
    assert len(far.ran) <= 1
    if effect != "read" and far.ran:
        assert call.outcome.kind in (OutcomeKind.DONE, OutcomeKind.UNKNOWN), "it may have happened"
    if not far.ran:
        assert call.outcome.kind in (OutcomeKind.FAILED, OutcomeKind.HELD, OutcomeKind.DONE)


async def cut(stage: Stage, run: Run, nth: int, tool: str) -> tuple[bool, int]:
    """Call a tool and cancel it when it suspends for the n-th time: whether it was, and how often it suspended."""
    with anyio.fail_after(30), anyio.CancelScope() as scope:
        cutting = CutAt(call_tool(proposed(run, tool), stage.plane.plane), scope, nth)
        await cutting
    return scope.cancelled_caught, cutting.suspended


@pytest.mark.parametrize("where", ["memory", "sqlite"])
@pytest.mark.parametrize("effect", ["read", "reversible"])
async def test_a_call_cut_off_at_any_await_has_a_true_record(effect: str, where: str, tmp_path: Path) -> None:
    """Defects 40, 49: cancelled is neither a success nor «not done»; and the next ask gets the recorded outcome."""
    cuts = 0
    for nth in range(1, POINTS):
        far = Far()
        file = tmp_path / str(nth) / "ledger.db" if where == "sqlite" else None
        async with staged(far.tool("act", effect, slowly), ledger=file) as stage:
            if file is None:
                stage.store_in(WatchedStore(stage.clock))
            async with stage.run() as run:
                caught, suspended = await cut(stage, run, nth, "act")
                cuts += caught
                check_truth(effect, far, await stage.state(run.run_id))
                before = len(far.ran)
                again = await call_tool(proposed(run, "act"), stage.plane.plane)
                if before:
                    assert again.repeated
                    assert len(far.ran) == before
                assert (await run.call("act", {"n": 2})).done, "and nothing is in the way of others"
                if not caught and suspended < nth:
                    break
    else:
        pytest.fail("more suspensions than were tried")
    assert cuts >= 3


@pytest.mark.parametrize("where", ["memory", "sqlite"])
async def test_an_approved_call_that_is_cut_off_before_its_intent_waits_for_the_next_advance(
    where: str, tmp_path: Path
) -> None:
    """A worker that shuts down ends no call that a person approved: it is run later, once, or is unknown."""
    for nth in range(1, POINTS):
        far = Far()
        file = tmp_path / str(nth) / "ledger.db" if where == "sqlite" else None
        async with staged(far.tool("pay", "irreversible", slowly), ledger=file) as stage:
            if file is None:
                stage.store_in(WatchedStore(stage.clock))
            async with stage.run() as run:
                held = await run.call("pay", {"n": 1})
            await stage.answer(run.run_id, held)
            with anyio.fail_after(30), anyio.CancelScope() as scope:
                cutting = CutAt(stage.plane.advance(run.run_id), scope, nth)
                await cutting
            ran = len(far.ran)
            assert await stage.plane.advance(run.run_id), "the claim was given back"
            call = (await stage.state(run.run_id)).calls[held.call_id]
            assert call.outcome is not None
            assert len(far.ran) == 1
            assert call.outcome.kind is OutcomeKind.DONE or (ran == 1 and call.outcome.kind is OutcomeKind.UNKNOWN)
            if not scope.cancelled_caught and cutting.suspended < nth:
                return
    pytest.fail("more suspensions than were tried")


async def test_whoever_waits_for_a_call_that_is_cut_off_is_let_in() -> None:
    """Two ask by one name; the first is cancelled at any await; the second gets an outcome, and soon."""
    for nth in range(1, POINTS):
        far = Far()
        async with staged(far.tool("put", "reversible", slowly)) as stage:
            stage.store_in(WatchedStore(stage.clock))
            async with stage.run() as run:
                outcomes: list[Outcome] = []
                suspended = 0

                async def first(
                    run: Run = run, stage: Stage = stage, nth: int = nth
                ) -> None:  # the loop's own variables
                    nonlocal suspended
                    suspended = (await cut(stage, run, nth, "put"))[1]

                async def second(run: Run = run, stage: Stage = stage, outcomes: list[Outcome] = outcomes) -> None:
                    outcomes.append(await call_tool(proposed(run, "put"), stage.plane.plane))

                with anyio.fail_after(30):
                    async with anyio.create_task_group() as tasks:
                        tasks.start_soon(first)
                        tasks.start_soon(second)
                assert len(far.ran) <= 1
                assert outcomes[0].kind in (OutcomeKind.DONE, OutcomeKind.FAILED, OutcomeKind.UNKNOWN)
        if suspended < nth:
            return
    pytest.fail("more suspensions than were tried")


async def test_whoever_waits_for_a_call_whose_entry_failed_is_let_in() -> None:
    """The first could not read the ledger when it came in; the second must not wait for it for ever."""
    far = Far()
    async with staged(far.tool("get")) as stage:
        store = WatchedStore(stage.clock)
        stage.store_in(store)
        async with stage.run() as run:
            conversation = await stage.plane.plane.ledger.conversation(run.run_id, ANA.tenant)
            refreshed = conversation.refresh
            failures = [OSError("first")]

            async def refresh() -> None:
                await checkpoint()
                if failures:
                    raise failures.pop()
                await refreshed()

            conversation.refresh = refresh  # type: ignore[method-assign]
            told: list[object] = []

            async def ask() -> None:
                try:
                    told.append(await call_tool(proposed(run, "get"), stage.plane.plane))
                except OSError as error:
                    told.append(error)

            with anyio.fail_after(30):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(ask)
                    tasks.start_soon(ask)
            assert isinstance(told[0], OSError)
            assert isinstance(told[1], Outcome)
            assert told[1].done


async def test_a_batch_cut_off_at_any_await_has_a_true_record_for_each_call() -> None:
    """Defect 49: of reads, of writes in line, and of a dependent."""
    for nth in range(1, POINTS):
        far = Far()
        tools = [far.tool("get", "read", slowly), far.tool("put", "reversible", slowly, resource="n")]
        async with staged(*tools) as stage:
            stage.store_in(WatchedStore(stage.clock))
            async with stage.run() as run:
                wanted = [
                    Proposal(tool="get", arguments={"n": 1}, id="a"),
                    Proposal(tool="put", arguments={"n": 2, "note": "x"}),
                    Proposal(tool="put", arguments={"n": 2, "note": "y"}),
                    Proposal(tool="put", arguments={"n": {"$result": "a", "pointer": ""}}),
                ]
                with anyio.fail_after(30), anyio.CancelScope() as scope:
                    cutting = CutAt(run.calls(wanted), scope, nth)
                    await cutting
                ran = [arguments for name, arguments in far.ran if name == "put"]
                state = await stage.state(run.run_id)
                recorded = [call for call in state.calls.values() if call.tool == "put"]
                assert len(ran) <= len(recorded)
                for call in state.calls.values():
                    assert call.outcome is not None
                may = sum(call.outcome.kind in ("done", "unknown") for call in recorded if call.outcome)
                assert len(ran) <= may, "every effect that may have happened is told as such"
                assert not (await stage.plane.plane.ledger.conversation(run.run_id, ANA.tenant)).on_the_way
        if not scope.cancelled_caught and cutting.suspended < nth:
            return
    pytest.fail("more suspensions than were tried")


async def test_cancelling_while_the_tries_pause_says_what_may_have_happened() -> None:
    """Defect 48: between two tries of a write whose first may have been sent, cancelled is unknown."""

    async def lose(arguments: dict[str, Any], context: CallContext) -> object:
        raise TimeoutError

    far = Far()
    async with staged(far.tool("put", "reversible", lose, keyed=True)) as stage, stage.run() as run:

        async def forever(seconds: float) -> None:
            await anyio.sleep_forever()

        object.__setattr__(stage.plane.plane.executor, "pause", forever)
        with anyio.move_on_after(0.02):
            await call_tool(proposed(run, "put"), stage.plane.plane)
        outcome = (await stage.state(run.run_id)).calls["call_x"].outcome
        assert outcome is not None
        assert outcome.kind is OutcomeKind.UNKNOWN


async def test_a_task_that_asyncio_itself_cancels_is_cancelled_and_its_record_is_true(tmp_path: Path) -> None:
    """A host that knows nothing of cancel scopes: `task.cancel()` at any await ends the task."""
    task = asyncio.current_task()
    assert task is not None
    for nth in range(1, POINTS):
        far, cancelled = Far(), False
        async with (
            staged(far.tool("put", "reversible", slowly), ledger=tmp_path / str(nth) / "ledger.db") as stage,
            stage.run() as run,
        ):
            cutting = CutAt(call_tool(proposed(run, "put"), stage.plane.plane), task, nth)
            try:
                await cutting
                await checkpoint()
            except asyncio.CancelledError:
                cancelled = True
                task.uncancel()
            assert cancelled == (cutting.suspended >= nth)
            check_truth("reversible", far, await stage.state(run.run_id))
        if not cancelled:
            return
    pytest.fail("more suspensions than were tried")

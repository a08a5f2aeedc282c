"""Cancelled at the k-th await, for all k, where a call is tried again, asked about or taken up: fault K38."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from interlock import CallContext, Proposal, Tool, World
from interlock.testing import CountedIds, FrozenClock
from tests.planes import ANA, CutAt, Far, Stage, WatchedStore, staged
from tests.test_recovery import LEASE_S, Mortal, abandoned

pytestmark = pytest.mark.anyio

POINTS = 120
"""More suspensions than any of these has."""

DECLARED: dict[str, dict[str, Any]] = {
    "keyed": {"keyed": True},
    "reconcilable": {"reconcile": "was_put"},
    "none": {},
}


class Stumbling(Mortal):
    """A far end that does what it is first asked for and answers with an error; it yields as networks do."""

    def __init__(self) -> None:
        super().__init__(0)
        self.stumbles = 1

    async def put(self, arguments: dict[str, Any], context: CallContext) -> object:
        await checkpoint()
        answer = await super().put(arguments, context)
        self.stumbles -= 1
        if self.stumbles >= 0:
            raise ConnectionError("500")
        await checkpoint()
        return answer

    async def was_put(self, arguments: dict[str, Any], context: CallContext) -> object:
        await checkpoint()
        return await super().was_put(arguments, context)


def yielding() -> World:
    """A world whose pauses suspend and take no time."""
    clock = FrozenClock()

    async def pause(seconds: float) -> None:
        await checkpoint()
        clock.advance(seconds)

    return World(clock=clock, new_id=CountedIds(), pause=pause)


def check_effects(declared: str, far: Mortal) -> None:
    """One key; and one effect unless the far end dedupes by it."""
    assert len(far.effects) <= 1
    if declared != "keyed":
        assert sum(far.effects.values()) <= 1


async def cut(stage: Stage, work: Any, nth: int) -> bool:
    """Do work and cancel it when it suspends for the n-th time; whether it suspended so often."""
    with anyio.fail_after(30), anyio.CancelScope() as scope:
        cutting = CutAt(work, scope, nth)
        await cutting
    return scope.cancelled_caught or cutting.suspended >= nth


@pytest.mark.parametrize("declared", DECLARED)
async def test_a_call_that_is_tried_again_or_asked_about_can_be_cut_off_at_any_await(declared: str) -> None:
    """Fault K38, defect 40: what may have happened is told as done or unknown, and the same from then on."""
    for nth in range(1, POINTS):
        far = Stumbling()
        tools: list[Tool] = far.tools(**DECLARED[declared])
        async with staged(*tools, world=yielding()) as stage:
            stage.store_in(WatchedStore(stage.clock))
            async with stage.run() as run:
                met = await cut(stage, run.call("put", {"n": 1}, name="mine"), nth)
                happened = bool(far.effects)
                told = await run.call("put", {"n": 1}, name="mine")
                check_effects(declared, far)
                if happened:
                    assert told.kind in ("done", "unknown")
                    assert told.repeated
                assert not (await stage.plane.plane.ledger.conversation(run.run_id, ANA.tenant)).on_the_way
                far.stumbles = 0
                assert (await run.call("put", {"n": 2})).done, "and nothing is in the way of others"
        if not met:
            return
    pytest.fail("more suspensions than were tried")


@pytest.mark.parametrize("declared", DECLARED)
async def test_a_recovery_can_be_cut_off_at_any_await(declared: str) -> None:
    """Faults K4, K38: the next one goes on where it was, gives no claim away and comes to one effect."""
    for nth in range(1, POINTS):
        far = Mortal(1)
        async with staged(*far.tools(**DECLARED[declared]), world=yielding()) as stage:
            stage.store_in(WatchedStore(stage.clock))
            run_id = await abandoned(stage)
            met = await cut(stage, stage.plane.advance(run_id), nth)
            assert await stage.plane.advance(run_id), "the claim was given back"
            stage.clock.advance(LEASE_S)
            await stage.plane.advance(run_id)
            [call] = [call for call in (await stage.state(run_id)).calls.values() if call.tool == "put"]
            assert call.outcome is not None
            assert call.outcome.kind in (("unknown",) if declared == "none" else ("done", "unknown"))
            assert call.outcome.done or declared == "none" or met, "cut off in the middle of a try, nobody knows"
            check_effects(declared, far)
        if not met:
            return
    pytest.fail("more suspensions than were tried")


async def test_a_batch_that_tries_again_can_be_cut_off_at_any_await() -> None:
    """Faults K38, K41, defect 49: of writes in line, a read and what needs its result, each with its own tries."""
    for nth in range(1, 3 * POINTS):
        far = Far()
        failing = {"put": 1, "get": 1}

        async def stumble(arguments: dict[str, Any], context: CallContext, left: dict[str, int] = failing) -> object:
            await checkpoint()
            name = "get" if "note" not in arguments else "put"
            left[name] -= 1
            if left[name] >= 0:
                raise ConnectionError("500")
            return arguments["n"]

        tools = [far.tool("get", "read", stumble), far.tool("put", "reversible", stumble, resource="n", keyed=True)]
        async with staged(*tools, world=yielding()) as stage:
            stage.store_in(WatchedStore(stage.clock))
            async with stage.run() as run:
                wanted = [
                    Proposal(tool="get", arguments={"n": 1}, id="a"),
                    Proposal(tool="put", arguments={"n": 2, "note": "x"}),
                    Proposal(tool="put", arguments={"n": 2, "note": "y"}),
                    Proposal(tool="put", arguments={"n": {"$result": "a", "pointer": ""}, "note": "z"}),
                ]
                met = await cut(stage, run.calls(wanted), nth)
                state = await stage.state(run.run_id)
                assert all(call.outcome is not None for call in state.calls.values())
                by_key = {
                    context.idempotency_key
                    for (name, _), context in zip(far.ran, far.contexts, strict=True)
                    if name == "put"
                }
                may = sum(
                    call.outcome.kind in ("done", "unknown")
                    for call in state.calls.values()
                    if call.tool == "put" and call.outcome
                )
                assert len(by_key) <= may, "whatever may have happened is told as such"
                assert not (await stage.plane.plane.ledger.conversation(run.run_id, ANA.tenant)).on_the_way
        if not met:
            return
    pytest.fail("more suspensions than were tried")

"""The gate `limit`: how many calls, and not the same one over and over."""

from __future__ import annotations

import pytest

from interlock import Entity, Proposal
from interlock.pipeline import call_tool
from tests.planes import Far, codes, kinds, proposed, staged

pytestmark = pytest.mark.anyio


async def test_a_run_has_its_calls_and_not_one_more_refused_ones_included() -> None:
    """Spec limits; defect 60: calls are counted, not turns."""
    far = Far()
    async with staged(far.tool("get"), settings={"limits": {"calls_max": 3}}) as stage, stage.run() as run:
        outcomes = [await run.call("get", {"n": n} if n != 1 else {}) for n in range(5)]
        assert codes(outcomes) == ["", "validate.schema", "", "limit.calls", "limit.calls"]
        assert len(far.ran) == 2


async def test_the_next_run_begins_at_nought() -> None:
    far = Far()
    async with staged(far.tool("get"), settings={"limits": {"calls_max": 1}}) as stage:
        for _ in range(3):
            async with stage.run() as run:
                assert (await run.call("get", {"n": 1})).done


async def test_asking_again_by_name_costs_no_call() -> None:
    far = Far()
    async with staged(far.tool("get"), settings={"limits": {"calls_max": 2}}) as stage, stage.run() as run:
        for _ in range(5):
            assert (await run.call("get", {"n": 1}, name="mine")).done
        assert (await run.call("get", {"n": 2})).done


async def test_the_same_call_over_and_over_is_a_loop_reads_included() -> None:
    """Defect 60: exact repeats are counted on the call digest, whatever the spelling."""
    far = Far()
    async with staged(far.tool("get"), settings={"limits": {"alike_max": 2}}) as stage, stage.run() as run:
        spellings = [{"n": 1, "note": "x"}, '{"note":"x","n":1}', '{ "n": 1, "note": "\\u0078" }']
        assert codes([await run.call("get", spelling) for spelling in spellings]) == ["", "", "limit.loop"]
        assert (await run.call("get", {"n": 1, "note": "y"})).done


async def test_a_repeat_within_one_batch_counts_too() -> None:
    far = Far()
    async with staged(far.tool("get"), settings={"limits": {"alike_max": 2}}) as stage, stage.run() as run:
        outcomes = await run.calls([Proposal(tool="get", arguments={"n": 1})] * 4)
        assert sorted(kinds(outcomes)) == ["done", "done", "refused", "refused"]
        assert len(far.ran) == 2


async def test_a_limit_says_no_number_of_the_audits() -> None:
    """Defect 66: the model is told what to do, the audit why."""
    far = Far()
    async with staged(far.tool("get"), settings={"limits": {"calls_max": 1}}) as stage, stage.run() as run:
        await run.call("get", {"n": 1})
        refused = await run.call("get", {"n": 2})
        assert refused.next_step
        fact = (await stage.events(run.run_id, refused.call_id))[-1].fact
        assert fact.body["stop"]["audit"] == {"step": 2}


async def test_what_is_looked_up_for_a_call_is_no_loop_of_the_models() -> None:
    """Ten different calls about one thing look it up ten times; none of them is refused for that."""
    far = Far()
    put = far.tool("put", "reversible", entities={"n": Entity(type="Thing", lookup="find", by="n")})
    async with staged(far.tool("find"), put) as stage, stage.run() as run:
        outcomes = [await run.call("put", {"n": 1, "note": str(number)}) for number in range(10)]
        assert codes(outcomes) == [""] * 10
        assert kinds([await run.call("find", {"n": 1}) for _ in range(3)]) == ["done"] * 3, "nor counted with its own"


async def test_a_second_try_for_the_same_call_waits_for_the_first_unless_that_is_unknown() -> None:
    """What undoes a call is tried once more where nobody knows of the first try, never beside one that is held."""
    far = Far()
    held = '@id("held") @approvers("approver") forbid (principal, action == Action::"undo", resource);'
    async with staged(far.tool("undo", "reversible", idempotent=True)) as stage, stage.run() as run:
        stage.obey("permit (principal, action, resource);" + held)
        tries = [proposed(run, "undo", {"n": 1}, call_id, parent_id="call_p") for call_id in ("call_a", "call_b")]
        assert codes([await call_tool(each, stage.plane.plane) for each in tries]) == [
            "approve.held",
            "limit.duplicate",
        ]

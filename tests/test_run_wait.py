"""`Run.wait`: a held call's outcome once there is one."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from interlock import OutcomeKind
from interlock.core.tool import CallContext
from interlock.errors import NotFound
from tests.planes import Far, staged


@pytest.mark.anyio
async def test_waiting_for_a_held_call_lasts_until_the_approved_call_has_run() -> None:
    running, may_end = anyio.Event(), anyio.Event()

    async def slow(arguments: dict[str, Any], context: CallContext) -> object:
        running.set()
        await may_end.wait()
        return {"n": arguments["n"]}

    async with staged(Far().tool("refund", "irreversible", slow)) as stage, stage.run() as run:
        held = await run.call("refund", {"n": 7})
        assert held.kind is OutcomeKind.HELD
        await stage.answer(run.run_id, held)
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(stage.plane.advance, run.run_id)
                await running.wait()
                while_it_runs = await run.wait(held, timeout_s=0.01)
                may_end.set()
                afterwards = await run.wait(held, timeout_s=4)
    assert while_it_runs == held
    assert afterwards.value == {"n": 7}


@pytest.mark.anyio
async def test_waiting_for_another_runs_call_says_that_it_is_not_here() -> None:
    far = Far()
    async with staged(far.tool("get")) as stage, stage.run() as run, stage.run() as other:
        done = await other.call("get", {"n": 1})
        with pytest.raises(NotFound):
            await run.wait(done)


@pytest.mark.anyio
async def test_arguments_that_are_no_object_are_refused_as_such() -> None:
    far = Far()
    async with staged(far.tool("get")) as stage, stage.run() as run:
        outcome = await run.call("get", [1])  # type: ignore[arg-type]
        assert (outcome.kind.value, outcome.code) == ("refused", "validate.arguments")
        assert far.ran == []

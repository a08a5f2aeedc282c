"""Room: in the process, in a run, in a tool; nobody waits for himself and nobody for ever."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from interlock import CallContext, Entity
from interlock.core.call import ToolCall
from interlock.execution.bulkhead import RUN_MAX, Bulkhead, Full
from tests.planes import ANA, Far, staged

pytestmark = pytest.mark.anyio


class Crowd:
    """Counts who runs at once."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def work(self, arguments: dict[str, Any], context: CallContext) -> object:
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(3):
            await checkpoint()
        self.now -= 1
        return None


async def test_a_run_a_tool_and_the_process_each_have_their_room() -> None:
    """Spec limits: 16 at once in a run; a tool has what it declares."""
    for options, runs, most in (({}, 1, RUN_MAX), ({"at_once": 3}, 1, 3), ({"at_once": 40}, 3, 40)):
        far, crowd = Far(), Crowd()
        async with (
            staged(far.tool("get", does=crowd.work, **options)) as stage,
            AsyncExitStack() as open_runs,
            anyio.create_task_group() as tasks,
        ):
            for number in range(runs):
                run = await open_runs.enter_async_context(stage.run())
                for n in range(30):
                    tasks.start_soon(run.call, "get", {"n": n + 100 * number})
        assert crowd.most == min(most, RUN_MAX * runs)
        assert len(far.ran) == 30 * runs


async def test_a_call_that_waits_too_long_fails_before_its_intent_and_took_no_time() -> None:
    far, hang, inside = Far(), anyio.Event(), 0

    async def wait(arguments: dict[str, Any], context: CallContext) -> object:
        nonlocal inside
        inside += 1
        await hang.wait()
        return 1

    holding, late = far.tool("hold", "read", wait, timeout_s=30), far.tool("put", "reversible", timeout_s=0.01)
    async with staged(holding, late) as stage, stage.run() as run, anyio.create_task_group() as tasks:
        for n in range(RUN_MAX):
            tasks.start_soon(run.call, "hold", {"n": n})
        with anyio.fail_after(30):
            while inside < RUN_MAX:
                await anyio.sleep(0)
            outcome = await run.call("put", {"n": 0})
        hang.set()
        assert outcome.code == "execute.full" and "put" not in far.names
        ended = (await stage.plane.store.read(run.run_id))[-1].fact
        assert (ended.call_id, ended.outcome, "took_us" in ended.body) == (outcome.call_id, "failed", False)
        assert "call.intent" not in await stage.said(run.run_id, outcome.call_id)


async def test_what_is_asked_for_a_call_does_not_wait_for_that_call() -> None:
    """Sixteen calls of a run that each look something up inside: none waits for room that it holds itself."""
    far = Far()

    async def hang(arguments: dict[str, Any], context: CallContext) -> object:
        if arguments["n"] % 2:
            return arguments
        raise TimeoutError("no answer")

    async def said(arguments: dict[str, Any], context: CallContext) -> object:
        return {"done": True, "result": {"n": arguments["n"]}}

    tools = [far.tool("put", "reversible", hang, reconcile="was_put"), far.tool("was_put", does=said)]
    async with staged(*tools) as stage, stage.run() as run:
        outcomes = []

        async def one(n: int) -> None:
            outcomes.append(await run.call("put", {"n": n}))

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                for n in range(RUN_MAX * 2):
                    tasks.start_soon(one, n)
        assert all(outcome.done for outcome in outcomes)


async def test_the_line_is_bounded_and_keeps_its_order() -> None:
    tool = Far().tool("get", at_once=1)
    bulkhead = Bulkhead()
    order: list[int] = []

    def call(n: int) -> ToolCall:
        return ToolCall(run_id=f"run_{n}", call_id=f"call_{n}", tool="get", arguments={}, principal=ANA)

    async def one(n: int) -> None:
        async with bulkhead.room(tool, call(n)):
            order.append(n)
            await checkpoint()

    async with anyio.create_task_group() as tasks:
        for n in range(20):
            tasks.start_soon(one, n)
    assert order == list(range(20))
    bulkhead = Bulkhead(waiting_max=2)
    async with anyio.create_task_group() as tasks, bulkhead.room(tool, call(0)):
        for n in range(2):
            tasks.start_soon(one, n)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(Full):
            await bulkhead.room(tool, call(3)).__aenter__()


async def test_whoever_is_cancelled_in_line_leaves_no_place_taken() -> None:
    tool = Far().tool("get", at_once=1)
    bulkhead = Bulkhead()
    call = ToolCall(run_id="run_1", call_id="call_1", tool="get", arguments={}, principal=ANA)
    async with bulkhead.room(tool, call):
        with anyio.move_on_after(0):
            async with bulkhead.room(tool, call):
                raise AssertionError("there is no room")
    with anyio.fail_after(30):
        async with bulkhead.room(tool, call):
            pass


async def test_a_resolver_counts_in_its_own_tool_alone() -> None:
    far = Far()

    async def there(arguments: dict[str, Any], context: CallContext) -> object:
        return {"id": arguments["n"]}

    entity = {"n": Entity(type="Number", lookup="number")}
    tools = [far.tool("get", at_once=2, entities=entity), far.tool("number", does=there, at_once=1)]
    async with staged(*tools) as stage, stage.run() as run:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                for n in range(12):
                    tasks.start_soon(run.call, "get", {"n": n})
        assert far.names.count("get") == 12

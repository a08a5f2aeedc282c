"""Two workers, one call: neither holds a claim, so that uniqueness alone keeps them apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from interlock import CallContext, Outcome
from interlock.ledger.conversation import Ledger
from interlock.pipeline import call_tool
from tests.planes import Far, WatchedStore, proposed, staged

pytestmark = pytest.mark.anyio


async def slowly(arguments: dict[str, Any], context: CallContext) -> object:
    for _ in range(3):
        await checkpoint()
    return context.idempotency_key


@pytest.mark.parametrize("lead", range(12))
@pytest.mark.parametrize(
    ("tool", "arguments", "ran", "kind"),
    [("put", {"n": 1}, 1, "done"), ("get", {"n": 1}, 2, "done"), ("put", {"n": "x"}, 0, "refused")],
)
async def test_of_two_workers_with_one_call_both_tell_what_the_first_recorded(
    tool: str, arguments: dict[str, Any], ran: int, kind: str, lead: int
) -> None:
    """Defects 34, 53, whichever of them is ahead by how much; spec ledger: one intent and one closing event."""
    far = Far()
    async with staged(far.tool("put", "reversible", slowly), far.tool("get", does=slowly)) as stage:
        store = WatchedStore(stage.clock)
        stage.store_in(store)
        async with stage.run() as run:
            (await stage.plane.plane.ledger.conversation(run.run_id, "default")).epoch = 0
            planes = [replace(stage.plane.plane, ledger=Ledger(store)) for _ in range(2)]
            outcomes: list[Outcome] = []

            async def ask(number: int, later: int) -> None:
                for _ in range(later):
                    await checkpoint()
                call = proposed(run, tool, arguments, name="mine")
                outcomes.append(await call_tool(call, planes[number]))

            with anyio.fail_after(30):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(ask, 0, 0)
                    tasks.start_soon(ask, 1, lead)
            events = await store.read(run.run_id)
            said = [str(event.fact.kind) for event in events if event.fact.call_id == "call_x"]
            assert len(far.ran) <= ran
            assert said.count("call.intent") == (tool == "put" and kind == "done")
            assert sum(event.fact.closes for event in events) == 1
            final = await call_tool(
                proposed(run, tool, arguments, name="mine"), replace(planes[0], ledger=Ledger(store))
            )
            assert final.kind.value == kind
            for outcome in outcomes:
                told = outcome.as_json() | {"repeated": True}
                assert told == final.as_json() or outcome.code == "call.open", "or that it is being executed"
            assert sum(outcome.code != "call.open" for outcome in outcomes) >= 1

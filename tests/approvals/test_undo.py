"""What lets a call pass lets its undoing pass: exactly that, once; everything beside it is held like any call."""

from __future__ import annotations

from typing import Any

import pytest

from interlock import Rejected, Run
from interlock.core.call import Outcome
from interlock.core.event import Fact, Kind
from interlock.pipeline import call_tool
from tests.planes import ANA, PERMIT, Far, Stage, proposed, staged

pytestmark = pytest.mark.anyio

HELD = PERMIT + '\n@id("asks") @approvers("approver") forbid (principal, action == Action::"take", resource);'
WHENCE = {"n": "/result/n", "note": "/arguments/note"}


def tools(far: Far, **options: Any) -> list[Any]:
    """`put`, which `take` undoes, and `other`, which nothing does."""
    return [
        far.tool("put", "reversible", compensate="take", compensate_with=WHENCE, **options),
        far.tool("take", "reversible"), far.tool("other", "reversible"),
    ]  # fmt: skip


async def undone(stage: Stage, run: Run, parent: Outcome, call_id: str = "call_u", **asked: Any) -> str:
    """What becomes of a call that is made to undo another."""
    arguments = {"n": 1, "note": "a", **asked.pop("arguments", {})}
    call = proposed(run, asked.pop("tool", "take"), arguments, call_id, parent_id=parent.call_id, **asked)
    return (await call_tool(call, stage.plane.plane)).kind.value


async def test_exactly_what_undoes_a_call_is_released_by_it_and_once() -> None:
    """C4, defect 43."""
    far = Far()
    async with staged(*tools(far)) as stage, stage.run() as run:
        stage.obey(HELD)
        put = await run.call("put", {"n": 1, "note": "a"})
        assert await undone(stage, run, put) == "done"
        assert await undone(stage, run, put) == "done", "asking twice is asking once"
        assert far.names == ["put", "take"]
        assert await undone(stage, run, put, "call_v") == "held", "it was undone"
        [decided] = [
            event.fact.body for event in await stage.events(run.run_id, "call_u") if "undoes" in event.fact.body
        ]
        assert decided["undoes"] == put.call_id


@pytest.mark.parametrize("arguments", [{"n": 2}, {"note": "b"}])
async def test_other_arguments_are_held(arguments: dict[str, Any]) -> None:
    async with staged(*tools(Far())) as stage, stage.run() as run:
        stage.obey(HELD)
        put = await run.call("put", {"n": 1, "note": "a"})
        assert await undone(stage, run, put, arguments=arguments) == "held"


async def test_what_a_model_proposes_names_no_parent_and_is_held() -> None:
    """T24: only Interlock says what a call is made for."""
    async with staged(*tools(Far())) as stage, stage.run() as run:
        stage.obey(HELD)
        await run.call("put", {"n": 1, "note": "a"})
        assert (await run.call("take", {"n": 1, "note": "a"})).kind == "held"


async def test_a_call_that_took_no_effect_releases_nothing() -> None:
    async def refuse(arguments: dict[str, Any], context: Any) -> object:
        raise Rejected("no")

    async with staged(*tools(Far(), does=refuse)) as stage, stage.run() as run:
        stage.obey(HELD)
        put = await run.call("put", {"n": 1, "note": "a"})
        assert (put.kind, await undone(stage, run, put)) == ("failed", "held")


async def test_another_call_than_the_one_that_undoes_is_held() -> None:
    async with staged(*tools(Far())) as stage, stage.run() as run:
        stage.obey(HELD.replace('"take"', '"other"'))
        put = await run.call("put", {"n": 1, "note": "a"})
        assert await undone(stage, run, put, tool="other") == "held"


async def test_a_rehearsal_of_it_runs_nothing() -> None:
    far = Far()
    async with staged(*tools(far)) as stage, stage.run() as run:
        stage.obey(HELD)
        put = await run.call("put", {"n": 1, "note": "a"})
        assert await undone(stage, run, put, dry_run=True) == "refused"
        assert far.names == ["put"]


async def test_a_denial_and_a_stop_bind_it_like_any_call() -> None:
    """K39."""
    far = Far()
    async with staged(*tools(far)) as stage, stage.run(ANA) as run:
        stage.obey(PERMIT)
        put = await run.call("put", {"n": 1, "note": "a"})
        stage.obey(PERMIT + '\nforbid (principal, action == Action::"take", resource);')
        assert await undone(stage, run, put) == "refused"
        assert far.names == ["put"]


@pytest.mark.parametrize("said", ["failed", "undone"])
async def test_where_the_arguments_alone_say_what_undoes_it_an_effect_must_be_there_to_be_undone(said: str) -> None:
    """T24: nothing is released by a call that did nothing, nor by one that a person says is undone already."""
    far = Far()
    does = refuses if said == "failed" else None
    put = far.tool(
        "put", "reversible", does, compensate="take",
        compensate_with={"n": "/arguments/n", "note": "/arguments/note"},
    )  # fmt: skip
    async with staged(put, far.tool("take", "reversible")) as stage, stage.run() as run:
        stage.obey(HELD)
        call = await run.call("put", {"n": 1, "note": "a"})
        if said == "undone":
            conversation = await stage.plane.plane.ledger.conversation(run.run_id, "default")
            await conversation.append([Fact(Kind.CALL_COMPENSATED, {}, call.call_id, 1, 1, outcome="done")])
        assert await undone(stage, run, call) == "held"


async def refuses(arguments: dict[str, Any], context: Any) -> object:
    raise Rejected("no")

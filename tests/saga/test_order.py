"""Any graph of steps: each runs after what it needs, and what was done is undone in the reverse order of its end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock import CallContext, Rejected, Saga, SagaStatus, Step
from interlock.saga.standing import TRIES_MAX, StepStatus
from tests.planes import ANA, staged
from tests.saga.desk import ALLOW, Desk

NAMES = "abcdef"


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Saga, str, dict[str, int]]:
    """A saga of up to six steps, each after any of those before it; which of them fails; how long each takes."""
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    steps = []
    for number, name in enumerate(names):
        after = draw(st.sets(st.sampled_from(names[:number]))) if number else set()
        steps.append(Step(name, name, {"n": number}, after=tuple(sorted(after))))
    if pivot := draw(st.sampled_from(["", *names])):
        steps = [replace(step, pivot=step.id == pivot) for step in steps]
    fails = draw(st.sampled_from(["", *names]))
    return Saga("graph", steps), fails, {name: draw(st.integers(0, 4)) for name in names}


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_of_any_graph_what_was_done_is_undone_the_last_first(drawn: tuple[Saga, str, dict[str, int]]) -> None:
    """C4, defect 52: the order is the one that was declared, on the way there and back."""
    anyio.run(gone_through, *drawn)


async def gone_through(saga: Saga, fails: str, lasts: dict[str, int]) -> None:
    begun: list[str] = []
    ended: list[str] = []

    def doing(name: str) -> Any:
        async def does(arguments: dict[str, Any], context: CallContext) -> object:
            begun.append(name)
            for _ in range(lasts[name]):
                await anyio.sleep(0)
            if name == fails:
                raise Rejected("409")
            ended.append(name)
            return {"n": arguments["n"]}

        return does

    names = [step.id for step in saga.steps]
    desk = Desk("".join(names), does={name: doing(name) for name in names})
    # each acts on a thing of its own, so that they run together
    desk.options = {name: {"resource": "n", "idempotent": True} for name in names}
    async with staged(*desk.tools()) as stage:
        stage.obey(ALLOW)
        async with stage.plane.saga(saga, ANA, {}) as run:
            outcome = await run.outcome()
        told = [event.fact.call_id for event in await stage.events(run.run_id) if event.fact.outcome == "done"]
        assert await stage.plane.store.due() == [], "it is over, or waits for somebody"
    for name, needed in saga.needs.items():
        if name in begun:
            assert needed <= set(begun[: begun.index(name)]) & set(ended), f"{name} began before what it needs"
    undone = [name for name in desk.ran if name.startswith("un")]
    if not fails:
        assert (outcome.status, undone, set(ended)) == (SagaStatus.COMPLETED, [], set(names))
        return
    if fails in saga.past_pivot:
        assert (outcome.status, undone, begun.count(fails)) == (SagaStatus.STUCK, [], TRIES_MAX)
        return
    assert outcome.status is SagaStatus.COMPENSATED
    steps = {step.id: step for step in outcome.steps}
    done = sorted((name for name in names if steps[name].status is StepStatus.DONE),
                  key=lambda name: told.index(steps[name].call_id))  # fmt: skip
    assert undone == [f"un{name}" for name in reversed(done)]

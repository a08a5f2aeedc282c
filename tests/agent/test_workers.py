"""Several processes on one ledger: one of them works on a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from interlock import Agent, End, Interlock, open_plane
from interlock.core.event import Kind
from interlock.core.message import Message
from interlock.core.tool import Offer
from interlock.testing import FrozenClock
from tests.agent.desk import WORDS, Watched, says
from tests.agent.killed import FarEnd, replace_store, settings, world
from tests.planes import ANA, WatchedStore

pytestmark = pytest.mark.anyio


async def test_of_processes_that_go_on_at_once_one_does_and_the_others_let_it_be() -> None:
    """C5, K7."""
    clock, far = FrozenClock(), FarEnd()
    store = WatchedStore(clock)
    models = [Watched(says("", ("pay", {"n": 1}), ("put", {"n": 2})), says("Done.")) for _ in range(4)]

    async def started(number: int, opened: list[Interlock], ready: anyio.Event, over: anyio.Event) -> None:
        made = world(clock, number)
        agents = [Agent("desk", models[number])]
        async with open_plane(settings(), tools=far.tools, world=made, agents=agents, engine=False) as plane:
            replace_store(plane, store)
            opened.append(plane)
            ready.set()
            await over.wait()

    async with anyio.create_task_group() as tasks:
        opened: list[Interlock] = []
        over = anyio.Event()
        for number in range(4):
            ready = anyio.Event()
            tasks.start_soon(started, number, opened, ready, over)
            await ready.wait()
        async with opened[0].agent("desk", ANA, words=WORDS) as run:
            pass
        async with anyio.create_task_group() as at_once:
            for plane in opened:
                at_once.start_soon(plane.advance, run.run_id)
        events = await store.read(run.run_id)
        over.set()
    assert [event.fact.kind for event in events].count(Kind.MESSAGE) == 2
    assert sum(len(model.asked) for model in models) == 2, "no turn was asked for twice"
    assert set(far.keys.values()) == {1}
    assert events[-1].fact.kind is Kind.RUN_FINISHED


async def test_a_worker_that_lost_its_run_while_its_model_thought_runs_nothing_of_what_it_says(tmp_path: Path) -> None:
    """C5, K6: the first one stands still past its lease, another one takes over and ends the run, the first goes on."""
    clock, far = FrozenClock(), FarEnd()
    thinking, go_on = anyio.Event(), anyio.Event()

    class Slow(Watched):
        async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
            thinking.set()
            await go_on.wait()
            return await super().reply(messages, tools)

    slow = Slow(says("", ("pay", {"n": 1})), says("Done by the first."))
    quick = Watched(says("", ("pay", {"n": 2})), says("Done by the second."))
    first, second = (
        open_plane(
            settings(tmp_path / "ledger.db"),
            tools=far.tools,
            world=world(clock, n),
            agents=[Agent("desk", model)],
            engine=False,
        )
        for n, model in enumerate((slow, quick))
    )
    async with first as one, second as other:
        async with one.agent("desk", ANA, words=WORDS) as run, anyio.create_task_group() as tasks:
            tasks.start_soon(run.result)
            await thinking.wait()
            clock.advance(60)
            [due] = await other.store.due()
            await other.advance(due.run_id, due.tenant)
            go_on.set()
            found = await run.result()
        assert (found.end, found.text) == (End.ANSWER, "Done by the second.")
    assert list(far.effects) == [("pay", 2)]
    assert len(slow.asked) == 1, "what it said came too late, and it was asked for nothing more"

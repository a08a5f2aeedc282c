"""What the runs below one say, heard by whoever listens to that one."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from interlock import Agent, CallContext
from interlock.agent.stream import Below, Ended, Finished, Progressed, StreamEvent, Text, Waiting
from interlock.core.progress import Progress
from tests.agent.desk import Watched, says
from tests.agent.offices import office
from tests.agent.test_delegate import asked, child
from tests.agent.test_loop import HOLD_PAY
from tests.agent.test_plan import plan
from tests.planes import ANA, Far, Stage

pytestmark = pytest.mark.anyio


async def heard(stage: Stage, name: str = "boss") -> tuple[str, list[StreamEvent]]:
    """A new run, and what is heard of it."""
    async with stage.plane.agent(name, ANA, words="Do it.") as run:
        return run.run_id, [event async for event in run.stream()]


def below(events: list[StreamEvent], run_id: str) -> list[Any]:
    """What one run below said."""
    return [event.event for event in events if isinstance(event, Below) and event.run_id == run_id]


def kinds(events: list[Any]) -> list[str]:
    return [type(event).__name__ for event in events]


async def slowly(arguments: dict[str, Any], context: CallContext) -> object:
    context.progress(1, 2, "half of it")
    return {"n": arguments["n"]}


async def test_what_a_worker_says_is_in_its_starters_stream_with_the_id_of_its_run() -> None:
    """C7, C2: text, costs, calls, their progress and outcomes, and how the worker ended."""
    boss = Watched(says("", ("ask_a", {"task": "t"})), says("Done."))
    first = Watched(says("", ("look", {"n": 1})), says("One."))
    agents = (Agent("boss", boss, tools=(), workers=("a",)), Agent("a", first, tools=("look",)))
    async with office(*agents, tools=(Far().tool("look", does=slowly),)) as stage:
        run_id, events = await heard(stage)
    said = below(events, child(run_id))
    assert kinds(said) == ["Spent", "Proposed", "Progressed", "Ended", "Text", "Spent", "Finished"]
    assert said[2].progress == Progress(1, 2, "half of it")
    assert (said[4].text, said[-1].result.text) == ("One.", "One.")
    own = [event for event in events if not isinstance(event, Below)]
    assert kinds(own) == ["Spent", "Proposed", "Ended", "Waiting", "Ended", "Text", "Spent", "Finished"]
    assert isinstance(own[4], Ended) and own[4].outcome.value == {"text": "One."}, "what the worker reported"
    assert events[-1] is own[-1] and isinstance(own[-1], Finished)


async def test_those_of_workers_of_workers_and_of_plans_are_heard_at_the_top() -> None:
    boss = Watched(says("", ("ask_lead", {"task": "t"})), says("Done."))
    lead = Watched(says("", plan(("x", "look", {"n": 1}), ("y", "ask_a", {"task": "u"}))), says("Led."))
    first = Watched(says("One."))
    agents = (
        Agent("boss", boss, tools=(), workers=("lead",)),
        Agent("lead", lead, tools=("look",), workers=("a",), plans=True),
        Agent("a", first, tools=()),
    )
    async with office(*agents, tools=(Far().tool("look", does=slowly),)) as stage:
        run_id, events = await heard(stage)
        lead_id = child(run_id)
        plan_id = child(lead_id)
    assert below(events, lead_id)[-1].result.text == "Led."
    planned = below(events, plan_id)
    assert {"Progressed", "Ended"} <= set(kinds(planned))
    assert {event.outcome.tool for event in planned if isinstance(event, Ended)} == {"look", "ask_a"}
    texts = [event.event.text for event in events if isinstance(event, Below) and isinstance(event.event, Text)]
    assert "One." in texts, "four runs below each other"


async def test_whoever_listens_to_a_worker_hears_that_alone() -> None:
    """Its own stream has its events as they are, its starter's has them with its id, and nobody else hears them."""
    boss = Watched(says("", ("ask_a", {"task": "t"}), ("ask_b", {"task": "t"})), says("Done."))
    first = Watched(says("", ("pay", {"n": 1})), says("One."))
    agents = (
        Agent("boss", boss, tools=(), workers=("a", "b")), Agent("a", first, tools=("pay",)),
        Agent("b", Watched(says("Two.")), tools=()),
    )  # fmt: skip
    async with office(*agents, tools=(Far().tool("pay", "irreversible", slowly),)) as stage:
        stage.obey(HOLD_PAY)
        result = await asked(stage.plane)
        worker = child(result.run_id)
        [asked_of] = (await stage.state(worker)).calls.values()
        assert asked_of.outcome is not None
        events: list[StreamEvent] = []

        async def listen() -> None:
            async with stage.plane.agent("a", ANA, run_id=worker) as run:
                async for event in run.stream(wait_s=30):
                    events.append(event)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            while not stage.plane.plane.drivers["agent"].listeners.any(worker):  # type: ignore[attr-defined]
                await checkpoint()
            await stage.answer(worker, asked_of.outcome)
            await stage.plane.advance(worker)
    assert "Below" not in kinds(events) and isinstance(events[-1], Finished) and events[-1].result.text == "One."
    assert [event.progress for event in events if isinstance(event, Progressed)] == [Progress(1, 2, "half of it")]


async def test_that_a_worker_waits_for_a_person_is_heard_above() -> None:
    boss = Watched(says("", ("ask_a", {"task": "t"})), says("Done."))
    first = Watched(says("", ("pay", {"n": 1})), says("One."))
    agents = (Agent("boss", boss, tools=(), workers=("a",)), Agent("a", first, tools=("pay",)))
    async with office(*agents, tools=(Far().tool("pay", "irreversible"),)) as stage:
        stage.obey(HOLD_PAY)
        run_id, events = await heard(stage)
        [row] = await stage.plane.store.rows("approval")
    assert Waiting((row["approval_id"],)) in below(events, child(run_id))

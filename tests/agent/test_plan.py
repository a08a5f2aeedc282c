"""Plan and execute, and graphs of agents: plans checked, run, told, made again; killed wherever they can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from interlock import Agent, BadInput, Interlock, Node, Saga, Settings, Step, chain, given, open_plane, result
from interlock.core.call import ToolCall
from interlock.core.canonical import Json
from interlock.models.replay import ReplayModel
from interlock.pipeline import call_tool
from interlock.testing import FrozenClock
from tests.agent.desk import Watched, says, told
from tests.agent.killed import Died, DyingStore, FarEnd, replace_store, world
from tests.agent.offices import office
from tests.agent.test_delegate import asked, child
from tests.planes import ANA, Far


def plan(*calls: tuple[Any, ...]) -> tuple[str, Json]:
    """A proposal of a plan: id, tool, arguments, and what else is said of each call."""
    return "run_plan", {
        "calls": [
            {"id": name, "tool": tool, "arguments": arguments, **(more[0] if more else {})}
            for name, tool, arguments, *more in calls
        ]
    }


AFTER_A = {"$result": "a", "pointer": "/n"}


@pytest.mark.anyio
async def test_a_plan_runs_as_a_graph_below_its_agent_and_its_agent_is_told_of_each_call() -> None:
    """C2."""
    far = Far()
    model = Watched(says("", plan(("a", "look", {"n": 4}), ("b", "put", {"n": AFTER_A}))), says("Done."))
    agent = Agent("planner", model, tools=("look", "put"), plans=True)
    async with office(agent, tools=(far.tool("look"), far.tool("put", "reversible"))) as stage:
        assert (await asked(stage.plane, "planner")).text == "Done."
        assert [(name, arguments["n"]) for name, arguments in far.ran] == [("look", 4), ("put", 4)]
    [answer] = told(model.asked[1][0])
    assert (answer["from"], answer["origin"], answer["value"]["status"]) == ("plan", "third", "completed")
    assert {name: call["value"] for name, call in answer["value"]["calls"].items()} == {"a": {"n": 4}, "b": {"n": 4}}


@pytest.mark.anyio
async def test_a_plan_of_which_a_call_is_refused_says_so_and_its_agent_plans_again() -> None:
    """C2, defects 49, 51: re-planning on a refusal, from what there is."""
    far = Far()
    model = Watched(
        says(
            "", plan(("a", "look", {"n": 4}), ("b", "pay", {"n": AFTER_A}), ("c", "look", {"n": 6}, {"after": ["b"]}))
        ),
        says("", plan(("b", "put", {"n": 4}), ("c", "look", {"n": 6}, {"after": ["b"]}))),
        says("Done."),
    )
    agent = Agent("planner", model, tools=("look", "put", "pay"), plans=True)
    tools = (far.tool("look"), far.tool("put", "reversible"), far.tool("pay", "reversible"))
    async with office(agent, tools=tools) as stage:
        stage.obey('permit (principal, action, resource);\nforbid (principal, action == Action::"pay", resource);')
        assert (await asked(stage.plane, "planner")).text == "Done."
    [first] = told(model.asked[1][0])
    calls = first["value"]["calls"]
    assert first["value"]["status"] == "incomplete"
    assert {name: call["status"] for name, call in calls.items()} == {"a": "done", "b": "failed", "c": "unmet"}
    assert (calls["b"]["outcome"], calls["b"]["code"]) == ("refused", "authorize.not_available")
    assert far.names == ["look", "put", "look"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("calls", "why"),
    [
        ([("a", "pay", {"n": 1})], "cannot be called"),
        ([("a", "ask_other", {"task": "t"})], "cannot be called"),
        ([("a", "run_plan", {"calls": []})], "cannot be called"),
        ([("a", "hand_over_to_other", {"task": "t"})], "hand the user over"),
        ([("a", "look", {"n": "x"})], "not be a valid call"),
        ([("a", "look", {"n": {"$result": "b"}}), ("b", "look", {"n": 1})], "no call before it"),
        ([("a", "look", {"n": {"$input": "/n"}})], "not there"),
    ],
)
async def test_a_plan_that_cannot_be_meant_starts_nothing(calls: list[Any], why: str) -> None:
    """C2, defect 16: nor one with a tool that is none of the agent's, or a plan within a plan."""
    model = Watched(says("", plan(*calls)), says("No."))
    agents = (
        Agent("planner", model, tools=("look",), plans=True, peers=("other",)),
        Agent("boss", Watched(), tools=(), workers=("other",)),
        Agent("other", Watched(), tools=()),
    )  # fmt: skip
    far = Far()
    async with office(*agents, tools=(far.tool("look"), far.tool("pay", "reversible"))) as stage:
        run = await asked(stage.plane, "planner")
        assert not await stage.plane.store.rows("run", {"run_id": child(run.run_id)})
    [answer] = told(model.asked[1][0])
    assert (answer["outcome"], answer["code"]) == ("failed", "execute.rejected")
    assert why in answer["message"]
    assert far.ran == []


@pytest.mark.anyio
async def test_a_graph_run_may_call_only_what_its_start_says() -> None:
    """Defect 16: on the path, whatever stands in the plan."""
    far = Far()
    model = Watched(says("", plan(("a", "pay", {"n": 1}))), says("Done."))
    agent = Agent("planner", model, tools=("pay",), plans=True)
    tools = (far.tool("look"), far.tool("pay", "irreversible"))
    async with office(agent, tools=tools) as stage:
        run = await asked(stage.plane, "planner")
        plan_id = child(run.run_id)
        state = await stage.state(plan_id)
        assert (run.end, state.driver, state.tools) == ("waiting", "graph", {"pay"})
        other = ToolCall(run_id=plan_id, call_id="call_x", tool="look", arguments={"n": 1}, principal=ANA)
        assert (await call_tool(other, stage.plane.plane)).code == "recall.not_offered"
        assert "call.decided/refused" in await stage.said(plan_id, "call_x")
    assert far.names == []


REFLECT = chain(
    "reflect",
    Node("draft", "ask_writer", {"task": given("/task")}),
    Node("faults", "ask_critic", {"task": "Faults?", "data": result("draft", "/text")}),
    Node("better", "ask_writer", {"task": "Better.", "data": {"faults": result("faults", "/text")}}),
    Node("kept", "put", {"n": 7}),
)


def staff() -> list[Agent]:
    """Who reflects."""
    return [
        Agent("board", ReplayModel(), tools=(), workers=("writer", "critic")),
        Agent("writer", ReplayModel(says("", ("look", {"n": 1})), says("A text.")), tools=("look",)),
        Agent("critic", ReplayModel(says("Too short.")), tools=()),
    ]


@pytest.mark.anyio
async def test_reflexion_is_a_chain_of_agents_that_read_each_other_as_data() -> None:
    """C2, T39."""
    critic = Watched(says("Too short."))
    agents = [*staff()[:2], Agent("critic", critic, tools=())]
    far = Far()
    async with office(*agents, tools=(far.tool("look"), far.tool("put", "reversible"))) as stage:
        opened = stage.plane.graph(REFLECT, ANA, {"task": "Write."}, words="Write me a text.")
        async with opened as run:
            outcome = await run.outcome()
    assert outcome.completed
    assert outcome.values["faults"] == {"text": "Too short."}
    [task] = told(critic.asked[0][0])
    assert (task["from"], task["origin"], task["data"]) == ("reflect", "third", "A text.")


@pytest.mark.anyio
async def test_a_saga_starts_no_runs() -> None:
    """What such a run has done would not be undone."""
    async with office(*staff(), tools=(Far().tool("look"),)) as stage:
        with pytest.raises(BadInput, match="starts a run"):
            saga = Saga("s", [Step("a", "ask_critic", {"task": "t"})])
            await stage.plane.saga(saga, ANA, {}).__aenter__()


async def lived(deaths: Sequence[tuple[int, bool]]) -> tuple[Any, int]:
    """The graph of agents, made by as many processes as die, and one more; how many appends there were."""
    clock, far = FrozenClock(), FarEnd()
    store, left = DyingStore(clock), list(deaths)
    for number in range(len(deaths) + 2):
        store.dead = False
        store.die_at, store.written = left.pop(0) if left else (0, False)
        try:
            async with open_plane(
                Settings(ledger=None), tools=far.tools, world=world(clock, number), agents=staff(), engine=False
            ) as plane:
                replace_store(plane, store)
                return (*await process(plane, clock), sorted(far.effects)), store.appends
        except Died:
            pass
        except BaseExceptionGroup as group:
            assert group.subgroup(lambda error: not isinstance(error, Died | BaseExceptionGroup)) is None, group
        clock.advance(60)
    raise AssertionError("every process died")


async def process(plane: Interlock, clock: FrozenClock) -> tuple[Any, ...]:
    """What one process does: start the graph or come back to it, and do what is due until it is over."""
    for _ in range(40):
        async with plane.graph(REFLECT, ANA, {"task": "Write."}, name="mine") as run:
            await run.outcome()
        for due in await plane.store.due():
            await plane.advance(due.run_id, due.tenant)
        outcome = await plane.graph_outcome(run.run_id)
        if outcome.completed:
            rows = await plane.store.rows("run")
            return outcome.values, sorted((row["driver"], row["status"]) for row in rows)
        clock.advance(1)
    raise AssertionError("it is stuck")


def test_killed_at_every_append_a_graph_of_agents_comes_to_the_same_end() -> None:
    """C2, C3, C5."""
    whole, appends = anyio.run(lived, [])
    assert whole[2] == [("put", 7)]
    for at in range(1, appends + 1):
        for written in (False, True):
            found, _ = anyio.run(lived, [(at, written)])
            assert found == whole, f"killed at append {at}, {'after' if written else 'before'} it"

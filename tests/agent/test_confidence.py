"""How sure a model says that it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from interlock.agent.confidence import KEY, asking, taken_out
from interlock.agent.stream import Proposed
from interlock.core.event import Kind
from interlock.core.message import Proposal
from interlock.registry.formats import offer
from tests.agent.desk import Watched, desk, heard, result, says
from tests.planes import Far

pytestmark = pytest.mark.anyio


async def test_it_is_asked_for_recorded_with_the_call_and_told_and_never_reaches_the_tool() -> None:
    """B8, defect 30."""
    far = Far()
    calls = [("look", {"n": 1, KEY: 85}), ("look", json.dumps({"n": 2, KEY: 30})), ("look", {"n": 3})]
    model = Watched(says("", *calls), says("Done."))
    async with desk(model, far.tool("look"), agent={"confidence": True}) as stage:
        events = await heard(stage.plane)
        run_id = (await stage.plane.store.rows("run"))[0]["run_id"]
        [message, _] = [e.fact.body for e in await stage.events(run_id) if e.fact.kind is Kind.MESSAGE]
    assert [call.get("confidence") for call in message["calls"]] == [85, 30, None]
    assert [event.confidence for event in events if isinstance(event, Proposed)] == [85, 30, None]
    assert sorted(arguments["n"] for _, arguments in far.ran) == [1, 2, 3]
    assert all(KEY not in arguments for _, arguments in far.ran)
    said = [proposal.arguments for proposal in model.asked[1][0][2].proposals]
    assert said == [{"n": 1, KEY: 85}, {"n": 2, KEY: 30}, {"n": 3}], "the model is shown what it said"


async def test_low_or_high_it_lets_nothing_pass_and_stops_nothing() -> None:
    far = Far()
    model = Watched(says("", ("pay", {"n": 1, KEY: 100}), ("look", {"n": 2, KEY: 0})), says("Done."))
    async with desk(model, far.tool("pay", "irreversible"), far.tool("look"), agent={"confidence": True}) as stage:
        assert (await result(stage.plane)).end == "waiting"
    assert far.names == ["look"]


async def test_who_is_not_asked_may_not_say_it() -> None:
    far = Far()
    async with desk(Watched(says("", ("look", {"n": 1, KEY: 85})), says("x")), far.tool("look")) as stage:
        found = await result(stage.plane)
        [call] = (await stage.state(found.run_id)).calls.values()
        assert call.outcome is not None and call.outcome.code == "validate.schema"
    assert far.ran == []


@pytest.mark.parametrize("said", [101, -1, 0.9, "high", True, None, {}])
def test_what_is_no_such_number_is_not_recorded(said: Any) -> None:
    assert taken_out(Proposal(tool="look", arguments={"n": 1, KEY: said})) == Proposal(tool="look", arguments={"n": 1})


@pytest.mark.parametrize("text", ['{"_confidence": ', '["_confidence"]', "_confidence", '{"n": 1}'])
def test_what_cannot_be_read_stays_as_it_is(text: str) -> None:
    assert taken_out(Proposal(tool="look", arguments=text)) == Proposal(tool="look", arguments=text)


def test_the_offer_asks_for_it_and_the_tool_stays_as_it_is() -> None:
    tool = Far().tool("look")
    asked = asking(offer(tool))
    assert asked.input_schema["required"] == ["n", KEY]
    assert asked.input_schema["properties"][KEY]["maximum"] == 100
    assert KEY not in tool.input_schema["properties"]

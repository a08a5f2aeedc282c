"""How sure a model says that it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from interlock import Agent
from interlock.agent.confidence import KEY, asking, taken_out
from interlock.agent.stream import Proposed
from interlock.core.event import Kind
from interlock.core.message import Proposal
from interlock.errors import DefinitionError
from interlock.registry.formats import offer
from tests.agent.desk import Watched, desk, heard, result, says
from tests.agent.test_loop import HOLD_PAY
from tests.planes import Far, staged

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


async def made(sure: Any, effect: str = "reversible", **options: Any) -> tuple[str, list[Any]]:
    """How a run ends whose model is so sure of a call that changes something, and the requests that it leaves."""
    far = Far()
    said = {"n": 1} if sure is None else {"n": 1, KEY: sure}
    model = Watched(says("", ("put", said)), says("Done."))
    agent = {"review_below": 70, "reviewers": "checker", **options}
    async with desk(model, far.tool("put", effect), agent=agent) as stage:
        return (await result(stage.plane)).end.value, await stage.plane.store.rows("approval")


@pytest.mark.parametrize(("sure", "end"), [(69, "waiting"), (0, "waiting"), (None, "waiting"), (70, "answer")])
async def test_a_call_that_its_model_is_not_sure_of_waits_for_people_where_the_agent_says_so(
    sure: int | None, end: str
) -> None:
    """B8: also where it does not say. What only reads runs all the same, and so does all where nobody reviews."""
    found, requests = await made(sure)
    assert found == end
    assert [(row["groups"], row["rules"]) for row in requests] == (
        [('["checker"]', '["confidence.review"]')] if end == "waiting" else []
    )
    assert (await made(sure, "read"))[0] == "answer"
    if sure is not None:
        assert (await made(sure, confidence=True, review_below=0))[0] == "answer"


async def test_how_sure_a_model_is_releases_nothing_that_policy_holds_or_denies() -> None:
    """B8: never the only gate; both holds are joined where both say so."""
    far = Far()
    model = Watched(says("", ("pay", {"n": 1, KEY: 100}), ("pay", {"n": 2, KEY: 5}), ("wipe", {"n": 3, KEY: 100})))
    agent = {"review_below": 70, "reviewers": "checker"}
    tools = (far.tool("pay", "reversible"), far.tool("wipe", "reversible"))
    async with desk(model, *tools, agent=agent) as stage:
        stage.obey(HOLD_PAY + '\nforbid (principal, action == Action::"wipe", resource);')
        found = await result(stage.plane)
        assert found.end == "waiting" and far.ran == []
        groups = [json.loads(row["groups"]) for row in await stage.plane.store.rows("approval")]
        assert groups == [["approver"], ["approver", "checker"]]
        outcomes = {call.tool: call.outcome for call in (await stage.state(found.run_id)).calls.values()}
        assert outcomes["wipe"] is not None and outcomes["wipe"].kind == "refused"


async def test_somebodys_yes_runs_it_where_nobody_knows_the_agent_and_no_grant_answers_for_them(tmp_path: Any) -> None:
    """The threshold stands in the start of the run, so that the call is held for the same reason when it comes back."""
    far = Far()
    model = Watched(says("", ("put", {"n": 1, KEY: 10})), says("Done."))
    agent = {"review_below": 70}
    async with desk(model, far.tool("put", "reversible"), ledger=tmp_path / "ledger.db", agent=agent) as stage:
        found = await result(stage.plane)
    async with staged(far.tool("put", "reversible"), ledger=tmp_path / "ledger.db") as stage:
        [call] = (await stage.state(found.run_id)).calls.values()
        assert call.outcome is not None
        await stage.answer(found.run_id, call.outcome)
        await stage.plane.advance(found.run_id)
        [call] = (await stage.state(found.run_id)).calls.values()
        assert call.outcome is not None and call.outcome.kind == "done"
    assert far.names == ["put"]


@pytest.mark.parametrize("wrong", [{"review_below": 101}, {"review_below": True}, {"review_below": 5, "reviewers": ""}])
def test_a_review_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError, match="review_below"):
        Agent("desk", Watched(), **wrong)


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

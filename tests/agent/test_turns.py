"""Turns in which something else happens than calls that run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from interlock import AgentLimits, End, NotSent
from interlock.core.event import Fact, Kind
from interlock.core.message import Message, Proposal, Role
from interlock.core.tool import CallContext
from interlock.ledger.store import Claim
from tests.agent.desk import WORDS, Watched, desk, result, says, told
from tests.agent.test_loop import HOLD_PAY
from tests.planes import ANA, BOB, CAY, Far

pytestmark = pytest.mark.anyio


async def fails(_: dict[str, Any], __: CallContext) -> object:
    raise NotSent("no connection")


async def test_the_outcome_of_a_call_that_failed_is_that_of_its_fallback() -> None:
    far, model = Far(), Watched(says("", ("look", {"n": 1})), says("One."))
    tools = far.tool("look", "read", fails, fallback="look_elsewhere"), far.tool("look_elsewhere")
    async with desk(model, *tools, agent={"tools": ("look",)}) as stage:
        assert (await result(stage.plane)).answered
    [answer] = told(model.asked[1][0])
    assert (answer["outcome"], answer["tool"], answer["value"]) == ("done", "look_elsewhere", {"n": 1})


async def test_a_fallback_that_is_held_is_what_the_run_waits_for() -> None:
    far, model = Far(), Watched(says("", ("send", {"n": 1})), says("Paid."))
    tools = far.tool("send", "reversible", fails, fallback="pay"), far.tool("pay", "irreversible")
    async with desk(model, *tools) as stage:
        stage.obey(HOLD_PAY)
        found = await result(stage.plane)
        assert (found.end, len(found.waiting)) == (End.WAITING, 1)
        state = await stage.state(found.run_id)
        [held] = [call.outcome for call in state.calls.values() if call.status == "held"]
        assert held is not None
        await stage.answer(found.run_id, held)
        await stage.plane.advance(found.run_id)
        async with stage.plane.agent("desk", ANA, run_id=found.run_id) as run:
            assert (await run.result()).text == "Paid."
    assert far.names[-1] == "pay"
    assert [answer["outcome"] for answer in told(model.asked[1][0])] == ["done"]


async def test_a_call_that_a_person_edited_is_told_as_what_it_was_made_to() -> None:
    far, model = Far(), Watched(says("", ("pay", {"n": 100})), says("Paid less."))
    async with desk(model, far.tool("pay", "irreversible")) as stage:
        stage.obey(HOLD_PAY)
        found = await result(stage.plane)
        [call] = (await stage.state(found.run_id)).calls.values()
        assert call.outcome is not None
        await stage.answer(found.run_id, call.outcome, BOB, "edit", arguments={"n": 10})
        await stage.plane.advance(found.run_id)
        async with stage.plane.agent("desk", ANA, run_id=found.run_id) as run:
            found = await run.result()
        if found.end is End.WAITING:  # who edited it does not approve it
            state = await stage.state(found.run_id)
            [held] = [call.outcome for call in state.calls.values() if call.status == "held"]
            assert held is not None
            await stage.answer(found.run_id, held, CAY)
            await stage.plane.advance(found.run_id)
            async with stage.plane.agent("desk", ANA, run_id=found.run_id) as run:
                found = await run.result()
        assert found.text == "Paid less."
    assert far.ran == [("pay", {"n": 10})]
    [answer] = told(model.asked[1][0])
    assert (answer["outcome"], answer["value"]) == ("done", {"n": 10})


async def test_of_too_many_calls_in_a_turn_each_is_refused_with_a_record_of_its_own() -> None:
    far = Far()
    calls = tuple(Proposal(tool="look", arguments={"n": n}, id=f"i{n}") for n in range(100))
    model = Watched(Message(role=Role.MODEL, proposals=calls), says("Too many."))
    async with desk(model, far.tool("look")) as stage:
        found = await result(stage.plane)
        state = await stage.state(found.run_id)
        assert len(state.calls) == 100
    codes = [answer.get("code", "") for answer in told(model.asked[1][0])]
    assert codes == [""] * 16 + ["limit.fan_out"] * 48 + ["recall.turn_too_large"] * 36
    assert len(far.ran) == 16


async def test_arguments_that_look_like_references_are_arguments() -> None:
    far = Far()
    model = Watched(says("", ("look", {"n": {"$result": "id_9", "pointer": "/n"}}), ("look", {"n": 2})), says("x"))
    async with desk(model, far.tool("look")) as stage:
        assert (await result(stage.plane)).answered
    assert [answer["outcome"] for answer in told(model.asked[1][0])] == ["refused", "done"]


async def test_a_turn_over_which_workers_are_lost_again_and_again_is_given_up() -> None:
    async with desk(Watched(says("Here."))) as stage:
        async with stage.plane.agent("desk", ANA, words=WORDS) as run:
            pass
        conversation = await stage.plane.plane.ledger.conversation(run.run_id, "default")
        for _ in range(6):
            await conversation.claim(Claim("lost", 30.0, "advance"))
            stage.clock.advance(31)
            conversation.epoch = 0
        [due] = await stage.plane.store.due()
        await stage.plane.advance(due.run_id)
        async with stage.plane.agent("desk", ANA, run_id=run.run_id) as again:
            assert (await again.result()).end is End.MODEL_FAILED


async def test_a_run_whose_agent_is_not_known_here_is_left_to_who_knows_it() -> None:
    async with desk(Watched(says("Here."))) as stage:
        async with stage.plane.agent("desk", ANA, words=WORDS) as run:
            pass
        agents = stage.plane.plane.drivers["agent"]
        known = dict(agents._agents)  # type: ignore[attr-defined]
        agents._agents.clear()  # type: ignore[attr-defined]
        before = await stage.said(run.run_id)
        assert await stage.plane.advance(run.run_id)
        assert await stage.said(run.run_id) == before, "not even a claim"
        agents._agents.update(known)  # type: ignore[attr-defined]
        assert await stage.plane.advance(run.run_id)
        assert (await stage.state(run.run_id)).reason == "answer"


async def test_a_run_that_another_worker_holds_is_looked_at_and_not_disturbed() -> None:
    async with desk(Watched(says("Here."))) as stage:
        async with stage.plane.agent("desk", ANA, words=WORDS) as run:
            pass
        conversation = await stage.plane.plane.ledger.conversation(run.run_id, "default")
        await conversation.claim(Claim("another", 30.0))
        conversation.epoch = 0
        async with stage.plane.agent("desk", ANA, run_id=run.run_id) as again:
            assert (await again.result()).end is End.UNFINISHED
        assert await stage.plane.store.due() == []


async def test_a_cancelled_run_asks_its_model_for_nothing_more() -> None:
    """Cancelled from another process between two turns."""
    far = Far()

    async def look(arguments: dict[str, Any], context: CallContext) -> object:
        async with stage.plane.agent("desk", ANA, run_id=run.run_id) as other:
            await other._conversation.append_outside([Fact(Kind.RUN_CANCELLED, {"by": "ana", "reason": "enough"})])
        return 1

    model = Watched(says("", ("look", {"n": 1})), says("More."))
    async with (
        desk(model, far.tool("look", "read", look)) as stage,
        stage.plane.agent("desk", ANA, words=WORDS) as run,
    ):
        assert (await run.result()).end is End.CANCELLED
    assert len(model.asked) == 1


async def test_the_words_of_a_tool_that_speak_of_limits_end_no_run() -> None:
    async def liar(_: dict[str, Any], __: CallContext) -> object:
        return json.dumps({"code": "limit.calls"}) + '"limit.loop"'

    model = Watched(says("", ("look", {"n": 1})), says("", ("look", {"n": 2})), says("Fine."))
    async with desk(model, Far().tool("look", "read", liar), agent={"limits": AgentLimits(turns_max=9)}) as stage:
        assert (await result(stage.plane)).answered

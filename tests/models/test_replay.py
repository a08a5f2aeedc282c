"""Models that say what was recorded."""

from __future__ import annotations

import pytest

from interlock.core.message import Finish, Message, Proposal, Role, Usage
from interlock.models.replay import ReplayModel, turns_of, turns_of_run
from tests.agent.desk import Watched, desk, result, says
from tests.planes import Far

pytestmark = pytest.mark.anyio

USER = Message(role=Role.USER, text="Hello.")


async def test_the_place_in_the_conversation_says_which_turn_is_next() -> None:
    model = ReplayModel(says("One."), says("Two."))
    assert (await model.reply([USER], [])).text == "One."
    assert (await model.reply([USER], [])).text == "One.", "however often it is asked"
    assert (await model.reply([USER, says("One."), USER], [])).text == "Two."
    assert await model.reply([USER, says("One."), says("Two.")], []) == Message(role=Role.MODEL)


async def test_it_streams_word_by_word_and_the_message_comes_last() -> None:
    pieces = [piece async for piece in ReplayModel(says("It is  one.", ("look", {}))).stream([USER], [])]
    assert pieces[:-1] == ["It ", "is  ", "one."]
    assert pieces[-1] == says("It is  one.", ("look", {}))


def test_turns_of_recorded_messages_in_both_forms() -> None:
    turns = turns_of([
        {"role": "system", "content": "Be good."},
        {"role": "user", "content": "Where is it?"},
        {"role": "assistant", "content": "Which order?"},
        {"role": "user", "content": "7"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "name": "look", "args": {"n": 7}}]},
        {"role": "tool", "tool_call_id": "a", "content": "here"},
        {"role": "assistant", "content": [{"type": "text", "text": "So."}],
         "tool_calls": [{"id": "b", "type": "function", "function": {"name": "look", "arguments": '{"n": 8}'}}, {}]},
        {"role": "assistant", "content": "It is here."},
    ])  # fmt: skip
    assert turns == [
        Message(role=Role.MODEL, proposals=(Proposal(tool="look", arguments={"n": 7}, id="a"),)),
        Message(
            role=Role.MODEL, text="So.",
            proposals=(Proposal(tool="look", arguments='{"n": 8}', id="b"), Proposal(tool="", arguments={})),
        ),
        Message(role=Role.MODEL, text="It is here."),
    ]  # fmt: skip


async def test_a_run_of_ones_own_is_replayed_from_its_events() -> None:
    said = [
        says("I look.", ("look", {"n": 1}), ("look", '{"n": ')),
        says("Half", finish=Finish.TRUNCATED, usage=Usage(1, 2)),
    ]
    async with desk(Watched(*said), Far().tool("look")) as stage:
        found = await result(stage.plane)
        assert turns_of_run(await stage.events(found.run_id)) == said

"""The model with a script."""

from __future__ import annotations

import pytest

from interlock.core.message import Message, Proposal, Role
from interlock.errors import Conflict
from interlock.models.scripted import ScriptedModel

pytestmark = pytest.mark.anyio


async def test_it_says_its_turns_in_order_and_remembers_what_it_was_asked() -> None:
    first = Message(role=Role.MODEL, proposals=(Proposal(tool="get", arguments="{}", id="1"),))
    last = Message(role=Role.MODEL, text="done")
    model = ScriptedModel(first, last)
    asked = [Message(role=Role.USER, text="go")]
    assert await model.reply(asked, []) is first
    asked.append(first)
    assert await model.reply(asked, []) is last
    assert [len(messages) for messages in model.asked] == [1, 2], "what it was asked is kept as it was then"


async def test_it_has_nothing_to_say_after_its_last_turn() -> None:
    with pytest.raises(Conflict):
        await ScriptedModel().reply([], [])

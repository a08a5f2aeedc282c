"""The portal for code that is not async: the same answers, waited for."""

from __future__ import annotations

from typing import Any

import pytest

from interlock import Agent, CallContext, OutcomeKind, Settings, sync
from interlock.core.message import Message, Role
from interlock.errors import NotFound, SettingsError
from interlock.models.replay import ReplayModel
from tests.planes import ANA, BOB, Far, saying


def test_a_call_is_waited_for_and_its_outcome_is_the_async_ones() -> None:
    far = Far()
    tools = [far.tool("get"), far.tool("pay", "irreversible")]
    with (
        sync.open_plane(Settings(ledger=None), tools=tools, engine=False) as plane,
        plane.run(ANA, words="do it") as run,
    ):
        assert run.call("get", {"n": 1}).value == {"n": 1}
        assert run.principal == ANA
        held = run.call("pay", {"n": 2})
        assert held.kind is OutcomeKind.HELD
        shown = plane.approval(held.approval_id, "default").request
        plane.answer(held.approval_id, saying(shown), BOB)
        assert plane.advance(run.run_id) is True
        assert run.wait(held).done
    assert far.names == ["get", "pay"]


def test_errors_come_out_as_themselves() -> None:
    with pytest.raises(SettingsError), sync.open_plane(Settings(ledger=None, tools=("no_such_module_at_all",))):
        pass
    with sync.open_plane(Settings(ledger=None)) as plane:
        with pytest.raises(NotFound):
            plane.advance("run_none")
        with pytest.raises(AttributeError):
            _ = plane.no_such_thing


def test_an_error_of_the_block_leaves_the_run_and_the_plane() -> None:
    far = Far()

    async def slow(arguments: dict[str, Any], context: CallContext) -> object:
        return 1

    with (
        pytest.raises(ZeroDivisionError),
        sync.open_plane(Settings(ledger=None), tools=[far.tool("get", does=slow)]) as plane,
        plane.run(ANA) as run,
    ):
        run.call("get", {"n": 1})
        raise ZeroDivisionError
    assert far.names == ["get"]


def test_an_agents_run_is_listened_to_and_asked_for_its_result() -> None:
    agent = Agent("desk", ReplayModel(Message(role=Role.MODEL, text="Here I am.")))
    with (
        sync.open_plane(Settings(ledger=None), agents=[agent]) as plane,
        plane.agent("desk", ANA, words="Are you there?") as run,
    ):
        assert [type(event).__name__ for event in run.stream()] == ["Text", "Text", "Text", "Spent", "Finished"]
        assert run.result().text == "Here I am."

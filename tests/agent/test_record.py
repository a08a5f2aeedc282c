"""What stands in the ledger of an agent's run, and what is left of it when it is erased."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.core.event import Kind
from interlock.errors import Conflict, NotFound
from interlock.ledger.redact import erase_subject, redact
from interlock.ledger.replay import replay
from tests.agent.desk import Watched, desk, result, says
from tests.agent.test_loop import HOLD_PAY
from tests.planes import ANA, OPA, Far

pytestmark = pytest.mark.anyio


async def test_a_run_is_told_from_its_record_alone() -> None:
    model = Watched(says("I look.", ("look", {"n": 1}), ("look", {"n": 2})), says("Two."))
    async with desk(model, Far().tool("look")) as stage:
        found = await result(stage.plane)
        steps = list(replay(await stage.events(found.run_id)))
    assert not [step.problem for step in steps if step.problem]
    told = [step.text for step in steps]
    assert "replay:recorded proposes look, look." in told
    assert "replay:recorded answers." in told


async def test_a_wait_is_told_with_what_it_is_for() -> None:
    async with desk(Watched(says("", ("pay", {"n": 1}))), Far().tool("pay", "irreversible")) as stage:
        stage.obey(HOLD_PAY)
        found = await result(stage.plane)
        told = [step.text for step in replay(await stage.events(found.run_id))]
    assert told[-1] == f"The run waits for {found.waiting[0]}."


@pytest.mark.parametrize("kept", [False, True], ids=["memory", "sqlite"])
async def test_what_a_model_said_is_erased_with_its_run_and_the_run_is_still_over(kept: bool, tmp_path: Path) -> None:
    model = Watched(says("Ana's secret.", ("look", {"n": 1})), says("The secret is one."))
    ledger = tmp_path / "ledger.db" if kept else None
    async with desk(model, Far().tool("look"), ledger=ledger) as stage:
        found = await result(stage.plane)
        await erase_subject(stage.plane.store, ANA.id, "asked for", OPA)
        messages = [event for event in await stage.events(found.run_id) if event.fact.kind is Kind.MESSAGE]
        assert [(event.payload, event.fact.body) for event in messages] == [(b"", {}), (b"", {})]
    async with desk(model, Far().tool("look"), ledger=ledger) as stage:
        if kept:
            assert await stage.plane.store.due() == []
            with pytest.raises(NotFound, match="none of agent"):
                async with stage.plane.agent("desk", ANA, run_id=found.run_id):
                    pass


async def test_what_an_open_run_needs_is_not_erased() -> None:
    async with desk(Watched(says("", ("pay", {"n": 1}))), Far().tool("pay", "irreversible")) as stage:
        stage.obey(HOLD_PAY)
        found = await result(stage.plane)
        [message] = [event for event in await stage.events(found.run_id) if event.fact.kind is Kind.MESSAGE]
        with pytest.raises(Conflict, match="its run is open"):
            await redact(stage.plane.store, found.run_id, [message.seq], "asked for", OPA)

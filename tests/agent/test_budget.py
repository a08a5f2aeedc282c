"""What a model costs, in its run's budgets."""

from __future__ import annotations

import pytest

from interlock import End
from interlock.core.message import Usage
from interlock.models.metered import Price
from tests.agent.desk import WORDS, Watched, desk, says
from tests.planes import ANA, Far

pytestmark = pytest.mark.anyio


async def test_a_budget_that_is_used_up_ends_the_run_at_its_limit() -> None:
    """C8, defect 69: the worst is reserved before the model is asked, and what it was settled after."""
    model = Watched(*[says("", ("look", {"n": n}), usage=Usage(4000, 1000)) for n in range(9)], says("Done."))
    async with desk(model, Far().tool("look"), agent={"price": Price(1_000_000, 1_000_000)}) as stage:
        async with stage.plane.agent("desk", ANA, words=WORDS, budget={"tokens": 30_000}) as run:
            found = await run.result()
        assert (found.end, found.answered, found.text) == (End.LIMIT, False, "")
        assert 0 < found.turns < 9
        [row] = await stage.plane.store.rows("budget", {"run_id": run.run_id})
        assert (row["unit"], row["reserved"], row["spent"]) == ("tokens", 0, found.turns * 5000)


async def test_a_turn_is_asked_for_again_within_three_tries() -> None:
    from interlock.errors import ModelUnavailable

    class Busy(Watched):
        async def reply(self, messages: object, tools: object) -> object:  # type: ignore[override]
            if len(self.asked) < 2:
                self.asked.append(((), ()))
                raise ModelUnavailable("too many requests", turned_away=True)
            return says("Here I am.")

    async with desk(Busy()) as stage, stage.plane.agent("desk", ANA, words=WORDS) as run:
        assert (await run.result()).text == "Here I am."
    assert stage.paused == [1.0, 2.0]

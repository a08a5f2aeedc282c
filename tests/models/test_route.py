"""Several models: in order until one answers, or by what is asked of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import anyio
import pytest

from interlock import Agent
from interlock.agent.stream import Spent, Text
from interlock.core.breaker import OPEN_S
from interlock.core.event import Kind
from interlock.core.message import Finish, Message, Usage
from interlock.core.tool import Offer
from interlock.errors import DefinitionError, GuardRefused, ModelError, ModelUnavailable
from interlock.models.metered import Price
from interlock.models.replay import ReplayModel
from interlock.models.route import ENOUGH, Fallback, Routed, leaves
from interlock.testing import FrozenClock
from tests.agent.desk import WORDS, Watched, desk, heard, says, the_run
from tests.planes import ANA, Far

pytestmark = pytest.mark.anyio

LOOK = Offer("look", "Looks.", {"type": "object"})


class Told:
    """A model that says or raises what it is told."""

    output_max = 100

    def __init__(self, name: str, *said: Message | BaseException | Callable[[], Any]) -> None:
        self.name, self._said, self.asked = name, said, 0
        self.tools: list[int] = []

    async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        said = self._said[min(self.asked, len(self._said) - 1)]
        self.asked += 1
        self.tools.append(len(tools))
        if isinstance(said, BaseException):
            raise said
        return said if isinstance(said, Message) else await said()


BUSY = ModelUnavailable("busy", turned_away=True, retry_after_s=7)


# ---------------------------------------------------------------------- one after the other


@pytest.mark.parametrize(
    "error",
    [
        BUSY,
        ModelUnavailable("no answer", code="model.timeout"),
        ModelError("401", code="model.refused", turned_away=True),
        ModelError("html", code="model.malformed"),
    ],
)
async def test_the_next_model_is_asked_where_one_does_not_answer_and_the_message_says_who_did(
    error: ModelError,
) -> None:
    """C12."""
    first, second, third = Told("a:1", error), Told("b:2", says("Here.")), Told("c:3", says("Never."))
    message = await Fallback(first, second, third).reply((), ())
    assert (message.text, message.model) == ("Here.", "b:2")
    assert [first.asked, second.asked, third.asked] == [1, 1, 0]


async def test_a_model_that_is_too_slow_is_given_up_for_the_next() -> None:
    """C12: fallback to a faster model on timeout."""
    slow = Told("a:slow", anyio.sleep_forever)
    with anyio.fail_after(30):
        message = await Fallback(slow, Told("b:fast", says("Here.")), try_s=0.05).reply((), ())
    assert message.model == "b:fast"


async def test_what_a_model_declines_is_its_answer() -> None:
    second = Told("b:2", says("I would."))
    message = await Fallback(Told("a:1", says("", finish=Finish.DECLINED)), second).reply((), ())
    assert (message.finish, message.model, second.asked) == (Finish.DECLINED, "a:1", 0)


@pytest.mark.parametrize("error", [GuardRefused("budget"), RuntimeError("a fault")])
async def test_what_is_no_failure_of_a_model_asks_no_other(error: Exception) -> None:
    second = Told("b:2", says("Here."))
    with pytest.raises(type(error)):
        await Fallback(Told("a:1", error), second).reply((), ())
    assert second.asked == 0


async def test_where_none_answers_it_says_when_the_first_of_them_may() -> None:
    later = ModelUnavailable("busy", turned_away=True, retry_after_s=3)
    with pytest.raises(ModelUnavailable) as caught:
        await Fallback(Told("a:1", BUSY), Told("b:2", later)).reply((), ())
    assert (caught.value.code, caught.value.retry_after_s, caught.value.turned_away) == ("model.none_answered", 3, True)
    lost = ModelUnavailable("no answer", code="model.timeout")
    with pytest.raises(ModelUnavailable) as caught:
        await Fallback(Told("a:1", BUSY), Told("b:2", lost)).reply((), ())
    assert (caught.value.retry_after_s, caught.value.turned_away) == (None, False)
    never = ModelError("401", code="model.refused", turned_away=True)
    with pytest.raises(ModelError, match="401"):
        await Fallback(Told("a:1", never), Told("b:2", never)).reply((), ())


async def test_a_model_that_keeps_failing_is_left_alone_and_then_asked_once() -> None:
    """C12: health."""
    clock = FrozenClock()
    ill, well = Told("a:1", BUSY), Told("b:2", says("Here."))
    model = Fallback(ill, well, clock=clock)
    for _ in range(ENOUGH + 3):
        assert (await model.reply((), ())).model == "b:2"
    assert (ill.asked, well.asked) == (ENOUGH, ENOUGH + 3), "left alone"
    assert model.health == ("open", "closed")
    clock.advance(OPEN_S)
    await model.reply((), ())
    await model.reply((), ())
    assert ill.asked == ENOUGH + 1, "one probe, which failed too"


async def test_one_that_is_well_again_is_the_first_again() -> None:
    clock = FrozenClock()
    ill = Told("a:1", *[BUSY] * ENOUGH, says("Back."))
    model = Fallback(ill, Told("b:2", says("Here.")), clock=clock)
    for _ in range(ENOUGH):
        await model.reply((), ())
    clock.advance(OPEN_S)
    assert [(await model.reply((), ())).model for _ in range(2)] == ["a:1", "a:1"]
    assert model.health == ("closed", "closed")


async def test_one_that_turns_requests_away_for_good_is_not_ill() -> None:
    refusing = Told("a:1", ModelError("400", code="model.refused", turned_away=True))
    model = Fallback(refusing, Told("b:2", says("Here.")), clock=FrozenClock())
    for _ in range(ENOUGH + 3):
        await model.reply((), ())
    assert refusing.asked == ENOUGH + 3


async def test_a_probe_that_is_cut_off_leaves_the_place_to_another() -> None:
    clock = FrozenClock()
    model = Fallback(
        Told("a:1", *[BUSY] * ENOUGH, anyio.sleep_forever, says("Back.")), Told("b:2", says("Here.")), clock=clock
    )
    for _ in range(ENOUGH):
        await model.reply((), ())
    clock.advance(OPEN_S)
    with anyio.move_on_after(0.01):
        await model.reply((), ())
    assert model.health[0] == "half_open"
    assert (await model.reply((), ())).model == "a:1"


async def test_where_all_are_left_alone_nobody_is_asked_and_it_says_for_how_long() -> None:
    clock = FrozenClock()
    only = Told("a:1", BUSY)
    model = Fallback(only, clock=clock)
    for _ in range(ENOUGH):
        with pytest.raises(ModelUnavailable):
            await model.reply((), ())
    clock.advance(10)
    with pytest.raises(ModelUnavailable) as caught:
        await model.reply((), ())
    assert (caught.value.code, caught.value.retry_after_s, only.asked) == ("model.resting", OPEN_S - 10, ENOUGH)


def test_a_fallback_of_nothing_is_no_model() -> None:
    with pytest.raises(DefinitionError):
        Fallback()


# ------------------------------------------------------------------------------- by the task


async def test_one_model_chooses_tools_and_another_answers() -> None:
    """C8, model tiering."""
    small = Told("a:small", says("", ("look", {})), says("A draft.", usage=Usage(10, 1)))
    strong = Told("b:strong", says("The answer.", usage=Usage(20, 2, 5)))
    model = Routed(choose=small, answer=strong)
    assert (await model.reply((), [LOOK])).model == "a:small"
    assert strong.asked == 0
    answer = await model.reply((), [LOOK])
    assert (answer.text, answer.model, answer.usage) == ("The answer.", "b:strong", Usage(30, 3, 5))
    assert strong.tools == [0], "it answers, and proposes nothing"
    await model.reply((), ())
    assert (small.asked, strong.asked) == (2, 2), "where no tools are offered, an answer is wanted"


async def test_what_the_one_that_chooses_declines_or_does_not_finish_is_not_answered_by_the_other() -> None:
    strong = Told("b:strong", says("The answer."))
    for finish in (Finish.DECLINED, Finish.TRUNCATED):
        said = await Routed(choose=Told("a:small", says("", finish=finish)), answer=strong).reply((), [LOOK])
        assert said.finish is finish
    assert strong.asked == 0


# ------------------------------------------------------------------------------- in a run


async def test_a_run_records_which_model_said_what() -> None:
    """C12."""
    small = Fallback(Told("a:gone", BUSY), Told("b:small", says("", ("look", {"n": 1})), says("A draft.")))
    model = Routed(choose=small, answer=Told("c:strong", says("One.", usage=Usage(20, 2, 5, 1))))
    async with desk(model, Far().tool("look")) as stage, stage.plane.agent("desk", ANA, words=WORDS) as run:
        assert (await run.result()).text == "One."
        said = [e.fact.body for e in await stage.events(run.run_id) if e.fact.kind is Kind.MESSAGE]
    assert [body["model"] for body in said] == ["b:small", "c:strong"]
    assert said[1]["usage"] == {"input_tokens": 20, "output_tokens": 2, "cached_tokens": 5, "reasoning_tokens": 1}


async def test_a_budget_pays_for_every_model_that_was_asked_each_by_its_price() -> None:
    """C8, defect 69: an answer that was lost is paid for as the worst."""
    lost = Told("a:lost", ModelUnavailable("no answer", code="model.timeout"))
    there = Told("b:there", says("One.", usage=Usage(1000, 10)))
    price = {"a:lost": Price(0, 1_000_000), "b:there": Price(1_000_000, 0)}
    async with desk(Fallback(lost, there), agent={"price": price}) as stage:
        async with stage.plane.agent("desk", ANA, words=WORDS, budget={"micro_usd": 100_000}) as run:
            assert (await run.result()).text == "One."
        [row] = await stage.plane.store.rows("budget", {"run_id": run.run_id})
    assert (row["reserved"], row["spent"]) == (0, lost.output_max + 1000)


def test_an_agent_has_a_price_for_each_of_its_models_or_for_none() -> None:
    models = Fallback(Told("a:1", BUSY), Routed(choose=Told("b:2", BUSY), answer=Told("c:3", BUSY)))
    assert [leaf.name for leaf in leaves(models)] == ["a:1", "b:2", "c:3"]
    with pytest.raises(DefinitionError, match="c:3"):
        Agent("desk", models, price={"a:1": Price(1, 1), "b:2": Price(1, 1)})


async def test_a_draft_is_not_heard_and_every_answer_says_what_it_took() -> None:
    small = Watched(says("Let me look.", ("look", {"n": 1}), usage=Usage(10, 1)), says("A draft.", usage=Usage(20, 2)))
    strong = ReplayModel(*[says("The answer is one.", usage=Usage(30, 3))] * 2)
    async with desk(Routed(choose=small, answer=strong), Far().tool("look")) as stage:
        events = await heard(stage.plane)
        await the_run(stage.plane.store)
    assert "".join(event.text for event in events if isinstance(event, Text)) == "The answer is one."
    assert [(event.turn, event.tokens) for event in events if isinstance(event, Spent)] == [(1, 11), (2, 22), (2, 33)]
    assert all(a.turn <= b.turn for a, b in pairwise(e for e in events if isinstance(e, Spent)))

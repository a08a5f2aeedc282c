"""What a run says of itself while it works."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from interlock import End
from interlock.agent import stream
from interlock.agent.stream import Dropped, Ended, Finished, Proposed, Spent, StreamEvent, Text, Waiting
from interlock.core.message import Message, Usage
from interlock.core.tool import CallContext
from interlock.errors import ModelError, StoreUnavailable
from interlock.models.metered import Price
from interlock.models.scripted import ScriptedModel
from tests.agent.desk import WORDS, Watched, desk, heard, result, says
from tests.agent.test_loop import HOLD_PAY
from tests.planes import ANA, Far, WatchedStore

pytestmark = pytest.mark.anyio


def kinds(events: list[StreamEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


async def test_events_come_in_the_order_in_which_things_happen() -> None:
    """C7."""
    model = Watched(says("I look now.", ("look", {"n": 1}), usage=Usage(100, 20)), says("It is one."))
    async with desk(model, Far().tool("look"), agent={"price": Price(1_000_000, 2_000_000)}) as stage:
        events = await heard(stage.plane)
    assert kinds(events) == [*["Text"] * 3, "Spent", "Proposed", "Ended", *["Text"] * 3, "Spent", "Finished"]
    assert "".join(event.text for event in events if isinstance(event, Text)) == "I look now.It is one."
    assert events[3] == Spent(1, 120, 140)
    proposed, ended, finished = events[4], events[5], events[-1]
    assert isinstance(proposed, Proposed) and isinstance(ended, Ended) and isinstance(finished, Finished)
    assert (proposed.turn, proposed.tool, proposed.arguments) == (1, "look", '{"n":1}')
    assert (ended.outcome.call_id, ended.outcome.value) == (proposed.call_id, {"n": 1})
    assert (finished.result.end, finished.result.text) == (End.ANSWER, "It is one.")


@pytest.mark.parametrize("count", [-1, 10**30, 1.5, True, "12"])
async def test_a_count_of_tokens_that_can_be_none_is_told_as_nothing(count: Any) -> None:
    model = Watched(says("", ("look", {"n": 1}), usage=Usage(count, 5)), says("Done.", usage=Usage(150, 5)))
    async with desk(model, Far().tool("look"), agent={"price": Price(1_000_000, 1_000_000)}) as stage:
        assert [event.tokens for event in await heard(stage.plane) if isinstance(event, Spent)] == [0, 155]


async def test_a_call_runs_only_when_its_message_is_whole_and_recorded() -> None:
    """C7, defect 13: text comes first; a stream that breaks off runs nothing of what it had proposed."""
    far = Far()
    ran_at: list[int] = []

    class Breaks(Watched):
        async def stream(self, messages: Any, tools: Any) -> Any:
            yield "I pa"
            ran_at.append(len(far.ran))
            if len(messages) == 2:
                yield "y it."
                raise ModelError("the connection broke")

    async with desk(Breaks(says("", ("pay", {"n": 1}))), far.tool("pay", "reversible")) as stage:
        events = await heard(stage.plane)
    assert kinds(events) == ["Text", "Text", "Finished"]
    assert isinstance(events[-1], Finished) and events[-1].result.end is End.MODEL_FAILED
    assert far.ran == []


async def test_a_stream_without_its_message_is_a_model_that_failed() -> None:
    class Empty(Watched):
        async def stream(self, messages: Any, tools: Any) -> Any:
            yield "I was go"

    async with desk(Empty(says("x"))) as stage:
        events = await heard(stage.plane)
    assert isinstance(events[-1], Finished) and events[-1].result.end is End.MODEL_FAILED


async def test_a_model_that_cannot_stream_is_heard_at_its_end() -> None:
    async with desk(ScriptedModel(says("Hello there."))) as stage:
        events = await heard(stage.plane)
    assert events[0] == Text(1, "Hello there.")


async def test_a_wait_is_said_and_ends_the_stream() -> None:
    async with desk(Watched(says("", ("pay", {"n": 1}))), Far().tool("pay", "irreversible")) as stage:
        stage.obey(HOLD_PAY)
        events = await heard(stage.plane)
        [row] = await stage.plane.store.rows("approval")
    assert kinds(events) == ["Spent", "Proposed", "Ended", "Waiting"]
    assert events[-1] == Waiting((row["approval_id"],))


async def test_who_waits_hears_the_engine_go_on() -> None:
    model = Watched(says("", ("pay", {"n": 1})), says("Paid."))
    events: list[StreamEvent] = []
    async with desk(model, Far().tool("pay", "irreversible")) as stage:
        stage.obey(HOLD_PAY)

        async def approve(run_id: str) -> None:
            state = await stage.state(run_id)
            [call] = state.calls.values()
            assert call.outcome is not None
            await stage.answer(run_id, call.outcome)
            await stage.plane.advance(run_id)

        async with stage.plane.agent("desk", ANA, words=WORDS) as run, anyio.create_task_group() as tasks:
            async for event in run.stream(wait_s=30):
                events.append(event)
                if isinstance(event, Waiting):
                    tasks.start_soon(approve, run.run_id)
    assert kinds(events) == ["Spent", "Proposed", "Ended", "Waiting", "Ended", "Text", "Spent", "Finished"]
    assert [event.outcome.kind for event in events if isinstance(event, Ended)] == ["held", "done"]


async def test_a_slow_listener_is_told_what_it_missed_and_slows_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """C7: two listeners, one of whom takes nothing until the run is over."""
    monkeypatch.setattr(stream, "QUEUE_MAX", 4)
    model = Watched(*[says("a b c", ("look", {"n": n})) for n in range(5)], says("Done."))
    quick: list[StreamEvent] = []
    slow: list[StreamEvent] = []
    async with desk(model, Far().tool("look")) as stage, stage.plane.agent("desk", ANA, words=WORDS) as run:
        sleeper = run.stream()
        slow.append(await anext(sleeper))
        over = anyio.Event()

        async def listen() -> None:
            async for event in run.stream():
                quick.append(event)
            over.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            assert (await run.result()).answered
            await over.wait()
        slow += [event async for event in sleeper]
    missed = [event.count for event in slow if isinstance(event, Dropped)]
    assert missed and sum(missed) + len(slow) - len(missed) == 33, "five turns of six, one of two, the end"
    assert kinds(slow)[-2:] == ["Dropped", "Finished"], "the end is never dropped"
    assert kinds(quick)[-1] == "Finished"


async def test_a_cancelled_run_says_so_and_what_may_have_left_is_unknown() -> None:
    """Defects 40, 49: a cancelled call is no success, and not taken for not done."""
    started = anyio.Event()

    async def slow(_: dict[str, Any], __: CallContext) -> object:
        started.set()
        await anyio.sleep_forever()
        return None

    model = Watched(says("", ("pay", {"n": 1}), ("look", {"n": 2})), says("Paid."))
    far = Far()
    async with desk(model, far.tool("pay", "reversible", slow), far.tool("look", "read", slow)) as stage:
        async with stage.plane.agent("desk", ANA, words=WORDS) as run, anyio.create_task_group() as tasks:
            tasks.start_soon(run.result)
            await started.wait()
            found = await run.cancel("the user left")
            tasks.cancel_scope.cancel()
        assert (found.end, found.answered) == (End.CANCELLED, False)
        outcomes = {
            call.tool: call.outcome.kind.value
            for call in (await stage.state(run.run_id)).calls.values()
            if call.outcome
        }
        assert outcomes["pay"] == "unknown"
        assert outcomes.get("look", "failed") == "failed"
        [row] = await stage.plane.store.rows("run")
        assert (row["status"], row["reason"]) == ("cancelled", "the user left")
        assert await stage.plane.store.due() == []


async def test_cancelling_a_run_that_waits_withdraws_what_it_asked() -> None:
    far = Far()
    async with desk(Watched(says("", ("pay", {"n": 1}))), far.tool("pay", "irreversible")) as stage:
        stage.obey(HOLD_PAY)
        async with stage.plane.agent("desk", ANA, words=WORDS) as run:
            await run.result()
            assert (await run.cancel()).end is End.CANCELLED
            assert (await run.cancel()).end is End.CANCELLED, "asking twice is asking once"
        [asked] = await stage.plane.store.rows("approval")
        [call] = await stage.plane.store.rows("tool_call")
        assert (asked["status"], call["outcome"]) == ("withdrawn", "refused")
        assert await stage.plane.store.due() == []
    assert far.ran == []


async def test_an_approval_that_comes_after_the_run_was_cancelled_runs_nothing() -> None:
    far = Far()
    async with desk(Watched(says("", ("pay", {"n": 1}))), far.tool("pay", "irreversible")) as stage:
        stage.obey(HOLD_PAY)
        found = await result(stage.plane)
        [call] = (await stage.state(found.run_id)).calls.values()
        assert call.outcome is not None
        await stage.answer(found.run_id, call.outcome)
        async with stage.plane.agent("desk", ANA, run_id=found.run_id) as run:
            assert (await run.cancel()).end is End.CANCELLED
        await stage.plane.advance(found.run_id)
        assert (await stage.state(found.run_id)).calls[call.call_id].outcome.code == "recall.run_over"  # type: ignore[union-attr]
    assert far.ran == []


async def test_left_in_the_middle_the_run_is_due_and_goes_on_without_its_client() -> None:
    started, go_on = anyio.Event(), anyio.Event()

    class Thinks(Watched):
        async def reply(self, messages: Any, tools: Any) -> Message:
            started.set()
            await go_on.wait()
            return await super().reply(messages, tools)

    async with desk(Thinks(says("Here I am."))) as stage:
        async with stage.plane.agent("desk", ANA, words=WORDS) as run, anyio.create_task_group() as tasks:
            tasks.start_soon(run.result)
            await started.wait()
            tasks.cancel_scope.cancel()
        [due] = await stage.plane.store.due()
        assert (due.run_id, due.why) == (run.run_id, "claim.lapsed")
        go_on.set()
        await stage.plane.advance(due.run_id)
        async with stage.plane.agent("desk", ANA, run_id=run.run_id) as again:
            assert (await again.result()).text == "Here I am."


async def test_a_ledger_that_cannot_be_written_is_told_to_whoever_asks() -> None:
    async with desk(Watched(says("x", ("look", {"n": 1})), says("y")), Far().tool("look")) as stage:
        store = WatchedStore(stage.clock)
        stage.store_in(store)
        store.fail_at = {2}
        with pytest.raises(StoreUnavailable):
            await result(stage.plane)
        store.fail_at = {5}
        events: list[StreamEvent] = []
        with pytest.raises(StoreUnavailable):
            async with stage.plane.agent("desk", ANA, words=WORDS) as run:
                async for event in run.stream():
                    events.append(event)
        assert "Finished" not in kinds(events)

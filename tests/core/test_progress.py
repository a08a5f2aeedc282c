"""How far a call is: said by its tool, heard by whoever listens, kept nowhere."""

from __future__ import annotations

import math
import threading
from typing import Any

import anyio.to_thread
import pytest

from interlock import CallContext, Outcome, tool
from interlock.agent.stream import Progressed
from interlock.core.call import OutcomeKind
from interlock.core.progress import AMOUNT_MAX, MESSAGE_MAX, Progress, ProgressListeners
from interlock.errors import ToolError
from interlock.pipeline import call_tool
from interlock.testing import FrozenClock
from tests.agent.desk import Watched, desk, heard, says
from tests.agent.test_loop import HOLD_PAY
from tests.planes import Far, Stage, proposed, staged

pytestmark = pytest.mark.anyio


def report(*said: Any) -> Any:
    """A tool's body that says how far it is and answers."""

    async def does(arguments: dict[str, Any], context: CallContext) -> object:
        for each in said:
            context.progress(*each)
        return {"n": arguments["n"]}

    return does


async def test_whoever_listens_to_a_call_hears_it_and_nobody_else() -> None:
    """C7, issue 5: a tool can report progress."""
    first: list[Progress] = []
    second: list[Progress] = []
    other: list[Progress] = []
    async with staged(Far().tool("copy", does=report((1, 4, "one of four")))) as stage, stage.run() as run:
        listeners = stage.plane.plane.executor.listeners
        with listeners.to("call_x", first.append), listeners.to("call_y", other.append):
            with listeners.to("call_x", second.append):
                assert (await call_tool(proposed(run, "copy"), stage.plane.plane)).kind is OutcomeKind.DONE
            assert (await call_tool(proposed(run, "copy", {"n": 2}, "call_z"), stage.plane.plane)).value == {"n": 2}
        said = await stage.events(run.run_id)
    assert first == second == [Progress(1, 4, "one of four")] and other == []
    assert "one of four" not in str(said), "it is in no ledger"


async def test_a_run_is_listened_to_with_all_its_calls() -> None:
    heard: list[tuple[str, Progress]] = []
    async with staged(Far().tool("copy", does=report((0.5,)))) as stage, stage.run() as run:
        with run.listening(lambda call_id, progress: heard.append((call_id, progress))):
            outcomes = [await run.call("copy", {"n": n}) for n in range(3)]
        await run.call("copy", {"n": 9})
    assert heard == [(outcome.call_id, Progress(0.5)) for outcome in outcomes]


async def test_it_comes_as_an_event_of_an_agents_stream_between_the_call_and_its_outcome() -> None:
    model = Watched(says("", ("copy", {"n": 1})), says("Copied."))
    async with desk(model, Far().tool("copy", does=report((3, None, "three")))) as stage:
        events = await heard(stage.plane)
    assert [type(event).__name__ for event in events] == [
        "Spent", "Proposed", "Progressed", "Ended", "Text", "Spent", "Finished",
    ]  # fmt: skip
    assert isinstance(events[2], Progressed) and events[2].progress == Progress(3, None, "three")
    assert events[2].call_id == events[1].call_id  # type: ignore[union-attr]


async def test_a_fault_of_whoever_listens_is_none_of_the_calls() -> None:
    told: list[Progress] = []

    def breaks(_: Progress) -> None:
        raise ZeroDivisionError("a bug of the listener")

    async with staged(Far().tool("copy", does=report((1,)))) as stage, stage.run() as run:
        listeners = stage.plane.plane.executor.listeners
        with listeners.to("call_x", breaks), listeners.to("call_x", told.append):
            assert (await call_tool(proposed(run, "copy"), stage.plane.plane)).kind is OutcomeKind.DONE
    assert told == [Progress(1)]


@pytest.mark.parametrize("done", [math.nan, math.inf, -1, -0.5, True, "3", None, AMOUNT_MAX + 1, 10**400])
async def test_what_is_no_amount_is_refused(done: Any) -> None:
    context = bare()
    with pytest.raises(ToolError, match="done"):
        context.progress(done)
    if done is not None:  # an amount that the tool does not know
        with pytest.raises(ToolError, match="total"):
            context.progress(0, done)


async def test_what_is_no_text_is_refused_and_what_is_fine_is_not() -> None:
    with pytest.raises(ToolError, match="message"):
        bare().progress(1, 2, b"bytes")  # type: ignore[arg-type]
    bare().progress(0)
    bare().progress(2, 1, "further than it was meant to go")
    bare().progress(AMOUNT_MAX, float(AMOUNT_MAX), "")


async def test_a_message_is_short_and_has_nothing_in_it_that_cannot_be_seen() -> None:
    said = Progress.said(1, 2, "red \x1b[31m\n\u202edone\ud800" + "x" * 100_000)
    assert said.message.startswith(r"red \u001b[31m\n\u202edone\ud800xxx")
    assert said.message.isprintable() and len(said.message) < MESSAGE_MAX + 32
    assert said.message.encode()


async def test_so_many_reports_are_told_and_no_more_and_the_end_is_among_them() -> None:
    clock = FrozenClock()
    listeners = ProgressListeners(clock)
    told: list[float] = []
    with listeners.to("call_x", lambda progress: told.append(progress.done)):
        for done in range(1000):
            clock.advance(0.001)
            listeners.tell("run_x", "call_x", Progress(done, 1000))
        listeners.tell("run_x", "call_x", Progress(1000, 1000))
        listeners.tell("run_x", "call_x", Progress(1000, 1000))
        listeners.tell("run_x", "call_y", Progress(7))
    assert len(told) <= 102 and told[-1] == 1000 and told.count(1000) == 1


async def test_calls_that_report_at_once_do_not_take_each_others_place() -> None:
    listeners = ProgressListeners(FrozenClock())
    told: list[str] = []
    with listeners.to_run("run_x", lambda call_id, _: told.append(call_id)):
        for place in range(1000):
            listeners.tell("run_x", f"call_{place}", Progress(0))
            listeners.tell("run_x", f"call_{place}", Progress(1))
    assert len(told) == 1000


async def test_a_function_in_a_thread_is_heard_where_somebody_listens() -> None:
    threads: list[int] = []

    @tool(effect="read")
    def copy(context: CallContext) -> str:
        """Copy."""
        context.progress(1, 2)
        return "ok"

    async with staged(copy) as stage, stage.run() as run:
        with run.listening(lambda _, __: threads.append(threading.get_ident())):
            assert (await run.call("copy")).kind is OutcomeKind.DONE
    assert threads == [threading.get_ident()]


async def test_a_thread_that_outlives_whoever_listened_is_told_nothing_and_breaks_nothing() -> None:
    listeners = ProgressListeners(FrozenClock())
    told: list[Progress] = []
    with listeners.to("call_x", told.append):
        pass
    await anyio.to_thread.run_sync(listeners.tell, "run_x", "call_x", Progress(1))
    assert told == []


async def test_a_call_that_goes_on_after_an_approval_is_heard_too() -> None:
    told: list[Progress] = []
    async with staged(Far().tool("pay", "irreversible", report((1, 1, "paid")))) as stage, stage.run() as run:
        stage.obey(HOLD_PAY)
        held: Outcome = await run.call("pay", {"n": 1})
        with run.listening(lambda _, progress: told.append(progress)):
            await go_on(stage, run.run_id, held)
    assert told == [Progress(1, 1, "paid")]


async def go_on(stage: Stage, run_id: str, held: Outcome) -> None:
    await stage.answer(run_id, held)
    await stage.plane.advance(run_id)


def bare() -> CallContext:
    return CallContext(
        run_id="run_x", call_id="call_x", attempt=1, idempotency_key="", principal_id="ana", tenant="default",
        deadline_s=1.0,
    )  # fmt: skip

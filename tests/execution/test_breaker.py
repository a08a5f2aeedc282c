"""Breakers: opened by tries that fail, closed by one probe."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock import OutcomeKind
from interlock.core.breaker import ENOUGH, OPEN_S
from interlock.errors import NotSent, Rejected
from interlock.execution.attempt import Failure
from interlock.execution.breaker import CUT, Breakers
from interlock.testing import FrozenClock
from tests.execution.test_execute import failing
from tests.planes import Far, staged

DOWN = Failure("timeout", maybe_done=True)
TOOL = Far().tool("act", "reversible")


def opened(clock: FrozenClock) -> Breakers:
    breakers = Breakers(clock)
    for _ in range(ENOUGH):
        assert breakers.admit(TOOL)
        breakers.over(TOOL, DOWN)
    return breakers


def test_it_opens_when_nearly_all_of_the_newest_tries_failed_and_lets_one_probe_through() -> None:
    """B11: one probe, however many ask; a probe that fails opens it again, one that succeeds closes it."""
    clock = FrozenClock()
    breakers = opened(clock)
    assert breakers.states() == {("local", "act", "1"): "open"}
    assert breakers.shut(TOOL)
    assert not breakers.admit(TOOL)
    clock.advance(OPEN_S)
    assert not breakers.shut(TOOL)
    assert [breakers.admit(TOOL) for _ in range(5)] == [True, False, False, False, False]
    breakers.over(TOOL, DOWN)
    assert not breakers.admit(TOOL)
    clock.advance(OPEN_S)
    assert breakers.admit(TOOL)
    breakers.over(TOOL, {"n": 1})
    assert breakers.states() == {("local", "act", "1"): "closed"}
    assert breakers.admit(TOOL)
    assert breakers.admit(TOOL)


def test_a_probe_that_is_cut_off_gives_its_permit_back() -> None:
    clock = FrozenClock()
    breakers = opened(clock)
    clock.advance(OPEN_S)
    assert breakers.admit(TOOL)
    breakers.over(TOOL, CUT)
    assert breakers.admit(TOOL)


def test_an_answer_is_no_failure_whatever_it_says() -> None:
    """Defect 46: a returned error is a value, and a rejection is the far end's answer; None is a value too."""
    breakers = Breakers(FrozenClock())
    for answer in ({"error": "timeout"}, Failure("rejected", maybe_done=False), None) * ENOUGH:
        assert breakers.admit(TOOL)
        breakers.over(TOOL, answer)
    assert breakers.states() == {}


@given(st.lists(st.booleans(), max_size=60))
def test_it_never_opens_while_more_than_a_fifth_of_the_tries_succeed(failed: list[bool]) -> None:
    """A far end that fails every third try is retried, not left alone."""
    breakers = Breakers(FrozenClock())
    newest: list[bool] = []
    for fails in [True, *failed]:  # what came before the first failure is not kept
        if not breakers.admit(TOOL):
            assert len(newest) >= ENOUGH
            assert sum(newest[-20:]) >= 0.8 * len(newest[-20:])
            return
        breakers.over(TOOL, DOWN if fails else 1)
        newest.append(fails)


@pytest.mark.anyio
async def test_while_it_is_open_a_call_fails_without_an_intent_and_its_fallback_runs() -> None:
    """B11, A9: a degraded tool is replaced, or says so at once."""
    far = Far()
    tools = [
        far.tool("act", "reversible", failing(*[NotSent("down")] * 99), attempts_max=1),
        far.tool("other", "reversible", failing(*[NotSent("down")] * 99), attempts_max=1, fallback="spare"),
        far.tool("spare", "reversible"),
    ]
    async with staged(*tools) as stage, stage.run() as run:
        for n in range(ENOUGH):
            assert (await run.call("act", {"n": n})).code == "execute.unavailable"
        ran = len(far.ran)
        outcome = await run.call("act", {"n": 99})
        assert (outcome.kind, outcome.code, len(far.ran)) == (OutcomeKind.FAILED, "execute.open", ran)
        assert stage.plane.degraded == {"act": "open"}
        assert "call.intent" not in await stage.said(run.run_id, outcome.call_id)
        for n in range(ENOUGH + 1):
            assert (await run.call("other", {"n": n})).done
        assert far.names.count("other") == ENOUGH
        assert far.names.count("spare") == ENOUGH + 1


@pytest.mark.anyio
async def test_a_rejection_does_not_open_it() -> None:
    far = Far()
    async with staged(far.tool("act", "reversible", failing(*[Rejected("no")] * 30))) as stage, stage.run() as run:
        codes = {(await run.call("act", {"n": n})).code for n in range(30)}
        assert codes == {"execute.rejected"}


@pytest.mark.anyio
async def test_a_cancelled_probe_lets_the_next_one_try() -> None:
    """Defect 40: cancellation goes through the same end."""
    far = Far()
    hang = anyio.Event()

    async def act(arguments: dict[str, Any], context: Any) -> object:
        if arguments["n"] < ENOUGH:
            raise NotSent("down")
        if arguments["n"] == ENOUGH:
            await hang.wait()
        return 1

    async with staged(far.tool("act", "reversible", act, attempts_max=1)) as stage, stage.run() as run:
        for n in range(ENOUGH):
            await run.call("act", {"n": n})
        stage.clock.advance(OPEN_S)
        with anyio.move_on_after(0):
            await run.call("act", {"n": ENOUGH})
        assert (await run.call("act", {"n": ENOUGH + 1})).done

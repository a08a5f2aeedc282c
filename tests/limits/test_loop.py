"""Loops and parallel explosions: what is a repeat, what is none, and what is told. REQUIREMENTS B6; defect 60."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock import Proposal, Run, Saga, Step
from interlock.core.tool import CallContext
from interlock.errors import NotSent, Rejected
from tests.planes import ANA, Far, codes, kinds, staged
from tests.saga.desk import Desk

pytestmark = pytest.mark.anyio

TEXTS = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "text": {"type": "string"}, "page": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}


class World:
    """What the tools of these tests look at and change."""

    def __init__(self) -> None:
        self.far = Far()
        self.state = 0
        self._counter = count()

    async def look(self, arguments: dict[str, Any], context: CallContext) -> object:
        return {"state": self.state}

    async def change(self, arguments: dict[str, Any], context: CallContext) -> object:
        self.state += 1
        return "ok"

    async def nothing(self, arguments: dict[str, Any], context: CallContext) -> object:
        return "ok"

    async def ever_new(self, arguments: dict[str, Any], context: CallContext) -> object:
        return next(self._counter)

    @property
    def tools(self) -> list[Any]:
        """look: a read of the state; change: moves it; touch: says ok, moves nothing; clock: never the same."""
        return [
            self.far.tool("look", does=self.look),
            self.far.tool("change", "reversible", does=self.change),
            self.far.tool("touch", "reversible", does=self.nothing),
            self.far.tool("clock", does=self.ever_new),
            self.far.tool("search", does=self.nothing, input_schema=TEXTS),
            self.far.tool("say", "reversible", does=self.nothing, input_schema=TEXTS),
        ]


async def again(run: Run, tool: str, times: int, arguments: Any = None) -> list[str]:
    """The codes of the same call, so many times."""
    return codes([await run.call(tool, {"n": 1} if arguments is None else arguments) for _ in range(times)])


# --------------------------------------------------------------------------------- equal calls


@pytest.mark.parametrize("tool", ["look", "touch"])
async def test_the_fourth_equal_call_with_the_same_answer_is_a_loop_and_so_is_each_after_it(tool: str) -> None:
    """B6; defect 60: exact repeats on the call digest, reads and writes."""
    world = World()
    async with staged(*world.tools) as stage, stage.run() as run:
        assert await again(run, tool, 6) == ["", "", "", "limit.loop", "limit.loop", "limit.loop"]
        assert world.far.names == [tool] * 3


@given(
    st.lists(st.sampled_from(["look", "clock", "search"]), max_size=12),
    st.integers(1, 5),
)
@settings(max_examples=30)
def test_whatever_is_read_between_equal_calls_with_equal_answers_stop_after_so_many(
    between: list[str], most: int
) -> None:
    async def main() -> None:
        world = World()
        limits = {"limits": {"vain_max": most, "alike_max": 100}}
        async with staged(*world.tools, settings=limits) as stage, stage.run() as run:
            others = iter(between)
            found = []
            for _ in range(most + 1):
                found.append((await run.call("look", {"n": 0})).code)
                if (other := next(others, "")) != "":
                    await run.call(other, {"n": 1})
            assert found == [""] * most + ["limit.loop"]

    anyio.run(main)


@given(st.integers(1, 40))
@settings(max_examples=20)
def test_a_read_whose_answer_changes_by_itself_is_never_stopped(times: int) -> None:
    """Waiting for the world is no loop."""

    async def main() -> None:
        world = World()
        async with staged(*world.tools) as stage, stage.run() as run:
            assert await again(run, "clock", times) == [""] * times

    anyio.run(main)


@given(st.integers(1, 12), st.integers(1, 12))
@settings(max_examples=20)
def test_a_look_after_each_change_with_a_new_answer_is_stopped_by_the_count_alone(times: int, most: int) -> None:
    async def main() -> None:
        world = World()
        async with staged(*world.tools, settings={"limits": {"alike_max": most}}) as stage, stage.run() as run:
            found = []
            for number in range(times):
                found.append((await run.call("look", {"n": 0})).code)
                await run.call("change", {"n": number})
            assert found == ([""] * most + ["limit.loop"] * times)[:times]

    anyio.run(main)


async def test_a_change_is_a_reason_to_look_again_once() -> None:
    """The answer that survives a change is an answer: the next change is no reason any more."""
    world = World()
    async with staged(*world.tools, settings={"limits": {"alike_max": 100}}) as stage, stage.run() as run:
        assert await again(run, "look", 3) == [""] * 3
        assert await again(run, "look", 1) == ["limit.loop"]
        await run.call("touch", {"n": 1})
        assert await again(run, "look", 1) == [""], "something was changed"
        await run.call("touch", {"n": 2})
        assert await again(run, "look", 1) == ["limit.loop"], "and it was looked at: the answer had stayed the same"
        await run.call("change", {"n": 3})
        assert await again(run, "look", 1) == ["limit.loop"]


async def test_a_new_answer_begins_anew() -> None:
    world = World()
    async with staged(*world.tools, settings={"limits": {"alike_max": 100}}) as stage, stage.run() as run:
        for number in range(3):
            assert await again(run, "look", 3) == [""] * 3
            await run.call("change", {"n": number})


async def test_two_writes_that_alternate_are_a_loop_of_two() -> None:
    """A write that is made again and answered as before changes nothing."""
    world = World()
    async with staged(*world.tools) as stage, stage.run() as run:
        found = [(await run.call("touch", {"n": number % 2})).code for number in range(8)]
        assert found == [""] * 6 + ["limit.loop"] * 2


async def test_a_write_that_was_stopped_stays_stopped() -> None:
    world = World()
    async with staged(*world.tools) as stage, stage.run() as run:
        assert await again(run, "touch", 4) == ["", "", "", "limit.loop"]
        await run.call("change", {"n": 2})
        assert await again(run, "touch", 1) == ["limit.loop"]
        assert await again(run, "touch", 1, {"n": 2}) == [""], "another one may run"


async def test_equal_failures_are_repeats_too() -> None:
    async def refuses(arguments: dict[str, Any], context: CallContext) -> object:
        raise Rejected("no")

    far = Far()
    async with staged(far.tool("put", "reversible", does=refuses)) as stage, stage.run() as run:
        outcomes = [await run.call("put", {"n": 1}) for _ in range(4)]
        assert kinds(outcomes) == ["failed", "failed", "failed", "refused"]
        assert "failed" in outcomes[3].message
        assert outcomes[3].next_step.startswith("Try another way")


# ---------------------------------------------------------------------------- nearly equal calls


@pytest.mark.parametrize(
    "vary",
    [
        lambda n: {"n": 1, "text": f"please find number {n} for me"},
        lambda n: {"n": 1, "page": n},
        lambda n: {"n": 1, "page": n, "text": "word " * n},
    ],
)
async def test_calls_that_differ_in_text_or_paging_only_are_stopped_when_they_are_answered_the_same(vary: Any) -> None:
    """Defect 60: near-repeats are told by tool and grounded arguments."""
    world = World()
    async with staged(*world.tools) as stage, stage.run() as run:
        outcomes = [await run.call("search", vary(number)) for number in range(3, 10)]
        assert codes(outcomes) == [""] * 5 + ["limit.loop"] * 2
        assert "in other words" in outcomes[5].message


@pytest.mark.parametrize("vary", [lambda n: {"n": n, "text": "the same words"}, lambda n: {"n": 1, "text": f"id_{n}"}])
async def test_calls_that_differ_in_what_is_grounded_are_other_calls(vary: Any) -> None:
    world = World()
    async with staged(*world.tools) as stage, stage.run() as run:
        assert codes([await run.call("search", vary(number)) for number in range(20)]) == [""] * 20


async def test_pages_with_something_on_them_are_read_to_the_end() -> None:
    world = World()
    far = Far()
    pages = far.tool("pages", does=world.ever_new, input_schema=TEXTS)
    async with staged(pages) as stage, stage.run() as run:
        assert codes([await run.call("pages", {"n": 1, "page": page}) for page in range(30)]) == [""] * 30


async def test_writes_with_other_texts_are_other_effects() -> None:
    """Twenty messages to one channel are twenty messages."""
    world = World()
    async with staged(*world.tools) as stage, stage.run() as run:
        said = [await run.call("say", {"n": 1, "text": f"this is message {number}"}) for number in range(20)]
        assert codes(said) == [""] * 20


# ------------------------------------------------------------------------------ what is no repeat


async def test_asking_again_by_name_a_rehearsal_and_a_refused_call_are_no_repeats() -> None:
    world = World()
    async with staged(*world.tools) as stage, stage.run() as run:
        for _ in range(10):
            assert (await run.call("look", {"n": 1}, name="mine")).done
            await run.call("look", {"n": 1}, dry_run=True)
            await run.call("look", {"n": 1, "other": 1})
        assert await again(run, "look", 3) == ["", "", "limit.loop"]


async def test_what_policy_denied_is_no_repeat() -> None:
    world = World()
    async with staged(*world.tools) as stage, stage.run() as run:
        stage.obey('@id("no") forbid (principal, action, resource);')
        assert await again(run, "look", 6) == ["authorize.not_available"] * 6
        stage.obey("permit (principal, action, resource);")
        assert await again(run, "look", 4) == ["", "", "", "limit.loop"]


async def test_the_steps_of_a_saga_are_no_repeats() -> None:
    """They are its definition's, and a person has them tried again."""
    desk = Desk("a")
    saga = Saga("many", [Step(f"s{number}", "a", {"n": 1}) for number in range(8)])
    async with staged(*desk.tools()) as stage, stage.plane.saga(saga, ANA, {}) as run:
        assert (await run.outcome()).completed
        assert desk.ran == ["a"] * 8


async def test_a_fallback_is_no_repeat_of_the_runs_own_calls() -> None:
    async def down(arguments: dict[str, Any], context: CallContext) -> object:
        raise NotSent("down")

    far = Far()
    async with staged(far.tool("other"), far.tool("get", does=down, fallback="other")) as stage, stage.run() as run:
        for _ in range(3):
            outcome = await run.call("get", {"n": 1})
            assert (outcome.tool, outcome.kind.value) == ("other", "done")
        assert far.names.count("other") == 3
        assert await again(run, "other", 4) == ["", "", "", "limit.loop"]


# -------------------------------------------------------------------------------- what is told


async def test_a_loop_is_told_which_call_how_often_what_came_of_it_and_what_to_do() -> None:
    world = World()
    async with staged(*world.tools) as stage, stage.run() as run:
        outcomes = [await run.call("look", {"n": 1}) for _ in range(4)]
        refused, last = outcomes[3], outcomes[2].call_id
        assert "3 times" in refused.message
        assert f"the last one, {last}, was done" in refused.message
        assert refused.next_step == f"Use the result of {last}, or answer with what you have."
        fact = (await stage.events(run.run_id, refused.call_id))[-1].fact
        assert fact.body["stop"]["audit"] == {"alike": 3, "last": last}


async def test_an_agent_can_tell_that_it_should_answer_now() -> None:
    """C1 builds on this: the mark of a loop, and of a run that has used its calls; of nothing else."""
    world = World()
    async with staged(*world.tools, settings={"limits": {"calls_max": 6}}) as stage, stage.run() as run:
        outcomes = [await run.call("look", {"n": 1}) for _ in range(4)]
        assert [outcome.final for outcome in outcomes] == [False, False, False, True]
        assert not (await run.call("look", {"n": "one"})).final
        await run.call("look", {"n": 2})
        spent = await run.call("look", {"n": 3})
        assert (spent.code, spent.final) == ("limit.calls", True)


# ------------------------------------------------------------------------------ after a restart


@pytest.mark.parametrize("kept", [False, True], ids=["memory", "sqlite"])
async def test_who_comes_back_to_a_run_finds_its_repeats(tmp_path: Path, kept: bool) -> None:
    """The count is the ledger's: another process, or this one later, goes on where it stood."""
    ledger = tmp_path / "ledger.db" if kept else None
    world = World()
    async with staged(*world.tools, world.far.tool("hold"), ledger=ledger) as stage:
        stage.obey('permit (principal, action, resource); @id("h") @approvers("approver") forbid (principal, action == '
                   'Action::"hold", resource);')  # fmt: skip
        async with stage.run() as run:
            await run.call("hold", {"n": 1})
            assert await again(run, "look", 2) == ["", ""]
        before = (await stage.state(run.run_id)).under_way.repeats
        stage.store_in(stage.plane.store)  # nothing that this process knew of the run is left
        assert (await stage.state(run.run_id)).under_way.repeats == before
        async with stage.plane.run(ANA, run_id=run.run_id) as back:
            assert await again(back, "look", 2) == ["", "limit.loop"]


# ------------------------------------------------------------------------------ calls at once


async def test_of_the_calls_of_a_turn_those_beyond_its_width_are_refused_each_with_its_record() -> None:
    """B6: a parallel explosion costs refusals, and the calls before it run."""
    world = World()
    async with staged(*world.tools, settings={"limits": {"turn_max": 3}}) as stage, stage.run() as run:
        outcomes = await run.calls([Proposal(tool="look", arguments={"n": number}) for number in range(8)])
        assert codes(outcomes) == [""] * 3 + ["limit.fan_out"] * 5
        assert len(world.far.ran) == 3
        for place, refused in enumerate(outcomes[3:], 4):
            assert not refused.final
            (event,) = await stage.events(run.run_id, refused.call_id)
            assert event.fact.body["stop"]["audit"] == {"place": place}
        assert codes(await run.calls([Proposal(tool="look", arguments={"n": 9})] * 2)) == ["", ""], "a turn of its own"


async def test_what_needs_a_call_beyond_the_width_lacks_it() -> None:
    world = World()
    async with staged(*world.tools, settings={"limits": {"turn_max": 1}}) as stage, stage.run() as run:
        needs = {"n": {"$result": "b", "pointer": "/state"}}
        outcomes = await run.calls([
            Proposal(tool="look", arguments={"n": 1}),
            Proposal(tool="look", arguments={"n": 2}, id="b"),
            Proposal(tool="look", arguments=needs),
        ])  # fmt: skip
        assert codes(outcomes) == ["", "limit.fan_out", "recall.dependency"]


@given(st.permutations(["look"] * 5 + ["clock"] * 5 + ["search"] * 2))
@settings(max_examples=20)
def test_the_order_of_a_batch_makes_no_difference_to_how_many_of_it_run(order: list[str]) -> None:
    async def main() -> None:
        world = World()
        async with staged(*world.tools) as stage, stage.run() as run:
            outcomes = await run.calls([Proposal(tool=tool, arguments={"n": 1}) for tool in order])
            done = [tool for tool, outcome in zip(order, outcomes, strict=True) if outcome.done]
            assert {tool: done.count(tool) for tool in done} == {"look": 3, "clock": 3, "search": 2}

    anyio.run(main)

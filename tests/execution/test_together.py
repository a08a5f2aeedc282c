"""Like calls of a batch, answered by one invocation of their tool's batch function. REQUIREMENTS B13."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given
from hypothesis import strategies as st

from interlock import CallContext, Proposal, Run, tool
from interlock.core.call import Outcome
from interlock.core.tool import Tool
from interlock.errors import NotSent, Rejected, TryLater
from interlock.execution.batch import Batch
from interlock.pipeline import call_tool, call_tools
from tests.planes import ANA, BOB, Far, Stage, codes, kinds, proposed, staged

pytestmark = pytest.mark.anyio


class Many:
    """A far end that can be asked about several numbers at once.

    Attributes:
        asked: The numbers of each invocation, in order; one of the single function is alone in its list.
        contexts: What it was told of each call.
    """

    def __init__(self, *answers: object) -> None:
        self.asked: list[list[int]] = []
        self.contexts: list[CallContext] = []
        self.singles = 0
        self._answers = list(answers)

    def tool(self, name: str = "get", **options: Any) -> Tool:
        async def one(arguments: dict[str, Any], context: CallContext) -> object:
            self.singles += 1
            self.asked.append([arguments["n"]])
            return {"n": arguments["n"]}

        return Far().tool(name, "read", one, batch=self.batch, **options)

    async def batch(self, arguments: list[dict[str, Any]], contexts: list[CallContext]) -> Sequence[object]:
        self.asked.append([each["n"] for each in arguments])
        self.contexts += contexts
        await checkpoint()
        answer = self._answers.pop(0) if self._answers else [{"n": each["n"]} for each in arguments]
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[return-value]  # what a function returns that was written wrongly


def gets(*numbers: Any, tool: str = "get") -> list[Proposal]:
    return [Proposal(tool=tool, arguments={"n": n}) for n in numbers]


async def results(stage: Stage, run: Run, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """The record of how each call came out."""
    found = []
    for outcome in outcomes:
        [event] = [each for each in await stage.events(run.run_id, outcome.call_id) if each.fact.kind == "call.result"]
        found.append(event.fact.body)
    return found


async def test_like_calls_are_one_invocation_and_each_is_a_call() -> None:
    many = Many()
    async with staged(many.tool()) as stage, stage.run() as run:
        outcomes = await run.calls(gets(3, 1, 2))
        assert many.asked == [[3, 1, 2]]
        assert [outcome.value for outcome in outcomes] == [{"n": 3}, {"n": 1}, {"n": 2}]
        assert [context.call_id for context in many.contexts] == [outcome.call_id for outcome in outcomes]
        assert len({context.idempotency_key for context in many.contexts}) == 3
        assert [body["together"] for body in await results(stage, run, outcomes)] == [3] * 3
        assert len(await stage.plane.store.rows("authz_decision")) == 3


async def test_a_typed_function_and_its_batch_function() -> None:
    """As an author writes them."""
    asked: list[list[int]] = []

    def prices(calls: list[dict[str, Any]]) -> list[int | Exception]:
        asked.append([each["item"] for each in calls])
        return [each["item"] * 100 if each["item"] < 3 else Rejected("no such item") for each in calls]

    @tool(effect="read", batch=prices)
    def price(item: int) -> int:
        """Price of an item, in cents."""
        return item * 100

    async with staged(price) as stage, stage.run() as run:
        asks = [Proposal(tool="price", arguments={"item": item}) for item in (1, 2, 3)]
        outcomes = await run.calls(asks)
        assert [outcome.value for outcome in outcomes] == [100, 200, None]
        assert codes(outcomes) == ["", "", "execute.rejected"]
        assert asked == [[1, 2, 3]]


async def test_a_call_that_is_alone_runs_by_the_function_itself() -> None:
    many = Many()
    async with staged(many.tool(), many.tool("other")) as stage, stage.run() as run:
        await run.call("get", {"n": 1})
        outcomes = await run.calls([*gets(2), *gets(3, tool="other")])
        assert many.singles == 3
        assert ["together" in body for body in await results(stage, run, outcomes)] == [False, False]


async def test_what_is_refused_or_held_is_not_waited_for() -> None:
    many = Many()
    hold = '@id("h") @approvers("approver") forbid (principal, action, resource) when { context.arguments.n == 9 };'
    async with staged(many.tool()) as stage, stage.run() as run:
        stage.obey("permit (principal, action, resource);" + hold)
        with anyio.fail_after(30):
            outcomes = await run.calls(gets(1, "x", 9, 2))
        assert kinds(outcomes) == ["done", "refused", "held", "done"]
        assert many.asked == [[1, 2]]


async def test_a_call_that_waits_for_another_runs_after_it_and_by_itself() -> None:
    many = Many()
    async with staged(many.tool()) as stage, stage.run() as run:
        first = [Proposal(tool="get", arguments={"n": n}, id=f"c{n}") for n in (1, 2)]
        later = Proposal(tool="get", arguments={"n": {"$result": "c2", "pointer": "/n"}})
        with anyio.fail_after(30):
            assert kinds(await run.calls([*first, later])) == ["done"] * 3
        assert many.asked == [[1, 2], [2]]


async def test_equal_ones_among_them_are_asked_once_and_kept_ones_not_at_all() -> None:
    """With `cache_s`: the three ways to save an invocation do not wait for each other."""
    many = Many()
    async with staged(many.tool(cache_s=30.0)) as stage, stage.run() as run:
        await run.call("get", {"n": 5})
        with anyio.fail_after(30):
            outcomes = await run.calls(gets(1, 2, 1, 5, 2, 3))
        assert many.asked == [[5], [1, 2, 3]]
        assert [outcome.value["n"] for outcome in outcomes] == [1, 2, 1, 5, 2, 3]


@pytest.mark.parametrize(
    ("answer", "kind", "invocations"),
    [
        ([{"n": 1}], "broken", 3),
        ([{"n": 1}] * 3, "broken", 3),
        ({"n": 1}, "broken", 3),
        (None, "broken", 3),
        ("ab", "broken", 3),
        (Rejected("no"), "rejected", 1),
        (NotSent("no"), "unavailable", 3),
        (TimeoutError("?"), "timeout", 3),
    ],
)
async def test_what_fails_as_a_whole_is_each_ones_failure(answer: object, kind: str, invocations: int) -> None:
    """A list of another length says of nobody which result is whose."""
    many = Many(*[answer] * 3)
    async with staged(many.tool()) as stage, stage.run() as run:
        outcomes = await run.calls(gets(1, 2))
        assert codes(outcomes) == [f"execute.{kind}"] * 2
        assert len(many.asked) == invocations
        assert {context.attempt for context in many.contexts} == set(range(1, invocations + 1))


async def test_a_whole_that_fails_once_is_tried_again_within_one_budget() -> None:
    many = Many(NotSent("no"), TryLater("not now"))
    async with staged(many.tool()) as stage, stage.run() as run:
        assert kinds(await run.calls(gets(1, 2))) == ["done"] * 2
        assert many.asked == [[1, 2]] * 3


async def test_an_exception_in_a_results_place_is_the_failure_of_that_call_alone() -> None:
    failures = [Rejected("a", reason="sold"), NotSent("b"), TryLater("c"), TimeoutError("d"), RuntimeError("secret")]
    many = Many([{"n": 0}, *failures, {"n": 6}, {1}])
    async with staged(many.tool()) as stage, stage.run() as run:
        outcomes = await run.calls(gets(*range(8)))
        assert codes(outcomes) == [
            "", "execute.rejected", "execute.unavailable", "execute.busy", "execute.timeout", "execute.broken", "",
            "screen.json.type",
        ]  # fmt: skip
        assert "sold" in outcomes[1].message
        assert "secret" not in str(outcomes[5])
        assert len(many.asked) == 1


async def test_no_two_principals_or_tools_share_an_invocation() -> None:
    """T43: the function is told in whose name it runs, and that is one name."""
    many = Many()
    async with staged(many.tool(), many.tool("other")) as stage, stage.run() as run, stage.run(BOB) as theirs:
        ours = [("", proposed(run, "get", {"n": n}, f"a{n}")) for n in (1, 2)]
        others = [("", proposed(run, "other", {"n": n}, f"b{n}")) for n in (3, 4)]
        bobs = [("", proposed(theirs, "get", {"n": n}, f"c{n}")) for n in (5, 6)]
        await call_tools([*ours, *others, *bobs], stage.plane.plane)
        assert sorted(many.asked) == [[1, 2], [3, 4], [5, 6]]
        assert {(context.principal_id, context.call_id[0]) for context in many.contexts} == {
            (ANA.id, "a"), (ANA.id, "b"), (BOB.id, "c"),
        }  # fmt: skip


async def test_it_needs_one_place_in_the_bulkhead() -> None:
    """Those who wait for their company hold none: with room for one, all the same, nobody waits for ever."""
    many = Many()
    settings = {"limits": {"turn_max": 64}}
    async with staged(many.tool(at_once=1), settings=settings) as stage, stage.run() as run:
        with anyio.fail_after(30):
            assert kinds(await run.calls(gets(*range(40)))) == ["done"] * 40
        assert [len(asked) for asked in many.asked] == [40]


async def test_where_the_one_that_runs_is_cut_off_another_takes_over() -> None:
    many = Many()
    gate = anyio.Event()

    async def batch(arguments: list[dict[str, Any]], contexts: list[CallContext]) -> Sequence[object]:
        many.asked.append([each["n"] for each in arguments])
        await gate.wait()
        return arguments

    async with staged(Far().tool("get", batch=batch)) as stage, stage.run() as run:
        plan, found = Batch(3), []
        scopes = [anyio.CancelScope() for _ in range(3)]

        async def one(place: int) -> None:
            with scopes[place]:
                turn = plan.turn()
                found.append(await call_tool(proposed(run, "get", {"n": place}, f"c{place}"), stage.plane.plane, turn))

        async with anyio.create_task_group() as tasks:
            for place in range(3):
                tasks.start_soon(one, place)
            await anyio.wait_all_tasks_blocked()
            assert many.asked == [[0, 1, 2]]
            scopes[0].cancel()
            await anyio.wait_all_tasks_blocked()
            assert many.asked == [[0, 1, 2], [1, 2]]
            scopes[2].cancel()
            await anyio.wait_all_tasks_blocked()
            gate.set()
        assert [outcome.value["n"] for outcome in found] == [1]
        assert await stage.said(run.run_id, "c0") != []


Plan = list[tuple[int, bool]]


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=12), st.sampled_from([0.0, 30.0]))
def test_whatever_is_proposed_together_comes_out_as_if_each_had_run_by_itself(plan: Plan, cache_s: float) -> None:
    """Differential: the naive way is one invocation for each call."""

    async def play(tools: list[Tool]) -> list[tuple[str, object, str]]:
        async with staged(*tools, settings={"limits": {"alike_max": 100}}) as stage, stage.run() as run:
            asks = [Proposal(tool="get" if first else "other", arguments={"n": n}) for n, first in plan]
            with anyio.fail_after(30):
                return [(outcome.kind.value, outcome.value, outcome.code) for outcome in await run.calls(asks)]

    many, plain = Many(), Far()
    fast = anyio.run(play, [many.tool(cache_s=cache_s), many.tool("other")])
    assert fast == anyio.run(play, [plain.tool("get"), plain.tool("other")])
    batches = [asked for asked in many.asked if len(asked) > 1]
    assert len(batches) <= 2

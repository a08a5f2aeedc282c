"""Figures over time, from what really happened on a plane."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from typing import Any

import pytest

from interlock.core.event import Event, Fact, Kind
from interlock.core.message import Usage
from interlock.core.principal import Principal
from interlock.core.tool import CallContext
from interlock.errors import NotSent
from interlock.ledger.chain import EMPTY, link_all
from interlock.models.metered import Price
from interlock.telemetry.measures import TENANTS_MAX, Measures
from interlock.telemetry.measures_buckets import DAY_US, HOUR_US, KEYS_MAX, MINUTE_US, OTHER, Buckets
from interlock.telemetry.measures_overview import Answers, ErrorFigures, Overview, Together, Told, ToolFigures
from interlock.telemetry.measures_times import STEP_MAX, count_of, end_of, one, percentiles, step_of
from interlock.testing import FrozenClock
from tests.agent.desk import Watched, desk, result, says
from tests.planes import ANA, BOB, PERMIT, Far, Stage, staged

pytestmark = pytest.mark.anyio

HELD = PERMIT + '@id("held") @approvers("approver") forbid (principal, action == Action::"pay", resource);'
ZOE = Principal("zoe", "other", roles=frozenset({"support"}))


async def measured(stage: Stage) -> Measures:
    measures = Measures(stage.clock)
    measures.absorb(await stage.plane.store.follow(0, 10_000))
    return measures


async def overview(stage: Stage, tenant: str = "default") -> Overview:
    now_us = stage.clock.wall_us()
    return (await measured(stage)).over(tenant, now_us - HOUR_US, now_us + 1)


def of(found: Overview, tool: str) -> ToolFigures:
    [figures] = [each for each in found.tools if each.tool == tool]
    return figures


def part(found: Overview, name: str) -> tuple[int, int]:
    """Count and mean of a part of the latency."""
    [latency] = [each for each in found.latency if each.part == name]
    return latency.count, latency.mean_us


async def test_calls_are_counted_by_tool_and_by_what_they_were_answered() -> None:
    far = Far()
    async with staged(far.tool("look"), far.tool("pay", "irreversible")) as stage:
        stage.obey(HELD)
        async with stage.run() as run:
            await run.call("look", {"n": 1})
            await run.call("look", {"n": "no number"})
            await run.call("pay", {"n": 2})
            await run.call("nothing", {"n": 1})
        found = await overview(stage)
    assert (found.calls, found.answers) == (4, Answers(done=1, refused=2, held=1))
    pay, look, unknown = of(found, "pay"), of(found, "look"), of(found, "(unknown)")
    assert (pay.server, pay.effect, pay.calls, pay.answers) == ("local", "irreversible", 1, Answers(held=1))
    assert (look.calls, look.answers, look.latency.count) == (2, Answers(done=1, refused=1), 1)
    assert (unknown.calls, unknown.answers) == (1, Answers(refused=1))
    assert "nothing" not in json.dumps(found.as_json()), "a name that a model made up is no label"
    assert found.errors == (
        ErrorFigures(tool="(unknown)", outcome="refused", code="validate.unknown_tool", count=1),
        ErrorFigures(tool="look", outcome="refused", code="validate.schema", count=1),
    )
    assert Told(outcome="held", gate="approve", code="approve.held", count=1) in found.told
    assert found.together == (Together(first="look", second="pay", runs=1),)
    assert (found.decisions[0].verdict, found.decisions[0].reason) == ("allow", "rule:test.cedar:1")
    assert (found.users_count, found.users[0].name, found.users[0].calls) == (1, "ana", 4)
    assert found.runs.started == 1


async def test_waiting_for_a_person_is_told_apart_from_the_tool_and_from_the_gates() -> None:
    async def slow(arguments: dict[str, Any], _: CallContext) -> object:
        stage.clock.advance(2)
        return {}

    async with staged(Far().tool("pay", "irreversible", slow)) as stage:
        stage.obey(HELD)
        async with stage.run() as run:
            held = await run.call("pay", {"n": 2})
            stage.clock.advance(90)
            await stage.answer(run.run_id, held, viewed_ms=4_000)
            await stage.plane.advance(run.run_id)
        found = await overview(stage)
    assert (part(found, "person"), part(found, "tool")) == ((1, 90_000_000), (1, 2_000_000))
    assert part(found, "gates") == (2, 0), "once until it was held, once after: neither the wait nor the tool is in it"
    assert found.answers == Answers(held=1, done=1)
    assert (found.holds.requested, found.holds.approved, found.holds.answered) == (1, 1, 1)
    [bob] = found.approvers
    assert (bob.person, bob.approved, bob.rejected, bob.viewed.mean_us) == (BOB.id, 1, 0, 4_000_000)


async def test_what_people_take_over_a_call_that_is_asked_about_again_is_no_gates_time() -> None:
    """Held, approved, held again because something changed, and rejected: all but two looks of the gates is waiting."""
    far = Far()
    async with staged(far.tool("pay", "irreversible")) as stage:
        stage.obey(HELD)
        async with stage.run() as run:
            held = await run.call("pay", {"n": 2}, name="mine")
            stage.clock.advance(60)
            await stage.answer(run.run_id, held)
            stage.obey(HELD.replace("@approvers", '@quorum("2") @approvers'))
            await stage.plane.advance(run.run_id)
            again = await run.call("pay", {"n": 2}, name="mine")
            assert (again.code, again.approval_id == held.approval_id) == ("approve.held", False)
            stage.clock.advance(90)
            await stage.answer(run.run_id, again, decision="reject")
            await stage.plane.advance(run.run_id)
        found = await overview(stage)
    assert found.answers == Answers(held=1, refused=1)
    assert part(found, "gates") == (2, 0)
    assert part(found, "person") == (2, 75_000_000)


@pytest.mark.parametrize(("effect", "answers"), [("read", Answers(failed=1)), ("reversible", Answers(unknown=1))])
async def test_how_long_a_tool_took_to_fail_is_counted_and_what_the_gates_took_of_it(
    effect: str, answers: Answers
) -> None:
    async def failing(arguments: dict[str, Any], _: CallContext) -> object:
        stage.clock.advance(2)
        raise ValueError("it broke")

    async with staged(Far().tool("pay", effect, failing, attempts_max=1)) as stage:
        async with stage.run() as run:
            await run.call("pay", {"n": 1})
        found = await overview(stage)
    assert (found.answers, of(found, "pay").latency.count) == (answers, 1)
    assert (part(found, "tool"), part(found, "gates")) == ((1, 2_000_000), (1, 0))


async def test_of_a_tool_that_was_not_tried_no_time_is_counted() -> None:
    async def failing(arguments: dict[str, Any], _: CallContext) -> object:
        stage.clock.advance(2)
        raise NotSent("down")

    async with staged(Far().tool("look", "read", failing, attempts_max=1)) as stage:
        async with stage.run() as run:
            told = [(await run.call("look", {"n": n})).code for n in range(12)]
        found = await overview(stage)
    tried = sum(code != "execute.open" for code in told)
    assert 0 < tried < len(told)
    assert part(found, "tool") == (tried, 2_000_000)


async def test_models_are_counted_with_tokens_money_and_time_and_so_is_what_they_chose() -> None:
    class Slow(Watched):
        async def reply(self, *asked: Any) -> Any:
            stage.clock.advance(3)
            return await super().reply(*asked)

    usage = Usage(1000, 100, 600, 20)
    turns = says("", ("look", {"n": 1}), ("look", {"n": 2}), usage=usage), says("It is 1.", usage=usage)
    far = Far()
    settings = {"price": Price(1_000_000, 2_000_000), "tools": ("look", "pay")}
    async with desk(Slow(*turns), far.tool("look"), far.tool("pay", "irreversible"), agent=settings) as stage:
        await result(stage.plane)
        found = await overview(stage)
    [model] = found.models
    assert (model.turns, model.input_tokens, model.output_tokens, model.cached_tokens) == (2, 2000, 200, 1200)
    assert (model.reasoning_tokens, model.micro_usd, model.latency.mean_us) == (40, 2400, 3_000_000)
    assert (found.tokens, found.micro_usd) == (2200, 2400)
    assert [(each.name, each.turns, each.tokens, each.micro_usd) for each in found.agents] == [("desk", 2, 2200, 2400)]
    assert [(each.name, each.calls, each.tokens) for each in found.users] == [("ana", 2, 2200)]
    look = of(found, "look")
    assert (look.offered, look.chosen, look.turn_tokens, look.turn_micro_usd) == (2, 2, 1100, 1200)
    assert (of(found, "pay").offered, of(found, "pay").chosen) == (2, 0)
    assert found.runs.ends == (("answer", 1),)


async def test_recoveries_loops_and_failures_are_counted() -> None:
    failing = [True] * 6 + [False]  # each call is tried three times

    async def shaky(arguments: dict[str, Any], _: CallContext) -> object:
        if failing.pop(0):
            raise ValueError("secret words of a far end")
        return {}

    far = Far()
    async with staged(far.tool("shaky", does=shaky), far.tool("look")) as stage:
        async with stage.run() as run:
            for number in range(3):
                await run.call("shaky", {"n": number})
            for _ in range(4):
                await run.call("look", {"n": 1})
        found = await overview(stage)
    shaky_figures = of(found, "shaky")
    assert shaky_figures.answers == Answers(failed=2, done=1)
    assert (shaky_figures.stumbled, shaky_figures.recovered) == (1, 1), "a streak is one, however long"
    assert (found.loops, of(found, "look").answers) == (1, Answers(done=3, refused=1))
    assert "secret words" not in json.dumps(found.as_json())


async def test_dry_runs_are_not_counted() -> None:
    async with staged(Far().tool("pay", "irreversible")) as stage:
        async with stage.run() as run:
            await run.call("pay", {"n": 1}, dry_run=True)
        found = await overview(stage)
    assert (found.calls, found.answers, found.tools, part(found, "gates")) == (0, Answers(), (), (0, 0))


async def test_figures_of_one_tenant_are_in_no_others_t35() -> None:
    async with staged(Far().tool("look")) as stage:
        async with stage.run() as run:
            await run.call("look", {"n": 1})
        async with stage.run(ZOE) as run:
            await run.call("look", {"n": "zoe's"})
        mine, theirs, nobodys = [await overview(stage, tenant) for tenant in ("default", "other", "third")]
    assert (mine.answers, theirs.answers) == (Answers(done=1), Answers(refused=1))
    assert [each.name for each in mine.users] == [ANA.id]
    assert [each.name for each in theirs.users] == ["zoe"]
    assert (nobodys.calls, nobodys.tools, nobodys.users_count) == (0, (), 0)


async def test_an_overview_is_json() -> None:
    async with staged(Far().tool("look")) as stage:
        async with stage.run() as run:
            await run.call("look", {"n": 1})
        found = await overview(stage)
    again = json.loads(json.dumps(found.as_json()))
    assert (again["calls"], again["tools"][0]["answers"]["done"], again["tokens"]) == (1, 1, 0)


def test_a_point_stands_for_every_step_of_the_time_also_where_nothing_happened() -> None:
    clock = FrozenClock()
    measures = Measures(clock)
    now_us = clock.wall_us()
    measures.absorb(placed(calls(now_us - 30 * MINUTE_US, 3)))
    hour, day, quarter = (measures.over("acme", now_us - us, now_us) for us in (HOUR_US, DAY_US, 90 * DAY_US))
    assert (hour.step_us, len(hour.points)) == (MINUTE_US, 60)
    assert [point.calls for point in hour.points if point.calls] == [3]
    assert (day.step_us, len(day.points), day.calls) == (HOUR_US, 24, 3)
    assert (quarter.step_us, len(quarter.points), quarter.calls) == (DAY_US, 90, 3)
    assert [point.at_us for point in hour.points] == list(range(hour.since_us, hour.until_us, MINUTE_US))


def test_minutes_are_kept_for_hours_and_days_for_a_quarter() -> None:
    clock = FrozenClock()
    measures = Measures(clock)
    measures.absorb(placed(calls(clock.wall_us(), 3)))
    clock.advance(20 * 86_400)
    measures.tidy()
    now_us = clock.wall_us()
    assert measures.over("acme", now_us - 30 * DAY_US, now_us).calls == 3
    assert measures._tenants["acme"].size == len(only_days(measures)), "the minutes and hours are gone"
    clock.advance(80 * 86_400)
    measures.tidy()
    now_us = clock.wall_us()
    assert measures.over("acme", now_us - 91 * DAY_US, now_us).calls == 0
    assert measures._tenants["acme"].size == 0


def only_days(measures: Measures) -> list[Any]:
    return [key for buckets in measures._tenants["acme"]._levels[2:] for bucket in buckets.values() for key in bucket]


def test_a_bucket_has_room_for_so_many_names_and_counts_the_rest_together() -> None:
    buckets, now_us = Buckets(), 10 * DAY_US
    for number in range(KEYS_MAX + 500):
        buckets.add(now_us, {("ended", "done", f"tool {number}", "s", "read", "", ""): 1}, now_us)
    [bucket] = buckets.within(now_us - HOUR_US, now_us + 1, now_us).buckets
    assert len(bucket) == KEYS_MAX + 1
    assert sum(bucket.values()) == KEYS_MAX + 500
    assert bucket[("ended", "done", OTHER, OTHER, OTHER, OTHER, OTHER)] == 500


def test_where_there_is_too_much_the_finest_goes_first_and_coarser_steps_still_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = FrozenClock()
    measures = Measures(clock)
    now_us = clock.wall_us()
    for minute in range(300):
        measures.absorb(placed(calls(now_us - minute * MINUTE_US, 1)))
    before = measures._tenants["acme"].size
    monkeypatch.setattr("interlock.telemetry.measures.COUNTS_MAX", before // 2)
    measures.tidy()
    assert measures._tenants["acme"].size <= before // 2
    found = measures.over("acme", now_us - 5 * HOUR_US, now_us + 1)
    assert (found.step_us, found.calls) == (HOUR_US, 300), "told by hours, not by minutes that are gone"


def test_tenants_beyond_the_bound_take_the_place_of_the_most_silent() -> None:
    clock = FrozenClock()
    measures = Measures(clock)
    for number in range(TENANTS_MAX + 1):
        measures.absorb(placed(calls(clock.wall_us(), 1, tenant=f"t{number}")))
    assert len(measures.tenants()) == TENANTS_MAX
    assert measures.tenants()[0] == "t1"


def test_percentiles_are_at_most_five_percent_off() -> None:
    some = random.Random(7)
    durations = sorted(int(10 ** some.uniform(0.5, 9)) for _ in range(5000))
    steps = sum(map(one, durations))
    for at, found in zip((0.5, 0.95, 0.99), percentiles(steps, (0.5, 0.95, 0.99)), strict=True):
        exact = durations[math.ceil(at * len(durations)) - 1]
        assert abs(found - exact) <= 0.05 * exact + 1


def test_a_step_holds_what_is_not_above_its_end() -> None:
    for decade in range(1, 12):
        assert end_of(step_of(10**decade)) == pytest.approx(10**decade)
        assert step_of(10**decade + 1 + 10**decade // 1000) == step_of(10**decade) + 1
    assert (step_of(0), step_of(1), step_of(10**18)) == (0, 0, STEP_MAX)
    assert (percentiles(0, (0.5,)), count_of(0), count_of(one(7) + one(7) + one(9**9))) == ([0], 0, 3)


def calls(at_us: int, count: int, *, tenant: str = "acme", tool: str = "look", seq: int = 0) -> list[Event]:
    """So many calls of a run, each decided and done at that time."""
    facts = []
    for number in range(count):
        call_id = f"call_{number}"
        said = {"tool": {"server": "s", "name": tool, "version": "1"}, "effect": "read", "proposed": {}}
        facts += [
            Fact(Kind.CALL_DECIDED, said, call_id, 1, 0, "ana", decision="allow"),
            Fact(Kind.CALL_RESULT, {"outcome": {"outcome": "done"}, "took_us": 1000}, call_id, 1, 1, outcome="done"),
        ]
    return link_all(EMPTY, f"run_{at_us}_{seq}", tenant, facts, at_us, bytes)


def placed(events: Sequence[Event], first: int = 1) -> list[tuple[int, Event]]:
    """Events at positions."""
    return list(enumerate(events, first))

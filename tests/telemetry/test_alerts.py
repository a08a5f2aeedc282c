"""Alerts: raised once, resolved once, whoever looks and however often it starts again. Requirement D7."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from interlock.alert_settings import AlertSettings
from interlock.core.event import ALERTS, Fact, Kind
from interlock.core.principal import Principal
from interlock.core.tool import CallContext
from interlock.ledger.alerted import About, Alert, AlertBook, Alerted, episode_id
from interlock.ledger.store import Append
from interlock.limits.use import BudgetUse
from interlock.telemetry import alert_rules
from interlock.telemetry.alerts import PER_RULE_MAX
from interlock.telemetry.following import Telemetry
from interlock.telemetry.measures_buckets import DAY_US, HOUR_US
from interlock.telemetry.measures_overview import ApproverFigures, Latency
from tests.planes import ANA, PERMIT, Far, Stage, staged

pytestmark = pytest.mark.anyio

MANY = {"limits": {"calls_max": 1000}}
ZOE = Principal("zoe", "other", roles=frozenset({"support"}))


class Watch:
    """A process that reads the ledger and looks for what is out of the ordinary."""

    def __init__(self, stage: Stage, *, known_since_us: int = 0, **settings: Any) -> None:
        self.stage = stage
        self.telemetry = Telemetry(stage.plane.plane, AlertSettings(**settings))
        self.telemetry.measures.complete_from_us = known_since_us
        self._read = 0

    async def look(self) -> list[str]:
        """Read on, look, and say what stands: rule and subject."""
        for position, event in await self.stage.plane.store.follow(self._read, 100_000):
            counts = self.telemetry._fold.counts(event)
            self.telemetry.measures.add([(event.tenant, event.at_us, counts)])
            self.telemetry.alerts.note(event, counts)
            self._read = position
        await self.telemetry.look()
        return await self.said()

    async def said(self, tenant: str = "default") -> list[str]:
        return [f"{alert.about.rule} {alert.about.subject}".strip() for alert in await self.standing(tenant)]

    async def standing(self, tenant: str = "default") -> Sequence[Alert]:
        return await self.telemetry.alerts.standing(tenant)


def failing(share: list[bool]) -> Any:
    async def does(_: dict[str, Any], __: CallContext) -> object:
        if share and share.pop(0):
            raise ValueError("down")
        return {}

    return does


async def test_a_tool_that_fails_is_told_once_with_its_figures_and_resolved_when_it_works_again() -> None:
    down = [True] * 100
    far = Far()
    async with staged(far.tool("mail", "reversible", failing(down)), settings=MANY) as stage:
        watch = Watch(stage)
        await calls(stage, "mail", 19)
        assert await watch.look() == [], "19 calls are not enough to conclude anything"
        await calls(stage, "mail", 1)
        assert await watch.look() == await watch.look() == ["errors mail"]
        [alert] = await watch.standing()
        assert alert.says == "20 of 20 calls of mail failed within 15 minutes (100%; the threshold is 30%)"
        assert alert.figures == {"failed": 20, "calls": 20, "percent": 100}
        down.clear()
        await calls(stage, "mail", 60)
        assert await watch.look() == ["errors mail"], "a fourth still fails: it neither comes nor goes"
        stage.clock.advance(16 * 60)
        await calls(stage, "mail", 5)
        assert await watch.look() == []
        [over] = await watch.telemetry.alerts.over("default")
        assert over.alert_id == alert.alert_id and over.resolved_us > over.raised_us
        said = [event.fact.kind for event in await stage.plane.store.read(ALERTS)]
        assert said == [Kind.ALERT_RAISED, Kind.ALERT_RESOLVED]


async def test_refusals_are_no_errors_of_a_tool() -> None:
    async with staged(Far().tool("mail")) as stage:
        async with stage.run() as run:
            for number in range(30):
                await run.call("mail", {"n": f"no number {number}"})
        assert await Watch(stage).look() == []


async def test_what_stands_survives_a_restart_and_is_one_for_all_workers() -> None:
    async with staged(Far().tool("mail", "reversible", failing([True] * 30))) as stage:
        await calls(stage, "mail", 20)
        one, two = Watch(stage), Watch(stage)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.look)
            tasks.start_soon(two.look)
        after = Watch(stage)
        assert await after.look() == ["errors mail"]
        assert len(await stage.plane.store.read(ALERTS)) == 1, "and a third process finds it told"


async def test_two_workers_that_find_the_same_at_once_write_it_once() -> None:
    """Both had read the chain before either wrote: the store refuses the second."""
    async with staged(Far().tool("mail")) as stage:
        one, two = AlertBook(stage.plane.store), AlertBook(stage.plane.store)
        await one.now()
        before = await two.now()
        assert await one.raise_(ABOUT, "it fails", {})

        async def as_before() -> Alerted:
            return before

        two.now = as_before  # type: ignore[method-assign]
        assert not await two.raise_(ABOUT, "it fails", {})
        assert len(await stage.plane.store.read(ALERTS)) == 1


async def test_the_next_episode_is_another_alert() -> None:
    async with staged(Far().tool("mail")) as stage:
        book = AlertBook(stage.plane.store)
        for _ in range(2):
            await book.raise_(ABOUT, "it fails", {})
            await book.resolve((await book.now()).standing[ABOUT])
        first, second = (await book.now()).over
        assert first.alert_id != second.alert_id == episode_id(ABOUT, 1)


async def test_a_process_that_has_not_read_the_past_neither_raises_nor_resolves() -> None:
    async with staged(Far().tool("mail", "reversible", failing([True] * 20))) as stage:
        await calls(stage, "mail", 20)
        now_us = stage.clock.wall_us()
        assert await Watch(stage, known_since_us=now_us).look() == []
        assert await Watch(stage).look() == ["errors mail"]
        stage.clock.advance(HOUR_US // 1_000_000)
        assert await Watch(stage, known_since_us=stage.clock.wall_us()).look() == ["errors mail"]
        assert await Watch(stage).look() == []


async def test_alerts_of_one_tenant_are_not_another_ones_t35() -> None:
    async with staged(Far().tool("mail", "reversible", failing([True] * 100))) as stage:
        await calls(stage, "mail", 20, ZOE)
        watch = Watch(stage)
        assert await watch.look() == []
        assert await watch.said("other") == ["errors mail"]
        assert [event.tenant for event in await stage.plane.store.read(ALERTS)] == ["other"]


async def test_a_budget_is_told_at_each_of_its_thresholds_and_anew_on_the_next_day() -> None:
    budget = {"name": "day", "unit": "calls", "most": 10, "every": "day"}
    async with staged(Far().tool("look"), settings={"limits": {"budgets": [budget]}}) as stage:
        watch = Watch(stage)
        await calls(stage, "look", 7)
        assert await watch.look() == []
        await calls(stage, "look", 1)
        [eighty] = await watch.look()
        assert eighty.startswith("budget day/calls/everybody/") and eighty.endswith("/80")
        await calls(stage, "look", 2)
        assert {said.rpartition("/")[2] for said in await watch.look()} == {"100", "80"}
        says = {alert.says for alert in await watch.standing()}
        assert "100 % of the budget day for everybody is used: 10 of 10 calls" in says
        [use] = watch.telemetry.measures.over("default", 0, stage.clock.wall_us()).budgets
        assert (use.name, use.spent, use.most) == ("day", 10, 10)
        stage.clock.advance(86_400)
        assert await watch.look() == []


async def test_a_runs_own_budget_is_told_while_the_run_is_open() -> None:
    async with staged(Far().tool("look")) as stage:
        watch = Watch(stage)
        async with stage.plane.run(ANA, words="do it", budget={"calls": 2}) as run:
            await run.call("look", {"n": 1})
            await run.call("look", {"n": 2})
            assert len(await watch.look()) == 2
            assert (await watch.standing())[0].run_id == run.run_id
        assert await watch.look() == []


async def test_runs_that_are_due_and_that_nobody_works_on_are_told_as_one() -> None:
    async with staged(Far().tool("pay", "irreversible")) as stage:
        stage.obey(PERMIT + '@id("held") @approvers("approver") forbid (principal, action == Action::"pay", resource);')
        watch = Watch(stage)
        runs = []
        for _ in range(3):
            async with stage.run() as run:
                held = await run.call("pay", {"n": 1})
                runs.append(run.run_id)
            await stage.answer(run.run_id, held)
        stage.clock.advance(14 * 60)
        assert await watch.look() == []
        stage.clock.advance(60)
        assert await watch.look() == ["stuck"]
        [alert] = await watch.standing()
        assert alert.says.startswith("3 runs are due for more than 15 minutes and nobody works on them")
        assert alert.figures["count"] == 3 and alert.run_id in runs
        for run_id in runs:
            await stage.plane.advance(run_id)
        assert await watch.look() == []


async def test_what_waits_for_a_person_too_long_is_told() -> None:
    async with staged(Far().tool("pay", "irreversible")) as stage:
        stage.obey(PERMIT + '@id("held") @approvers("approver") forbid (principal, action == Action::"pay", resource);')
        async with stage.run() as run:
            held = await run.call("pay", {"n": 1})
        watch = Watch(stage)
        stage.clock.advance(239 * 60)
        assert await watch.look() == []
        stage.clock.advance(60)
        assert await watch.look() == ["held"]
        await stage.answer(run.run_id, held)
        assert await watch.look() == []


async def test_a_burst_of_one_principal_is_told() -> None:
    async with staged(Far().tool("look"), settings={"limits": {"calls_max": 1000}}) as stage:
        watch = Watch(stage)
        for _ in range(3):
            await calls(stage, "look", 4)
            stage.clock.advance(DAY_US // 1_000_000)
            assert await watch.look() == []
        await calls(stage, "look", 60)
        assert await watch.look() == ["burst ana look"]
        [alert] = await watch.standing()
        assert (
            "ana called look 60 times within ten minutes; their own busiest ten minutes in two weeks had 4"
            in alert.says
        )


async def test_a_rule_whose_number_is_0_is_off() -> None:
    async with staged(Far().tool("mail", "reversible", failing([True] * 30))) as stage:
        await calls(stage, "mail", 25)
        off = {"errors": 0, "burst": 0, "new_tools": 0, "stuck_min": 0, "held_min": 0, "budget": (), "fatigue": False}
        assert await Watch(stage, **off).look() == []


async def test_so_many_alerts_of_a_rule_stand_at_once_and_no_more() -> None:
    async with staged(Far().tool("mail")) as stage:
        watch = Watch(stage)
        found = [
            alert_rules.Finding(rule="errors", subject=f"tool {number}", says="", figures={})
            for number in range(PER_RULE_MAX + 5)
        ]
        await watch.telemetry.alerts._tell("default", found, frozenset())
        await watch.telemetry.alerts._tell("default", found, frozenset())
        assert len(await watch.standing()) == PER_RULE_MAX


async def test_an_alert_whose_words_were_erased_is_over() -> None:
    async with staged(Far().tool("mail")) as stage:
        store = stage.plane.store
        await AlertBook(store).raise_(ABOUT, "it fails", {})
        await store.erase(Append(ALERTS, "default", [Fact(Kind.REDACT, {"events": [[1, 1]]})]), [1])
        assert (await AlertBook(store).now()).standing == {}


def test_a_tired_approver_is_found_and_one_who_reads_is_not() -> None:
    tired, reads, few = approver(99, 1, 2_000), approver(99, 1, 20_000), approver(40, 0, 1_000)
    [found] = alert_rules.fatigue([tired, reads, few])
    assert found.raises
    assert found.says == "bob approved 99 of 100 within a week, with a median view of 2.0 s"
    [wavers] = alert_rules.fatigue([approver(978, 22, 3_100)])
    assert not wavers.raises, "enough to go on, not to begin"
    assert alert_rules.fatigue([approver(95, 5, 1_000)]) == []


def test_a_budget_goes_on_being_told_until_there_is_room_again() -> None:
    def found(spent: int) -> list[tuple[str, bool]]:
        use = BudgetUse("day", "calls", {}, 100, 0, spent, None)
        return [(each.subject.rpartition("/")[2], each.raises) for each in alert_rules.budgets([use], AlertSettings())]

    assert found(69) == []
    assert found(70) == [("80", False)]
    assert found(85) == [("80", True)]
    assert found(100) == [("80", True), ("100", True)]
    assert alert_rules.budgets([BudgetUse("none", "calls", {}, 0, 0, 0, None)], AlertSettings())[0].raises


def approver(approved: int, rejected: int, viewed_ms: int) -> ApproverFigures:
    latency = Latency(part="person", count=1, mean_us=1, p50_us=1, p95_us=1, p99_us=1)
    us = viewed_ms * 1000
    viewed = Latency(part="viewed", count=approved, mean_us=us, p50_us=us, p95_us=us, p99_us=us)
    return ApproverFigures(
        person="bob", approved=approved, rejected=rejected, edited=0, responded=0, hasty=0, latency=latency,
        viewed=viewed,
    )  # fmt: skip


ABOUT = About("default", "errors", "mail")


async def calls(stage: Stage, tool: str, count: int, principal: Principal = ANA) -> None:
    """So many calls of a tool in one run, none like another."""
    async with stage.run(principal) as run:
        for number in range(count):
            await run.call(tool, {"n": number})

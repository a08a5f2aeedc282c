"""What Prometheus is told, read back by its own parser. Requirements D5 and D6."""

from __future__ import annotations

import math

import pytest
from prometheus_client.parser import text_string_to_metric_families

from interlock.core.message import Usage
from interlock.limits.use import BudgetUse
from interlock.models.metered import Price
from interlock.telemetry.measures_fold import UNKNOWN, Fold
from interlock.telemetry.measures_times import one
from interlock.telemetry.measures_totals import NAMES_MAX, OTHER, TENANTS_MAX, Totals
from interlock.telemetry.present import Present
from interlock.telemetry.prometheus import CONTENT_TYPE, METRICS, exposition
from tests.agent.desk import Watched, desk, result, says
from tests.planes import ANA, PERMIT, Far, Stage, staged

pytestmark = pytest.mark.anyio

NOW = Present(
    held={"default": 2, "other": 1}, unknown={"default": 1}, position=120, measured=100, sealed=90,
    breakers={("local", "mail", "1"): "open"}, down=("database",),
    budgets={"default": (
        BudgetUse("day", "calls", {}, 10, 2, 6, None), BudgetUse("each", "calls", {"principal": "ana"}, 10, 0, 1, None),
        BudgetUse("each", "calls", {"principal": "bob"}, 10, 0, 9, None), BudgetUse("none", "ms", {}, 0, 0, 0, None),
    )},
    alerts={("default", "errors"): 2},
)  # fmt: skip

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def told(body: bytes) -> Series:
    """Every sample by name and labels; a name that stands twice fails."""
    found: Series = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            place = (sample.name, frozenset(sample.labels.items()))
            assert place not in found, place
            found[place] = sample.value
    return found


def one_of(series: Series, name: str, **labels: str) -> float:
    """The only sample of that name with these labels, among others."""
    [value] = [value for (of, has), value in series.items() if of == name and labels.items() <= dict(has).items()]
    return value


async def totals_of(stage: Stage) -> Totals:
    totals, fold = Totals(), Fold()
    for _, event in await stage.plane.store.follow(0, 10_000):
        totals.add(event.tenant, fold.counts(event))
    return totals


async def test_what_happened_on_a_plane_is_told_under_names_with_units() -> None:
    turns = says("", ("look", {"n": 1}), usage=Usage(1000, 100)), says("It is 1.", usage=Usage(1500, 50))
    agent = {"price": Price(1_000_000, 2_000_000), "tools": ("look",)}
    async with desk(Watched(*turns), Far().tool("look"), agent=agent) as stage:
        await result(stage.plane)
        series = told(exposition((await totals_of(stage)).rows(), NOW))
    assert one_of(series, "interlock_proposed_calls_total", tool="look", server="local", effect="read") == 1
    assert one_of(series, "interlock_calls_total", tenant="default", tool="look", outcome="done") == 1
    assert one_of(series, "interlock_decisions_total", verdict="allow") == 1
    assert one_of(series, "interlock_tokens_total", agent="desk", direction="input") == 2500
    assert one_of(series, "interlock_tokens_total", agent="desk", direction="output") == 150
    assert one_of(series, "interlock_cost_usd_total", agent="desk") == pytest.approx(0.0028)
    assert one_of(series, "interlock_tool_offered_total", tool="look") == 2
    assert one_of(series, "interlock_tool_chosen_total", tool="look") == 1
    assert one_of(series, "interlock_runs_total", how="finished", end="answer") == 1
    assert one_of(series, "interlock_call_seconds_count", part="tool") == 1
    assert one_of(series, "interlock_tool_seconds_count", tool="look") == 1


async def test_errors_are_told_by_tool_and_code_and_what_was_done_is_none() -> None:
    async with staged(Far().tool("look")) as stage:
        async with stage.run() as run:
            await run.call("look", {"n": 1})
            await run.call("look", {"n": "no number"})
            await run.call("a name that a model made up", {"n": 1})
        body = exposition((await totals_of(stage)).rows(), NOW)
    series = told(body)
    assert one_of(series, "interlock_errors_total", tool="look", outcome="refused") == 1
    assert one_of(series, "interlock_errors_total", tool=OTHER, code="validate.unknown_tool") == 1
    assert one_of(series, "interlock_told_total", gate="validate", code="validate.schema") == 1
    assert b"made up" not in body


def test_durations_fall_into_buckets_that_add_up() -> None:
    totals = Totals()
    durations = [50, 1_000, 1_001, 2_000_000, 86_400_000_000, 10**13]
    for us in durations:
        totals.add("default", [(("took", "person", "bob"), one(us)), (("took_us", "person", "bob"), us)])
    series = told(exposition(totals.rows(), NOW))
    buckets = {
        float(dict(labels)["le"]): value
        for (name, labels), value in series.items()
        if name == "interlock_call_seconds_bucket"
    }
    for end_s, count in buckets.items():
        exact = sum(us <= end_s * 1e6 for us in durations)
        assert count == exact, end_s
    assert 0.001 in buckets and buckets[0.001] == 2, "a duration stands in the bucket that it ends"
    assert buckets[math.inf] == one_of(series, "interlock_call_seconds_count") == 6
    assert one_of(series, "interlock_call_seconds_sum") == pytest.approx(sum(durations) / 1e6)
    assert b"bob" not in exposition(totals.rows(), NOW), "people are no label"


def test_how_things_stand_is_told() -> None:
    series = told(exposition([], NOW))
    assert one_of(series, "interlock_held", tenant="default") == 2
    assert one_of(series, "interlock_unknown", tenant="default") == 1
    assert one_of(series, "interlock_ledger_events") == 120
    assert one_of(series, "interlock_unsealed_events") == 30
    assert one_of(series, "interlock_measured_lag_events") == 20
    assert one_of(series, "interlock_breaker_state", tool="mail", state="open") == 1
    assert one_of(series, "interlock_dependency_up", dependency="database") == 0
    assert one_of(series, "interlock_alerts", rule="errors") == 2
    assert one_of(series, "interlock_budget_used_ratio", budget="day", whose="tenant") == 0.8
    assert one_of(series, "interlock_budget_used_ratio", budget="each", whose="principal") == 0.9, "the fullest"
    assert one_of(series, "interlock_budget_used_ratio", budget="none") == 1


def test_a_tenant_is_told_of_itself_alone_t35() -> None:
    totals = Totals()
    for tenant in ("default", "other"):
        totals.add(tenant, [(("cached", f"tool of {tenant}"), 1)])
    only = frozenset({"other"})
    body = exposition(totals.rows(only), NOW, only)
    series = told(body)
    assert {dict(labels).get("tenant", "none") for _, labels in series} == {"other"}
    assert b"default" not in body and b"mail" not in body and b"database" not in body
    assert one_of(series, "interlock_held") == 1


def test_names_and_tenants_have_a_bound() -> None:
    totals = Totals()
    for number in range(NAMES_MAX + 50):
        totals.add("default", [(("cached", f"tool {number}"), 1)])
    totals.add("default", [(("cached", UNKNOWN), 1), (("cached", "tool 3"), 1)])
    rows = {key: count for _, key, count in totals.rows()}
    assert len(rows) == NAMES_MAX + 1
    assert rows[("cached", OTHER)] == 51
    assert rows[("cached", "tool 3")] == 2
    for number in range(TENANTS_MAX + 5):
        totals.add(f"t{number}", [(("cached", "x"), 1)])
    assert len({tenant for tenant, _, _ in totals.rows()}) <= TENANTS_MAX + 1
    assert sum(count for tenant, _, count in totals.rows() if tenant == OTHER) >= 5


async def test_every_name_that_is_promised_is_told_and_no_other() -> None:
    totals = Totals()
    everything = [
        ("proposed", "t", "s", "read"), ("ended", "failed", "t", "s", "read", "execute", "x"),
        ("decided", "allow", "r"), ("cached", "t"), ("turns", "m", "a", "p"), ("input", "m", "a", "p"),
        ("output", "m", "a", "p"), ("micro_usd", "m", "a", "p"), ("verify_micro_usd", "t"), ("spent", "t", "ms"),
        ("chosen", "t"), ("offered", ("t",)), ("stumbled", "t"), ("recovered", "t"), ("requested", "t", "read"),
        ("answered", "approve", "p"), ("over", "expired"), ("granted", "t"), ("run", "started", "calls", ""),
        ("dead", "t"), ("notice", "delivered", "c"), ("took_us", "tool", "t"),
    ]  # fmt: skip
    totals.add("default", [*((key, 1) for key in everything), (("took", "tool", "t"), one(5))])
    series = told(exposition(totals.rows(), NOW))
    assert {name for name, _ in series} == METRICS
    assert CONTENT_TYPE.startswith("text/plain")


async def test_a_person_a_run_or_an_argument_is_never_a_label() -> None:
    async with staged(Far().tool("pay", "irreversible")) as stage:
        stage.obey(PERMIT + '@id("held") @approvers("approver") forbid (principal, action == Action::"pay", resource);')
        async with stage.run() as run:
            held = await run.call("pay", {"n": 4711, "note": "for a friend"})
        await stage.answer(run.run_id, held)
        await stage.plane.advance(run.run_id)
        body = exposition((await totals_of(stage)).rows(), NOW).decode()
    for secret in (ANA.id + '"', "bob", "4711", "friend", run.run_id, held.call_id):
        assert secret not in body, secret

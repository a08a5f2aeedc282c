"""What is used of every rate and budget now: for people; nothing decides by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from interlock.core.event import Kind
from interlock.core.guard_row import WHOM, Subject, read_row, rows_of
from interlock.core.principal import Principal
from interlock.core.tool import Tool
from interlock.ledger.guards import ahead_us
from interlock.ledger.store import Store
from interlock.limits.budget import COUNTED, Budget, period, period_end_us
from interlock.limits.quota import Quotas
from interlock.limits.rate import Rate


class BudgetUse(NamedTuple):
    """One row of a budget.

    Attributes:
        name: The budget's; empty for a run's own.
        unit: What is counted.
        whose: What the row is kept for, beside the tenant: `principal`, `tool`, `run` to an id.
        most: How much there is.
        reserved: Held for what is on its way or unknown.
        spent: Settled.
        anew_us: When it begins anew; None for never.
    """

    name: str
    unit: str
    whose: Mapping[str, str]
    most: int
    reserved: int
    spent: int
    anew_us: int | None


class RateUse(NamedTuple):
    """One row of a rate.

    Attributes:
        rate: The rate.
        whose: As of `BudgetUse`.
        free: Calls that it would take now.
    """

    rate: Rate
    whose: Mapping[str, str]
    free: int

    def as_json(self) -> dict[str, Any]:
        """The same for a program."""
        rate = self.rate
        return {
            "name": rate.name, "whose": dict(self.whose), "calls": rate.calls, "per_s": rate.per_s,
            "burst": rate.burst or rate.calls, "free": self.free,
        }  # fmt: skip


async def budgets_used(store: Store, quotas: Quotas, tenant: str, now_us: int) -> list[BudgetUse]:
    """Every row of a budget in force, of its present day or month, and every open run's own.

    In the order of their names, runs' own last. A budget that is kept for the whole tenant is there before anybody has
    used it.
    """
    known = {(budget.name, budget.unit): budget for budget in quotas.budgets.all}
    rows = dict.fromkeys(
        (_whole(tenant, budget, now_us) for budget in known.values() if not set(budget.per) - {WHOM[0]}), 0
    )
    rows |= await store.guards(rows_of(tenant))
    found = []
    for row, value in rows.items():
        match read_row(row):
            case [_, "budget", name, unit, now, *whose]:
                budget = known.get((name, unit))
                if budget is not None and now == period(budget.every, now_us):
                    anew = period_end_us(budget.every, now_us) if budget.every else None
                    held = await _reserved(store, row)
                    found.append(BudgetUse(name, unit, dict(whose), budget.most, held, value - held, anew))
            case [_, "run", run_id, unit]:
                most = await _most(store, run_id, row)
                if most is not None:
                    held = await _reserved(store, row)
                    found.append(BudgetUse("", unit, {"run": run_id}, most, held, value - held, None))
    return sorted(found, key=lambda use: (not use.name, use.name, sorted(use.whose.items()), use.unit))


async def rates_used(store: Store, quotas: Quotas, tenant: str, now_us: int) -> list[RateUse]:
    """Every row of a rate in force, in the order of their names."""
    known = {rate.name: rate for rate in quotas.rates.all}
    found = []
    for row, value in (await store.guards(rows_of(tenant))).items():
        match read_row(row):
            case [_, "rate", name, *whose] if name in known:
                rate = known[name]
                change = rate.change(Subject(Principal("anybody", tenant), ""))
                assert change.at_most is not None, "what refills has a limit"
                free = (change.at_most - ahead_us(value, change.at_most, now_us)) // change.add
                found.append(RateUse(rate, dict(whose), free))
    return sorted(found, key=lambda use: (use.rate.name, sorted(use.whose.items())))


def idle(quotas: Quotas, tools: Iterable[Tool]) -> list[str]:
    """What limits nothing, or less than it says: rates and budgets of tools that are not there, or that nothing costs.

    Args:
        tools: Those of the deployment, as this process knows them.
    """
    known = list(tools)
    names, units = {tool.name for tool in known}, COUNTED.union(*(tool.units for tool in known))
    rules: list[tuple[str, Rate | Budget]] = [("rate", rate) for rate in quotas.rates.all]
    rules += [("budget", budget) for budget in quotas.budgets.all]
    found = [
        f"{what} {rule.name!r} is about {tool!r}, and there is no such tool here"
        for what, rule in rules
        for tool in sorted(rule.tools - names)
    ]
    return found + [
        f"budget {budget.name!r} counts {budget.unit!r}, which no tool here costs"
        for budget in quotas.budgets.all
        if budget.unit not in units
    ]


def _whole(tenant: str, budget: Budget, now_us: int) -> str:
    return budget.row(Subject(Principal("anybody", tenant), ""), now_us)


async def _reserved(store: Store, row: str) -> int:
    return sum(found["reserved"] for found in await store.rows("budget", {"name": row}, 1 << 62))


async def _most(store: Store, run_id: str, row: str) -> int | None:
    """How much a run may have of its own budget; None where it is over, or its start was erased."""
    runs = await store.rows("run", {"run_id": run_id})
    if not runs or runs[0]["status"] != "open":
        return None
    for event in await store.read(run_id):
        if event.fact.kind is Kind.RUN_STARTED:
            return next((most for name, _, most in event.fact.body.get("budgets", ()) if name == row), None)
    return None

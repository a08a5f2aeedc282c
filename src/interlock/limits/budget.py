"""Budgets: how much of a unit may be used, and by whom together. Reserved at worst, settled by what it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from interlock.core.charge import BUDGET_MAX, UNIT, Charge
from interlock.core.clock import SECOND_US
from interlock.core.guard_row import Subject, row_name
from interlock.core.principal import Principal
from interlock.core.run import RunState
from interlock.core.tool import Tool
from interlock.errors import BadInput

COUNTED = frozenset({"calls", "ms", "tokens", "micro_usd"})
"""Units that are counted whatever tools declare: of every call, and of models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One budget that runs share.

    Attributes:
        name: What people call it; together with the unit it is the budget's identity, and its rows begin anew with it.
        unit: What is counted: `calls`, `tokens`, `micro_usd`, `ms`, or a unit that tools declare.
        most: How much, of the unit.
        per: Each of what has as much of its own, of `core.guard_row.WHOM`; the whole tenant together where empty.
        every: `day` or `month` (UTC), after which it begins anew; empty for never.
        tools: Names of the tools that it is about; all where empty.
        effects: Their effects; all where empty.
    """

    name: str
    unit: str
    most: int
    per: tuple[str, ...] = ()
    every: str = ""
    tools: frozenset[str] = frozenset()
    effects: frozenset[str] = frozenset()

    def about(self, tool: Tool | None) -> bool:
        """Whether calls of this tool have a part of it; what is no call has, where it is not about tools."""
        if tool is None:
            return not (self.tools or self.effects or "tool" in self.per)
        return (not self.tools or tool.name in self.tools) and (not self.effects or tool.effect.value in self.effects)

    def row(self, subject: Subject, now_us: int) -> str:
        """The row that this subject's part is kept in at this time."""
        return row_name(subject, ("budget", self.name, self.unit, period(self.every, now_us)), self.per)


class Budgets:
    """The budgets of a deployment.

    Args:
        budgets: Each with a name of its own.
    """

    def __init__(self, budgets: Iterable[Budget] = ()) -> None:
        self.all = tuple(budgets)
        self.by_run = any("run" in budget.per for budget in self.all)

    def rows(self, subject: Subject, tool: Tool | None, now_us: int) -> tuple[tuple[Budget, str], ...]:
        """The budgets that a cost of this tool, or of what is no call, has a part of, each with its row."""
        return tuple((budget, budget.row(subject, now_us)) for budget in self.all if budget.about(tool))

    def charges(
        self, principal: Principal, run: RunState, costs: Mapping[str, int], now_us: int
    ) -> tuple[Charge, ...]:  # fmt: skip
        """Every part of a budget that what is no call has, the run's own and those of the runs above it first.

        Args:
            principal: On whose behalf.
            costs: Unit to the worst case.
            now_us: Microseconds UTC: which day or month it is.
        """
        rows = self.rows(Subject(principal, run.run_id), None, now_us)
        return (*run_charges(run, costs), *charged(rows, costs))


def charged(rows: Iterable[tuple[Budget, str]], costs: Mapping[str, int]) -> tuple[Charge, ...]:
    """What a cost takes of these budgets."""
    return tuple(
        Charge(row, budget.unit, costs[budget.unit], budget.most) for budget, row in rows if budget.unit in costs
    )


def run_charges(run: RunState, costs: Mapping[str, int]) -> tuple[Charge, ...]:
    """What a cost takes of a run's own budgets, and of those of the runs above it."""
    return tuple(Charge(row, unit, costs[unit], most) for row, unit, most in run.budgets if unit in costs)


def own_budgets(tenant: str, run_id: str, most: Mapping[str, int]) -> tuple[tuple[str, str, int], ...]:
    """What a run alone may use at most, as the run keeps it: row, unit and amount of each.

    Raises:
        BadInput: A unit or an amount that cannot be counted.
    """
    for unit, amount in most.items():
        if not UNIT.fullmatch(unit) or type(amount) is not int or not 0 <= amount <= BUDGET_MAX:
            raise BadInput(
                f"budget: {amount!r} of {unit!r}", code="run.budget",
                remedy=f"Use units such as calls or micro_usd, and whole numbers from 0 to {BUDGET_MAX}.",
            )  # fmt: skip
    subject = Subject(Principal("run", tenant), run_id)
    return tuple((row_name(subject, ("run", run_id, unit), ()), unit, amount) for unit, amount in most.items())


def period(every: str, now_us: int) -> str:
    """Which day or month a moment is in, as row names have it; empty for a budget that never begins anew."""
    if not every:
        return ""
    moment = datetime.fromtimestamp(now_us // SECOND_US, UTC)
    return moment.strftime("%Y-%m-%d" if every == "day" else "%Y-%m")


def period_end_us(every: str, now_us: int) -> int:
    """When the period of a moment is over; far away for a budget that never begins anew."""
    if not every:
        return 1 << 62
    day = datetime.fromtimestamp(now_us // SECOND_US, UTC).replace(hour=0, minute=0, second=0)
    if every == "day":
        return int(day.timestamp() + 86_400) * SECOND_US
    first = day.replace(year=day.year + day.month // 12, month=day.month % 12 + 1, day=1)
    return int(first.timestamp()) * SECOND_US

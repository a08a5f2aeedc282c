"""What runs share: every rate and budget that a call touches, as the changes that its intent must make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from interlock.core.call import AllowedCall
from interlock.core.charge import Charge
from interlock.core.clock import SECOND_US, Clock, SystemClock
from interlock.core.event import GuardChange
from interlock.core.guard_row import Subject
from interlock.core.principal import Principal
from interlock.core.run import RunState
from interlock.core.tool import Tool
from interlock.errors import GuardRefused
from interlock.ledger.guards import changed
from interlock.ledger.store import Store
from interlock.limits.budget import Budget, Budgets, charged, run_charges
from interlock.limits.rate import Rates

_KEPT_MAX = 4096
"""Subjects whose rows are kept; beyond it they are made again."""

_DAY_US = 86_400 * SECOND_US


class Asked(NamedTuple):
    """What a call asks of what runs share.

    Attributes:
        guards: Every row that must change: its rates, then its parts of budgets.
        charges: The parts of budgets.
    """

    guards: tuple[GuardChange, ...] = ()
    charges: tuple[Charge, ...] = ()


class _Kept(NamedTuple):
    """What is the same for every call of a tool by one subject on one day.

    Attributes:
        rates: The changes of its rates.
        budgets: Its budgets, each with the row that its part is kept in.
        asked: All that a call asks, where that is the same for every call; else None.
    """

    rates: tuple[GuardChange, ...]
    budgets: tuple[tuple[Budget, str], ...]
    asked: Asked | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """The limits that runs share.

    Attributes:
        rates: How often.
        budgets: How much.
        clock: Which day and month it is.
        store: Where their rows are read, for a call that others would be bothered with; None reads none.
    """

    rates: Rates = field(default_factory=Rates)
    budgets: Budgets = field(default_factory=Budgets)
    clock: Clock = field(default_factory=SystemClock)
    store: Store | None = None
    _kept: dict[tuple[str | int, ...], _Kept] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def by_run(self) -> bool:
        """Whether anything is kept for each run."""
        return self.rates.by_run or self.budgets.by_run

    def charges(
        self, principal: Principal, run: RunState, costs: Mapping[str, int], now_us: int
    ) -> tuple[Charge, ...]:  # fmt: skip
        """What something that is no call reserves, of every budget that has its units; see `ledger.reservation`.

        Args:
            costs: Unit (`tokens`, `micro_usd`, …) to the worst case.
        """
        return self.budgets.charges(principal, run, costs, now_us)

    def asked(self, allowed: AllowedCall, run: RunState) -> Asked:
        """What must be changed before anything is dialled for a call."""
        if not (self.rates.all or self.budgets.all or run.budgets):
            return Asked()
        call, tool = allowed.valid.call, allowed.valid.tool
        who, day = call.principal, self.clock.wall_us() // _DAY_US
        key = (who.tenant, who.id, tool.digest, run.run_id if self.by_run else "", day)
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            kept = self._kept[key] = self._keep(Subject(who, run.run_id, tool.name), tool, day * _DAY_US)
        if kept.asked is not None and not run.budgets:
            return kept.asked
        costs = tool.cost(allowed.valid.arguments)
        return _asked(kept.rates, (*run_charges(run, costs), *charged(kept.budgets, costs)))

    def _keep(self, subject: Subject, tool: Tool, now_us: int) -> _Kept:
        rates, budgets = self.rates.changes(subject, tool), self.budgets.rows(subject, tool, now_us)
        same = not any(isinstance(cost, str) for cost in tool.costs.values())
        return _Kept(rates, budgets, _asked(rates, charged(budgets, tool.cost({}))) if same else None)

    async def refuses(self, asked: Asked) -> GuardRefused | None:
        """Why this would be refused now; None where it would pass, which the transaction alone can promise."""
        if self.store is None or not asked.guards:
            return None
        values = {change.name: (await self.store.guards(change.name)).get(change.name, 0) for change in asked.guards}
        try:
            changed(asked.guards, values.__getitem__, self.clock.wall_us())
        except GuardRefused as refused:
            return refused
        return None


def _asked(rates: tuple[GuardChange, ...], charges: tuple[Charge, ...]) -> Asked:
    return Asked((*rates, *(charge.guard for charge in charges)), charges)

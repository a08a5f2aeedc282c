"""What runs share: every rate and budget that a call touches, as the changes that its intent must make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from interlock.core.call import AllowedCall
from interlock.core.charge import Charge
from interlock.core.clock import Clock, SystemClock
from interlock.core.event import GuardChange
from interlock.core.guard_row import Subject
from interlock.core.principal import Principal
from interlock.core.run import RunState
from interlock.errors import GuardRefused
from interlock.ledger.guards import changed
from interlock.ledger.store import Store
from interlock.limits.budget import Budgets
from interlock.limits.rate import Rates


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

    def charges(
        self, principal: Principal, run: RunState, costs: Mapping[str, int], now_us: int
    ) -> tuple[Charge, ...]:  # fmt: skip
        """What something that is no call reserves, of every budget that has its units; see `ledger.reservation`.

        Args:
            costs: Unit (`tokens`, `micro_usd`, …) to the worst case.
        """
        return self.budgets.charges(principal, run, costs, now_us)

    def asked(self, allowed: AllowedCall, run: RunState) -> tuple[tuple[GuardChange, ...], tuple[Charge, ...]]:
        """What must be changed before anything is dialled for a call: its rates, and its parts of budgets."""
        call, tool = allowed.valid.call, allowed.valid.tool
        guards = self.rates.changes(Subject(call.principal, run.run_id, tool.name), tool)
        if not (self.budgets.all or run.budgets):
            return guards, ()
        costs = tool.cost(allowed.valid.arguments)
        return guards, self.budgets.charges(call.principal, run, costs, self.clock.wall_us(), tool)

    async def refuses(self, guards: tuple[GuardChange, ...], charges: tuple[Charge, ...]) -> GuardRefused | None:
        """Why these would be refused now; None where they would pass, which the transaction alone can promise."""
        changes = (*guards, *(charge.guard for charge in charges))
        if self.store is None or not changes:
            return None
        values = {change.name: (await self.store.guards(change.name)).get(change.name, 0) for change in changes}
        try:
            changed(changes, values.__getitem__, self.clock.wall_us())
        except GuardRefused as refused:
            return refused
        return None

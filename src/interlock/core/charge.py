"""What is asked of a budget: reserved before anything is spent, and settled by what was."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from interlock.core.event import GuardChange

UNIT = re.compile(r"[a-z][a-z0-9_]{0,31}")
"""What a unit is called."""

SPENT_MAX = 10**12
"""The most that one call may cost, in any unit (a million dollars in micro-USD): rows are sums of such, in 64 bits."""

BUDGET_MAX = 10**15
"""The most that a budget may be, of any unit."""

_WITHOUT_EFFECT = frozenset({"failed", "refused"})


class Charge(NamedTuple):
    """A part of a budget that something is to have.

    Attributes:
        row: Name of the guard row that the budget is kept in.
        unit: What is counted: `calls`, `tokens`, `micro_usd`, `ms`, or a unit of a tool's own.
        amount: How much, at worst; 0 or more.
        most: How much all together may have of the row.
    """

    row: str
    unit: str
    amount: int
    most: int

    @property
    def guard(self) -> GuardChange:
        """The change that reserves it, or is refused."""
        return GuardChange(self.row, self.amount, at_most=self.most)


class Reserved(NamedTuple):
    """A part of a budget that something has; see `Charge`."""

    row: str
    unit: str
    amount: int

    def actual(self, outcome: str, spent: Mapping[str, int]) -> int:
        """What of it is charged in the end.

        Args:
            outcome: What whoever reserved it came to: what had no effect costs nothing, unless it says so.
            spent: What it says that it cost, by unit; where it says nothing, it cost what was reserved.
        """
        said = spent.get(self.unit)
        if said is not None:
            return said
        return 0 if outcome in _WITHOUT_EFFECT else self.amount


def written(charges: Iterable[Charge]) -> list[list[Any]]:
    """Charges as an event keeps what they reserve."""
    return [[charge.row, charge.unit, charge.amount] for charge in charges]


def reserved_by(body: Mapping[str, Any]) -> tuple[Reserved, ...]:
    """What an event says that it reserves; nothing where its body was erased."""
    return tuple(Reserved(*each) for each in body.get("reserved", ()))

"""What goes back to the budgets, or is charged beyond what was reserved, when something that reserved is over.

Told from the run's fold alone, so that it holds whoever says the last word: a worker, a recovery, a person, a late
answer. That word stands once, so a reservation is settled once, in its transaction.
"""

from __future__ import annotations

from collections.abc import Iterable

from interlock.core.event import Fact, GuardChange, Kind
from interlock.core.run import RunState


def settlement(facts: Iterable[Fact], run: RunState) -> tuple[GuardChange, ...]:
    """The changes of budget rows that these facts of a run bring: none may be refused, for it is spent already."""
    changes: list[GuardChange] = []
    for fact in facts:
        if not fact.closes:
            continue
        if fact.kind is Kind.BUDGET_SETTLED:
            reserved = run.reservations[fact.call_id][1] if fact.call_id in run.reservations else ()
        else:
            reserved = run.calls[fact.call_id].reserved if fact.call_id in run.calls else ()
        for each in reserved:
            more = each.actual(fact.outcome, fact.body.get("spent", {})) - each.amount
            if more:
                changes.append(GuardChange(each.row, more, at_least=None))
    return tuple(changes)

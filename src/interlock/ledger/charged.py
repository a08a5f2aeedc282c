"""What runs have reserved and spent of budgets, as rows: a fold of its own, because one event may be about several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from interlock.core.canonical import canonical
from interlock.core.charge import Reserved, reserved_by
from interlock.core.clock import SECOND_US
from interlock.core.event import Event
from interlock.core.run import SETTLED_WITHIN_S
from interlock.ledger.tables import Row, Rows


def reserve(rows: Rows, event: Event, call: Row) -> None:
    """A call has parts of budgets from now on: its row says which, for whoever ends it."""
    if reserved := reserved_by(event.fact.body):
        _reserve(rows, event, reserved)
        call["charges"] = canonical([list(each) for each in reserved]).decode()


def settle(rows: Rows, event: Event, reserved: Iterable[Sequence[Any]]) -> None:
    """What was reserved is spent or given back."""
    spent = event.fact.body.get("spent", {})
    for each in sorted(Reserved(*each) for each in reserved):
        _charge(rows, event, (each.row, each.unit), -each.amount, each.actual(event.fact.outcome, spent))


def budget_reserved(rows: Rows, event: Event) -> None:
    """By a read that is on its way from here on; or by what is no call, which is due where nobody settles it."""
    key = (event.chain, event.fact.call_id)
    if (call := rows.get("tool_call", key)) is not None:
        call["status"] = "intent"
        reserve(rows, event, call)
        rows.put("tool_call", key, call)
        return
    _reserve(rows, event, reserved_by(event.fact.body))
    rows.put("due", key, {
        "run_id": event.chain, "tenant": event.tenant, "at_us": event.at_us + SETTLED_WITHIN_S * SECOND_US,
        "why": "budget.reserved", "ref": event.fact.call_id,
    })  # fmt: skip


def budget_settled(rows: Rows, event: Event) -> None:
    """By what is no call: the event says what it had."""
    settle(rows, event, reserved_by(event.fact.body))
    rows.drop("due", (event.chain, event.fact.call_id))


def charged_still(rows: Rows, event: Event) -> None:
    """What erased events reserved and spent stays charged: the record of their erasure says it in their place."""
    for name, unit, reserved, spent in event.fact.body.get("budget", ()):
        _charge(rows, event, (name, unit), reserved, spent)


def _reserve(rows: Rows, event: Event, reserved: Iterable[Reserved]) -> None:
    for each in sorted(reserved):
        _charge(rows, event, (each.row, each.unit), each.amount, 0)


def _charge(rows: Rows, event: Event, what: tuple[str, str], reserved: int, spent: int) -> None:
    name, unit = what
    row = rows.get("budget", (event.chain, name)) or {
        "run_id": event.chain, "tenant": event.tenant, "name": name, "unit": unit, "reserved": 0, "spent": 0,
        "at_us": event.at_us,
    }  # fmt: skip
    row["reserved"] += reserved
    row["spent"] += spent
    row["at_us"] = event.at_us
    rows.put("budget", (event.chain, name), row)

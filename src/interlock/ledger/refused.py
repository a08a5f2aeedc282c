"""What is told of a call that a shared row refuses: to the model whose it is, to the audit the numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from interlock.core.call import Stop, ToolCall, refuse
from interlock.core.canonical import Json
from interlock.core.charge import Charge
from interlock.core.clock import SECOND_US
from interlock.core.guard_row import read_row
from interlock.errors import GuardRefused
from interlock.ledger.turning import called_off


def refused_by_limit(call: ToolCall, charges: Sequence[Charge], refused: GuardRefused) -> Stop:
    """The end of a call's way where a shared row said no; nothing ran."""
    audit: dict[str, Json] = {"guard": refused.guard, "value": refused.value}
    if refused.guard == called_off(call.principal.tenant, call.run_id):
        return refuse(call, "limit.called_off", "this task was called off", next_step="Do no more of it.", audit=audit)
    whose = _whose(refused.guard)
    if refused.wait_us:
        wait_s = math.ceil(refused.wait_us / SECOND_US)
        return refuse(
            call, "limit.rate", f"{whose} has made too many calls just now",
            next_step=f"Try again in {wait_s} s, or go on with other work.", audit=audit | {"wait_us": refused.wait_us},
        )  # fmt: skip
    charge = next((charge for charge in charges if charge.row == refused.guard), None)
    if charge is not None:
        left = max(0, charge.most - refused.value)
        audit |= {"unit": charge.unit, "asked": charge.amount, "left": left, "most": charge.most}
    return refuse(
        call, "limit.budget", f"the budget of {whose} is used up",
        next_step="Answer with what you have, and tell the user that the budget is used up.", audit=audit,
    )  # fmt: skip


def _whose(row: str) -> str:
    """Whose a row is, in words that say no more to a model than it knows."""
    parts = read_row(row) or []
    if "run" in parts[1:2]:
        return "this task"
    of = [part[0] for part in parts if isinstance(part, list)]
    for kind, words in (("run", "this task"), ("principal", "this user"), ("tool", "this tool")):
        if kind in of:
            return words
    return "this organisation"

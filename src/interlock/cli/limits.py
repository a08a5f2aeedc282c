"""`interlock limits`: what is used of budgets and rates now."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from rich.text import Text

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, heading, note, told
from interlock.cli.output import Report
from interlock.compose import limits_of, open_registry
from interlock.core.clock import iso
from interlock.core.times import ago
from interlock.ledger.store import MemoryStore, Store
from interlock.limits.use import BudgetUse, RateUse, budgets_used, idle, rates_used

_BAR = 20
"""Characters of a bar."""


@command("limits", example="interlock limits\ninterlock limits --json")
def limits(deployment: Deployment) -> Report:
    """Budgets and rates: what is used of each now, by whom, and when it begins anew.

    A bar shows what is spent (█), what is reserved for calls on their way or unknown (▒), and what is left (·).

    Says as well which of them name a tool that these settings have not, or count what no tool costs.
    """
    now_us = deployment.now_us
    budgets, rates = deployment.with_store(partial(_found, deployment))
    budget_cells = [
        (
            use.name or "(the run's own)", _whose(use.whose), _bar(use), _amount(use.spent + use.reserved, use.most),
            f"{use.reserved:,}", f"{use.spent:,}", use.unit, ago(use.anew_us, now_us) if use.anew_us else "never",
        )
        for use in budgets
    ]  # fmt: skip
    rate_cells = [
        (
            use.rate.name, _whose(use.whose), f"{use.rate.calls:,} in {use.rate.per_s:g} s",
            f"{use.free:,} of {use.rate.burst or use.rate.calls:,}",
        )
        for use in rates
    ]  # fmt: skip
    quotas = limits_of(deployment.settings, MemoryStore(deployment.world.clock), deployment.world.clock).quotas
    slips = idle(quotas, open_registry(deployment.settings).tools)
    unset = (
        []
        if quotas.budgets.all or quotas.rates.all
        else [note("Set them under [[limits.budgets]] and [[limits.rates]].")]
    )
    columns = ("budget", "for", "use", "used", "reserved", "spent", "unit", "anew")
    return Report(
        {
            "budgets": [_budget(use) for use in budgets],
            "rates": [use.as_json() for use in rates],
            "idle": slips,
        },
        [
            told("Budgets", "strong"), Listing(columns, budget_cells, empty="None."),
            heading("Rates"), Listing(("rate", "for", "calls", "free now"), rate_cells, empty="None used as yet."),
            *(told(f"limits nothing: {slip}", "alarm") for slip in slips), *unset,
        ],
    )  # fmt: skip


async def _found(deployment: Deployment, store: Store) -> tuple[list[BudgetUse], list[RateUse]]:
    quotas = limits_of(deployment.settings, store, deployment.world.clock).quotas
    asked = store, quotas, deployment.person.tenant, deployment.now_us
    return await budgets_used(*asked), await rates_used(*asked)


def _whose(whose: Mapping[str, str]) -> str:
    return ", ".join(f"{kind} {name}" for kind, name in whose.items()) or "everybody"


def _amount(used: int, most: int) -> Text:
    return told(f"{used:,} of {most:,}", "bad" if used >= most else "")


def _bar(use: BudgetUse) -> Text:
    """What is spent, reserved and left, to scale; what is used at all is never an empty bar."""
    whole = max(use.most, use.spent + use.reserved, 1)
    spent = min(_BAR, -(-use.spent * _BAR // whole))
    reserved = min(_BAR - spent, -(-use.reserved * _BAR // whole))
    bar = Text("█" * spent, "bad" if use.spent + use.reserved >= use.most else "good")
    bar.append("▒" * reserved, "wait")
    bar.append("·" * (_BAR - spent - reserved), "quiet")
    return bar


def _budget(use: BudgetUse) -> dict[str, Any]:
    said = {**use._asdict(), "whose": dict(use.whose), "left": max(0, use.most - use.reserved - use.spent)}
    anew_us = said.pop("anew_us")
    return said | {"anew_at": iso(anew_us) if anew_us is not None else None}

"""How things stand now, as numbers: what waits, what lags, what does not answer. Read when somebody asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import Store
from interlock.limits.use import BudgetUse
from interlock.pipeline import Plane

READ_MAX: Final = 10_000
"""Rows of a table that are counted; where there are more, this many are said."""

Breaker = tuple[str, str, str]
"""Server, name and version of a tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """How a deployment stands.

    Attributes:
        held, unknown: By tenant: requests for approval that wait, and calls of which nobody knows what became of them.
        position: Of the newest event of the ledger.
        measured: Of the newest one that was counted here.
        sealed: Of the newest one that a signed checkpoint is over; None where nothing is sealed.
        breakers: The breaker of each tool that failed in this process: `closed`, `open`, `half_open` or `probing`.
        down: What tools depend on and does not answer to this process.
        budgets: Of each tenant, its budgets.
        alerts: How many alerts of each rule stand in each tenant.
    """

    held: Mapping[str, int]
    unknown: Mapping[str, int]
    position: int
    measured: int
    sealed: int | None = None
    breakers: Mapping[Breaker, str]
    down: tuple[str, ...] = ()
    budgets: Mapping[str, tuple[BudgetUse, ...]]
    alerts: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What this process knows beside the store.

    Attributes:
        measured: As of `Present`.
        budgets, alerts: As of `Present`.
    """

    measured: int
    budgets: Mapping[str, tuple[BudgetUse, ...]]
    alerts: Iterable[tuple[str, str]]


async def present(plane: Plane, store: Store, known: Known) -> Present:
    """How it stands now.

    Raises:
        StoreUnavailable: It cannot be read.
    """
    waiting = await store.rows("approval", {"status": "pending"}, READ_MAX)
    unknown = await store.rows("tool_call", {"status": "unknown"}, READ_MAX)
    return Present(
        held=Counter(row["tenant"] for row in waiting),
        unknown=Counter(row["tenant"] for row in unknown),
        position=store.position(),
        measured=known.measured,
        sealed=await store.log(lambda log: log.sealed) if isinstance(store, SqliteStore) else None,
        breakers=plane.executor.breakers.states(),
        down=tuple(plane.executor.health.down()),
        budgets=known.budgets,
        alerts=Counter(known.alerts),
    )

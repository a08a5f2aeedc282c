"""Questions that an auditor asks of the ledger: a view, conditions, a time, a limit. Always within one tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from interlock.errors import BadInput
from interlock.ledger.pages import LIMIT_MAX, during
from interlock.ledger.store import Store
from interlock.ledger.tables import TABLES, TIMES, Row

VIEWS: dict[str, str] = {
    view: TIMES[view]
    for view in (
        "run", "step", "tool_call", "authz_decision", "tool_result", "compensation_action", "approval", "notice",
        "eval",
    )
}  # fmt: skip
"""What can be asked for, each with the column that says when."""

_NUMBERS = frozenset(
    {"step", "seq", "epoch", "attempts", "quorum", "dry_run", "waits", "cases", "trials", "passed", "met"}
)
"""Columns that hold numbers, beside those whose names end in `_us`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What an auditor wants to see.

    Attributes:
        view: One of `VIEWS`.
        where: Column to the value that it must have; text is read as a number where the column holds numbers.
        since_us, until_us: From this moment on, and before that one, microseconds UTC; None for no bound.
        limit: At most so many rows, the newest, 1 to 10,000.
    """

    view: str
    where: Mapping[str, Any] = field(default_factory=dict)
    since_us: int | None = None
    until_us: int | None = None
    limit: int = 100


async def audit(store: Store, tenant: str, question: Question) -> list[Row]:
    """The rows that answer a question about one tenant, the newest last.

    Raises:
        BadInput: An unknown view or column, with the closest that there is; a value or a limit that cannot be.
    """
    view, limit = question.view, question.limit
    where = asked_where(question) | {"tenant": tenant}
    if not 1 <= limit <= LIMIT_MAX:
        raise BadInput(f"limit: {limit}", code="audit.limit", remedy=f"Ask for 1 to {LIMIT_MAX} rows.")
    page = await store.page(view, {**where, **during(view, question.since_us, question.until_us)}, limit=limit)
    return page.rows[::-1]


def asked_where(question: Question) -> dict[str, Any]:
    """The columns that are asked for, each with its value as its column holds it; a tenant's is not among them.

    Raises:
        BadInput: An unknown view or column, with the closest that there is, or a value that cannot be.
    """
    view = question.view
    if view not in VIEWS:
        raise BadInput(f"no view is called {view!r}", code="audit.view", remedy=_instead(view, VIEWS))
    return {column: _value(view, column, value) for column, value in question.where.items()}


def _value(view: str, column: str, value: Any) -> Any:
    columns = [name for name in TABLES[view].columns if name != "tenant"]
    if column not in columns:
        raise BadInput(f"{view} has no column {column!r}", code="audit.column", remedy=_instead(column, columns))
    if isinstance(value, str) and _is_number(column):
        if not value.lstrip("-").isdecimal():
            raise BadInput(f"{column}: {value!r} is no number", code="audit.value", remedy="Write a whole number.")
        return int(value)
    return value


def _is_number(column: str) -> bool:
    return column in _NUMBERS or column.endswith("_us")


def _instead(name: str, names: Mapping[str, Any] | list[str]) -> str:
    closest = get_close_matches(name, names, 1, 0.5)
    there_are = f"There are {', '.join(names)}."
    return f"Did you mean {closest[0]!r}? {there_are}" if closest else there_are

"""What is asked of a table, as SQL: values are bound, names come from `TABLES` alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from interlock.ledger.pages import Between, Contains, Prefix, Where, WithCall, one_of
from interlock.ledger.tables import TABLES

_OPEN = frozenset({"proposed", "held", "intent", "unknown"})
"""Values of `tool_call.status` that its partial index holds."""

_NUMBER_MAX = (1 << 63) - 1

Sql = tuple[str, list[Any]]
"""A query, or a piece of one, and the values for its question marks."""


def select(table: str, where: Where, before: int | None = None) -> Sql:
    """Position and row of what fits, the newest first.

    The last question mark, whose value is to be added, is for the limit.

    Args:
        before: Only rows below this position; None for all.
    """
    source, condition, values = _from(table, where, before)
    shown = ", ".join(f'"{table}"."{column}"' for column in ("pos", *TABLES[table].columns))
    return f'SELECT {shown} FROM {source} {condition} ORDER BY "{table}".pos DESC LIMIT ?', values


def count(table: str, where: Where) -> Sql:
    """How many rows fit. The last question mark, whose value is to be added, is for the number where counting ends."""
    source, condition, values = _from(table, where, None)
    return f"SELECT count(*) FROM (SELECT 1 FROM {source} {condition} LIMIT ?)", values


def bindable(values: list[Any]) -> bool:
    """Whether a file can hold all of these values; where it cannot hold one, nothing equals it."""
    return not any(
        abs(value) > _NUMBER_MAX if isinstance(value, int) else isinstance(value, str) and not _encodes(value)
        for value in values
    )


def _encodes(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _from(table: str, where: Where, before: int | None) -> tuple[str, str, list[Any]]:
    """Where rows come from, the condition that they meet, and the values of that."""
    source = f'"{table}"'
    tests = [_test(f'"{table}"."{column}"', asked) for column, asked in where.items()]
    if before is not None:
        tests.append((f'"{table}".pos < ?', [_bounded(before)]))
    run = where.get("run_id")
    runs = [run] if isinstance(run, str) else list(run) if isinstance(run, tuple | list | set | frozenset) else []
    runs = [each for each in runs if isinstance(each, str) and bindable([each])]
    if runs and None not in one_of(run):
        source = (
            f'extent JOIN "{table}" ON "{table}".pos BETWEEN extent.pos AND extent.pos + extent.last - extent.first'
        )
        names = ", ".join("?" * len(runs))
        tests.append((f"extent.chain IN (SELECT no FROM chain WHERE name IN ({names}))", runs))
    else:
        tests += [(literal, []) for literal in _for_a_partial_index(table, where)]
    condition = f"WHERE {' AND '.join(test for test, _ in tests)}" if tests else ""
    return source, condition, [value for _, values in tests for value in values]


def _for_a_partial_index(table: str, where: Where) -> Iterator[str]:
    """What holds of all that fits, said literally: or SQLite cannot see that a partial index will do."""
    statuses = frozenset(one_of(where["status"])) if "status" in where else frozenset()
    if table in ("tool_call", "step") and statuses and statuses <= _OPEN:
        yield "status <> 'closed'"
    elif table == "approval" and statuses == {"pending"}:
        yield "status = 'pending'"
    elif table == "run" and statuses == {"open"} and where.get("waits") == 1:
        yield "status = 'open' AND waits = 1"


def _test(column: str, asked: Any) -> Sql:
    if isinstance(asked, Prefix):
        return f"instr({column}, ?) = 1", [asked.text]
    if isinstance(asked, Contains):
        return f"instr(lower({column}), lower(?)) > 0", [asked.text]
    if isinstance(asked, Between):
        bounds = [(bound, sign) for bound, sign in ((asked.least, ">="), (asked.below, "<")) if bound is not None]
        tests = [f"{column} IS NOT NULL", *(f"{column} {sign} ?" for _, sign in bounds)]
        return " AND ".join(tests), [_bounded(bound) for bound, _ in bounds]
    if isinstance(asked, WithCall):
        source, condition, values = _from("tool_call", asked.where, None)
        return f"{column} IN (SELECT run_id FROM {source} {condition})", values
    if not isinstance(asked, tuple | list | set | frozenset):
        return f"{column} IS ?", [asked]
    values = [value for value in asked if value is not None and bindable([value])]
    test = f"{column} IN ({', '.join('?' * len(values))})"
    return f"({test} OR {column} IS NULL)" if None in asked else test, values


def _bounded(number: int) -> int:
    return max(-_NUMBER_MAX, min(number, _NUMBER_MAX))

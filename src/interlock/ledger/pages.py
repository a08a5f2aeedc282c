"""What a page of a table is asked by, and what that means: both stores answer alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from interlock.ledger.tables import TABLES, TIMES, Row

LIMIT_MAX = 10_000
"""Rows of one page."""

VALUES_MAX = 1000
"""Values that one column may be asked to have one of."""

COUNT_MAX = 1000
"""Rows that are counted; more are «more»: on a page nobody needs to know how many, and to know it all must be read."""


class Page(NamedTuple):
    """Rows of a table, the newest first.

    Attributes:
        rows: At most as many as were asked for.
        before: What to ask for next: position of the last row, below which there may be more; None where there is
            nothing more. It stays good whatever is appended: a row never moves.
        positions: Of each row, that of the event that made it.
    """

    rows: list[Row]
    before: int | None
    positions: list[int]


@dataclass(frozen=True, slots=True)
class Prefix:
    """A text that begins so, letter for letter: for ids."""

    text: str


@dataclass(frozen=True, slots=True)
class Contains:
    """A text that has this in it; `A` to `Z` are as `a` to `z`, other letters are themselves."""

    text: str


@dataclass(frozen=True, slots=True)
class Between:
    """A number from `least` on and below `below`; None for no bound. What is not known is in no span."""

    least: int | None = None
    below: int | None = None


@dataclass(frozen=True, slots=True)
class WithCall:
    """A `run_id` of a run that has a call which fits this; what is asked of that may not ask for calls again."""

    where: Where


Where = Mapping[str, Any]
"""Column to what its value is: equal to this, one of these (a tuple, list or set), or what `Prefix`, `Contains`,
`Between` or `WithCall` says. All must hold."""


def refuse_unknown(table: str, where: Where) -> None:
    """A table or column that is none is a caller's bug: doors check what comes from outside."""
    assert table in TABLES, f"no projection is called {table!r}"
    columns = TABLES[table].columns
    assert where.keys() <= set(columns), f"{table} has no column {sorted(where.keys() - set(columns))}"
    for column, asked in where.items():
        if isinstance(asked, WithCall):
            assert column == "run_id", f"{column} is no run"
            assert "run_id" not in asked.where, "a call is asked for by its own columns"
            refuse_unknown("tool_call", asked.where)


def refuse_bad(table: str, where: Where, limit: int = 1) -> None:
    """A page that no store can give is a caller's bug."""
    refuse_unknown(table, where)
    assert table in TIMES, f"rows of {table} have no position of their own: read all of them"
    assert 1 <= limit <= LIMIT_MAX, f"a page has 1 to {LIMIT_MAX} rows, not {limit}"
    assert all(len(one_of(asked)) <= VALUES_MAX for asked in where.values()), f"more than {VALUES_MAX} values"


def page_of(found: Sequence[tuple[int, Row]], limit: int) -> Page:
    """The page of rows with their positions, of which one more was looked for than it has."""
    positions = [position for position, _ in found[:limit]]
    return Page([row for _, row in found[:limit]], positions[-1] if len(found) > limit else None, positions)


def one_of(asked: Any) -> Collection[Any]:
    """The values of which a column shall have one; none where it is asked by other means."""
    if isinstance(asked, Prefix | Contains | Between | WithCall):
        return ()
    return asked if isinstance(asked, tuple | list | set | frozenset) else (asked,)


def fits(row: Row, where: Where) -> bool:
    """Whether a row is asked for."""
    return all(_fits(row[column], asked) for column, asked in where.items())


def during(table: str, since_us: int | None, until_us: int | None) -> Where:
    """Only rows of this time, by the table's column that says when: from one moment on, and before the other."""
    return {} if since_us is until_us is None else {TIMES[table]: Between(since_us, until_us)}


def _fits(value: Any, asked: Any) -> bool:
    if isinstance(asked, Prefix):
        return value is not None and str(value).startswith(asked.text)
    if isinstance(asked, Contains):
        return value is not None and _lower(asked.text) in _lower(str(value))
    if isinstance(asked, Between):
        return (
            value is not None
            and (asked.least is None or asked.least <= value)
            and (asked.below is None or value < asked.below)
        )
    return value in one_of(asked)


def _lower(text: str) -> str:
    return text.translate(_SMALL)


_SMALL = {letter: letter + 32 for letter in range(ord("A"), ord("Z") + 1)}

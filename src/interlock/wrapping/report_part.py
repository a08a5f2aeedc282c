"""What a report is made of: parts with tables, the same for a terminal, a program, a page and a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from interlock.core.decision import Mode
from interlock.keys import Key
from interlock.policy.cedar import Policy
from interlock.registry.accepted import Accepted
from interlock.registry.difference import Difference
from interlock.wrapping.coverage import Coverage
from interlock.wrapping.readiness import Finding, Site

Cell = str | int | bool | tuple[str, ...] | None
"""What stands in a table; names in it may be of a server's choice and are untrusted."""


class Table(NamedTuple):
    """Things of one kind.

    Attributes:
        name: What a program calls it.
        title: What a person calls it.
        columns: Names of what is said of each.
        rows: What is said, in an order that does not depend on when it is looked at.
        says: A sentence before it; empty for none.
        empty: What is said where there are no rows.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    says: str = ""
    empty: str = "None."


class Part(NamedTuple):
    """One of the report's parts.

    Attributes:
        name: What a program calls it, and its file.
        title: What a person calls it.
        says: What it is, in a sentence or two.
        tables: What it has.
    """

    name: str
    title: str
    says: str
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What a report is made from.

    Attributes:
        site: What `doctor` looks at.
        findings: What it found.
        policy: The policy in force; None where it does not load.
        covered: Which tools the clients of this machine reach ungoverned.
        accepted: The tools of servers, as they were listed and accepted.
        waiting: What of them waits for a person.
        keys: Every key, without its text.
        stops: Scope and target of what is stopped, to the reason.
        verified: What a look at the whole ledger found.
    """

    site: Site
    findings: tuple[Finding, ...]
    covered: Coverage
    policy: Policy | None = None
    accepted: Accepted = field(default_factory=Accepted)
    waiting: tuple[Difference, ...] = ()
    keys: tuple[Key, ...] = ()
    stops: Mapping[tuple[str, str], str] = field(default_factory=dict)
    verified: str = ""

    @property
    def binding(self) -> bool:
        """Whether decisions bind."""
        return self.policy is not None and self.policy.mode is Mode.ENFORCE


def ordered(rows: Iterable[tuple[Cell, ...]]) -> tuple[tuple[Cell, ...], ...]:
    """Rows in the order of their texts, so that two reports can be laid side by side."""
    return tuple(sorted(rows, key=lambda row: tuple(text_of(cell) for cell in row)))


def text_of(cell: Cell) -> str:
    """A cell as a person reads it."""
    if cell is None or cell == "" or cell == ():
        return "–"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return ", ".join(cell) if isinstance(cell, tuple) else str(cell)


def document(parts: Iterable[Part]) -> dict[str, Any]:
    """The report for a program: part, table, and for each row a name for each cell."""
    return {
        part.name: {
            table.name: [dict(zip(table.columns, row, strict=True)) for row in table.rows] for table in part.tables
        }
        for part in parts
    }

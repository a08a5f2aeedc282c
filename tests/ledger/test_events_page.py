"""docs/reference/events.md names every kind, header field, table and column that there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from interlock.core.event import Fact, Kind
from interlock.ledger.tables import TABLES

PAGE = (Path(__file__).parents[2] / "docs/reference/events.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def names(cell: str) -> list[str]:
    """Names in code style, what stands in brackets left out."""
    return re.findall(r"`([a-z_.]+)`", re.sub(r"\([^)]*\)", "", cell))


def test_every_kind_of_event_has_its_line() -> None:
    assert sorted(name for cells in rows("Bodies") for name in names(cells[0])) == sorted(Kind)


def test_every_field_of_a_header_is_explained() -> None:
    explained = {name for cells in rows("Header") for name in names(cells[0])}
    always = {"v", "tenant", "run_id", "seq", "at", "kind", "prev_hash", "payload_commit"}
    assert explained == always | set(Fact._fields[2:])


def test_every_table_has_its_columns_in_order() -> None:
    assert {names(cells[0])[0]: tuple(names(cells[2])) for cells in rows("Tables")} == {
        name: table.columns for name, table in TABLES.items()
    }

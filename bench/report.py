"""Tables for people (Markdown, so that they can be pasted) and the same as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any

from bench.aims import AIMS, Aim
from bench.candidate import Row
from bench.ratios import floor_of, more, ratio, spread
from bench.runner import Series
from bench.suites import Suite

Results = Mapping[Row, Series]


def suite_table(suite: Suite, results: Results, cpu: bool) -> str:
    """The suite's rows with medians and ratios, then what could not be measured and why."""
    head = ["", *([suite.size] if suite.size else []), "µs", "±", "CPU µs"]
    head += ["calls/s"] if suite.rate else []
    head += [f"{'CPU ' if cpu else ''}ratio", "to"]
    head += ["Python calls"] if suite.counts else []
    head += [f"bytes a {suite.stored}"] if suite.stored else []
    head += [f"added {suite.added}"] if suite.added else []
    head += suite.figures
    measured = [series for series in results.values() if series.measured]
    if suite.ranked:
        measured.sort(key=lambda series: (series.row.size, median(series.wall_us)))
    rows = [_cells(suite, series, results, cpu) for series in measured]
    lines = [f"### {suite.name}: {suite.title}", "", *_table(head, rows)]
    return "\n".join([*lines, *_notes(results.values())])


def aims_table(suites: Mapping[str, Results]) -> str:
    """Every aim of the suites that ran, with what was measured."""
    rows = []
    for aim in AIMS:
        if aim.suite in suites:
            measured = aim.measured(suites[aim.suite])
            said = "not measured" if measured is None else _figure(measured)
            rows.append([aim.name, aim.sentence(), said, _verdict(aim, measured)])
    return "\n".join(["### Aims", "", *_table(["", "aim", "measured", ""], rows)]) if rows else ""


def as_json(suites: Mapping[str, Results]) -> dict[str, Any]:
    """Every series, with its medians and its ratio."""
    return {
        "suites": {name: [_series(series, results) for series in results.values()] for name, results in suites.items()},
        "aims": [
            {
                "name": aim.name,
                "aim": aim.sentence(),
                "at_most": aim.at_most,
                "measured": (measured := aim.measured(suites[aim.suite])),
                "met": None if measured is None else measured <= aim.at_most,
            }
            for aim in AIMS
            if aim.suite in suites
        ],
    }


def _cells(suite: Suite, series: Series, results: Results, cpu: bool) -> list[str]:
    wall_us = median(series.wall_us)
    floor = floor_of(series, results)
    cells = [series.row.name]
    cells += [f"{series.row.size:,}"] if suite.size else []
    cells += [_figure(wall_us), f"{spread(series.wall_us):.0%}", _figure(median(series.cpu_us))]
    cells += [f"{1e6 / wall_us:,.0f}"] if suite.rate else []
    cells += ["–", "–"] if floor is None else [_figure(ratio(series, floor, cpu)), _floor_name(series, floor)]
    cells += ["–" if series.calls is None else f"{series.calls:.0f}"] if suite.counts else []
    cells += ["–" if series.bytes_each is None else f"{series.bytes_each:,.0f}"] if suite.stored else []
    if suite.added:
        cells.append("–" if floor is None or floor is series else _figure(more(series, floor, suite.added)))
    cells += [_figure(median(series.figures[name])) for name in suite.figures]
    return cells


def _floor_name(series: Series, floor: Series) -> str:
    if floor is series:
        return "itself"
    return f"{floor.row.size:,}" if floor.row.name == series.row.name else floor.row.name


def _notes(results: Iterable[Series]) -> list[str]:
    notes = []
    for series in results:
        label = f"{series.row.name} {series.row.size}" if len(series.candidate.sizes) > 1 else series.row.name
        if series.absent:
            notes.append(f"- {label}: absent ({series.absent})")
        if series.error:
            notes.append(f"- {label}: FAILED: {series.error}")
        elif series.noise and not series.absent:
            notes.append(f"- {label}: wrote to its standard error: {series.noise.splitlines()[-1]}")
    return ["", *notes] if notes else []


def _verdict(aim: Aim, measured: float | None) -> str:
    if measured is None:
        return ""
    return "met" if measured <= aim.at_most else "MISSED"


def _series(series: Series, results: Results) -> dict[str, Any]:
    said: dict[str, Any] = {
        "candidate": series.row.name,
        "size": series.row.size,
        "what": series.candidate.what,
        "versions": series.versions,
    }
    if series.absent or series.error:
        return said | {"absent": series.absent, "error": series.error}
    floor = floor_of(series, results)
    return said | {
        "calls_in_a_batch": series.n,
        "wall_us": median(series.wall_us),
        "cpu_us": median(series.cpu_us),
        "python_calls": series.calls,
        "bytes_each": series.bytes_each,
        "to": None if floor is None else {"candidate": floor.row.name, "size": floor.row.size},
        "ratio": None if floor is None else ratio(series, floor, cpu=False),
        "cpu_ratio": None if floor is None else ratio(series, floor, cpu=True),
        "figures": {name: median(values) for name, values in series.figures.items()},
        "rounds": {"wall_us": series.wall_us, "cpu_us": series.cpu_us, **series.figures},
    }


def _figure(value: float) -> str:
    """Three significant digits, in plain notation."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]

    def drawn(cells: list[str]) -> str:
        padded = [cells[0].ljust(widths[0])]
        padded += [_aligned(cell, width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return f"| {' | '.join(padded)} |"

    return [drawn(head), f"|{'|'.join('-' * (width + 2) for width in widths)}|", *map(drawn, rows)]


def _aligned(cell: str, width: int) -> str:
    return cell.rjust(width) if cell[:1].isdigit() or cell == "–" else cell.ljust(width)

"""Figures of a run: medians over rounds, and medians of per-round ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median, quantiles

from bench.candidate import Row
from bench.runner import Series


def ratio(series: Series, of: Series, cpu: bool) -> float:
    """Median over rounds of the ratio within a round: what disturbs one round disturbs both its sides."""
    above, below = (series.cpu_us, of.cpu_us) if cpu else (series.wall_us, of.wall_us)
    return median(mine / theirs for mine, theirs in zip(above, below, strict=True))


def more(series: Series, of: Series, name: str) -> float:
    """Median over rounds of what a row has more of a figure than another one within a round."""
    return median(mine - theirs for mine, theirs in zip(series.figures[name], of.figures[name], strict=True))


def spread(values: Sequence[float]) -> float:
    """Half the distance between the quartiles, as a part of the median: how noisy the machine was."""
    low, middle, high = quantiles(values, n=4)
    return (high - low) / 2 / middle


def floor_of(series: Series, results: Mapping[Row, Series]) -> Series | None:
    """The row's floor at the same size, or itself at its first size; None where that was not measured."""
    row, candidate = series.row, series.candidate
    wanted = Row(candidate.floor, row.size) if candidate.floor else Row(row.name, candidate.sizes[0])
    found = results.get(wanted)
    return found if found is not None and found.measured else None

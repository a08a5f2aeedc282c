"""Charts as plain SVG: columns over time, lines over time, bars by name.

They are coloured by classes, so that a page's style says what they look like in light and dark. A chart is for the
eye: every figure in it also stands in `figures`, the table that goes with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from interlock.core.visible import one_line
from interlock.markup.tags import Markup, tag

COLOURS: Final = 6
"""Series that have a colour of their own: classes `series-1` to `series-6`, and again from the first."""

_WIDTH, _LEFT, _RIGHT, _TOP, _PLOT, _BELOW = 720, 56, 12, 30, 170, 26
_ROW, _NAME, _SAID = 26, 200, 130
_NAME_MAX: Final = 28
_LABELS_MAX: Final = 8
_TICKS: Final = 4

Said = Callable[[float], str]
"""How a figure is written."""


class Series(NamedTuple):
    """One thing that is counted or measured over time.

    Attributes:
        name: What it is.
        values: One for each label; None where there is nothing to say.
    """

    name: str
    values: Sequence[float | None]


class Row(NamedTuple):
    """One bar.

    Attributes:
        name: What it is of; one from elsewhere is shown so that nothing in it hides.
        value: At least 0.
        said: The same in words.
    """

    name: str
    value: float
    said: str


def columns(title: str, labels: Sequence[str], series: Sequence[Series], said: Said = "{:,.0f}".format) -> Markup:
    """Counts over time: a column for each label, the series above one another in their order."""
    sums = [sum(each.values[at] or 0 for each in series) for at in range(len(labels))]
    most, step = scale(max(sums, default=0))
    width = _plot_width() / max(len(labels), 1)
    parts: list[Markup] = []
    for at, label in enumerate(labels):
        below = 0.0
        for number, each in enumerate(series):
            value = each.values[at] or 0
            if value > 0:
                high = _PLOT * value / most
                top = _TOP + _PLOT - below - high
                told = tag("title", f"{label}: {one_line(each.name)} {said(value)}")
                parts.append(tag("rect", told, x=_LEFT + width * at + width * 0.1, y=top, width=width * 0.8,
                                 height=max(high, 1.0), class_=_colour(number)))  # fmt: skip
                below += high
    return _framed(title, labels, series, [*_grid(most, step, said), *parts])


def lines(title: str, labels: Sequence[str], series: Sequence[Series], said: Said = "{:,.0f}".format) -> Markup:
    """Figures over time: a line for each series, broken where there is nothing to say."""
    most, step = scale(max((value for each in series for value in each.values if value is not None), default=0))
    width = _plot_width() / max(len(labels), 1)
    parts: list[Markup] = []
    for number, each in enumerate(series):
        points = [
            None if value is None else (_LEFT + width * (at + 0.5), _TOP + _PLOT * (1 - value / most))
            for at, value in enumerate(each.values)
        ]
        for stretch in _stretches(points):
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in stretch)
            parts.append(tag("polyline", points=path, class_=f"line {_colour(number)}"))
        for label, point, value in zip(labels, points, each.values, strict=True):
            if point is not None and value is not None:
                told = tag("title", f"{label}: {one_line(each.name)} {said(value)}")
                parts.append(tag("circle", told, cx=point[0], cy=point[1], r=2.5, class_=_colour(number)))
    return _framed(title, labels, series, [*_grid(most, step, said), *parts])


def bars(title: str, rows: Sequence[Row], number: int = 0) -> Markup:
    """Figures by name, one below the other; the longest fills the width."""
    most = max((row.value for row in rows), default=0) or 1.0
    room = _WIDTH - _NAME - _SAID
    parts = [tag("title", title)]
    for at, row in enumerate(rows):
        middle = _ROW * at + _ROW / 2 + 4
        whole = one_line(row.name)
        name = whole if len(whole) <= _NAME_MAX else f"{whole[: _NAME_MAX - 1]}…"
        length = max(room * row.value / most, 1.0 if row.value else 0.0)
        parts += [
            tag("text", name, x=_NAME - 8.0, y=middle + 4, text_anchor="end"),
            tag("rect", tag("title", f"{whole}: {one_line(row.said)}"), x=float(_NAME), y=middle - 8, width=length,
                height=16.0, rx=2.0, class_=_colour(number)),
            tag("text", one_line(row.said), x=_NAME + length + 6, y=middle + 4),
        ]  # fmt: skip
    return _svg(title, parts, _ROW * len(rows) + 8)


def figures(
    labels: Sequence[str], series: Sequence[Series], said: Said = "{:,.0f}".format, when: str = "time"
) -> Markup:
    """The figures of `columns` or `lines` as a table, the newest first."""
    head = tag(
        "tr", tag("th", when, scope="col"), *(tag("th", each.name, scope="col", class_="number") for each in series)
    )
    body = [
        tag("tr", tag("th", label, scope="row"), *(_cell(each.values[at], said) for each in series))
        for at, label in reversed(list(enumerate(labels)))
    ]
    return tag("table", tag("thead", head), tag("tbody", *body))


def scale(most: float) -> tuple[float, float]:
    """The end of an axis and the distance of its ticks: round figures, so that the highest value is below the end."""
    if most <= 0:
        return 1.0, 1.0
    raw = most / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if raw <= power * factor * (1 + 1e-9))
    return step * math.ceil(most / step - 1e-9), step


def _cell(value: float | None, said: Said) -> Markup:
    return tag("td", "–" if value is None else said(value), class_="number")


def _plot_width() -> float:
    return float(_WIDTH - _LEFT - _RIGHT)


def _colour(number: int) -> str:
    return f"series-{number % COLOURS + 1}"


def _grid(most: float, step: float, said: Said) -> Iterator[Markup]:
    for nth in range(round(most / step) + 1):
        y = _TOP + _PLOT * (1 - nth * step / most)
        yield tag("line", x1=float(_LEFT), y1=y, x2=float(_WIDTH - _RIGHT), y2=y, class_="axis" if not nth else "grid")
        yield tag("text", said(nth * step), x=_LEFT - 6.0, y=y + 4, text_anchor="end")


def _framed(title: str, labels: Sequence[str], series: Sequence[Series], inner: Sequence[Markup]) -> Markup:
    width = _plot_width() / max(len(labels), 1)
    every = max(1, math.ceil(len(labels) / _LABELS_MAX))
    below = [_below(label, _LEFT + width * (at + 0.5)) for at, label in enumerate(labels) if at % every == 0]
    legend: list[Markup] = []
    left = float(_LEFT)
    for number, each in enumerate(series):
        legend += [
            tag("rect", x=left, y=6.0, width=11.0, height=11.0, class_=_colour(number)),
            tag("text", one_line(each.name), x=left + 16, y=16.0),
        ]
        left += 34 + 7 * len(one_line(each.name))
    return _svg(title, [tag("title", title), *legend, *inner, *below], _TOP + _PLOT + _BELOW)


def _below(label: str, middle: float) -> Markup:
    """A label below its point, or ending at the picture's edge where it would stand out of it."""
    outside = middle + 3.5 * len(label) > _WIDTH
    where, anchor = (float(_WIDTH), "end") if outside else (middle, "middle")
    return tag("text", label, x=where, y=_TOP + _PLOT + 18.0, text_anchor=anchor)


def _svg(title: str, parts: Sequence[Markup], height: float) -> Markup:
    return tag(
        "svg", *parts, viewBox=f"0 0 {_WIDTH} {height:g}", role="img", aria_label=one_line(title), class_="chart"
    )


def _stretches(points: Sequence[tuple[float, float] | None]) -> Iterator[list[tuple[float, float]]]:
    """Runs of points without a gap; one point alone is no line."""
    stretch: list[tuple[float, float]] = []
    for point in [*points, None]:
        if point is not None:
            stretch.append(point)
            continue
        if len(stretch) > 1:
            yield stretch
        stretch = []

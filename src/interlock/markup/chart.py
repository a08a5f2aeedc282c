"""Charts as plain SVG: columns over time, lines over time, bars by name.

They are coloured by classes, so that a page's style says what they look like in light and dark. A chart is for the
eye: every figure in it also stands in `figures`, the table that goes with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from interlock.core.visible import one_line
from interlock.markup.tags import Markup, tag, tenths

COLOURS: Final = 6
"""Series that have a colour of their own: classes `series-1` to `series-6`, and again from the first."""

_WIDTH, _LEFT, _RIGHT, _TOP, _PLOT, _BELOW = 520, 56, 12, 30, 140, 26
_ROW, _NAME, _SAID = 24, 176, 90
_NAME_MAX: Final = 24
_LABELS_MAX: Final = 4
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
    below = [0.0] * len(labels)
    parts: list[Markup] = []
    for number, each in enumerate(series):
        path = ""
        for at, value in enumerate(each.values):
            if value:
                high = max(_PLOT * value / most, 1.0)
                left, wide, top = _LEFT + width * (at + 0.1), tenths(width * 0.8), _TOP + _PLOT - below[at] - high
                path += f"M{tenths(left)} {tenths(top)}h{wide}v{tenths(high)}h-{wide}z"
                below[at] += _PLOT * value / most
        parts.append(tag("path", d=path, class_=_colour(number)))
    return _framed(title, labels, series, said, [*_grid(most, step, said), *parts])


def lines(
    title: str, labels: Sequence[str], series: Sequence[Series], said: Said = "{:,.0f}".format, end: float = 0.0
) -> Markup:
    """Figures over time: a line for each series, broken where there is nothing to say; a dot for a figure alone.

    Args:
        end: What the axis reaches at least: 100 of shares, so that pictures are compared.
    """
    values = [value for each in series for value in each.values if value is not None]
    most, step = scale(max(end, *values, 0.0))
    width = _plot_width() / max(len(labels), 1)
    parts: list[Markup] = []
    for number, each in enumerate(series):
        line = dots = ""
        for stretch in _stretches([
            None if value is None else (_LEFT + width * (at + 0.5), _TOP + _PLOT * (1 - value / most))
            for at, value in enumerate(each.values)
        ]):  # fmt: skip
            path = "M" + "L".join(f"{tenths(x)} {tenths(y)}" for x, y in stretch)
            line, dots = (line + path, dots) if len(stretch) > 1 else (line, f"{dots}{path}h0")
        parts += [tag("path", d=path, class_=f"{kind} {_colour(number)}")
                  for kind, path in (("line", line), ("dots", dots)) if path]  # fmt: skip
    return _framed(title, labels, series, said, [*_grid(most, step, said), *parts])


def bars(title: str, rows: Sequence[Row], number: int = 0) -> Markup:
    """Figures by name, one below the other; the longest fills the width."""
    most = max((row.value for row in rows), default=0) or 1.0
    room = _WIDTH - _NAME - _SAID
    parts: list[Markup] = []
    for at, row in enumerate(rows):
        middle = _ROW * at + _ROW / 2 + 4
        whole = one_line(row.name)
        name = short(whole, _NAME_MAX)
        length = max(room * row.value / most, 1.0 if row.value else 0.0)
        parts += [
            tag("text", name, *([tag("title", whole)] if name != whole else []), x=_NAME - 8.0, y=middle + 4,
                text_anchor="end"),
            tag("rect", x=float(_NAME), y=middle - 8, width=length, height=16.0),
            tag("text", one_line(row.said), x=_NAME + length + 6, y=middle + 4),
        ]  # fmt: skip
    return picture(title, [tag("g", *parts, class_=f"bars {_colour(number)}")], _WIDTH, _ROW * len(rows) + 8)


def figures(
    labels: Sequence[str], series: Sequence[Series], said: Said = "{:,.0f}".format, when: str = "time"
) -> Markup:
    """The figures of `columns` or `lines` as a table, the newest first, without the times that have none."""
    head = tag("tr", tag("th", when, scope="col"), *(tag("th", each.name, scope="col") for each in series))
    body = [
        tag("tr", tag("th", labels[at], scope="row"), *(_cell(each.values[at], said) for each in series))
        for at in reversed(told(series))
    ]
    return tag("table", tag("thead", head), tag("tbody", *body), class_="figures")


def told(series: Sequence[Series]) -> list[int]:
    """The places at which some series says something other than nothing, in order."""
    return [at for at, values in enumerate(zip(*(each.values for each in series), strict=True)) if any(values)]


def scale(most: float) -> tuple[float, float]:
    """The end of an axis and the distance of its ticks: round figures, so that the highest value is below the end."""
    if most <= 0:
        return 1.0, 1.0
    raw = most / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if raw <= power * factor * (1 + 1e-9))
    return step * math.ceil(most / step - 1e-9), step


def picture(title: str, parts: Iterable[Markup], width: float, height: float) -> Markup:
    """What is drawn on a ground of this size, as large as its place lets it be."""
    frame = f"0 0 {width:g} {height:g}"
    return tag("svg", *parts, viewBox=frame, role="img", aria_label=one_line(title), class_="chart")


def short(name: str, most: int) -> str:
    """A name in at most so many characters."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _cell(value: float | None, said: Said) -> Markup:
    return tag("td", "–" if value is None else said(value))


def _plot_width() -> float:
    return float(_WIDTH - _LEFT - _RIGHT)


def _colour(number: int) -> str:
    return f"series-{number % COLOURS + 1}"


def _grid(most: float, step: float, said: Said) -> Iterator[Markup]:
    heights = [_TOP + _PLOT * (1 - nth * step / most) for nth in range(round(most / step) + 1)]
    for kind, some in (("axis", heights[:1]), ("grid", heights[1:])):
        yield tag("path", d="".join(f"M{_LEFT} {tenths(y)}H{_WIDTH - _RIGHT}" for y in some), class_=kind)
    texts = (tag("text", said(nth * step), x=_LEFT - 6.0, y=y + 4) for nth, y in enumerate(heights))
    yield tag("g", *texts, class_="y")


def _framed(title: str, labels: Sequence[str], series: Sequence[Series], said: Said, inner: Sequence[Markup]) -> Markup:
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
    tips = tag("g", *_tips(labels, series, said), class_="tips")
    return picture(title, [*legend, *inner, tag("g", *below, class_="x"), tips], _WIDTH, _TOP + _PLOT + _BELOW)


def _tips(labels: Sequence[str], series: Sequence[Series], said: Said) -> Iterator[Markup]:
    """What is said of a time to whoever points at it: one for all series, as high as the picture."""
    width = _plot_width() / max(len(labels), 1)
    for at in told(series):
        parts = [f"{one_line(each.name)} {said(value)}" for each in series if (value := each.values[at])]
        path = f"M{tenths(_LEFT + width * at)} {_TOP}h{tenths(width)}v{_PLOT}h-{tenths(width)}z"
        yield tag("path", tag("title", f"{labels[at]}: {', '.join(parts)}"), d=path)


def _below(label: str, middle: float) -> Markup:
    """A label below its point, or ending at the picture's edge where it would stand out of it."""
    if middle + 3.5 * len(label) > _WIDTH:
        return tag("text", label, x=float(_WIDTH), y=_TOP + _PLOT + 18.0, text_anchor="end")
    return tag("text", label, x=middle, y=_TOP + _PLOT + 18.0)


def _stretches(points: Sequence[tuple[float, float] | None]) -> Iterator[list[tuple[float, float]]]:
    """Runs of points without a gap."""
    stretch: list[tuple[float, float]] = []
    for point in [*points, None]:
        if point is not None:
            stretch.append(point)
        elif stretch:
            yield stretch
            stretch = []

"""Small charts as inline SVG: bars of shares with their intervals, and changes with theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from interlock.core.visible import one_line
from interlock.markup.chart import picture, short
from interlock.markup.tags import Markup, tag

_LABEL, _PLOT, _FIGURE, _ROW = 250, 330, 170, 26
_NAME_MAX = 34


class Bar(NamedTuple):
    """One row of a chart.

    Attributes:
        name: What it is.
        value, low, high: The figure and its interval.
        said: The same in words.
    """

    name: str
    value: float
    low: float
    high: float
    said: str


def bars(title: str, rows: Sequence[Bar]) -> Markup:
    """Shares from 0 to 1, one below the other, each with its interval as a line."""
    return _chart(title, rows, 0.0, 1.0, filled=True)


def changes(title: str, rows: Sequence[Bar]) -> Markup:
    """Changes round 0, each a point in its interval; the scale is that of the widest."""
    most = max((abs(end) for row in rows for end in (row.low, row.high, row.value)), default=0.0) or 1.0
    return _chart(title, rows, -most, most, filled=False)


def _chart(title: str, rows: Sequence[Bar], least: float, most: float, *, filled: bool) -> Markup:
    height = _ROW * len(rows) + 8
    zero = _at(0.0, least, most)
    parts = [tag("line", x1=zero, y1=0.0, x2=zero, y2=float(height), class_="axis")]
    for number, row in enumerate(rows):
        middle = _ROW * number + 4 + _ROW / 2
        at, low, high = (_at(value, least, most) for value in (row.value, row.low, row.high))
        name = short(one_line(row.name), _NAME_MAX)
        parts.append(tag("text", name, x=float(_LABEL - 10), y=middle + 4, text_anchor="end"))
        if filled:
            parts.append(
                tag("rect", x=zero, y=middle - 7, width=max(at - zero, 0.0), height=14.0, rx=2.0, class_="bar")
            )
        else:
            parts.append(tag("circle", cx=at, cy=middle, r=4.0, class_="bar"))
        parts.append(tag("line", x1=low, y1=middle, x2=high, y2=middle, class_="interval"))
        parts.append(tag("text", row.said, x=float(_LABEL + _PLOT + 10), y=middle + 4))
    return picture(title, parts, _LABEL + _PLOT + _FIGURE, height)


def _at(value: float, least: float, most: float) -> float:
    share = (min(max(value, least), most) - least) / (most - least)
    return _LABEL + _PLOT * share

"""Where the time of a run went, as bars below each other: SVG, because no page may style what it says inline.

Time runs from left to right. Where nothing works (a person is waited for, nobody advances the run) it is drawn shorter
than it was: else two minutes of waiting would leave no width for the milliseconds that somebody looks for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise
from typing import Final, NamedTuple

from interlock.markup.tags import Markup, tag

WIDTH: Final = 1000
_HEIGHT: Final = 14
_LEAST: Final = 4.0
"""Width below which a bar could not be seen."""

_IDLE_SHARE: Final = 8
"""A stretch in which nothing works is at most this part of all work wide."""

BUSY: Final = frozenset({"model", "run"})
"""What works; `held` waits."""


class Bar(NamedTuple):
    """One stretch of time.

    Attributes:
        what: `model` (a model is asked), `run` (a call is executed) or `held` (people are waited for).
        from_us, to_us: From when to when, microseconds UTC.
    """

    what: str
    from_us: int
    to_us: int


class Scale:
    """Places moments between 0 and `WIDTH`.

    Args:
        bars: Everything that is drawn.
        from_us, to_us: The first and the last moment.

    Attributes:
        shortened: Some stretch is drawn shorter than it was.
    """

    def __init__(self, bars: Iterable[Bar], from_us: int, to_us: int) -> None:
        known = [bar for bar in bars if bar.from_us < bar.to_us]
        ends = {from_us, max(from_us, to_us)}.union(*((bar.from_us, bar.to_us) for bar in known))
        self._moments = sorted(ends)
        lengths = _worked(self._moments, known)
        worked = sum(length for length, busy in lengths if busy)
        most = max(worked // _IDLE_SHARE, 1) if worked else to_us - from_us
        widths = [length if busy else min(length, most) for length, busy in lengths]
        self.shortened = any(width < length for width, (length, _) in zip(widths, lengths, strict=True))
        total = sum(widths) or 1
        self._places = [0.0]
        for width in widths:
            self._places.append(self._places[-1] + width * WIDTH / total)

    def at(self, moment_us: int) -> float:
        """Where this moment stands."""
        moments = self._moments
        here = bisect_right(moments, moment_us) - 1
        if here < 0:
            return 0.0
        if here >= len(moments) - 1:
            return self._places[-1]
        share = (moment_us - moments[here]) / (moments[here + 1] - moments[here])
        return self._places[here] + share * (self._places[here + 1] - self._places[here])

    def drawn(self, bars: Iterable[Bar], moment_us: int) -> Markup:
        """The bars of one row; a mark at the moment where there is none."""
        boxes = [_box(bar.what, self.at(bar.from_us), self.at(bar.to_us)) for bar in bars]
        boxes = boxes or [_box("moment", self.at(moment_us), self.at(moment_us))]
        view = f"0 0 {WIDTH} {_HEIGHT}"
        return tag("svg", *boxes, class_="lane", viewBox=view, preserveAspectRatio="none", aria_hidden="true")


def _worked(moments: list[int], bars: Iterable[Bar]) -> list[tuple[int, bool]]:
    """Length of each stretch between two moments, and whether something works in it."""
    change = dict.fromkeys(moments, 0)
    for bar in bars:
        if bar.what in BUSY:
            change[bar.from_us] += 1
            change[bar.to_us] -= 1
    found, busy = [], 0
    for begin, end in pairwise(moments):
        busy += change[begin]
        found.append((end - begin, busy > 0))
    return found


def _box(what: str, begin: float, end: float) -> Markup:
    width = max(end - begin, _LEAST)
    left = min(begin, WIDTH - width)
    return tag("rect", x=round(left, 1), y=2, width=round(width, 1), height=_HEIGHT - 4, rx=2, class_=f"part-{what}")

"""A backtest as a picture: bars in a terminal, and one SVG that can be read on white and on black."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from interlock.core.visible import one_line
from interlock.evals.tally import HOLD, VERDICTS, Tally
from interlock.markup.tags import Markup, tag

WORDS: Final = {"allow": "allow", HOLD: "hold", "deny": "deny"}
"""The answers as people say them."""

_SPACE: Final = "http://www.w3.org/2000/svg"
_WIDTH, _LEFT, _BAR, _ROW = 720, 150, 420, 34
_LIGHT: Final = {"allow": "#1d6fa5", HOLD: "#8a6100", "deny": "#a8323e", "none": "#5f6672"}
_DARK: Final = {"allow": "#6db6e8", HOLD: "#e3b341", "deny": "#f28b94", "none": "#a6adba"}


class Bar(NamedTuple):
    """One row.

    Attributes:
        name: What it is of.
        parts: How many of each kind, in order: a verdict or `none`.
    """

    name: str
    parts: tuple[tuple[str, int], ...]

    @property
    def whole(self) -> int:
        """All parts together."""
        return sum(count for _, count in self.parts)


def rows_of(tally: Tally) -> tuple[list[Bar], list[Bar]]:
    """What the calls were and would be; and each change, with what is not compared."""
    verdicts = [
        Bar(name, tuple((verdict, tally.verdicts(place)[verdict]) for verdict in VERDICTS))
        for place, name in enumerate(("before", "now"))
    ]
    changes = [
        Bar(f"{WORDS[was]} → {WORDS[now]}", ((now, tally.matrix[was, now]),))
        for was in VERDICTS
        for now in VERDICTS
        if was != now and tally.matrix[was, now]
    ]
    beside = [Bar(name, (("none", count),)) for name, count in _beside(tally) if count]
    return verdicts, changes + beside


def text_bars(bars: Sequence[Bar], width: int = 40) -> list[str]:
    """Each bar as a line: its name, its length beside the longest one's, and its count."""
    most = max((bar.whole for bar in bars), default=0)
    name_width = max((len(bar.name) for bar in bars), default=0)
    return [f"{bar.name:<{name_width}}  {'█' * _length(bar.whole, most, width)} {bar.whole:,}" for bar in bars]


def svg(tally: Tally, title: str) -> str:
    """The picture, whole: no script, no font and nothing else is fetched by it."""
    verdicts, others = rows_of(tally)
    height = 100 + _ROW * (len(verdicts) + len(others)) + (30 if others else 0)
    parts = [
        tag("title", one_line(title), id="t"), tag("desc", _told(tally), id="d"), _style(),
        tag("rect", class_="page", width=_WIDTH, height=height),
        tag("text", one_line(title), class_="head", x=16, y=30),
        tag("text", _told(tally), class_="quiet", x=16, y=52),
        *_legend(),
    ]  # fmt: skip
    top = 92
    for bars in (verdicts, others):
        most = max((bar.whole for bar in bars), default=0)
        for bar in bars:
            parts += _drawn(bar, top, most)
            top += _ROW
        top += 20
    lines = (part for each in parts for part in ("\n", each))
    whole = tag("svg", *lines, "\n", xmlns=_SPACE, viewBox=f"0 0 {_WIDTH} {height}", role="img", aria_labelledby="t d")
    return f"{whole}\n"


def _told(tally: Tally) -> str:
    return (
        f"{tally.changed:,} of {tally.compared:,} compared calls change ({tally.share(tally.changed):.1%}); holds per "
        f"100 calls {tally.holds_per_100(0):.1f} → {tally.holds_per_100(1):.1f}"
    )


def _beside(tally: Tally) -> Iterable[tuple[str, int]]:
    yield "diverged", tally.diverged
    yield "undecidable", tally.undecidable


def _length(count: int, most: int, width: int) -> int:
    """Characters or points; what there is at all is seen."""
    return max(1, round(width * count / most)) if count else 0


def _style() -> Markup:
    def rules(colours: dict[str, str], page: str, ink: str, quiet: str) -> str:
        fills = "".join(f".{WORDS.get(name, name)}{{fill:{colour}}}" for name, colour in colours.items())
        return f".page{{fill:{page}}}text{{fill:{ink}}}.quiet{{fill:{quiet}}}{fills}"

    light, dark = rules(_LIGHT, "#ffffff", "#1b1f24", "#57606a"), rules(_DARK, "#14171c", "#e8eaed", "#a6adba")
    shape = "text{font:14px system-ui,sans-serif}.head{font-weight:600;font-size:16px}.quiet{font-size:13px}"
    return tag("style", Markup(f"{shape}{light}@media (prefers-color-scheme:dark){{{dark}}}"))


def _legend() -> Iterator[Markup]:
    for place, verdict in enumerate(VERDICTS):
        left = _LEFT + 90 * place
        yield tag("rect", class_=WORDS[verdict], x=left, y=66, width=12, height=12)
        yield tag("text", WORDS[verdict], class_="quiet", x=left + 18, y=77)


def _drawn(bar: Bar, top: int, most: int) -> Iterator[Markup]:
    yield tag("text", bar.name, x=16, y=top + 16)
    left = _LEFT
    for kind, count in bar.parts:
        if width := _length(count, most, _BAR):
            said = tag("title", f"{bar.name}: {WORDS.get(kind, bar.name)} {count:,}")
            yield tag("rect", said, class_=WORDS.get(kind, kind), x=left, y=top, width=width, height=22)
            left += width + 2
    yield tag("text", " · ".join(f"{count:,}" for _, count in bar.parts), class_="quiet", x=left + 6, y=top + 16)

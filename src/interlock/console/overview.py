"""The overview: what happened in a time that one picks, as figures, charts and tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from interlock.api.asking import who_of
from interlock.console.view import View, money
from interlock.core.clock import SECOND_US
from interlock.core.times import took
from interlock.errors import BadInput, MissingExtra
from interlock.markup.chart import Row, Said, Series, bars, columns, figures, lines, told
from interlock.markup.tags import Markup
from interlock.telemetry.measures_overview import Overview, Point

try:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

_HOUR_US: Final = 3600 * SECOND_US

RANGES: Final = {
    "1h": ("hour", _HOUR_US), "6h": ("6 hours", 6 * _HOUR_US), "24h": ("day", 24 * _HOUR_US),
    "7d": ("7 days", 7 * 24 * _HOUR_US), "30d": ("30 days", 30 * 24 * _HOUR_US), "90d": ("90 days", 90 * 24 * _HOUR_US),
}  # fmt: skip
"""What can be picked: in the address, in words, and how long it is."""

_ANSWERS: Final = ("done", "held", "unknown", "refused", "failed", "withheld")
_PARTS: Final = {"model": "Model turns", "tool": "Tool executions", "gates": "Gates", "person": "Waits for a person"}
_BARS: Final = 12
DRAWN_FROM: Final = 3
"""Times with figures from which on a chart is drawn: two points are no course."""


class Chart(NamedTuple):
    """A picture and its figures.

    Attributes:
        name: What it is called in the page's addresses.
        title: What it shows.
        picture: None where there is too little for one: then the figures say it all.
        table: The figures.
    """

    name: str
    title: str
    picture: Markup | None
    table: Markup


def routes(view: View) -> Sequence[BaseRoute]:
    """The page of the overview."""

    async def page(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        picked = request.query_params.get("range", "24h")
        if picked not in RANGES:
            raise BadInput(f"range: {picked!r}", code="overview.range", remedy=f"Pick one of {', '.join(RANGES)}.")
        now_us = view.site.now_us
        seen = view.site.measures.over(who.tenant, now_us - RANGES[picked][1], now_us)
        alerts = await view.site.telemetry.alerts.standing(who.tenant)
        return view.page(
            request, "overview.html", seen=seen, alerts=alerts, picked=picked, ranges=RANGES, charts=charts(seen),
            bars=ranking(seen), parts=_PARTS, live="",
        )  # fmt: skip

    return [Route("/overview", page)]


def charts(seen: Overview) -> list[Chart]:
    """What changes over the time."""
    labels = [_label(point.at_us, seen.step_us) for point in seen.points]
    answers = [_series(name, seen.points, lambda point, name=name: getattr(point.answers, name)) for name in _ANSWERS]
    answers = [each for each in answers if any(each.values)]
    found = [_chart("calls", "Calls by answer", columns, labels, answers)] if answers else []
    for at, (part, title) in enumerate(_PARTS.items()):
        if any(point.latency[at].count for point in seen.points):
            found.append(_latency(part, f"{title}: how long", labels, seen.points, at))
    if seen.micro_usd:
        spent = _series("spent", seen.points, lambda point: point.micro_usd)
        found.append(_chart("money", "Money for models", columns, labels, [spent], lambda value: money(round(value))))
    if seen.tokens:
        tokens = _series("tokens", seen.points, lambda point: point.tokens)
        found.append(_chart("tokens", "Tokens", columns, labels, [tokens]))
    return found


def ranking(seen: Overview) -> list[tuple[str, Markup]]:
    """What there is most of."""
    told = [Row(f"{each.code or each.outcome}", each.count, f"{each.count:,} {each.outcome}") for each in seen.told]
    tools = [Row(each.tool, each.calls, _many(each.calls, "call")) for each in seen.tools if each.calls]
    errors = [Row(f"{each.tool}: {each.code or each.outcome}", each.count, f"{each.count:,}") for each in seen.errors]
    pairs = [Row(f"{each.first} + {each.second}", each.runs, _many(each.runs, "run")) for each in seen.together]
    ranked = (("Tools called", tools), ("What models were told most often", told), ("Errors by tool", errors),
              ("Tools used together", pairs))  # fmt: skip
    return [(title, bars(title, rows[:_BARS], at)) for at, (title, rows) in enumerate(ranked) if rows]


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _latency(name: str, title: str, labels: Sequence[str], points: Sequence[Point], at: int) -> Chart:
    def figure(percentile: str) -> Series:
        return Series(
            percentile, [getattr(point.latency[at], f"{percentile}_us") if point.latency[at].count else None
                         for point in points],
        )  # fmt: skip

    return _chart(name, title, lines, labels, [figure("p50"), figure("p95"), figure("p99")], lambda us: took(round(us)))


def _chart(
    name: str, title: str, draw: Any, labels: Sequence[str], series: Sequence[Series], said: Said = "{:,.0f}".format
) -> Chart:  # fmt: skip
    picture = draw(title, labels, series, said) if len(told(series)) >= DRAWN_FROM else None
    return Chart(name, title, picture, figures(labels, series, said))


def _series(name: str, points: Sequence[Point], value: Any) -> Series:
    return Series(name, [value(point) for point in points])


def _label(at_us: int, step_us: int) -> str:
    """When a point begins, as exactly as its length asks for."""
    moment = datetime.fromtimestamp(at_us / SECOND_US, UTC)
    if step_us < _HOUR_US:
        return moment.strftime("%H:%M")
    return moment.strftime("%d %b %H:%M" if step_us < 24 * _HOUR_US else "%d %b")

"""Evals: what came of suites of golden cases, suite by suite over time, and one result case by case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from interlock.api.asking import who_of
from interlock.console.ledger import proof_file
from interlock.console.overview import DRAWN_FROM
from interlock.console.run import before_of
from interlock.console.view import View, seen
from interlock.core.clock import SECOND_US
from interlock.errors import MissingExtra
from interlock.evals.page import SHARES, TAKEN
from interlock.ledger.evaluated import PLAYED, RECORDED, EvaluatedCase, find_eval
from interlock.ledger.tables import Row
from interlock.markup.chart import Series, lines
from interlock.markup.tags import Markup
from interlock.verification.calibrate import Share

try:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

LOOKED_AT: Final = 1_000
"""Results, the newest, whose suites are listed."""

ROWS: Final = 50
"""Results of a suite on one page."""

DRAWN: Final = 30
"""Results in one picture, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Results of one suite.

    Attributes:
        name: The suite's.
        rows: Its results, the newest first.
        picture: How many trials of a hundred passed over time, of the newest 30; None where there is no course yet.
    """

    name: str
    rows: Sequence[Row]
    picture: Markup | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One result of a suite.

    Attributes:
        row: Its row.
        other: Whether the suite says something else than at the result before it.
    """

    row: Row
    other: bool


def routes(view: View) -> Sequence[BaseRoute]:
    """The pages of evals."""
    site = view.site

    async def page(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        found = await site.store.page("eval", {"tenant": who.tenant}, limit=LOOKED_AT)
        by_suite: dict[str, list[Row]] = {}
        for row in found.rows:
            by_suite.setdefault(row["suite"], []).append(row)
        trends = [_trend(name, rows) for name, rows in by_suite.items()]
        return view.page(
            request, "evals.html", trends=trends, looked_at=None if found.before is None else LOOKED_AT, live="eval"
        )

    async def suite(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        name, before = request.query_params.get("suite", ""), before_of(request)
        found = await site.store.page("eval", {"tenant": who.tenant, "suite": name}, limit=ROWS, before=before)
        return view.page(
            request, "eval_suite.html", suite=name, trend=_trend(name, found.rows), lines=_lines(found.rows),
            older=found.before, first=before is None, live="eval",
        )  # fmt: skip

    async def one(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        kept = await find_eval(site.store, who.tenant, request.path_params["eval_id"])
        said = kept.said
        return view.page(
            request, "eval.html", kept=kept, said=said, passed=Share(said.passed, said.trials),
            shares=[(words, Share(*said.shares[name])) for name, words in SHARES.items() if said.shares[name][1]],
            taken=[(words, said.taken[name]) for name, words in TAKEN.items() if said.taken[name]["of"]],
            cases=sorted(said.cases, key=_rate), each_took={case.name: _each(case) for case in said.cases}, live="",
        )  # fmt: skip

    async def proof(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        kept = await find_eval(site.store, who.tenant, request.path_params["eval_id"])
        return await proof_file(site, kept.chain, kept.seq)

    return [
        Route("/evals", page),
        Route("/evals/of", suite),
        Route("/evals/{eval_id}", one),
        Route("/evals/{eval_id}/proof", proof),
    ]


def _trend(name: str, rows: Sequence[Row]) -> Trend:
    drawn = rows[:DRAWN][::-1]
    labels = [datetime.fromtimestamp(row["at_us"] / SECOND_US, UTC).strftime("%d %b %H:%M") for row in drawn]
    series = [
        Series(how, [100 * row["passed"] / row["trials"] if row["how"] == how else None for row in drawn])
        for how in (PLAYED, RECORDED)
        if any(row["how"] == how for row in drawn)
    ]
    title = f"Trials of {seen(name)} that passed, of 100"
    picture = lines(title, labels, series, "{:,.0f} %".format, 100.0) if len(drawn) >= DRAWN_FROM else None
    return Trend(name=name, rows=rows, picture=picture)


def _lines(rows: Sequence[Row]) -> list[Line]:
    """Each result, with whether the suite was another at the one before it; of the last nobody looks."""
    pairs = [*pairwise(rows), *((row, row) for row in rows[-1:])]
    return [Line(row=row, other=row["suite_digest"] != before["suite_digest"]) for row, before in pairs]


def _rate(case: EvaluatedCase) -> float:
    return case.passed / case.trials if case.trials else 0.0


def _each(case: EvaluatedCase) -> Mapping[str, float | None]:
    """What one trial of a case took, on the average."""
    return {name: None if (whole := case.taken.get(name)) is None else whole / case.trials for name in TAKEN}

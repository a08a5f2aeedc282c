"""Counts of a time become its overview. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from interlock.limits.use import BudgetUse
from interlock.telemetry.measures_buckets import OTHER, Bucket, Found, Totals
from interlock.telemetry.measures_fold import Key
from interlock.telemetry.measures_overview import (
    Answers,
    ApproverFigures,
    DecisionFigures,
    ErrorFigures,
    Holds,
    Latency,
    ModelFigures,
    Overview,
    Point,
    RunFigures,
    Spender,
    Together,
    Told,
    ToolFigures,
)
from interlock.telemetry.measures_times import Steps, count_of, percentiles

PARTS: Final = ("model", "tool", "gates", "person")
"""The parts of latency, in order."""

_PERCENTILES: Final = (0.5, 0.95, 0.99)
_ANSWERS: Final = ("done", "refused", "failed", "withheld", "held", "unknown")
_BAD: Final = frozenset({"failed", "refused", "withheld", "unknown"})

Group = dict[Key, int]
"""Labels to count, of one `what`."""


class Span(NamedTuple):
    """The time that is told.

    Attributes:
        tenant: Whose.
        since_us, until_us, step_us: From a bucket's begin, to, and how long a bucket is.
        complete_from_us, as_of_us: As of `Overview`.
    """

    tenant: str
    since_us: int
    until_us: int
    step_us: int
    complete_from_us: int
    as_of_us: int


def drawn(span: Span, found: Found, budgets: tuple[BudgetUse, ...] = ()) -> Overview:
    """The overview of a time."""
    by_what = _grouped(found.buckets)
    ended = by_what["ended"]
    answers = _answers(ended)
    codes: Counter[str] = Counter()
    for (_, _, _, _, _, code), count in ended.items():
        codes[code] += count
    return Overview(
        **span._asdict(),
        calls=sum(by_what["proposed"].values()),
        answers=answers,
        points=_points(span, found.totals),
        latency=_latencies(by_what),
        tools=_tools(by_what),
        errors=_errors(ended),
        told=_told(ended),
        decisions=_decisions(by_what["decided"]),
        models=_models(by_what),
        agents=_spenders(by_what, 1, {})[:50],
        users=_spenders(by_what, 2, _summed(by_what["user"], 0))[:50],
        users_count=len(by_what["user"]),
        holds=_holds(by_what),
        approvers=_approvers(by_what),
        loops=codes["limit.loop"],
        fan_outs=codes["limit.fan_out"],
        together=tuple(
            Together(first=first, second=second, runs=runs) for (first, second), runs in _most(by_what["pair"], 30)
        ),
        runs=_runs(by_what["run"]),
        dead_letters=sum(by_what["dead"].values()),
        budgets=budgets,
    )


def _grouped(buckets: Iterable[Bucket]) -> dict[str, Group]:
    found: dict[str, Group] = defaultdict(dict)
    whole: Bucket = {}
    for bucket in buckets:
        for key, count in bucket.items():
            whole[key] = whole.get(key, 0) + count
    for key, count in whole.items():
        found[key[0]][key[1:]] = count
    return found


def _most(group: Mapping[Any, int], at_most: int) -> list[tuple[Any, int]]:
    """The largest counts first, and by name where they are equal."""
    return sorted(group.items(), key=lambda item: (-item[1], item[0]))[:at_most]


def _summed(group: Group, place: int) -> Counter[str]:
    """Counts by one label."""
    found: Counter[str] = Counter()
    for labels, count in group.items():
        found[labels[place]] += count
    return found


def _answers(ended: Group) -> Answers:
    return Answers(**_summed(ended, 0))


def _points(span: Span, totals: Mapping[int, Totals]) -> tuple[Point, ...]:
    return tuple(_point(at_us, totals.get(at_us, {})) for at_us in range(span.since_us, span.until_us, span.step_us))


def _point(at_us: int, totals: Totals) -> Point:
    return Point(
        at_us=at_us,
        calls=totals.get("proposed", 0),
        answers=Answers(**{kind: totals.get("ended " + kind, 0) for kind in _ANSWERS}),
        latency=tuple(
            _latency(part, totals.get("took " + part, 0), totals.get("took_us " + part, 0)) for part in PARTS
        ),
        tokens=totals.get("input", 0) + totals.get("output", 0),
        micro_usd=totals.get("micro_usd", 0),
        requested=totals.get("requested", 0),
    )


def _latency(part: str, steps: Steps = 0, us: int = 0) -> Latency:
    count = count_of(steps)
    p50_us, p95_us, p99_us = percentiles(steps, _PERCENTILES)
    mean_us = us // count if count else 0
    return Latency(part=part, count=count, mean_us=mean_us, p50_us=p50_us, p95_us=p95_us, p99_us=p99_us)


def _latencies(by_what: Mapping[str, Group]) -> tuple[Latency, ...]:
    steps, sums = _summed(by_what["took"], 0), _summed(by_what["took_us"], 0)
    return tuple(_latency(part, steps[part], sums[part]) for part in PARTS)


def _latencies_by(by_what: Mapping[str, Group], part: str) -> dict[str, Latency]:
    """Of each name, its latency of one part."""
    took = ((labels, steps) for labels, steps in by_what["took"].items() if labels[0] == part)
    return {labels[1]: _latency(part, steps, by_what["took_us"].get(labels, 0)) for labels, steps in took}


def _tools(by_what: Mapping[str, Group]) -> tuple[ToolFigures, ...]:
    where: dict[str, tuple[str, str]] = {}
    calls: Counter[str] = Counter()
    for (tool, server, effect), count in by_what["proposed"].items():
        calls[tool] += count
        if effect or tool not in where:
            where[tool] = (server, effect)
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for (outcome, tool, server, effect, _, _), count in by_what["ended"].items():
        answers[tool][outcome] += count
        if effect or tool not in where:
            where[tool] = (server, effect)
    offered: Counter[str] = Counter()
    for (names,), count in by_what["offered"].items():
        for name in names if names != OTHER else ():
            offered[name] += count
    took = _latencies_by(by_what, "tool")
    of = {
        what: _summed(by_what[what], 0)
        for what in ("cached", "chosen", "stumbled", "recovered", "turn_tokens", "turn_micro_usd", "granted")
    }
    money = _summed(by_what["verify_micro_usd"], 0)
    for (tool, unit), count in by_what["spent"].items():
        money[tool] += count if unit == "micro_usd" else 0
    figures = [
        ToolFigures(
            tool=tool, server=where.get(tool, ("", ""))[0], effect=where.get(tool, ("", ""))[1], calls=calls[tool],
            answers=Answers(**answers[tool]), latency=took.get(tool, _latency("tool")), offered=offered[tool],
            micro_usd=money[tool], **{what: each[tool] for what, each in of.items()},
        )
        for tool in {*where, *offered, *of["chosen"]}
    ]  # fmt: skip
    return tuple(sorted(figures, key=lambda each: (-each.calls, -each.offered, each.tool))[:200])


def _errors(ended: Group) -> tuple[ErrorFigures, ...]:
    found: Counter[tuple[str, str, str]] = Counter()
    for (outcome, tool, _, _, _, code), count in ended.items():
        if outcome in _BAD:
            found[(tool, outcome, code)] += count
    return tuple(
        ErrorFigures(tool=tool, outcome=outcome, code=code, count=count)
        for (tool, outcome, code), count in _most(found, 100)
    )


def _told(ended: Group) -> tuple[Told, ...]:
    found: Counter[tuple[str, str, str]] = Counter()
    for (outcome, _, _, _, gate, code), count in ended.items():
        if outcome != "done":
            found[(outcome, gate, code)] += count
    return tuple(
        Told(outcome=outcome, gate=gate, code=code, count=count) for (outcome, gate, code), count in _most(found, 50)
    )


def _decisions(decided: Group) -> tuple[DecisionFigures, ...]:
    return tuple(
        DecisionFigures(verdict=verdict, reason=reason, count=count) for (verdict, reason), count in _most(decided, 100)
    )


def _models(by_what: Mapping[str, Group]) -> tuple[ModelFigures, ...]:
    turns = _summed(by_what["turns"], 0)
    took = _latencies_by(by_what, "model")
    of = {
        what: _summed(by_what[name], 0)
        for what, name in (
            ("input_tokens", "input"), ("output_tokens", "output"), ("cached_tokens", "cached_input"),
            ("reasoning_tokens", "reasoning"), ("micro_usd", "micro_usd"),
        )
    }  # fmt: skip
    return tuple(
        ModelFigures(
            model=model, turns=count, latency=took.get(model, _latency("model")),
            **{what: each[model] for what, each in of.items()},
        )
        for model, count in _most(turns, 50)
    )  # fmt: skip


def _spenders(by_what: Mapping[str, Group], place: int, calls: Mapping[str, int]) -> tuple[Spender, ...]:
    """Spenders by the label at this place of what models took, and whoever only called tools."""
    turns, money = _summed(by_what["turns"], place), _summed(by_what["micro_usd"], place)
    tokens = _summed(by_what["input"], place) + _summed(by_what["output"], place)
    found = [
        Spender(name=name, turns=turns[name], tokens=tokens[name], micro_usd=money[name], calls=calls.get(name, 0))
        for name in {*turns, *calls}
    ]
    return tuple(sorted(found, key=lambda each: (-each.micro_usd, -each.tokens, -each.calls, each.name)))


def _holds(by_what: Mapping[str, Group]) -> Holds:
    over, answered = _summed(by_what["over"], 0), _summed(by_what["answered"], 0)
    return Holds(
        requested=sum(by_what["requested"].values()), expired=over["expired"], withdrawn=over["withdrawn"],
        superseded=over["superseded"], granted=sum(by_what["granted"].values()), approved=answered["approve"],
        answered=sum(answered.values()),
    )  # fmt: skip


def _approvers(by_what: Mapping[str, Group]) -> tuple[ApproverFigures, ...]:
    took, viewed = _latencies_by(by_what, "person"), _latencies_by(by_what, "viewed")
    said, hasty, answered = _summed(by_what["answered"], 1), _summed(by_what["hasty"], 0), by_what["answered"]
    return tuple(
        ApproverFigures(
            person=person, approved=answered.get(("approve", person), 0), rejected=answered.get(("reject", person), 0),
            edited=answered.get(("edit", person), 0), responded=answered.get(("respond", person), 0),
            hasty=hasty[person], latency=took.get(person, _latency("person")),
            viewed=viewed.get(person, _latency("viewed")),
        )
        for person, _ in _most(said, 50)
    )  # fmt: skip


def _runs(group: Group) -> RunFigures:
    how = _summed(group, 0)
    ends: Counter[str] = Counter()
    for (what, _, reason), count in group.items():
        if what == "finished":
            ends[reason] += count
    return RunFigures(
        started=how["started"], finished=how["finished"], cancelled=how["cancelled"], ends=tuple(_most(ends, 20))
    )

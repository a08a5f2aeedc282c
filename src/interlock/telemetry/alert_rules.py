"""What is out of the ordinary now: each rule from figures to findings. Pure.

A finding is either enough to tell people (`raises`) or only enough for an alert that stands to go on standing: so an
alert does not come and go while a figure wavers about its threshold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from interlock.alert_settings import AlertSettings
from interlock.approvals.fatigue import ALARM_APPROVED, ALARM_DECISIONS, ALARM_VIEWED_MS
from interlock.core.clock import SECOND_US
from interlock.limits.use import BudgetUse
from interlock.telemetry.alert_patterns import Patterns
from interlock.telemetry.measures_buckets import MINUTE_US
from interlock.telemetry.measures_overview import ApproverFigures, ToolFigures

GOES_ON: Final = 0.5
"""Part of the threshold of errors above which an alert goes on."""

BUDGET_BACK: Final = 10
"""Percents below its threshold at which an alert about a budget is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is out of the ordinary.

    Attributes:
        rule, subject: As of `About`.
        says: One sentence for people, with the figures.
        figures: The same as numbers and names.
        raises: Whether it is enough to raise an alert; else it only keeps one standing.
        run_id: The run that it is about, or the first of several.
    """

    rule: str
    subject: str
    says: str
    figures: Mapping[str, Any]
    raises: bool = True
    run_id: str = ""


def errors(tools: Iterable[ToolFigures], settings: AlertSettings) -> list[Finding]:
    """Tools of which too many executed calls fail."""
    found = []
    for tool in tools:
        answers = tool.answers
        bad = answers.failed + answers.unknown
        executed = bad + answers.done + answers.withheld
        if not settings.errors or not bad or bad < settings.errors * GOES_ON * executed:
            continue
        share = bad / executed
        found.append(
            Finding(
                rule="errors", subject=tool.tool,
                says=f"{bad} of {executed} calls of {tool.tool} failed within {settings.errors_within_min} minutes"
                f" ({share:.0%}; the threshold is {settings.errors:.0%})",
                figures={"failed": bad, "calls": executed, "percent": round(100 * share)},
                raises=share >= settings.errors and executed >= settings.errors_min,
            )
        )  # fmt: skip
    return found


def patterns(usual: Patterns, now_us: int, settings: AlertSettings) -> list[Finding]:
    """Bursts, and principals that take up many tools at once."""
    found = []
    for burst in usual.bursts(now_us, settings.burst) if settings.burst else ():
        whose = "anybody's" if burst.others else "their own"
        found.append(
            Finding(
                rule="burst", subject=f"{burst.principal} {burst.tool}",
                says=f"{burst.principal} called {burst.tool} {burst.calls} times within ten minutes; {whose} busiest"
                f" ten minutes in two weeks had {burst.usual} (chance {burst.odds:.0e})",
                figures={
                    "principal": burst.principal, "tool": burst.tool, "calls": burst.calls, "usual": burst.usual,
                    "usual_of": "others" if burst.others else "own", "odds": f"{burst.odds:.1e}",
                },
            )
        )  # fmt: skip
    for fresh in usual.fresh(now_us, settings.new_tools) if settings.new_tools else ():
        found.append(
            Finding(
                rule="new_tools", subject=fresh.principal,
                says=f"{fresh.principal} took up {len(fresh.tools)} tools within an hour ({', '.join(fresh.tools[:5])}"
                f"{', …' if len(fresh.tools) > 5 else ''}), having used {fresh.known} in {fresh.past} calls before"
                f" (chance {fresh.odds:.0e})",
                figures={
                    "principal": fresh.principal, "new": len(fresh.tools), "calls": fresh.calls, "known": fresh.known,
                    "past": fresh.past, "odds": f"{fresh.odds:.1e}",
                },
            )
        )  # fmt: skip
    return found


def budgets(uses: Iterable[BudgetUse], settings: AlertSettings) -> list[Finding]:
    """Budgets of which much is used."""
    found = []
    for use in uses:
        used = use.spent + use.reserved
        percent = 100 * used / use.most if use.most else 100.0
        whose = ", ".join(f"{kind} {name}" for kind, name in use.whose.items()) or "everybody"
        for threshold in settings.budget:
            if percent >= threshold - BUDGET_BACK:
                found.append(
                    Finding(
                        rule="budget", subject=f"{use.name or 'run'}/{use.unit}/{whose}/{use.anew_us or 0}/{threshold}",
                        says=f"{percent:.0f} % of the budget {use.name or 'of its own'} for {whose} is used:"
                        f" {used:,} of {use.most:,} {use.unit}",
                        figures={
                            "budget": use.name, "unit": use.unit, "whose": dict(use.whose), "used": used,
                            "most": use.most, "threshold": threshold,
                        },
                        raises=percent >= threshold, run_id=use.whose.get("run", ""),
                    )
                )  # fmt: skip
    return found


def late(rule: str, waiting: Sequence[tuple[int, str]], now_us: int, minutes: int) -> list[Finding]:
    """Runs of which nothing was heard for too long: one finding for all, so that a flood is one.

    Args:
        rule: `stuck` or `held`.
        waiting: Since when, and the run.
        minutes: From when on it is too long; 0 for never.
    """
    ordered = sorted(each for each in waiting if minutes and now_us - each[0] >= minutes * MINUTE_US)
    if not ordered:
        return []
    since_us, run_id = ordered[0]
    longest = (now_us - since_us) // (60 * SECOND_US)
    runs = len({run for _, run in ordered})
    what = {
        "stuck": f"{runs} {_runs(runs)} due for more than {minutes} minutes and nobody works on {_them(runs)}",
        "held": f"{len(ordered)} {_requests(len(ordered))} for more than {minutes} minutes",
    }[rule]
    return [
        Finding(
            rule=rule, subject="", says=f"{what}; the longest for {longest:,} minutes",
            figures={"count": len(ordered), "runs": runs, "longest_min": longest}, run_id=run_id,
        )
    ]  # fmt: skip


def fatigue(approvers: Iterable[ApproverFigures]) -> list[Finding]:
    """Approvers who approve nearly everything at a glance (spec: approvals, 8)."""
    found = []
    for one in approvers:
        decisions = one.approved + one.rejected + one.edited + one.responded
        viewed_ms = one.viewed.p50_us // 1000
        goes_on = decisions >= ALARM_DECISIONS and one.approved > (ALARM_APPROVED - 0.01) * decisions
        if not goes_on or not one.viewed.count or viewed_ms >= 1.1 * ALARM_VIEWED_MS:
            continue
        found.append(
            Finding(
                rule="fatigue", subject=one.person,
                says=f"{one.person} approved {one.approved} of {decisions} within a week, with a median view of"
                f" {viewed_ms / 1000:.1f} s",
                figures={
                    "person": one.person, "approved": one.approved, "decisions": decisions, "viewed_ms": viewed_ms,
                },
                raises=one.approved > ALARM_APPROVED * decisions and viewed_ms < ALARM_VIEWED_MS,
            )
        )  # fmt: skip
    return found


def _runs(count: int) -> str:
    return "run is" if count == 1 else "runs are"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


def _requests(count: int) -> str:
    return "request for approval waits" if count == 1 else "requests for approval wait"

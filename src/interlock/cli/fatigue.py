"""`interlock approvals suggest-grants` and `figures`: what past approvals say about the next ones."""

from __future__ import annotations

import shlex
from functools import partial
from typing import Any

import click
from rich.console import RenderableType

from interlock.app import Interlock
from interlock.approvals.fatigue import Approver, Figures, figures
from interlock.approvals.grant import ToolIdentity
from interlock.approvals.past import past_requests
from interlock.approvals.suggest import Suggestion, suggest
from interlock.approvals.where import sentences
from interlock.cli.approvals import approvals as approvals  # told again: with it come the commands of both files
from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, fields, heading, note, told
from interlock.cli.output import Exit, Report
from interlock.cli.predicates import options_of
from interlock.core.clock import SECOND_US
from interlock.core.times import took
from interlock.ledger.store import Store

_DAY_US = 86_400 * SECOND_US
_BAR = 40
_ALL = 1 << 62


@command("suggest-grants", approvals, example="interlock approvals suggest-grants\n"
         "interlock approvals suggest-grants --days 30 --json")  # fmt: skip
@click.option("--days", type=click.IntRange(1, 365), default=90, show_default=True, help="How far back to look.")
def suggest_grants(deployment: Deployment, days: int) -> Report:
    """Propose grants that cover what people approved, and nothing else.

    Each covers at least three approved requests of a tool as it is defined now, and none that was rejected, edited,
    answered in its place or left to expire. Never for privileged tools. Nothing is granted by this.
    """
    found = deployment.with_plane(partial(_suggested, deployment, days))
    told_of = [_document(one, days) for one in found]
    if not found:
        return Report(
            {"suggestions": []}, [note(f"Nothing was approved often enough in {days} days to propose a grant.")]
        )
    view: list[RenderableType] = []
    for one, said in zip(found, told_of, strict=True):
        what = "; ".join(f"{at} {holds}" for at, holds in sentences(one.where)) or "no arguments"
        view += [
            heading(one.tool.name),
            fields(
                (
                    ("on behalf of", one.subject or "anybody"),
                    ("what", what),
                    ("covers", f"{len(one.covers)} of {one.approved} approved"),
                    ("near misses", ", ".join(one.near_misses) or "none"),
                    *([("free text", told(", ".join(one.free), "bad"))] if one.free else []),
                )
            ),
            told(said["command"], "strong"),
        ]
    return Report({"suggestions": told_of}, view)


@command("figures", approvals, example="interlock approvals figures\ninterlock approvals figures --days 7 --json")
@click.option("--days", type=click.IntRange(1, 365), default=30, show_default=True, help="How far back to look.")
def figures_(deployment: Deployment, days: int) -> Report:
    """How often people are asked, and how fast and how willingly they say yes.

    Exit code 1: somebody approves more than 98 % over at least 50 decisions, with a median view below 3 seconds.
    """
    found = deployment.with_store(partial(_figures, deployment.person.tenant, days, deployment.now_us))
    share = found.granted / found.held if found.held else 0.0
    per_100 = 100 * found.held / found.calls if found.calls else 0.0
    document = {
        "days": days,
        "calls": found.calls,
        "held": found.held,
        "asked": found.asked,
        "granted": found.granted,
        "holds_per_100_calls": round(per_100, 1),
        "share_granted": round(share, 3),
        "approvers": [_approver(one) for one in found.approvers],
        "alarms": [one.person for one in found.tired],
    }
    view: list[RenderableType] = [
        fields(
            (
                ("consequential calls", f"{found.calls} in {days} days"),
                ("held", f"{found.held}, {per_100:.1f} of 100 calls"),
                ("put to people", f"{_bar(found.asked, found.held)} {found.asked}"),
                ("answered by grants", f"{_bar(found.granted, found.held)} {found.granted}"),
            )
        ),
        Listing(
            ("approver", "decisions", "approved", "median view", "median time to decide"),
            [_cells(one) for one in found.approvers],
            empty="Nobody decided anything.",
        ),
    ]
    for one in found.tired:
        view.append(told(f"alarm: {one.person} approved {_percent(one)} of {one.decisions}, each at a glance", "alarm"))
    if found.tired:
        view.append(note("See `interlock approvals suggest-grants` for what need not be asked each time."))
    return Report(document, view, Exit.NO if found.tired else Exit.DONE)


async def _suggested(deployment: Deployment, days: int, plane: Interlock) -> list[Suggestion]:
    now_us = deployment.now_us
    asked = await past_requests(plane.store, deployment.person.tenant, now_us - days * _DAY_US, now_us)
    return suggest(asked, {ToolIdentity.of(tool): tool for tool in plane.tools})


async def _figures(tenant: str, days: int, now_us: int, store: Store) -> Figures:
    since_us = now_us - days * _DAY_US
    calls = [row for row in await store.rows("tool_call", {"tenant": tenant}, _ALL) if row["proposed_us"] >= since_us]
    return figures(calls, await past_requests(store, tenant, since_us, now_us))


def _document(one: Suggestion, days: int) -> dict[str, Any]:
    subject = ["--subject", one.subject] if one.subject else []
    uses, expires = min(1000, len(one.covers)), f"{min(30, days)}d"
    words = shlex.join([*subject, "--uses", str(uses), "--expires", expires, "--reason", f"approved {uses} times"])
    typed = " ".join(
        part for part in ("interlock grants issue", shlex.quote(one.tool.name), options_of(one.where), words) if part
    )
    return {
        "tool": one.tool._asdict(),
        "where": one.where.as_json(),
        "subject": one.subject or None,
        "covers": list(one.covers),
        "approved": one.approved,
        "near_misses": list(one.near_misses),
        "free": list(one.free),
        "command": typed,
    }


def _approver(one: Approver) -> dict[str, Any]:
    return {
        "person": one.person,
        "decisions": one.decisions,
        "approved": one.approved,
        "viewed_ms": one.viewed_ms,
        "took_us": one.took_us,
    }


def _cells(one: Approver) -> tuple[str, ...]:
    viewed = "not known" if one.viewed_ms is None else took(one.viewed_ms * 1000)
    return one.person, str(one.decisions), _percent(one), viewed, took(one.took_us)


def _percent(one: Approver) -> str:
    return f"{100 * one.approved // one.decisions} %"


def _bar(part: int, whole: int) -> str:
    filled = round(_BAR * part / whole) if whole else 0
    return "█" * filled + "░" * (_BAR - filled)

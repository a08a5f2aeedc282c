"""`interlock doctor`: whether a deployment is ready, and which tools can be reached ungoverned."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, heading, note, told
from interlock.cli.output import Exit, Report
from interlock.cli.site import look
from interlock.wrapping.checklist import CHECKS
from interlock.wrapping.coverage import Coverage, Way
from interlock.wrapping.readiness import Finding, Severity

_STYLES = {Severity.BAD: "bad", Severity.WARN: "wait", Severity.GOOD: "good"}
_ORDER = (Severity.BAD, Severity.WARN, Severity.GOOD)


@command("doctor", example="interlock doctor\ninterlock doctor --client ~/.cursor/mcp.json --json")
@click.option(
    "--client", "clients", metavar="FILE", type=click.Path(path_type=Path), multiple=True,
    help="A client's file of MCP servers; may be repeated. Else those in their known places.",
)  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Also what is as it should be.")
def doctor(deployment: Deployment, clients: tuple[Path, ...], everything: bool) -> Report:
    """Whether this deployment is ready, and what is left ungoverned.

    Each finding comes with what to do, and the clients' files with the tools that they reach past Interlock. It starts
    the servers and changes nothing. Exit code 1 where something is bad, or where tools of a client are left
    ungoverned.
    """
    seen = look(deployment, clients)
    findings = sorted(seen.findings, key=lambda each: _ORDER.index(each.severity))
    covered = seen.covered
    bad = [each for each in findings if each.severity is Severity.BAD]
    document = {
        "ready": not bad,
        "findings": [
            {
                "check": each.check,
                "severity": each.severity.value,
                "says": each.says,
                "do": each.do,
                "answers": CHECKS[each.check].answers,
            }
            for each in findings
        ],
        "coverage": _coverage_document(covered),
    }
    shown = [each for each in findings if everything or each.severity is not Severity.GOOD]
    counts = Counter(each.severity for each in findings)
    view: list[RenderableType] = [
        *_findings(shown),
        told(", ".join(f"{counts[each]} {each.value}" for each in _ORDER), "bad" if bad else "strong"),
        *_coverage_view(covered),
    ]
    return Report(document, view, Exit.NO if bad or covered.ways else Exit.DONE)


def _findings(findings: list[Finding]) -> list[RenderableType]:
    rows = [(told(each.severity.value, _STYLES[each.severity]), each.check, each.says, each.do) for each in findings]
    return [Listing(("", "check", "found", "what to do"), rows, empty="Nothing to do.")]


def _coverage_document(covered: Coverage) -> dict[str, Any]:
    return {
        "percent": covered.percent, "governed": covered.governed,
        "clients": [{"file": file, "kind": kind} for file, kind in covered.clients],
        "ungoverned": [
            {"client": way.client, "what": way.what, "how": way.how, "tools": way.tools, "do": way.do}
            for way in covered.ways
        ],
    }  # fmt: skip


def _coverage_view(covered: Coverage) -> list[RenderableType]:
    if covered.percent is None:
        return [heading("Coverage"), note("No client's file was found: name one with --client.")]
    said = f"Coverage: {covered.percent} % of the tools that these clients reach are governed"
    view: list[RenderableType] = [heading(said), *(note(f"{file} ({kind})") for file, kind in covered.clients)]
    if covered.ways:
        view.append(Listing(("reached ungoverned", "how", "tools", "what to do"), map(_row, covered.ways), empty=""))
    return view


def _row(way: Way) -> tuple[str, str, str, str]:
    return way.what, way.how, str(way.tools), way.do

"""`interlock doctor`: whether a deployment is ready, and which tools can be reached ungoverned."""

from __future__ import annotations

import platform
from collections import Counter
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType

from interlock.app import Interlock
from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, heading, note, told
from interlock.cli.output import Exit, Report
from interlock.core.principal import Principal
from interlock.errors import InterlockError
from interlock.ledger.sqlite_audit import Audited
from interlock.policy.cedar import Policy
from interlock.sources.mcp_server import State
from interlock.wrapping.clients import known_files
from interlock.wrapping.coverage import Coverage, Way, coverage, read_clients
from interlock.wrapping.readiness import Finding, Severity, Site, examine

_STYLES = {Severity.BAD: "bad", Severity.WARN: "wait", Severity.GOOD: "good"}
_NEWEST = "SELECT ifnull((SELECT at_us FROM {} ORDER BY rowid DESC LIMIT 1), 0)"
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
    site, tools, broken = _looked(deployment)
    findings = sorted([*broken, *examine(site), *_versions()], key=lambda each: _ORDER.index(each.severity))
    files = list(clients) or known_files(Path.home(), Path.cwd())
    covered = coverage(read_clients(files), deployment.settings, tools, Path.home())
    bad = [each for each in findings if each.severity is Severity.BAD]
    document = {
        "ready": not bad,
        "findings": [
            {"check": each.check, "severity": each.severity.value, "says": each.says, "do": each.do}
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


def _looked(deployment: Deployment) -> tuple[Site, dict[str, int], list[Finding]]:
    """What there is, how many tools each server has, and what could not be looked at."""
    settings = deployment.settings
    broken: list[Finding] = []
    site = Site(settings=settings, now_us=deployment.now_us)
    tools: Counter[str] = Counter()
    try:
        people = deployment.keys.list() if deployment.keys_file.exists() else None
        site = replace(site, people=people)
    except InterlockError as error:
        broken.append(_cannot("keys", error))
    try:
        if settings.ledger is not None and settings.at(settings.ledger).exists():
            site = replace(site, ledger=_ledger(settings.at(settings.ledger)))
    except InterlockError as error:
        broken.append(_cannot("ledger", error))

    async def look(plane: Interlock) -> Site:
        servers = {name: "" if each.state is State.READY else f"{each.state.value}: {each.why}"
                   for name, each in plane.fleet.servers.items()}  # fmt: skip
        tools.update(tool.server for tool in plane.tools)
        policy, nobody = plane.plane.policy, Principal("nobody")
        assert isinstance(policy, Policy), "a plane that settings describe has a policy of rules"
        return replace(
            site, tools=tuple(plane.tools), withheld=dict(plane.plane.registry.withheld), servers=servers,
            approvers=policy.approvers,
            open_to=[tool.name for tool in plane.tools if policy.may_have(nobody, tool)],
        )  # fmt: skip

    try:
        site = deployment.with_plane(look)
    except InterlockError as error:
        broken.append(_cannot("opens", error))
    return site, dict(tools), broken


def _cannot(check: str, error: InterlockError) -> Finding:
    return Finding(check, Severity.BAD, str(error.args[0]), error.remedy)


def _ledger(file: Path) -> tuple[int, int, int]:
    audited = Audited(file)
    try:
        events = audited.count("SELECT ifnull(max(pos), 0) FROM event")
        sealed = audited.count("SELECT ifnull(max(size), 0) FROM checkpoint")
        return events, sealed, max(audited.count(_NEWEST.format(table)) for table in ("authz_decision", "checkpoint"))
    finally:
        audited.close()


def _versions() -> list[Finding]:
    found = {"python": platform.python_version()}
    for package in ("interlock", "mcp", "cedarpy", "apsw", "cryptography"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return [Finding("versions", Severity.GOOD, ", ".join(f"{name} {is_}" for name, is_ in found.items()))]


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

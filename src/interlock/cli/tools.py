"""`interlock tools`: what is offered, how well it is described, and whether it is still what was reviewed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Cell, Listing, heading, note, told
from interlock.cli.output import Exit, Report
from interlock.core.event import HEALTH
from interlock.core.times import ago
from interlock.core.tool import Tool
from interlock.ledger.definitions import Definitions
from interlock.ledger.store import Store
from interlock.models.names import floating
from interlock.models.route import leaves
from interlock.profile_files import profiles_of
from interlock.registry.accepted import Accepted
from interlock.registry.findings import Finding, Severity
from interlock.registry.foreign import tool_of
from interlock.registry.lint import counted, lint, worst
from interlock.registry.lint_tool import score
from interlock.registry.pin import NEW, Pins, pins_of, read_pins, write_pins
from interlock.services import import_services
from interlock.sources.python import import_agents, import_tools

PINS = Path("tools.pins.json")
"""Name of the pin file where the settings name none."""


@click.group()
def tools() -> None:
    """The tools: list, lint, pin, and find what drifted."""


@command("list", tools, example="interlock tools list\ninterlock tools list --json | jq '.tools[].name'")
def list_(deployment: Deployment) -> Report:
    """Every tool, with its effect and whether it is as it was reviewed.

    Tools of servers are those that a plane saw last.
    """
    found = own_tools(deployment)
    pins = pins_in_file(deployment)
    rows: list[tuple[Cell, ...]] = []
    document: list[dict[str, Any]] = []
    for tool in found:
        pinned = _pinned(tool, pins)
        first_line = tool.description.partition("\n")[0]
        rows.append((tool.name, tool.server, tool.effect.value, tool.version, tool.digest[:12], pinned, first_line))
        document.append(_document(tool) | {"pinned": pinned})
    for server, name, standing, seen in _foreign(deployment.with_store(_known)):
        style = {"yes": "", "new": "wait"}.get(standing, "bad")
        whole = ["–", "–", "–"] if seen is None else [seen.effect.value, seen.version, seen.digest[:12]]
        text = "" if seen is None else seen.description.partition("\n")[0]
        rows.append((name, server, *whole, told(standing, style), text))
        said = {"name": name, "server": server} if seen is None else _document(seen)
        document.append(said | {"pinned": standing})
    listing = Listing(
        ("tool", "server", "effect", "version", "definition", "pinned", "description"), rows, empty="No tools."
    )
    down = deployment.with_store(down_now)
    view: list[RenderableType] = [listing]
    if down:
        rows = [
            (each["what"], each["server"] or ", ".join(each["tools"]), ago(each["since_us"], deployment.now_us),
             each["worker"], each["why"])
            for each in down
        ]  # fmt: skip
        columns = ("what", "needed by", "since", "seen by", "why")
        view += [heading("Did not answer when it was asked last"), Listing(columns, rows, empty="")]
    return Report({"tools": document, "down": down}, view)


@command("lint", tools, example="interlock tools lint\ninterlock tools lint --fail-on warning --json")
@click.option(
    "--fail-on",
    type=click.Choice([severity.value for severity in Severity]),
    default="error",
    show_default=True,
    help="Exit with 1 where a finding is at least this grave.",
)
def lint_(deployment: Deployment, fail_on: str) -> Report:
    """What invites mistakes of a model, and a score for each tool.

    Vague descriptions, free text where there is a choice, missing bounds and units, and so on; and models of agents and
    of [verify] whose names are aliases.
    """
    every = _profiled(deployment)
    found = [*lint(every), *_floating(deployment)]
    gravest = worst(found)
    failed = gravest is not None and gravest.rank >= Severity(fail_on).rank
    scores = {tool.name: score(tool) for tool in every}
    document = {
        "findings": [each.as_json() for each in found],
        "counts": [row._asdict() for row in counted(found)],
        "scores": {name: {"points": each.points, "failed": each.failed} for name, each in scores.items()},
        "fail_on": fail_on,
        "failed": failed,
    }
    rows = [
        (told(each.rule.severity.value, _SEVERITIES[each.rule.severity]), each.code, each.message) for each in found
    ]
    view: list[RenderableType] = [Listing(("severity", "rule", "finding"), rows, empty="Nothing to improve.")]
    if found:
        worse = [(name, str(each.points), ", ".join(each.failed)) for name, each in scores.items() if each.failed]
        number = Counter(each.rule.severity.value for each in found)
        counts = ", ".join(f"{count} {severity}{'s' if count > 1 else ''}" for severity, count in number.items())
        view += [
            heading("Score on the checklist, of 100"),
            Listing(("tool", "score", "lacks"), worse, empty="All 100."),
        ]
        view += [told(""), note(f"{counts} in {len(every)} tools.")]
    return Report(document, view, Exit.NO if failed else Exit.DONE)


@command("pin", tools, example="interlock tools pin")
def pin(deployment: Deployment) -> Report:
    """Write the pin file: every tool as it is now counts as reviewed. Review `tools drift` first.

    With `pins` in the settings, a tool that is new or changed since is withheld from models.
    """
    found = own_tools(deployment)
    before = pins_in_file(deployment)
    file = pin_file(deployment)
    write_pins(file, pins_of(found))
    changed = len(before.compare(found)) if before is not None else len(found)
    view = [told(f"{len(found)} tools are pinned in {file}, {changed} of them anew.")]
    if deployment.settings.pins is None:
        view.append(note(f'Put pins = "{PINS}" into the settings: only then are other definitions withheld.'))
    return Report({"file": str(file), "tools": len(found), "changed": changed}, view)


async def down_now(store: Store) -> list[dict[str, Any]]:
    """What did not answer when a process asked last; one that ended since cannot take it back."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for event in await store.read(HEALTH):
        if body := event.fact.body:
            newest[body["what"], body["worker"]] = {**body, "since_us": event.at_us}
    return [each for each in newest.values() if not each["up"]]


async def _known(store: Store) -> Accepted:
    return await Definitions(store).accepted()


def _foreign(accepted: Accepted) -> Iterator[tuple[str, str, str, Tool | None]]:
    """The tools of servers: server, name, whether it can be called, and its definition where it was kept."""
    for (server, name), each in sorted(accepted.tools.items()):
        pin = each.seen or each.accepted
        yield server, name, each.word, tool_of(pin.definition) if pin is not None else None


@command("services", tools, example="interlock tools services\ninterlock tools services --json")
def services(deployment: Deployment) -> Report:
    """What the documents of services became.

    Which operations became no tool, with the reason; exit code 1 where there are any.
    """
    found, left = import_services(deployment.settings)
    names = [each.name for each in deployment.settings.services]
    counted = Counter(tool.server for tool in found)
    missed = Counter(each.service for each in left)
    document = {
        "services": [{"name": name, "tools": counted[name], "left": missed[name]} for name in names],
        "left": [each._asdict() for each in left],
    }
    if not names:
        return Report(document, [told("No services."), note("Name one by [[services]] in the settings.")])
    view: list[RenderableType] = []
    for name in names:
        more = f", {missed[name]} operations are no tools" if missed[name] else ""
        view.append(told(f"{name}: {counted[name]} tools{more}.", "wait" if more else "good"))
    view += [told(f"  {each.service}  {each.method} {each.path}: {each.why}") for each in left]
    return Report(document, view, Exit.NO if left else Exit.DONE)


_SEVERITIES = {Severity.NOTE: "quiet", Severity.WARNING: "wait", Severity.ERROR: "bad"}


def own_tools(deployment: Deployment) -> list[Tool]:
    """The tools of the modules and services that the settings name."""
    settings = deployment.settings
    return [*import_tools(settings.tools, settings.folder), *import_services(settings).tools]


def _profiled(deployment: Deployment) -> list[Tool]:
    """The same, those without roles of their own with the ones of their profile."""
    tools = own_tools(deployment)
    profiles = profiles_of(deployment.settings, {tool.name for tool in tools})
    return [tool if tool.roles else replace(tool, roles=dict(profiles.of(tool).roles)) for tool in tools]


def _floating(deployment: Deployment) -> list[Finding]:
    """The models of agents and of the second reader whose names are aliases."""
    settings = deployment.settings
    named = [
        (agent.name, model.name)
        for agent in import_agents(settings.agents, settings.folder)
        for model in leaves(agent.model)
    ]
    if settings.verify.model is not None:
        named.append(("[verify]", settings.verify.model))
    return [
        Finding(code="model.floating", tool="", detail=f"{model} of {who}") for who, model in named if floating(model)
    ]


def pins_in_file(deployment: Deployment) -> Pins | None:
    """The pins in force, or those that were written and are not in force yet; None for none."""
    file = pin_file(deployment)
    return read_pins(file) if file.exists() else None


def pin_file(deployment: Deployment) -> Path:
    """Where the pins stand, or will once they are written."""
    return deployment.settings.at(deployment.settings.pins or PINS)


def _pinned(tool: Tool, pins: Pins | None) -> str:
    if pins is None:
        return "–"
    if not (objection := pins.objection(tool)):
        return "yes"
    return "new" if objection == NEW else "changed"


def _document(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name, "server": tool.server, "effect": tool.effect.value, "version": tool.version,
        "digest": tool.digest, "description": tool.description, "category": tool.category,
        "deprecated": tool.deprecated, "input_schema": tool.input_schema,
    }  # fmt: skip

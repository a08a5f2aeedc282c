"""`interlock policy suggest`: rules from what was seen while everything was observed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import click
from rich.console import RenderableType

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, fields, heading, lines, note, told
from interlock.cli.output import Exit, Report
from interlock.cli.policy import policy as policy  # told again: with it come the commands of both files
from interlock.core.event import Event, Kind
from interlock.core.tool import Tool
from interlock.errors import Conflict, NotFound, SettingsError
from interlock.ledger.store import Store
from interlock.wrapping.hook import plane_without_servers
from interlock.wrapping.suggest import SeenCall, Suggestion, suggest

CALLS_MAX = 100_000
"""Calls that are looked at, the newest."""


@command("suggest", policy, example="interlock policy suggest\ninterlock policy suggest --to policy-next/seen.cedar")
@click.option(
    "--to", "file", metavar="FILE", type=click.Path(path_type=Path), help="Write the rules there; a new file."
)
def suggest_(deployment: Deployment, file: Path | None) -> Report:
    """Rules from the calls that were seen, for you to read.

    A permit for each principal and tool that called, with counts and what the policy of that time said. Nothing that
    was not seen is granted, nor what would have been denied; irreversible and privileged calls stay held. Exit code 1
    where nothing was seen that a rule could grant. No server is started.
    """
    tenant = deployment.person.tenant
    if file is not None and file.exists():
        raise Conflict(f"{file} is there already", code="suggest.exists", remedy="Name a new file.")
    calls = deployment.with_store(lambda store: seen_calls(store, tenant))
    if not calls:
        raise NotFound("no call was decided yet", code="suggest.nothing", remedy="Let the client work for a while.")
    found = suggest(calls, anyio.run(tools_of_now, deployment))
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(found.text, encoding="utf-8")
        except OSError as error:
            raise SettingsError(f"{file}: {error.strerror}", code="suggest.write", remedy="Name another.") from None
    document: dict[str, Any] = {
        "rules": found.text, "file": str(file) if file is not None else None, "calls": len(calls),
        "granted": [{"principal": who, "tool": tool} for who, tool in found.granted],
        "left": [{"principal": who, "tool": tool, "why": why} for who, tool, why in found.left],
    }  # fmt: skip
    return Report(document, _view(found, file, len(calls)), Exit.DONE if found.granted else Exit.NO)


async def seen_calls(store: Store, tenant: str) -> list[SeenCall]:
    """Every call that policy decided, once, with what it said first."""
    decided = await store.rows("authz_decision", {"tenant": tenant}, CALLS_MAX)
    first: dict[str, dict[str, Any]] = {}
    for row in decided:
        if row["decision"]:
            first.setdefault(row["call_id"], row)
    said: dict[str, Event] = {}
    for run_id in dict.fromkeys(row["run_id"] for row in first.values()):
        said |= {event.fact.call_id: event for event in reversed(await store.read(run_id)) if _tells(event)}
    return [
        SeenCall(
            principal=f"{tenant}/{row['principal_id']}", server=said[call_id].fact.body["tool"]["server"],
            tool=row["tool"], decision=row["decision"], arguments=_arguments(said[call_id]),
        )
        for call_id, row in first.items()
        if call_id in said
    ]  # fmt: skip


def _tells(event: Event) -> bool:
    return event.fact.kind is Kind.CALL_DECIDED and "tool" in event.fact.body


def _arguments(event: Event) -> dict[str, Any] | None:
    found = event.fact.body.get("arguments")
    return found if isinstance(found, dict) else None


async def tools_of_now(deployment: Deployment) -> tuple[Tool, ...]:
    """Every version of every tool: one's own, and those of servers as they were accepted. No server is started."""
    async with plane_without_servers(deployment.settings, deployment.world) as plane:
        return tuple(plane.registry.tools)


def _view(found: Suggestion, file: Path | None, calls: int) -> list[RenderableType]:
    rows = [(who, tool, "a rule") for who, tool in found.granted]
    rows += [(who, tool, f"none: {why}") for who, tool, why in found.left]
    summary = Listing(("principal", "tool", "gets"), rows, empty="")
    if file is None:
        return [lines(found.text), note("Write it with --to policy-next/seen.cedar.")]
    return [
        told(f"{calls} calls were seen; the rules stand in {file}, and load.", "good"), summary, heading("Next"),
        fields(
            (
                (f"read {file}", "that something was done is no reason that it may be"),
                (f'shadow = "{file.parent}"', "in the settings: asked beside the policy in force, and only recorded"),
                (f'policy = "{file.parent}"', "once it says what you mean"),
                ('mode = "enforce"', "from then on what it denies is denied, and what it holds waits"),
                ("interlock policy check", "says whether it loads, and what each rule reaches"),
            )
        ),
    ]  # fmt: skip

"""`interlock profile`: what is trusted of tools: drafts for a person to read, and which tools have a profile."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

import click
from rich.console import RenderableType

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, lines, note, told
from interlock.cli.output import Report
from interlock.cli.tools import own_tools
from interlock.core.call import OutcomeKind
from interlock.core.canonical import Json
from interlock.core.tool import Tool
from interlock.errors import BadInput, NotFound, SettingsError
from interlock.grounding.profile import Profiles
from interlock.ledger.conversation import Ledger
from interlock.ledger.definitions import Definitions
from interlock.ledger.store import Store
from interlock.profile_files import profiles_of
from interlock.registry.foreign import tool_of
from interlock.registry.profile_draft import Draft, draft
from interlock.wrapping.profile_text import profile_text

_RESULTS_MAX: Final = 20
"""Recorded results of one tool that a draft looks at, the newest."""

_STANDINGS: Final = {"reviewed": "good", "declared": "", "unreviewed": "wait", "none": "wait"}


@click.group()
def profile() -> None:
    """Trust profiles: draft them, and see which tools have one."""


@command("draft", profile, example="interlock profile draft mail --out profiles/mail.toml")
@click.argument("server")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write it there; shown where left out.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
def draft_(deployment: Deployment, server: str, out: Path | None, force: bool) -> Report:
    """Propose a profile of each tool of a server, for a person to read.

    From the tools' names, their schemas and recorded results; `local` is for the own tools. Nothing in it raises what
    is trusted until you set `reviewed = true` at a tool.
    """
    if out is not None and out.exists() and not force:
        raise BadInput(f"--out: {out} is there already", code="profile.exists", remedy="Name another, or add --force.")
    tools = [tool for tool in _tools(deployment) if tool.server == server]
    if not tools:
        raise NotFound(
            f"SERVER: no tools of {server!r} are known", code="profile.server",
            remedy="See `interlock tools list`; tools of a server are known once it was asked.",
        )  # fmt: skip
    prefix = {said.name: said.prefixed for said in (*deployment.settings.servers, *deployment.settings.services)}
    drafts = {
        name: draft(name, tool.description, tool.input_schema, results)
        for tool, results in deployment.with_store(partial(_results, tools, deployment.person.tenant))
        for name in (tool.name.removeprefix(prefix.get(server, "")),)
    }
    text = profile_text(server, drafts)
    document = {"server": server, "file": str(out) if out else None, "reviewed": False, "text": text,
                "tools": [_document(name, each) for name, each in drafts.items()]}  # fmt: skip
    if out is None:
        return Report(document, [lines(text.rstrip("\n"))])
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"--out: {out}: {error.strerror}", code="profile.write", remedy="Name a file that you may write."
        ) from None
    view: list[RenderableType] = [told(f"Drafts of {len(drafts)} tools are written to {out}.")]
    view.append(note("Read each, then set reviewed = true at it: until then it raises nothing."))
    if deployment.settings.provenance.profiles is None:
        view.append(note("Name the folder as `profiles` under [provenance]: only then is it read."))
    return Report(document, view)


@command("list", profile, example="interlock profile list")
def list_(deployment: Deployment) -> Report:
    """Every tool, and whether its profile was reviewed.

    reviewed and unreviewed: by a file; declared: by the roles of its code; none: nobody said anything.
    """
    own = own_tools(deployment)
    profiles = profiles_of(deployment.settings, {tool.name for tool in own})
    rows = [(tool.name, tool.server, standing(profiles, tool)) for tool in _tools(deployment)]
    document = [{"name": name, "server": server, "profile": how} for name, server, how in rows]
    cells = [(name, server, told(how, _STANDINGS[how])) for name, server, how in rows]
    return Report({"tools": document}, [Listing(("tool", "server", "profile"), cells, empty="No tools.")])


def standing(profiles: Profiles, tool: Tool) -> str:
    """How a tool's profile stands, in one word."""
    said = profiles.given(tool)
    if said is not None:
        return "reviewed" if said.reviewed else "unreviewed"
    return "declared" if tool.roles else "none"


def _tools(deployment: Deployment) -> list[Tool]:
    return [*own_tools(deployment), *deployment.with_store(_foreign)]


async def _foreign(store: Store) -> list[Tool]:
    """The tools of servers, as a plane saw them last."""
    known = (await Definitions(store).accepted()).tools
    pins = [pin for _, each in sorted(known.items()) if (pin := each.seen or each.accepted) is not None]
    return [tool_of(pin.definition) for pin in pins]


async def _results(tools: list[Tool], tenant: str, store: Store) -> list[tuple[Tool, list[Json]]]:
    """Each tool with what its calls came to lately; of what was erased nothing is left."""
    found, ledger = [], Ledger(store)
    for tool in tools:
        where = {"tool": tool.name, "tenant": tenant, "outcome": OutcomeKind.DONE.value}
        results = list[Json]()
        for row in await store.rows("tool_call", where, _RESULTS_MAX):
            run = await ledger.conversation(row["run_id"], tenant)
            outcome = run.state.calls[row["call_id"]].outcome
            results += [] if outcome is None else [outcome.value]
        found.append((tool, results))
    return found


def _document(name: str, said: Draft) -> dict[str, Any]:
    return {
        "name": name, "effect": said.effect.effect.value, "roles": dict(said.profile.roles), "why": dict(said.why),
        "shapes": dict(said.profile.shapes), "fields": {rule.glob: rule.shape for rule in said.profile.fields},
        "form": said.profile.form, "phrases": list(said.profile.phrases),
    }  # fmt: skip

"""`interlock policy coverage`: which rules decide what is called, and which tools and roles nothing ever meets."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import anyio
import click
from rich.console import RenderableType

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, fields, heading, note, told
from interlock.cli.output import Exit, Report
from interlock.cli.policy import verb
from interlock.cli.policy_backtest import policy as policy  # told again: with it come the commands of these files
from interlock.cli.policy_backtest import recorded, window_of
from interlock.cli.policy_suggest import tools_of_now
from interlock.core.tool import Tool
from interlock.evals.again import WHY, Again, Known
from interlock.evals.coverage import Coverage, coverage
from interlock.evals.walk import Window
from interlock.ledger.store import Store
from interlock.policy.cedar import Policy
from interlock.policy.rules import DEFAULT_POLICY, read_sources

_EXAMPLE = """\
interlock policy coverage --since 30d
interlock policy coverage policy-next --since 30d --max-unused 2 --json"""


@command("coverage", policy, example=_EXAMPLE)
@click.argument("path", metavar="[POLICY]", required=False, type=click.Path(path_type=Path))
@click.option("--since", metavar="TIME", help="Calls from then on: 2026-07-01, 2026-07-01T12:00Z, or 90m, 12h, 7d ago.")
@click.option("--until", metavar="TIME", help="Calls before then; written as --since is.")
@click.option("--tenant", metavar="TENANT", help="Of another tenant than yours; for operators and admins of the first.")
@click.option("--max-unused", type=click.IntRange(0), metavar="N", help="Exit code 1 where more rules decide nothing.")
def coverage_(
    deployment: Deployment, path: Path | None, since: str | None, until: str | None, tenant: str | None,
    max_unused: int | None,
) -> Report:  # fmt: skip
    """How often each rule decides, of the calls that were recorded.

    The policy in force, or POLICY, is asked about each on the facts of then; nothing is dialled. Said is also which
    rules decide nothing, which tools no rule permits, whose every call nothing permits, and which roles of rules no
    caller had. Exit code 1 where a tool was called and nothing permits a call of it, or beyond --max-unused; 8 where a
    chain was changed.
    """
    window = window_of(deployment, tenant, since, until)
    in_force = deployment.settings.policy
    named = path or (DEFAULT_POLICY if in_force is None else deployment.settings.at(in_force))
    sources = read_sources(named)
    recorded(deployment, window.tenant)
    tools = anyio.run(tools_of_now, deployment)
    found = deployment.with_store(partial(_counted, Policy(sources, tools), tools, window))
    beyond = max_unused is not None and len(found.idle) > max_unused
    code = Exit.TAMPERED if found.walked.broken else Exit.NO if beyond or found.never_permitted else Exit.DONE
    document = {**found.as_json(), "tenant": window.tenant, "broken": found.walked.broken}
    return Report(document, _page(found, max_unused if beyond else None), code)


async def _counted(policy: Policy, tools: tuple[Tool, ...], window: Window, store: Store) -> Coverage:
    known = await Known(tools).read(store)
    return await coverage(store, window, Again(policy, known), tools)


def _page(found: Coverage, beyond: int | None) -> list[RenderableType]:
    rows = [
        (rule.rule_id, verb(rule), rule.place, f"{found.rules[rule.rule_id]:,}" if found.rules[rule.rule_id] else
         told("never", "wait"))
        for rule in found.policy.rules
    ]  # fmt: skip
    view: list[RenderableType] = [
        told(
            f"{found.calls:,} recorded calls; {len(found.idle)} of {len(found.policy.rules)} rules decide none of them."
        ),
        told(""),
        Listing(("rule", "says", "place", "decides"), rows, empty="No rules: every call is denied."),
    ]
    beside = [
        ("reach no tool", [rule.rule_id for rule in found.unreachable]),
        ("tools that no rule permits", found.unmatched),
        ("called, and never permitted", found.never_permitted),
        ("roles that no caller had", found.unseen),
    ]
    if any(names for _, names in beside):
        view += [heading("Gaps"), fields((what, ", ".join(names)) for what, names in beside if names)]
    if found.undecided:
        view.append(heading("Not asked again"))
        view.append(fields((f"{count:,}", WHY[why]) for why, count in found.undecided.most_common()))
    view += [told(f"The record of {chain} was changed at event {seq}.", "alarm")
             for chain, seq in sorted(found.walked.broken.items())]  # fmt: skip
    if beyond is not None:
        view.append(told(f"Too much: {len(found.idle)} rules decide nothing, more than {beyond}.", "bad"))
    if found.idle:
        view.append(note("A rule that decides nothing may be for what must never happen: look before you remove it."))
    return view

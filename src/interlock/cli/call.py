"""`interlock call`: one tool call on the path, as the person whose key is typed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from interlock.app import Interlock
from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import note
from interlock.cli.outcome import approval_view, exit_of_outcome, outcome_view
from interlock.cli.output import Report
from interlock.core.call import Outcome
from interlock.core.principal import Principal
from interlock.errors import BadInput
from interlock.ledger.plain import plain

_EXAMPLE = """\
interlock call look_up_order '{"order_id": 7}' --words "where is order 7?"
interlock call refund @refund.json --dry-run
interlock call refund - --name refund-7 --run run_0194 < refund.json"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One call as it was typed."""

    tool: str
    arguments: str
    words: str | None
    name: str
    dry_run: bool
    run_id: str | None
    mandate: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Told:
    """What came of it: the run, the outcome, and the rows of its request and its last decision."""

    run_id: str
    outcome: Outcome
    approval: dict[str, Any] | None
    decision: dict[str, Any] | None


@command("call", example=_EXAMPLE)
@click.argument("tool")
@click.argument("arguments", metavar="ARGUMENTS", default="{}")
@click.option("--words", metavar="TEXT", help="The user's own words that led to the call.")
@click.option("--name", default="", metavar="NAME", help="Your name of the call: by it, asking twice is asking once.")
@click.option("--dry-run", is_flag=True, help="Validate and decide only; nothing runs.")
@click.option("--run", "run_id", metavar="RUN_ID", help="An open run of yours; a new one where left out.")
@click.option("--mandate", multiple=True, metavar="TOOL", help="A tool that you ask for in the new run.")
def call(deployment: Deployment, arguments: str, **given: Any) -> Report:
    """Run one tool call on the path, on your own behalf.

    ARGUMENTS is a JSON object, or @FILE, or - for the standard input. A name counts within its run: to ask again
    for a held call, give the same --name and --run.
    """
    person = deployment.person
    asked = _Asked(arguments=read_arguments(arguments), **given)
    if asked.run_id is not None and asked.words is not None:
        raise BadInput("--words belong to a new run", code="cli.usage", remedy="Leave out --run or --words.")
    if asked.run_id is not None and asked.mandate:
        raise BadInput("--mandate belongs to a new run", code="cli.usage", remedy="Leave out --run or --mandate.")
    said = deployment.with_plane(partial(_call, asked, person))
    document = {"run_id": said.run_id, **said.outcome.as_json()}
    view = outcome_view(said.outcome)
    if said.decision is not None:
        document["decision"] = plain(said.decision, "decision", "reasons", "mode", "errors", "policy_hash")
        reasons = ", ".join(plain(said.decision, "reasons")["reasons"])
        view.append(note(f"decided: {said.decision['decision']} ({reasons})"))
    if said.approval is not None:
        document["approval"] = plain(said.approval, "approval_id", "groups", "quorum", "rules", "expires_us")
        view += approval_view(said.approval, deployment.now_us, person.id)
    view.append(note(f"Everything about it: `interlock runs show {said.run_id}`."))
    return Report(document, view, exit_of_outcome(said.outcome))


async def _call(asked: _Asked, person: Principal, plane: Interlock) -> _Told:
    async with plane.run(person, words=asked.words, run_id=asked.run_id or "", mandates=asked.mandate) as run:
        outcome = await run.call(asked.tool, asked.arguments, name=asked.name, dry_run=asked.dry_run)
    held = {"run_id": run.run_id, "approval_id": outcome.approval_id}
    approvals = await plane.store.rows("approval", held) if outcome.approval_id else []
    decisions = await plane.store.rows("authz_decision", {"run_id": run.run_id, "call_id": outcome.call_id}, 1)
    return _Told(run.run_id, outcome, next(iter(approvals), None), next(iter(decisions), None))


def read_arguments(arguments: str) -> str:
    """The JSON text of arguments as they are typed: itself, `@FILE`, or `-` for the standard input.

    Raises:
        BadInput: The file cannot be read.
    """
    try:
        if arguments == "-":
            return sys.stdin.read()
        return Path(arguments[1:]).read_text(encoding="utf-8") if arguments.startswith("@") else arguments
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"arguments: {arguments.removeprefix('@')}: {getattr(error, 'strerror', 'not UTF-8')}", code="cli.file",
            remedy="Name a readable file after the @.",
        ) from None  # fmt: skip

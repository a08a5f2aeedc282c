"""`interlock approvals`: what waits for a person, shown in full, and decided."""

from __future__ import annotations

from functools import partial
from typing import Any

import click
from rich.text import Text

from interlock.app import Interlock
from interlock.approvals.decide import Answer, decide
from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, note, told, word
from interlock.cli.outcome import deciders, outcome_view
from interlock.cli.output import Exit, Report
from interlock.cli.request import Asked, asked_of, request_document, request_view
from interlock.cli.rows import plain
from interlock.cli.times import ago
from interlock.core.call import Outcome, OutcomeKind
from interlock.core.principal import Principal
from interlock.errors import BadInput, Conflict

STATES = ("pending", "approved", "rejected", "expired", "withdrawn", "superseded", "consumed")
_PREFIX_MIN = 8


@click.group()
def approvals() -> None:
    """Calls that wait for a person: show, approve, reject."""


@command("list", approvals, example="interlock approvals list\ninterlock approvals list --status all --json")
@click.option("--status", type=click.Choice([*STATES, "all"]), default="pending", show_default=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="The newest so many.")
def list_(deployment: Deployment, status: str, limit: int) -> Report:
    """Requests for approval, the newest last."""
    where = {"tenant": deployment.person.tenant} | ({} if status == "all" else {"status": status})
    rows = deployment.with_store(lambda store: store.rows("approval", where, limit))
    now_us = deployment.now_us
    cells = []
    for row in rows:
        groups = ", ".join(plain(row, "groups")["groups"])
        cells.append((row["approval_id"], row["tool"], row["effect"], row["subject"], groups, _stands(row, now_us)))
    columns = ("approval", "tool", "effect", "for", "may decide", "stands")
    listing = Listing(columns, cells, empty="Nothing waits for a person." if status == "pending" else "None.")
    return Report({"approvals": [plain(row) for row in rows]}, [listing])


@command("show", approvals, example="interlock approvals show appr_0194f3a2b1c4")
@click.argument("approval_id")
def show(deployment: Deployment, approval_id: str) -> Report:
    """One request in full: what will run, for whom, who may decide.

    Characters that cannot be seen, or that change how text is read, are shown as escapes.
    """
    asked = _asked(deployment, approval_id, deployment.person)
    return Report(request_document(asked), [request_view(asked, deployment.now_us)])


@command("approve", approvals, example="interlock approvals approve appr_0194f3a2b1c4\n"
         "interlock approvals approve appr_0194f3a2b1c4 --digest 9f86d081 --yes --json")  # fmt: skip
@click.argument("approval_id")
@click.option("--digest", metavar="PREFIX", help="Refuse unless the request's digest begins so (8 digits or more).")
@click.option("--yes", is_flag=True, help="Do not ask.")
def approve(deployment: Deployment, approval_id: str, digest: str | None, yes: bool) -> Report:
    """Approve one call: exactly what is shown, once. It then runs here, if this deployment has its tool.

    Exit code 0: approved, and done where it ran. 1: not approved, or it ran and was refused or failed.
    3: more people must approve.
    """
    person = deployment.person
    asked = _asked(deployment, approval_id, person)
    shown = asked.state.request["approval"]
    if digest is not None and (len(digest) < _PREFIX_MIN or not shown.startswith(digest.lower())):
        raise BadInput(
            f"--digest {digest!r} does not begin the digest of {approval_id}", code="approval.digest",
            remedy=f"Give at least {_PREFIX_MIN} digits of what `interlock approvals show` says now.",
        )  # fmt: skip
    said = Answer(approve=True, digest=shown)
    decide(asked.state, said, person, deployment.now_us)  # whoever may not is told before being asked
    deployment.output.show(request_view(asked, deployment.now_us))
    if not yes and not deployment.output.confirm(f"Approve exactly this call as {person.id}?"):
        raise Conflict("not approved", code="approval.declined", remedy="Nothing was recorded.")
    return _decided(deployment, asked, said, person)


@command("reject", approvals, example='interlock approvals reject appr_0194f3a2b1c4 --words "refund the other payment"')
@click.argument("approval_id")
@click.option("--words", required=True, metavar="TEXT", help="Why, for the model and the record.")
def reject(deployment: Deployment, approval_id: str, words: str) -> Report:
    """Reject one call. One rejection ends it; the words go to whoever proposed it."""
    person = deployment.person
    asked = _asked(deployment, approval_id, person)
    said = Answer(approve=False, digest=asked.state.request["approval"], words=words)
    return _decided(deployment, asked, said, person)


def _stands(row: dict[str, Any], now_us: int) -> Text:
    if row["status"] != "pending":
        return word(row["status"])
    until = ago(row["expires_us"], now_us)
    return told(f"expires {until}") if row["expires_us"] > now_us else told(f"expired {until}", "bad")


def _asked(deployment: Deployment, approval_id: str, person: Principal) -> Asked:
    return deployment.with_store(partial(asked_of, approval_id=approval_id, tenant=person.tenant))


def _decided(deployment: Deployment, asked: Asked, said: Answer, person: Principal) -> Report:
    """Record the answer, advance the run once where that can end well, and say what came of it."""
    status, outcome, why = deployment.with_plane(partial(_answer, asked, said, person))
    document: dict[str, Any] = {"approval_id": asked.state.approval_id, "run_id": asked.run_id, "status": status}
    document |= {"ran": outcome is not None, "outcome": outcome.as_json() if outcome is not None else None}
    view = [told(f"{'Approved' if said.approve else 'Rejected'} as {person.id}.", "strong")]
    if outcome is not None:
        return Report(document, [*view, *outcome_view(outcome)], _exit(outcome, said))
    return Report(document | {"why": why}, [*view, note(why)], Exit.HELD if status == "pending" else Exit.DONE)


def _exit(outcome: Outcome, said: Answer) -> Exit:
    if outcome.kind is OutcomeKind.UNKNOWN:
        return Exit.UNKNOWN
    if outcome.kind is OutcomeKind.HELD:
        return Exit.HELD
    return Exit.DONE if outcome.done or not said.approve else Exit.NO


async def _answer(asked: Asked, said: Answer, person: Principal, plane: Interlock) -> tuple[str, Outcome | None, str]:
    """The request's status, the call's outcome where the call moved on here, and else why it did not."""
    state = await plane.answer(asked.state.approval_id, said, person)
    if state.status == "pending":
        wanted = deciders(state.request["groups"], state.request["quorum"])
        return "pending", None, f"It needs {wanted}; so far {', '.join(state.approvals)}."
    tool = asked.state.request["tool"]
    known = plane.plane.registry.find(tool["name"])
    if known is None or known.tool.digest != tool["hash"]:
        # Here it would be refused, as unknown or changed: whoever has the tool advances the run.
        return (
            state.status,
            None,
            "These settings do not have its tool as it was shown; the process that has it goes on.",
        )
    if not await plane.advance(asked.run_id, person.tenant):
        return state.status, None, "Another process works on its run and goes on with it by itself."
    conversation = await plane.plane.ledger.conversation(asked.run_id, person.tenant)
    outcome = conversation.state.calls[asked.state.call_id].outcome
    assert outcome is not None, "a held call was told an outcome"
    return state.status, outcome, ""

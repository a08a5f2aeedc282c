"""`interlock approvals`: what waits for a person, shown in full, and decided."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import click
from rich.text import Text

from interlock.app import Interlock
from interlock.approvals.decide import Answer, Said, decide
from interlock.approvals.delegation import Delegations
from interlock.approvals.people import Entitlement, Standing
from interlock.asked import Asked, asked_of, request_document
from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, note, told, word
from interlock.cli.outcome import deciders, outcome_view
from interlock.cli.output import Exit, Report
from interlock.cli.request import request_view
from interlock.core.call import Outcome, OutcomeKind
from interlock.core.canonical import Json, parse_json
from interlock.core.principal import Principal
from interlock.core.times import ago
from interlock.errors import BadInput, Conflict
from interlock.ledger.plain import plain
from interlock.ledger.store import Store

STATES = (
    "pending", "approved", "rejected", "edited", "responded", "expired", "withdrawn", "superseded", "consumed"
)  # fmt: skip
_PREFIX_MIN = 8


@click.group()
def approvals() -> None:
    """Calls that wait for a person: show, approve, reject, edit, respond."""


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


_DIGEST = click.option(
    "--digest", metavar="PREFIX", help="Refuse unless the request's digest begins so (8 digits or more)."
)
_YES = click.option("--yes", is_flag=True, help="Do not ask.")
_WORDS = click.option("--words", default="", metavar="TEXT", help="Why, for the model and the record.")


@command("approve", approvals, example="interlock approvals approve appr_0194f3a2b1c4\n"
         "interlock approvals approve appr_0194f3a2b1c4 --endorse /recipient --yes --json")  # fmt: skip
@click.argument("approval_id")
@click.option("--endorse", multiple=True, metavar="POINTER",
              help="Answer for where this argument comes from, or for the `tool`, until the run ends.")  # fmt: skip
@_DIGEST
@_YES
def approve(
    deployment: Deployment, approval_id: str, endorse: tuple[str, ...], digest: str | None, yes: bool
) -> Report:  # fmt: skip
    """Approve one call: exactly what is shown, once. It then runs here, if this deployment has its tool.

    How long the request was shown is recorded. With --endorse, later calls of the tool in this run are not held for
    that argument where its value stands in the same place. Exit code 0: approved, and done where it ran. 1: not
    approved, or it ran and was refused or failed. 3: more people must approve.
    """
    asked = _asked(deployment, approval_id, deployment.person)
    _check_digest(asked, digest)
    answer = _answer_to(asked, "approve", endorse=endorse)
    also = f" and answer for {', '.join(endorse)} in its run" if endorse else ""
    said = _considered(deployment, asked, answer, None if yes else f"Approve exactly this call{also}")
    return _decided(deployment, asked, said)


@command("reject", approvals, example='interlock approvals reject appr_0194f3a2b1c4 --words "refund the other payment"')
@click.argument("approval_id")
@click.option("--words", required=True, metavar="TEXT", help="Why, for the model and the record.")
def reject(deployment: Deployment, approval_id: str, words: str) -> Report:
    """Reject one call. One rejection ends it; the words go to whoever proposed it."""
    asked = _asked(deployment, approval_id, deployment.person)
    return _decided(deployment, asked, _answer_to(asked, "reject", words=words))


@command("edit", approvals, example="interlock approvals edit appr_0194f3a2b1c4 "
         """'{"payment_id": 7, "amount_cents": 500}' --words "only the late fee\"""")  # fmt: skip
@click.argument("approval_id")
@click.argument("arguments")
@_WORDS
@_DIGEST
@_YES
def edit(
    deployment: Deployment, approval_id: str, arguments: str, words: str, digest: str | None, yes: bool
) -> Report:  # fmt: skip
    """Have a call with other ARGUMENTS (JSON, all of them) made in its place.

    It is a call of its own and passes every gate; where people must approve it, you are not one of them. The one that
    asked is refused and names it. Arguments that are not valid are refused here, and nothing is recorded.
    """
    asked = _asked(deployment, approval_id, deployment.person)
    _check_digest(asked, digest)
    said = _answer_to(asked, "edit", words=words, arguments=arguments)
    question = None if yes else f"Have {arguments} run in its place"
    return _decided(deployment, asked, _considered(deployment, asked, said, question))


@command("respond", approvals, example="interlock approvals respond appr_0194f3a2b1c4 '{\"found\": false}' --yes")
@click.argument("approval_id")
@click.argument("value")
@_WORDS
@_DIGEST
@_YES
def respond(
    deployment: Deployment, approval_id: str, value: str, words: str, digest: str | None, yes: bool
) -> Report:  # fmt: skip
    """Answer in the tool's place with VALUE (JSON); nothing runs.

    The call is done with it. The value must have the form that the tool declares for its results, and the record
    says that it is a person's.
    """
    asked = _asked(deployment, approval_id, deployment.person)
    _check_digest(asked, digest)
    said = _answer_to(asked, "respond", words=words, value=_json(value))
    question = None if yes else f"Say {value} in the tool's place"
    return _decided(deployment, asked, _considered(deployment, asked, said, question))


@command("withdraw", approvals, example='interlock approvals withdraw appr_0194f3a2b1c4 --reason "no longer wanted"')
@click.argument("approval_id")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for the record.")
def withdraw(deployment: Deployment, approval_id: str, reason: str) -> Report:
    """Take back a request that nobody has decided.

    For whoever the call runs for, and for operators.
    """
    person = deployment.person
    asked = _asked(deployment, approval_id, person)

    async def work(plane: Interlock) -> Came:
        await plane.withdraw(approval_id, person, reason=reason)
        return await _moved_on(asked, plane, person)

    came = deployment.with_plane(work)
    return _report(asked, came, f"Withdrawn as {person.id}.", Exit.DONE)


def _stands(row: dict[str, Any], now_us: int) -> Text:
    if row["status"] != "pending":
        return word(row["status"])
    until = ago(row["expires_us"], now_us)
    return told(f"expires {until}") if row["expires_us"] > now_us else told(f"expired {until}", "bad")


def _asked(deployment: Deployment, approval_id: str, person: Principal) -> Asked:
    return deployment.with_store(partial(asked_of, approval_id=approval_id, tenant=person.tenant))


def _json(text: str) -> Json:
    try:
        return parse_json(text)
    except BadInput as error:
        raise BadInput(f"VALUE: {error.args[0]}", code=error.code, remedy="Give JSON, a text in quotes.") from None


def _check_digest(asked: Asked, digest: str | None) -> None:
    shown = asked.state.request["approval"]
    if digest is not None and (len(digest) < _PREFIX_MIN or not shown.startswith(digest.lower())):
        raise BadInput(
            f"--digest {digest!r} does not begin the digest of {asked.state.approval_id}", code="approval.digest",
            remedy=f"Give at least {_PREFIX_MIN} digits of what `interlock approvals show` says now.",
        )  # fmt: skip


def _answer_to(asked: Asked, decision: Said, **more: Any) -> Answer:
    request = asked.state.request
    return Answer(decision=decision, digest=request["approval"], nonce=request["nonce"], **more)


def _considered(deployment: Deployment, asked: Asked, said: Answer, question: str | None) -> Answer:
    """The answer of somebody who was shown the request, all of it, and for how long.

    Args:
        question: What to ask; None to ask nothing.

    Raises:
        InterlockError: They may not decide, which they are told before they are asked; or they said no.
    """
    clock, person = deployment.world.clock, deployment.person
    standing = deployment.with_store(partial(_standing, deployment, person))
    decide(asked.state, said, standing, deployment.now_us)
    started_s = clock.mono_s()
    deployment.output.show(request_view(asked, deployment.now_us))
    if question is not None and not deployment.output.confirm(f"{question} as {person.id}?"):
        raise Conflict("not approved", code="approval.declined", remedy="Nothing was recorded.")
    return replace(said, viewed_ms=round((clock.mono_s() - started_s) * 1000))


async def _standing(deployment: Deployment, person: Principal, store: Store) -> Standing:
    return await Entitlement(deployment.people(store), Delegations(store)).standing(person, deployment.now_us)


class Came(NamedTuple):
    """What came of a word on a request.

    Attributes:
        status: Of the request.
        outcome: Of the call, or of the one that is made in its place, where it moved on here.
        why: Why it did not, else.
    """

    status: str
    outcome: Outcome | None
    why: str


_DID = {"approve": "Approved", "reject": "Rejected", "edit": "Edited", "respond": "Answered"}


def _decided(deployment: Deployment, asked: Asked, said: Answer) -> Report:
    """Record the answer, advance the run once where that can end well, and say what came of it."""
    person = deployment.person

    async def work(plane: Interlock) -> Came:
        state = await plane.answer(asked.state.approval_id, said, person)
        if state.status == "pending":
            wanted = deciders(state.request["groups"], state.request["quorum"])
            return Came("pending", None, f"It needs {wanted}; so far {', '.join(state.approvals)}.")
        return await _moved_on(asked, plane, person)

    came = deployment.with_plane(work)
    no = Exit.NO if said.decision in ("approve", "edit") else Exit.DONE
    return _report(asked, came, f"{_DID[said.decision]} as {person.id}.", no)


def _report(asked: Asked, came: Came, did: str, no: Exit) -> Report:
    """What came of it.

    Args:
        no: The exit code where the call was refused or failed.
    """
    outcome = came.outcome
    document: dict[str, Any] = {"approval_id": asked.state.approval_id, "run_id": asked.run_id, "status": came.status}
    document |= {"ran": outcome is not None, "outcome": outcome.as_json() if outcome is not None else None}
    view = [told(did, "strong")]
    if outcome is None:
        held = Exit.HELD if came.status == "pending" else Exit.DONE
        return Report(document | {"why": came.why}, [*view, note(came.why)], held)
    exits = {OutcomeKind.UNKNOWN: Exit.UNKNOWN, OutcomeKind.HELD: Exit.HELD, OutcomeKind.DONE: Exit.DONE}
    return Report(document, [*view, *outcome_view(outcome)], exits.get(outcome.kind, no))


async def _moved_on(asked: Asked, plane: Interlock, person: Principal) -> Came:
    """Advance the run of a request that is decided; a call that was edited is followed by the one in its place."""
    state = await plane.approval(asked.state.approval_id, person.tenant)
    tool = asked.state.request["tool"]
    versions = plane.plane.registry.versions(tool["name"])
    here = any(each.tool.digest == tool["hash"] for each in versions)
    if state.status in ("approved", "edited") and not here:
        # Here it would be refused, as unknown or changed: whoever has the tool advances the run.
        why = "These settings do not have its tool as it was shown; the process that has it goes on."
        return Came(state.status, None, why)
    if not await plane.advance(asked.run_id, person.tenant):
        return Came(state.status, None, "Another process works on its run and goes on with it by itself.")
    conversation = await plane.plane.ledger.conversation(asked.run_id, person.tenant)
    outcome = conversation.state.calls[asked.state.call_id].outcome
    while outcome is not None and outcome.instead:
        outcome = conversation.state.calls[outcome.instead].outcome
    assert outcome is not None, "a held call was told an outcome"
    return Came(state.status, outcome, "")

"""`interlock grants`: standing permissions: what they are for, who gave them, how often they were used."""

from __future__ import annotations

from functools import partial
from typing import Any

import click
from rich.console import RenderableType
from rich.text import Text

from interlock.app import Interlock
from interlock.approvals.grant import Grant, GrantTerms, ToolIdentity
from interlock.approvals.past import Past, past_requests
from interlock.approvals.suggest import answers, leaves
from interlock.approvals.where import Where, sentences, where_of
from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, Sheet, fields, heading, note, told, word
from interlock.cli.output import Report
from interlock.cli.predicates import predicate_options, typed, widened
from interlock.core.clock import SECOND_US
from interlock.core.principal import Principal
from interlock.core.times import ago, local, seconds
from interlock.errors import BadInput, Conflict, NotFound
from interlock.granted import Counted, counted, grant_document, stands
from interlock.ledger.store import Store

BACK_DAYS = 90
"""How far back `issue` looks for requests that the grant would have answered."""


@click.group()
def grants() -> None:
    """Standing permissions that answer holds: list, issue, endorse, revoke."""


@command("list", grants, example="interlock grants list\ninterlock grants list --all --json")
@click.option("--all", "every", is_flag=True, help="Also those that are over.")
def list_(deployment: Deployment, every: bool) -> Report:
    """Grants, the newest last."""
    now_us = deployment.now_us
    found = deployment.with_store(partial(counted, deployment.person.tenant))
    shown = [one for one in found if every or stands(one, now_us) == "live"]
    cells = [
        (
            one.grant.grant_id,
            one.grant.tool.name,
            one.grant.subject or "anybody",
            f"{one.used} of {one.grant.uses}",
            ", ".join(voice.person for voice in one.grant.voices),
            _until(one, now_us),
        )
        for one in shown
    ]
    columns = ("grant", "tool", "for", "used", "given by", "stands")
    return Report(
        {"grants": [grant_document(one, now_us) for one in shown]},
        [Listing(columns, cells, empty="None. Give one with `interlock grants issue`.")],
    )


@command("show", grants, example="interlock grants show grant_0194f3a2b1c4")
@click.argument("grant_id")
def show(deployment: Deployment, grant_id: str) -> Report:
    """One grant in full: tool, arguments, who gave it and why, uses."""
    found = deployment.with_store(partial(counted, deployment.person.tenant))
    one = next((one for one in found if one.grant.grant_id == grant_id), None)
    if one is None:
        raise NotFound(f"no grant {grant_id!r}", code="grant.not_found", remedy="See `interlock grants list`.")
    now_us = deployment.now_us
    return Report(grant_document(one, now_us), [_sheet(one, now_us)])


_ISSUE = """\
interlock grants issue refund --where /order_id=7 --at-most /cents=5000 --any /reason --uses 5 --expires 7d --reason x
interlock grants issue --from appr_0194f3a2b1c4 --at-most /cents=5000 --uses 5 --expires 7d --reason spring"""


@command("issue", grants, example=_ISSUE)
@click.argument("tool", required=False)
@click.option("--from", "source", metavar="APPROVAL_ID", help="Begin with exactly what that request asked for.")
@predicate_options
@click.option("--subject", metavar="ID", help="Only for calls on behalf of this principal.")
@click.option("--anybody", is_flag=True, help="With --from: not only for whom that request was.")
@click.option("--uses", type=click.IntRange(1, 1000), required=True, help="How many calls it releases.")
@click.option("--expires", required=True, metavar="TIME", help="When it ends: 90m, 12h, 7d from now; 30d at most.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; stays in the ledger, so name nobody.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def issue(deployment: Deployment, tool: str | None, source: str | None, yes: bool, **given: Any) -> Report:
    """Grant calls of one tool with these arguments, so often, until then.

    Every argument must be covered; a pointer covers all below it. Shows what it would have answered of the last 90
    days before it asks. It answers calls that are proposed from now on; a request that waits, also the one of --from,
    stays yours to answer. Needs a person in an approver group.
    """
    person = deployment.person
    asked = deployment.with_store(partial(_past, person.tenant, deployment.now_us))
    before, subject = {}, given["subject"] or ""
    if source is not None:
        request = next((past for past in asked if past.approval_id == source), None)
        if request is None:
            raise NotFound(
                f"no request {source!r} of the last {BACK_DAYS} days", code="approval.not_found",
                remedy="See `interlock approvals list --status all`.",
            )  # fmt: skip
        if tool not in (None, request.tool.name):
            raise BadInput(f"{source} is about {request.tool.name!r}", code="cli.grant", remedy="Leave the tool out.")
        tool = request.tool.name
        before = {where: {"equals": leaf} for where, leaf in leaves(request.arguments).items()}
        subject = subject or ("" if given["anybody"] else request.subject)
    if tool is None:
        raise BadInput("which tool?", code="cli.grant", remedy="Name it, or a request with --from.")
    terms = GrantTerms(
        tool=tool, where=widened(before, typed(given)), uses=given["uses"], lasts_s=seconds(given["expires"]),
        reason=given["reason"], subject=subject,
    )  # fmt: skip
    grant, preview = deployment.with_plane(partial(_issued, deployment, terms, person, asked, yes))
    view = [told(f"Granted as {person.id}: {grant.grant_id}.", "strong")]
    return Report({**grant_document(Counted(grant, 0), deployment.now_us), "would_have_answered": preview}, view)


@command("endorse", grants, example="interlock grants endorse grant_0194f3a2b1c4")
@click.argument("grant_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
def endorse(deployment: Deployment, grant_id: str, yes: bool) -> Report:
    """Add your voice to a grant, for rules that need several people."""
    person = deployment.person
    found = deployment.with_store(partial(counted, person.tenant))
    one = next((one for one in found if one.grant.grant_id == grant_id), None)
    if one is not None:
        deployment.output.show(_sheet(one, deployment.now_us))
        _confirm(deployment, f"Endorse exactly this as {person.id}?", yes)
    grant = deployment.with_plane(lambda plane: plane.endorse_grant(grant_id, person))
    used = one.used if one is not None else 0
    return Report(
        grant_document(Counted(grant, used), deployment.now_us), [told(f"Endorsed as {person.id}.", "strong")]
    )


@command("revoke", grants, example='interlock grants revoke grant_0194f3a2b1c4 --reason "the campaign is over"')
@click.argument("grant_id")
@click.option("--reason", required=True, metavar="TEXT", help="Why; stays in the ledger.")
def revoke(deployment: Deployment, grant_id: str, reason: str) -> Report:
    """Take a grant back; nothing that begins after this counts on it."""
    person = deployment.person
    grant = deployment.with_plane(lambda plane: plane.revoke_grant(grant_id, person, reason=reason))
    return Report({"grant_id": grant.grant_id, "status": "revoked"}, [told(f"Revoked as {person.id}.", "strong")])


def preview_view(where: Where, preview: dict[str, Any]) -> list[RenderableType]:
    """What a grant would have answered, for whoever is about to give it."""
    of = f"Of the last {BACK_DAYS} days' {preview['asked']} requests for it, it would have answered"
    view: list[RenderableType] = [told(f"{of} {preview['answers']}: {preview['approved']} that were approved.")]
    if preview["turned_down"]:
        view.append(
            told(f"It would have let pass what people turned down: {', '.join(preview['turned_down'])}", "alarm")
        )
    if any(clause.kind == "any" for clause in where.clauses):
        view.append(told("It leaves arguments open: whatever a model writes there passes.", "bad"))
    return view


async def _past(tenant: str, now_us: int, store: Store) -> list[Past]:
    return await past_requests(store, tenant, now_us - BACK_DAYS * 86_400 * SECOND_US, now_us)


async def _issued(
    deployment: Deployment, terms: GrantTerms, person: Principal, asked: list[Past], yes: bool, plane: Interlock
) -> tuple[Grant, dict[str, Any]]:
    """The grant, once the person has seen what it would have answered and said yes."""
    known = plane.plane.registry.find(terms.tool)
    identity = ToolIdentity.of(known.tool) if known is not None else None
    alike = [past for past in asked if past.tool == identity]
    where = where_of(terms.where)
    hit = [past for past in alike if answers(where, terms.subject, past)]
    preview = {
        "asked": len(alike), "answers": len(hit), "approved": sum(past.approved for past in hit),
        "turned_down": [past.approval_id for past in hit if past.turned_down],
    }  # fmt: skip
    deployment.output.show(fields([("tool", terms.tool), *_about(terms.subject, where)]), *preview_view(where, preview))
    _confirm(deployment, f"Grant this as {person.id}, {terms.uses} times?", yes)
    return await plane.issue_grant(terms, person), preview


def _confirm(deployment: Deployment, question: str, yes: bool) -> None:
    if not yes and not deployment.output.confirm(question):
        raise Conflict("not granted", code="grant.declined", remedy="Nothing was recorded.")


def _until(one: Counted, now_us: int) -> Text:
    how = stands(one, now_us)
    return told(f"expires {ago(one.grant.expires_us, now_us)}") if how == "live" else word(how)


def _about(subject: str, where: Where) -> list[tuple[str, str | Text]]:
    said: list[tuple[str, str | Text]] = [("on behalf of", subject or "anybody")]
    for at, holds in sentences(where):
        said.append((at, told(holds, "bad") if holds == "anything" else holds))
    return said


def _sheet(one: Counted, now_us: int) -> Sheet:
    grant = one.grant
    given = ", ".join(f"{voice.person} ({', '.join(sorted(voice.groups))})" for voice in grant.voices)
    return Sheet(
        "grant",
        fields(
            (
                ("grant", grant.grant_id),
                ("tool", f"{grant.tool.name} on the server {grant.tool.server}"),
                ("definition", grant.tool.hash[:16]),
                ("given by", f"{given}, {ago(grant.issued_us, now_us)}"),
                ("reason", grant.reason),
                ("status", word(stands(one, now_us))),
                ("used", f"{one.used} of {grant.uses}"),
                ("expires", f"{ago(grant.expires_us, now_us)}, {local(grant.expires_us)}"),
            )
        ),
        heading("What it releases"),
        fields(_about(grant.subject, grant.where)),
        note("It answers a hold only of exactly this definition, and never a privileged call."),
    )

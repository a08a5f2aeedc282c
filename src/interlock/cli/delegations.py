"""`interlock approvals delegate`: who may approve in another one's place, and until when."""

from __future__ import annotations

import click

from interlock.app import Interlock
from interlock.approvals.delegation import Delegations
from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.fatigue import approvals as approvals  # told again: with it come the commands of three files
from interlock.cli.layout import Listing, note, told
from interlock.cli.output import Report
from interlock.core.clock import iso
from interlock.core.times import ago, local


@command("delegate", approvals, example="interlock approvals delegate nils --group approver --hours 48 "
         '--reason "on leave until Thursday"')  # fmt: skip
@click.argument("to")
@click.option("--group", "groups", multiple=True, required=True, metavar="ROLE", help="A role of yours; repeatable.")
@click.option("--hours", type=click.FloatRange(0, 720, min_open=True), required=True, help="For how long.")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for the record.")
def delegate(deployment: Deployment, to: str, groups: tuple[str, ...], hours: float, reason: str) -> Report:
    """Lend roles of yours to TO (an id) for approving.

    TO cannot lend them on, and the two of you count as one person.

    A new delegation to the same person takes the place of the old one.
    """
    person = deployment.person

    async def work(plane: Interlock) -> None:
        await plane.delegate(person, to, groups, hours=hours, reason=reason)

    deployment.with_plane(work)
    document = {"from": person.id, "to": to, "groups": sorted(set(groups)), "hours": hours, "reason": reason}
    said = told(f"{to} may approve as {', '.join(sorted(set(groups)))} for {hours:g} hours.")
    return Report(document, [said, note(f"Take it back with `interlock approvals undelegate {to}`.")])


@command("undelegate", approvals, example="interlock approvals undelegate nils")
@click.argument("to")
def undelegate(deployment: Deployment, to: str) -> Report:
    """Take back what you have lent to TO. What TO approved with it and has not run yet is void."""
    person = deployment.person

    async def work(plane: Interlock) -> None:
        await plane.undelegate(person, to)

    deployment.with_plane(work)
    return Report({"from": person.id, "to": to}, [told(f"{to} has nothing of yours any more.")])


@command("delegations", approvals, example="interlock approvals delegations")
def delegations(deployment: Deployment) -> Report:
    """Roles that are lent now, by whom and to whom."""
    tenant, now_us = deployment.person.tenant, deployment.now_us
    standing = deployment.with_store(lambda store: Delegations(store).lent(tenant)).standing(now_us)
    cells = [
        (each.lender, each.borrower, ", ".join(sorted(each.groups)), f"{ago(each.until_us, now_us)}, "
         f"{local(each.until_us)}", each.reason)
        for each in standing
    ]  # fmt: skip
    found = [
        {"from": each.lender, "to": each.borrower, "groups": sorted(each.groups), "until": iso(each.until_us),
         "reason": each.reason}
        for each in standing
    ]  # fmt: skip
    columns = ("from", "to", "roles", "until", "why")
    return Report({"delegations": found}, [Listing(columns, cells, empty="Nothing is lent.")])

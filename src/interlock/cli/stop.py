"""`interlock stop` and `interlock resume`: the switch that binds the next call of every process on this ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from interlock.cli.command import Work, command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import note, told
from interlock.cli.output import Report
from interlock.core.principal import ADMIN, FIRST_TENANT, OPERATOR, Principal
from interlock.errors import BadInput, NotEntitled
from interlock.ledger.store import Store
from interlock.ledger.switch import StopSwitch
from interlock.policy.flags import Flags, Scope

_COLUMNS = {Scope.TOOL: "tool", Scope.SERVER: "server", Scope.PRINCIPAL: "principal_id", Scope.TENANT: "tenant"}
"""Where a target shows in the rows of calls that were made."""


def _scoped(work: Work) -> Work:
    """The five ways to say what is stopped, of which one is to be given."""
    options: list[Callable[[Work], Work]] = [
        click.option("--tool", metavar="TOOL", help="One tool, by name."),
        click.option("--server", metavar="SERVER", help="Every tool of one server; those of this process are `local`."),
        click.option("--principal", metavar="ID", help="Whatever is called on behalf of one user or service."),
        click.option("--tenant", metavar="TENANT", help="Whatever is called for one tenant."),
        click.option("--everything", is_flag=True, help="Every call of every tenant."),
    ]
    for option in reversed(options):
        work = option(work)
    return work


@command(
    "stop",
    example='interlock stop --tool refund --reason "the bank is down"\ninterlock stop --everything --reason drill',
)
@_scoped
@click.option(
    "--reason", required=True, metavar="TEXT", help="Why; kept for the audit. Whoever is stopped is not told."
)
def stop(deployment: Deployment, reason: str, **scoped: Any) -> Report:
    """Stop a tool, a server, a principal, a tenant, or everything.

    Further calls are refused, in every process on this ledger and in every mode, until `interlock resume`. What runs
    already runs on. Only people of the tenant `default` stop everything or another tenant. Needs the role operator or
    admin.
    """
    return _turn(deployment, scoped, reason, stopping=True)


@command("resume", example="interlock resume --tool refund\ninterlock resume --everything --reason 'drill over'")
@_scoped
@click.option("--reason", default="", metavar="TEXT", help="Why; kept for the audit.")
def resume(deployment: Deployment, reason: str, **scoped: Any) -> Report:
    """Take back one stop: give what was given to `interlock stop`. Other stops stay, and are listed.

    Needs the role operator or admin.
    """
    return _turn(deployment, scoped, reason, stopping=False)


def _turn(deployment: Deployment, scoped: dict[str, Any], reason: str, *, stopping: bool) -> Report:
    scope, target = _scope(scoped)
    person = deployment.require(OPERATOR, ADMIN)
    if scope is Scope.ALL or (scope is Scope.TENANT and target != person.tenant):
        _require_deployment(person)

    async def turn(store: Store) -> tuple[Flags, Flags, bool]:
        switch = StopSwitch(store)
        before = await switch.flags(person.tenant)
        await switch.turn(scope, target, person, stop=stopping, reason=reason)
        column = _COLUMNS.get(scope)
        own = {} if scope is Scope.TENANT else {"tenant": person.tenant}
        seen = column is None or bool(await store.rows("tool_call", {column: target, **own}, 1))
        return before, await switch.flags(person.tenant), seen

    before, after, seen = deployment.with_store(turn, writes=True)
    stopped = _of(after, person.tenant)
    found = stopping or len(stopped) < len(_of(before, person.tenant))
    what = _named(scope, target)
    document = {
        "stopped": stopping, "scope": scope.value, "target": target, "reason": reason, "by": person.id, "seen": seen,
        "found": found, "stands": [{"scope": scope, "target": target, "reason": why} for scope, target, why in stopped],
    }  # fmt: skip
    if not found:
        view = [told(f"Nothing to resume: {what} was not stopped.", "wait")]
    else:
        view = [told(f"{'Stopped' if stopping else 'Resumed'}: {what}, by {person.id}.")]
    if not seen:
        view.append(told("No call of it stands in the ledger: check the spelling.", "wait"))
    if stopping:
        back = "--everything" if scope is Scope.ALL else f"--{scope.value} {target}"
        view.append(note(f"`interlock resume {back}` takes it back."))
    else:
        view += [told(f"Still stopped: {_named(Scope(each), which)} ({why}).", "bad") for each, which, why in stopped]
    return Report(document, view)


def _of(flags: Flags, tenant: str) -> list[tuple[str, str, str]]:
    """What is stopped in a tenant: scope, target and why; other tenants are not told of it."""
    return sorted(
        (scope, target, why) for (whose, scope, target), why in flags.stops.items()
        if whose == tenant or (not whose and (scope == Scope.ALL or target == tenant or tenant == FIRST_TENANT))
    )  # fmt: skip


def _named(scope: Scope, target: str) -> str:
    return "everything" if scope is Scope.ALL else f"the {scope.value} {target}"


def _scope(scoped: dict[str, Any]) -> tuple[Scope, str]:
    """What the options name.

    Raises:
        BadInput: Nothing, or more than one thing.
    """
    named = [name for name, said in scoped.items() if said]
    if len(named) != 1:
        raise BadInput(
            f"{len(named)} things to stop or resume", code="cli.scope",
            remedy="Give one of --tool, --server, --principal, --tenant and --everything.",
        )  # fmt: skip
    if named == ["everything"]:
        return Scope.ALL, ""
    return Scope(named[0]), scoped[named[0]]


def _require_deployment(person: Principal) -> None:
    if person.tenant != FIRST_TENANT:
        raise NotEntitled(
            f"{person.id!r} belongs to the tenant {person.tenant!r}", code="cli.tenant",
            remedy=f"Only people of the tenant {FIRST_TENANT!r} stop other tenants or everything.",
        )  # fmt: skip

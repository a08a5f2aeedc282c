"""`interlock saga`: how far each saga has come, what was undone, and a person's word on what could not be."""

from __future__ import annotations

from functools import partial
from typing import Any

import click
from rich.console import RenderableType

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, fields, heading, note, word
from interlock.cli.output import Exit, Report
from interlock.core.clock import iso
from interlock.core.run import RunState
from interlock.core.times import ago
from interlock.errors import NotFound
from interlock.ledger.conversation import Ledger
from interlock.ledger.store import Store
from interlock.saga.outcome import SagaOutcome, StepOutcome, outcome_of
from interlock.saga.standing import SagaStatus, Standing, StepStatus, UndoStatus

_EXITS = {
    SagaStatus.COMPLETED: Exit.DONE,
    SagaStatus.COMPENSATED: Exit.NO,
    SagaStatus.COMPENSATION_FAILED: Exit.NO,
    SagaStatus.STUCK: Exit.NO,
    SagaStatus.WAITING: Exit.HELD,
}
"""The exit code of how a saga stands; 0 for one that is on its way."""

_NEXT = {
    SagaStatus.RUNNING: "Goes on where a worker runs: `interlock work`.",
    SagaStatus.COMPENSATING: "Goes on where a worker runs: `interlock work`.",
    SagaStatus.COMPENSATION_FAILED: 'Look at what could not be undone, then `interlock saga resume {} --reason "…"`.',
    SagaStatus.STUCK: 'Look at what cannot be done, then `interlock saga resume {} --reason "…"`.',
}
"""What to do next, given the run's id."""

_UNDONE = {
    UndoStatus.NONE: "–",
    UndoStatus.OPEN: "to be undone",
    UndoStatus.HELD: "waits",
    UndoStatus.DONE: "undone",
    UndoStatus.FAILED: "not undone",
}


@click.group()
def saga() -> None:
    """Sagas: how far each has come, what was undone, what could not be."""


@command("list", saga, example="interlock saga list\ninterlock saga list --status open --json")
@click.option("--status", type=click.Choice(["open", "finished"]), help="Those that are over, or not.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The newest so many.")
def list_(deployment: Deployment, status: str | None, limit: int) -> Report:
    """Sagas, the newest last."""
    where = {"tenant": deployment.person.tenant, "driver": "saga"} | ({} if status is None else {"status": status})
    found = deployment.with_store(partial(_list, where, limit))
    now_us = deployment.now_us
    rows = []
    for run, outcome in found:
        subject = run.principal
        done = sum(step.status is StepStatus.DONE for step in outcome.steps)
        rows.append((
            outcome.run_id, outcome.name, word(outcome.status.value), f"{done} of {len(outcome.steps)} steps",
            "–" if subject is None else subject.id, ago(run.started_us, now_us),
        ))  # fmt: skip
    documents = [{**outcome.as_json(), "started_at": iso(run.started_us)} for run, outcome in found]
    columns = ("run", "saga", "status", "done", "for", "started")
    return Report({"sagas": documents}, [Listing(columns, rows, empty="No sagas.")])


@command("show", saga, example="interlock saga show run_0194f3a2b1c4")
@click.argument("run_id")
def show(deployment: Deployment, run_id: str) -> Report:
    """How each step of a saga stands.

    Whether it was undone, too, and what to do next. The exit code says how the saga stands: 0 completed or on its way,
    1 compensated, not undone or stuck, 3 waiting.
    """
    run, outcome = deployment.with_store(partial(_one, run_id, deployment.person.tenant))
    return _report(run, outcome)


@command("resume", saga, example='interlock saga resume run_0194f3a2b1c4 --reason "the lease was unlocked"')
@click.argument("run_id")
@click.option("--reason", required=True, metavar="TEXT", help="Why now; kept for the audit.")
def resume(deployment: Deployment, run_id: str, reason: str) -> Report:
    """Try again what failed of a saga.

    That is what could not be undone, or what comes behind its pivot. Needs the role operator, and settings that have
    its tools. The exit code is that of `saga show`.
    """
    person = deployment.person
    deployment.with_plane(lambda plane: plane.resume_saga(run_id, person, reason=reason))
    return _report(*deployment.with_store(partial(_one, run_id, person.tenant)))


@command("cancel", saga, example='interlock saga cancel run_0194f3a2b1c4 --reason "the tenant went elsewhere"')
@click.argument("run_id")
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept for the audit.")
def cancel(deployment: Deployment, run_id: str, reason: str) -> Report:
    """Call a saga off: what was done is undone.

    Until its pivot is done; for whom it runs for, or an operator. Needs settings that have its tools. The exit code is
    that of `saga show`.
    """
    person = deployment.person
    deployment.with_plane(lambda plane: plane.cancel_saga(run_id, person, reason=reason))
    return _report(*deployment.with_store(partial(_one, run_id, person.tenant)))


def _report(run: RunState, outcome: SagaOutcome) -> Report:
    subject = run.principal
    rows = [
        (step.id, step.tool, word(step.status.value), _why(step), step.call_id or "–", _undone(step))
        for step in outcome.steps
    ]
    view: list[RenderableType] = [
        fields((
            ("saga", outcome.name),
            ("run", outcome.run_id),
            ("on behalf of", "–" if subject is None else subject.id),
            ("status", word(outcome.status.value)),
        )),
        heading("Steps"),
        Listing(("step", "tool", "status", "why", "call", "undoing"), rows, empty="None."),
        *(note(line) for line in _next(outcome)),
    ]  # fmt: skip
    return Report(outcome.as_json(), view, _EXITS.get(outcome.status, Exit.DONE))


def _why(step: StepOutcome) -> str:
    said = step.outcome
    if not step.why:
        return "–"
    return f"{step.why}: {said.message}" if said is not None and said.message else step.why


def _undone(step: StepOutcome) -> str:
    said = _UNDONE[step.undo]
    return f"{said} ({step.undo_why})" if step.undo_why and step.undo is not UndoStatus.DONE else said


def _next(outcome: SagaOutcome) -> list[str]:
    """The commands that get it on, one a line."""
    found = [f"Held: `interlock approvals show {approval_id}`." for approval_id in outcome.waits_for]
    for step in outcome.steps:
        if step.status is StepStatus.UNKNOWN and step.undo in (UndoStatus.NONE, UndoStatus.HELD):
            found.append(f'Unknown: `interlock calls settle {step.call_id} done|failed --note "…"`.')
    if outcome.status in _NEXT:
        found.append(_NEXT[outcome.status].format(outcome.run_id))
    return found


async def _list(where: dict[str, Any], limit: int, store: Store) -> list[tuple[RunState, SagaOutcome]]:
    rows = await store.rows("run", where, limit)
    ledger = Ledger(store)
    runs = [(await ledger.conversation(row["run_id"], row["tenant"])).state for row in rows]
    return [(run, _outcome(run)) for run in runs if run.course]


async def _one(run_id: str, tenant: str, store: Store) -> tuple[RunState, SagaOutcome]:
    """A saga's run and how it stands.

    Raises:
        NotFound: No such saga of this tenant.
    """
    run = (await Ledger(store).conversation(run_id, tenant)).state
    if run.driver != "saga" or not run.course:
        raise NotFound(f"run {run_id!r} is no saga", code="saga.not_found", remedy="See `interlock saga list`.")
    return run, _outcome(run)


def _outcome(run: RunState) -> SagaOutcome:
    """How it stands by the ledger alone: nothing is known here of the tools."""
    return outcome_of(Standing(run, lambda name: None))

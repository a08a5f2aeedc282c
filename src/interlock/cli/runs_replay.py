"""`interlock runs replay`: a run again from its record alone, at once or step by step, and its decisions made again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import click
from rich.console import RenderableType

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, Sheet, fields, note, told, value, word
from interlock.cli.output import Exit, Report
from interlock.cli.policy_suggest import tools_of_now
from interlock.cli.runs import runs as runs  # told again: with it come the commands of both files
from interlock.core.event import Event
from interlock.core.times import took
from interlock.errors import BadInput, NotFound
from interlock.evals.again import Again, Known
from interlock.evals.redecide import Redecided, redecide
from interlock.ledger.replay import Step, replay
from interlock.ledger.store import Store
from interlock.policy.cedar import Policy
from interlock.policy.rules import DEFAULT_POLICY, read_sources

_EXAMPLE = """\
interlock runs replay run_0194f3a2b1c4
interlock runs replay run_0194f3a2b1c4 --to 12 --json
interlock runs replay run_0194f3a2b1c4 --decide --step"""


@command("replay", runs, example=_EXAMPLE)
@click.argument("run_id")
@click.option(
    "--to", "last", type=click.IntRange(1), metavar="EVENT", help="Up to this event; to the end where left out."
)
@click.option("--decide", is_flag=True, help="Ask the policy in force again about each decision, and name differences.")
@click.option("--policy", "path", metavar="PATH", type=click.Path(path_type=Path), help="Ask this one; with --decide.")
@click.option("--step", "stepwise", is_flag=True, help="One step at a time, in full; Enter for the next, q to stop.")
def replay_(
    deployment: Deployment, run_id: str, last: int | None, decide: bool, path: Path | None, stepwise: bool
) -> Report:  # fmt: skip
    """Go through a run again, event by event, from its record alone.

    Nothing is dialled, decided or written. The record is checked on the way. With --decide the policy in force, or
    --policy, is asked what it says now on the facts of then. Exit code 1 where the record was changed or contradicts
    itself, or a decision would be another now.
    """
    if path is not None and not decide:
        raise BadInput("--policy is asked with --decide", code="cli.usage", remedy="Add --decide.")
    events = deployment.with_store(partial(_events, run_id, deployment.person.tenant))[:last]
    steps = list(replay(events))
    problem = next((step.problem for step in steps if step.problem), "")
    sound = [event for event in events if not problem or event.seq < steps[-1].seq]
    again = _again(deployment, path, sound) if decide else {}
    differ = sum(each.differs for each in again.values())
    document: dict[str, Any] = {
        "run_id": run_id, "steps": [step.as_json() for step in steps], "holds": not problem, "problem": problem
    }  # fmt: skip
    if decide:
        document |= {"again": [each.as_json() for each in again.values()], "differ": differ}
    code = Exit.NO if problem or differ else Exit.DONE
    if stepwise:
        _walk(deployment, steps, again)
        return Report(document, _ending(problem, again, differ), code)
    return Report(document, [_table(events, steps, again), told(""), *_ending(problem, again, differ)], code)


def _again(deployment: Deployment, path: Path | None, events: Sequence[Event]) -> dict[int, Redecided]:
    """Number of the event to what is said now."""
    in_force = deployment.settings.policy
    sources = read_sources(path or (DEFAULT_POLICY if in_force is None else deployment.settings.at(in_force)))
    tools = anyio.run(tools_of_now, deployment)
    known = deployment.with_store(Known(tools).read)
    return {each.asked.seq: each for each in redecide(events, Again(Policy(sources, tools), known))}


def _table(events: Sequence[Event], steps: Sequence[Step], again: dict[int, Redecided]) -> Listing:
    numbers = {event.fact.call_id: str(event.fact.step) for event in events if event.fact.step}
    rows = []
    for step in steps:
        said = again.get(step.seq) if step.gate == "authorize" and "decision" in step.detail else None
        text = told(step.text)
        if said is not None:
            text.append_text(told(f" {said.text}", "bad" if said.differs else "quiet"))
        rows.append((
            str(step.seq), "+" + took(max(step.at_us - events[0].at_us, 0)), numbers.get(step.call_id, ""), step.gate,
            text, word(step.status) if step.status else "",
        ))  # fmt: skip
    return Listing(("event", "when", "step", "gate", "what happened", "then"), rows, empty="None.")


def _walk(deployment: Deployment, steps: Sequence[Step], again: dict[int, Redecided]) -> None:
    """Show each step in full, and wait.

    Raises:
        BadInput: Nobody is there to go on.
    """
    output = deployment.output
    if output.as_json:
        raise BadInput("--json waits for nobody", code="cli.usage", remedy="Leave out --step.")
    for number, step in enumerate(steps, 1):
        said = again.get(step.seq) if step.gate == "authorize" and "decision" in step.detail else None
        pairs = [(name, text) for name, text in (("gate", step.gate), ("call", step.call_id), ("by", step.who)) if text]
        output.show(
            Sheet(
                f"{number} of {len(steps)}: event {step.seq}, {step.kind}",
                told(step.text, "strong"),
                *([told(said.text, "bad" if said.differs else "good")] if said is not None else []),
                *([told(step.problem, "bad")] if step.problem else []),
                fields([*pairs, *([("then", word(step.status))] if step.status else [])]),
                *([value(dict(step.detail))] if step.detail else []),
            )
        )
        if number < len(steps) and not _on():
            return


def _on() -> bool:
    """Whether somebody wants the next one; no where nobody is there."""
    click.echo("Enter for the next, q to stop: ", err=True, nl=False)
    typed = sys.stdin.readline()
    return bool(typed) and not typed.strip().lower().startswith("q")


def _ending(problem: str, again: dict[int, Redecided], differ: int) -> list[RenderableType]:
    ending: list[RenderableType] = [
        told(f"The record does not hold: {problem}.", "bad") if problem else note("The record holds.")
    ]
    if again:
        unsaid = sum(each.answer.decision is None for each in again.values())
        more = f"; {unsaid} cannot be decided" if unsaid else ""
        style = "bad" if differ else "good"
        ending.append(told(f"{differ} of {len(again)} decisions would be another now{more}.", style))
    return ending


async def _events(run_id: str, tenant: str, store: Store) -> list[Event]:
    """The events of a run, read and not folded: replay folds them, and says where they do not fit.

    Raises:
        NotFound: No such run of this tenant.
    """
    if not await store.rows("run", {"run_id": run_id, "tenant": tenant}):
        raise NotFound(f"no run {run_id!r} here", code="run.not_found", remedy="List runs with `interlock runs list`.")
    return await store.read(run_id)

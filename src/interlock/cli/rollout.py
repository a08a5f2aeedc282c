"""`interlock tools rollout` and `rollouts`: who has which version of a tool, and how it has gone since."""

from __future__ import annotations

from typing import Any

import click

from interlock.app import Interlock
from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Cell, Listing, note, told
from interlock.cli.output import Report
from interlock.cli.tools_cost import tools as tools  # told again: with it come the commands of three files
from interlock.core.clock import iso
from interlock.core.principal import ADMIN, OPERATOR
from interlock.core.times import ago
from interlock.registry.trial import CALLS_MIN
from interlock.rollouts import VersionState
from interlock.verification.calibrate import Share


@command(
    "rollout", tools,
    example='interlock tools rollout refund 2 --to 5 --reason "new bank"\n'
    'interlock tools rollout refund 2 --to 0 --reason "wrong rounding"',
)  # fmt: skip
@click.argument("tool")
@click.argument("version")
@click.option(
    "--to", "percent", type=click.IntRange(0, 100), required=True, metavar="PERCENT",
    help="How many of a hundred principals get this version: 5, 25, 50, 100; 0 for none.",
)  # fmt: skip
@click.option("--reason", required=True, metavar="TEXT", help="Why; stays in the ledger, so name nobody.")
@click.option(
    "--tolerate", "tolerated", type=click.FloatRange(0, 100, max_open=True), metavar="PERCENT",
    help="How many of a hundred of its calls may fail before it is taken back; 5 where nobody said otherwise.",
)  # fmt: skip
def rollout(
    deployment: Deployment, tool: str, version: str, percent: int, reason: str, tolerated: float | None
) -> Report:  # fmt: skip
    """Give a version of a tool to so many of a hundred principals.

    Always the same ones, and those who have it keep it while the share grows. It binds the next call of every process.
    Where its calls fail more often than is tolerated, and more often than those of the version before, it is taken back
    by itself; the figures begin anew with each word. Needs the role operator or admin.
    """
    person = deployment.require(OPERATOR, ADMIN)

    async def set_(plane: Interlock) -> tuple[int, VersionState]:
        before = {(each.tool.name, each.tool.version): each.share for each in await plane.rollouts(person.tenant)}
        state = await plane.roll_out(tool, version, percent, person, reason=reason, tolerated=tolerated)
        return before.get((tool, version), 100), state

    was, state = deployment.with_plane(set_)
    assert state.said is not None, "it was said just now"
    whom = "nobody" if percent == 0 else "everybody" if percent == 100 else f"{percent} of a hundred principals"
    view = [told(f"{tool} {version} is for {whom}, by {person.id}.", "strong")]
    if percent:
        view.append(told(f"Taken back by itself where more than {state.said.tolerated:g} % of its calls fail."))
    view.append(note(f"`interlock tools rollout {tool} {version} --to {was} --reason …` takes this word back."))
    return Report(_document(state) | {"was": was}, view)


@command("rollouts", tools, example="interlock tools rollouts\ninterlock tools rollouts --json")
def rollouts(deployment: Deployment) -> Report:
    """The versions of tools, who has them, and how many of their calls failed.

    Of tools that have several versions, or of which somebody said something. `share` is of the principals that get no
    newer version; figures are those since the last word, with a 95 % interval.
    """
    person = deployment.person
    found = deployment.with_plane(lambda plane: plane.rollouts(person.tenant))
    rows = [_cells(each, deployment.now_us) for each in found]
    columns = ("tool", "version", "share", "stands", "failed", "interval", "the others'", "since")
    view: list[Any] = [Listing(columns, rows, empty="Every tool has one version, which everybody has.")]
    if any(_stands(each) == "rolled back" for each in found):
        view.append(note("Rolled back stays so until somebody says otherwise with `interlock tools rollout`."))
    view += [
        told(f"The version of {each.tool.name} before {each.tool.version} is gone: whoever had it has none. "
             f"Put it back, or give {each.tool.version} to everybody.", "bad")
        for each in found if each.left_over
    ]  # fmt: skip
    if any(0 < each.figures.calls < CALLS_MIN for each in found):
        view.append(note(f"Fewer than {CALLS_MIN} calls say nothing yet."))
    return Report({"rollouts": [_document(each) for each in found]}, view)


def _stands(state: VersionState) -> str:
    """`live`, `off`, `rolled back` or `unreadable`; of one that nobody spoke of, whether everybody has it."""
    if state.said is None or (state.said.state == "live" and not state.share):
        return "live" if state.share else "off" if state.said is None else "unreadable"
    return state.said.state.replace("_", " ")


def _cells(state: VersionState, now_us: int) -> tuple[Cell | None, ...]:
    figures, said = state.figures, state.said
    stands = _stands(state)
    styles = {"live": "good", "rolled back": "bad", "unreadable": "bad"}
    share = Share(figures.failed, figures.calls)
    low, high = share.interval
    interval = f"{low:.1%} to {high:.1%}" if figures.calls else None
    others = f"{figures.old_failed} of {figures.old_calls}" if figures.old_calls else None
    since = None if said is None else f"{ago(said.at_us, now_us)}, {said.by}"
    failed = f"{figures.failed} of {figures.calls}" if figures.calls else None
    return (
        state.tool.name, state.tool.version, f"{state.share} %", told(stands, styles.get(stands, "")), failed, interval,
        others, since,
    )  # fmt: skip


def _document(state: VersionState) -> dict[str, Any]:
    said, figures = state.said, state.figures
    document: dict[str, Any] = {
        "tool": state.tool.name, "server": state.tool.server, "version": state.tool.version,
        "digest": state.tool.digest, "share": state.share, "state": _stands(state).replace(" ", "_"),
        "left_over": state.left_over,
        "calls": Share(figures.failed, figures.calls).as_json(),
        "others": Share(figures.old_failed, figures.old_calls).as_json(),
    }  # fmt: skip
    if said is not None:
        document |= {
            "rollout_id": said.rollout_id, "percent": said.percent, "tolerated": said.tolerated, "by": said.by,
            "reason": said.reason, "since": iso(said.at_us),
        }  # fmt: skip
    return document

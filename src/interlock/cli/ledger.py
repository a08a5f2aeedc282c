"""`interlock ledger`: the sealed log, its key, its sinks, and what they prove."""

from __future__ import annotations

from typing import Any

import click
from rich.console import RenderableType

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, fields, heading, note, told
from interlock.cli.output import Exit, Report
from interlock.compose import open_sinks
from interlock.core.clock import iso
from interlock.core.principal import ADMIN, OPERATOR
from interlock.errors import BadInput
from interlock.ledger.checkpoint import compare, refusal
from interlock.ledger.proofs import consistency, inclusion
from interlock.ledger.seal import Sealer
from interlock.ledger.sealing import SinkState, Standing, Stored
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.sqlite_log import Log

_STYLES = {Standing.CURRENT: "good", Standing.BEHIND: "wait"}


@click.group()
def ledger() -> None:
    """The ledger as evidence: sealed, held against what left it, proved and verified."""


@command("status", ledger, example="interlock ledger status\ninterlock ledger status --json")
def status(deployment: Deployment) -> Report:
    """How far the ledger is sealed, and whether its key and its sinks are well.

    Exit code 1 where something is wrong: the key is missing, a sink cannot be reached, or the ledger was rolled back or
    forked. Reads only.
    """
    deployment.require(OPERATOR, ADMIN)

    async def look(store: SqliteStore, sealer: Sealer) -> dict[str, Any]:
        sinks = open_sinks(deployment.settings)
        states, (events, newest, made) = await store.log(lambda log: (compare(log, sinks), _size(log)))
        return {
            "events": events, "sealed": newest.size if newest else 0, "checkpoints": made,
            "newest": _stored(newest) if newest else None, "key": await sealer.look_for_key(),
            "sinks": [_state(state) for state in states], "refused": getattr(refusal(states), "code", None),
        }  # fmt: skip

    found = deployment.with_sealed(look, held=False)
    wrong = bool(found["key"]["problem"] or any(sink["problem"] for sink in found["sinks"]))
    return Report(found, _status_page(found, deployment.now_us), Exit.NO if wrong else Exit.DONE)


@command("seal", ledger, example="interlock ledger seal")
def seal(deployment: Deployment) -> Report:
    """Seal all that is committed now, and send the sinks what they have not.

    A process that has the ledger open does so by itself, every second. Needs the role operator or admin.
    """
    deployment.require(OPERATOR, ADMIN)

    async def work(store: SqliteStore, sealer: Sealer) -> tuple[Stored | None, dict[str, str]]:
        return await sealer.seal(), dict(sealer.problems)

    newest, problems = deployment.with_sealed(work)
    document = {"newest": _stored(newest) if newest else None, "problems": problems}
    view = [told(f"Sealed: {newest.size} events." if newest else "Nothing is sealed yet.")]
    view += [told(f"{sink}: {why}", "bad") for sink, why in problems.items()]
    return Report(document, view, Exit.NO if problems else Exit.DONE)


@command(
    "prove", ledger, example="interlock ledger prove run_0194f3a2b1c4 3\ninterlock ledger prove --from 120 --to 480"
)
@click.argument("run_id", required=False)
@click.argument("seq", required=False, type=click.IntRange(1))
@click.option("--from", "older", type=click.IntRange(1), metavar="SIZE", help="A checkpoint that an auditor has.")
@click.option("--to", "size", type=click.IntRange(1), metavar="SIZE", help="A later one; the newest where left out.")
def prove(deployment: Deployment, run_id: str | None, seq: int | None, older: int | None, size: int | None) -> Report:
    """Prove that an event is in the log, or that the log only grew.

    RUN_ID and SEQ name the event; --from names an older checkpoint. The proof is RFC 6962's, against the signed
    checkpoint that is shown with it; anybody can check it without the ledger. Needs the role operator or admin.
    """
    deployment.require(OPERATOR, ADMIN)
    if (run_id is None or seq is None) == (older is None):
        raise BadInput("something to prove", code="cli.prove", remedy="Name RUN_ID and SEQ, or give --from.")

    async def work(store: SqliteStore, sealer: Sealer) -> dict[str, Any]:
        return await store.log(
            lambda log: (
                consistency(log, older, size) if older is not None else inclusion(log, run_id or "", seq or 0, size)
            )
        )

    found = deployment.with_sealed(work, held=False)
    view: list[RenderableType] = [
        fields((name, str(found[name])) for name in ("event", "index", "leaf", "from", "to") if name in found),
        heading("The proof"), *(told(f"  {part}") for part in found["proof"]),
        heading("Against this checkpoint"), *(told(f"  {line}") for line in found["checkpoint"].splitlines()),
    ]  # fmt: skip
    return Report(found, view)


@command("rotate-key", ledger, example="interlock ledger rotate-key")
def rotate_key(deployment: Deployment) -> Report:
    """Put a new signing key in the old one's place. The old one signs that the new one follows it.

    Hand the new public key to whoever verifies your ledger. Needs the role admin.
    """
    person = deployment.require(ADMIN)

    async def work(store: SqliteStore, sealer: Sealer) -> str:
        return await sealer.rotate(person)

    key = deployment.with_sealed(work)
    return Report({"key": key, "by": person.id}, [told("The new public key:"), told(f"  {key}", "strong")])


@command("accept-restore", ledger, example='interlock ledger accept-restore --reason "disk 2 broke; backup of 02:00"')
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept for the audit.")
def accept_restore(deployment: Deployment, reason: str) -> Report:
    """Go on from a backup that you restored knowingly.

    Until then nothing is written: the sinks know of a later ledger. What was given up stands in this one from then on,
    and in every verification. Effects of that time happened all the same: ask the far ends. Needs the role admin.
    """
    person = deployment.require(ADMIN)

    async def work(store: SqliteStore, sealer: Sealer) -> list[SinkState]:
        return await sealer.accept_restore(person, reason)

    states = deployment.with_sealed(work, held=False)
    view = [told(f"Accepted by {person.id}: the ledger goes on from here.")]
    view += [told(f"{state.sink}: {state.why}", "quiet") for state in states if state.why]
    return Report({"by": person.id, "reason": reason, "sinks": [_state(state) for state in states]}, view)


def _size(log: Log) -> tuple[int, Stored | None, int]:
    return log.events, log.newest, log.count


def _stored(stored: Stored) -> dict[str, Any]:
    return {"size": stored.size, "at": iso(stored.at_us), "note": stored.note}


def _state(state: SinkState) -> dict[str, Any]:
    return {
        "sink": state.sink, "standing": state.standing.value, "size": state.newest.size if state.newest else 0,
        "problem": state.why,
    }  # fmt: skip


def _status_page(found: dict[str, Any], now_us: int) -> list[RenderableType]:
    key = found["key"]
    rows = [
        (sink["sink"], told(sink["standing"], _STYLES.get(sink["standing"], "bad")), str(sink["size"]), sink["problem"])
        for sink in found["sinks"]
    ]
    return [
        fields(
            (
                ("events", str(found["events"])),
                ("sealed", f"{found['sealed']} in {found['checkpoints']} checkpoints"),
                ("newest", found["newest"]["at"] if found["newest"] else "none"),
                ("key", told(key["problem"], "bad") if key["problem"] else told(key["public"] or "none yet")),
            )
        ),
        heading("Sinks"),
        Listing(
            ("sink", "standing", "events", "problem"),
            rows,
            empty="None: nothing outside keeps it to its word.",
        ),
        *([note("Nothing can be written until an operator decides.")] if found["refused"] else []),
    ]

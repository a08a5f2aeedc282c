"""`interlock calls`: what was called, what is unknown, and a person's word on it."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import click
from rich.console import RenderableType

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, fields, heading, note, told, word
from interlock.cli.origins import origins_view
from interlock.cli.outcome import exit_of_outcome, outcome_view, outcome_word
from interlock.cli.output import Report
from interlock.core.call_state import CallState
from interlock.core.event import Event, Kind
from interlock.core.times import ago
from interlock.errors import NotFound
from interlock.ledger.conversation import Ledger
from interlock.ledger.plain import plain
from interlock.ledger.store import Store

STATES = ("proposed", "held", "intent", "unknown", "closed")


@click.group()
def calls() -> None:
    """Calls, how each stands, and those whose effect is unknown."""


@command("list", calls, example="interlock calls list\ninterlock calls list --tool refund --status held --json")
@click.option("--run", "run_id", metavar="RUN_ID", help="Of one run.")
@click.option("--tool", metavar="TOOL", help="Of one tool.")
@click.option("--status", type=click.Choice(STATES), help="In one state.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The newest so many.")
def list_(deployment: Deployment, run_id: str | None, tool: str | None, status: str | None, limit: int) -> Report:
    """Calls, the newest last."""
    asked = {"run_id": run_id, "tool": tool, "status": status}
    where = {"tenant": deployment.person.tenant} | {name: said for name, said in asked.items() if said is not None}
    return _list(deployment, where, limit, empty="No calls.")


@command("unknown", calls, example="interlock calls unknown")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The newest so many.")
def unknown(deployment: Deployment, limit: int) -> Report:
    """Calls that may or may not have taken effect.

    Look at the far end, then say with `interlock calls settle` what you found.
    """
    where = {"tenant": deployment.person.tenant, "status": "unknown"}
    return _list(deployment, where, limit, empty="Nothing is unknown.")


@command("show", calls, example="interlock calls show call_0194f3a2b1c4")
@click.argument("call_id")
def show(deployment: Deployment, call_id: str) -> Report:
    """How one call stands: its outcome as it was told, with the result. The exit code says the outcome."""
    row, call = deployment.with_store(partial(_call, call_id, deployment.person.tenant))
    outcome, cached = call.outcome, call.cached
    document = {**plain(row), "told": outcome.as_json() if outcome is not None else None}
    if row["grant_id"]:
        by = deployment.with_store(partial(_givers, row["grant_id"], row["tenant"]))
        document["released_by"] = {"grant_id": row["grant_id"], "by": by}
    if outcome is None:
        why = "What was told has been erased." if row["status"] == "closed" else "It is on its way."
        return Report(document, [word(row["status"]), note(why)])
    beside = [("proposed", ago(row["proposed_us"], deployment.now_us)), ("run", row["run_id"])]
    if row["grant_id"]:
        beside.append(("released by", f"grant {row['grant_id']} of {', '.join(document['released_by']['by'])}"))
    came: list[RenderableType] = []
    if (origins := call.provenance) is not None:
        document["origins"] = origins
        came = [heading("Where the values come from"), *origins_view(origins)]
    if cached is not None:
        document["cached"] = cached
        beside.append(("from", f"{cached['call_id']}, {cached['age_ms'] / 1000:.1f} s before; nothing was dialled"))
    return Report(document, [*outcome_view(outcome), fields(beside), *came], exit_of_outcome(outcome))


@command("settle", calls, example='interlock calls settle call_0194f3a2b1c4 done --note "the bank shows the transfer"')
@click.argument("call_id")
@click.argument("outcome", type=click.Choice(["done", "failed"]))
@click.option("--note", required=True, metavar="TEXT", help="How you know; kept for the audit.")
def settle(deployment: Deployment, call_id: str, outcome: str, note: str) -> Report:
    """Say what became of an unknown call.

    It took effect (done), or it did not (failed). Needs the role operator.
    """
    person = deployment.person
    said = deployment.with_plane(lambda plane: plane.settle(call_id, outcome, person, note=note))
    line = f"Recorded: {said.tool} {'took effect' if said.done else 'took no effect'}, by the word of {person.id}."
    return Report({**said.as_json(), "by": person.id, "note": note}, [told(line)])


@command("dead", calls, example="interlock calls dead")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The newest so many.")
def dead(deployment: Deployment, limit: int) -> Report:
    """Calls that were given up on, the newest last.

    Writes that were wanted and did not come about. Find out why, then propose one again with `interlock calls retry`.
    """
    letters = deployment.with_store(partial(_dead, deployment.person.tenant, limit))
    now_us = deployment.now_us
    cells = [
        (
            letter["call_id"],
            letter["tool"] or "–",
            outcome_word(letter["now"], letter["code"]),
            letter["code"] or "",
            str(letter["attempts"]),
            letter["retried_in"] or "–",
            ago(letter["at_us"], now_us),
        )
        for letter in letters
    ]
    columns = ("call", "tool", "outcome", "why", "attempts", "retried in", "given up")
    return Report({"calls": [plain(letter) for letter in letters]}, [Listing(columns, cells, empty="None.")])


@command("retry", calls, example='interlock calls retry call_0194f3a2b1c4 --reason "the bank is up again"')
@click.argument("call_id")
@click.option("--reason", required=True, metavar="TEXT", help="Why now; kept for the audit.")
def retry(deployment: Deployment, call_id: str, reason: str) -> Report:
    """Propose a call that was given up on again.

    It is a new call in a run of its own, on behalf of the same principal, through every gate; it may be held or
    refused. Asking twice tells what became of the first. Needs the role operator. The exit code says the outcome.
    """
    person = deployment.person
    outcome = deployment.with_plane(lambda plane: plane.retry(call_id, person, reason=reason))
    return Report(
        {**outcome.as_json(), "retried": call_id, "by": person.id}, outcome_view(outcome), exit_of_outcome(outcome)
    )


async def _dead(tenant: str, limit: int, store: Store) -> list[dict[str, Any]]:
    """The rows of dead letters, each with how its call stands now and the run of its last retry."""
    letters = await store.rows("dead_letter", {"tenant": tenant}, limit)
    for letter in letters:
        found = {"run_id": letter["run_id"], "call_id": letter["call_id"]}
        [call] = await store.rows("tool_call", found)
        events = await store.read(letter["run_id"])
        retried = [event.fact.body["run_id"] for event in events if _retries(event, letter["call_id"])]
        letter |= {"now": call["outcome"], "retried_in": retried[-1] if retried else None}
    return letters


def _retries(event: Event, call_id: str) -> bool:
    return event.fact.kind is Kind.OPERATOR and event.fact.call_id == call_id


def _list(deployment: Deployment, where: dict[str, Any], limit: int, *, empty: str) -> Report:
    rows = deployment.with_store(lambda store: store.rows("tool_call", where, limit))
    now_us = deployment.now_us
    cells = [
        (
            row["call_id"],
            row["tool"],
            row["principal_id"],
            outcome_word(row["outcome"] or row["status"], row["code"]),
            row["code"] or "",
            ago(row["proposed_us"], now_us),
        )
        for row in rows
    ]
    listing = Listing(("call", "tool", "for", "outcome", "why", "proposed"), cells, empty=empty)
    return Report({"calls": [plain(row) for row in rows]}, [listing])


async def _givers(grant_id: str, tenant: str, store: Store) -> list[str]:
    """Who gave a grant: the issuer, then those who endorsed it."""
    return [
        who
        for row in await store.rows("grant", {"grant_id": grant_id, "tenant": tenant})
        for who in (row["issued_by"], *json.loads(row["endorsed_by"]))
    ]


async def _call(call_id: str, tenant: str, store: Store) -> tuple[dict[str, Any], CallState]:
    rows = await store.rows("tool_call", {"call_id": call_id, "tenant": tenant})
    if not rows:
        raise NotFound(f"no call {call_id!r}", code="call.not_found", remedy="See `interlock calls list`.")
    run = await Ledger(store).conversation(rows[0]["run_id"], tenant)
    return rows[0], run.state.calls[call_id]

"""`interlock runs`: what happened in a run, call by call."""

from __future__ import annotations

from functools import partial
from typing import Any

import click
from rich.console import RenderableType

from interlock.agent.result import listens
from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, Sheet, fields, heading, lines, note, told, word
from interlock.cli.origins import lacks_line
from interlock.cli.outcome import outcome_word, settle_hint
from interlock.cli.output import Report
from interlock.cli.timeline import graph_of, graph_view, turns_of, turns_view
from interlock.core.event import Event
from interlock.core.run import RunState
from interlock.core.times import ago, local, took
from interlock.ledger.conversation import Ledger
from interlock.ledger.plain import plain
from interlock.ledger.store import Store

Row = dict[str, Any]

ROWS_MAX = 1_000_000
"""More rows of a kind than one run can have (settings: 100,000 calls, each held and decided a few times)."""


@click.group()
def runs() -> None:
    """Runs: what happened in each; replay it from its record."""


@command("list", runs, example="interlock runs list\ninterlock runs list --status open --json")
@click.option("--status", type=click.Choice(["open", "finished", "cancelled"]), help="In one state.")
@click.option("--principal", metavar="ID", help="On behalf of one user or service.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The newest so many.")
def list_(deployment: Deployment, status: str | None, principal: str | None, limit: int) -> Report:
    """Runs, the newest last. An open one still runs, or waits for a person."""
    where = {"tenant": deployment.person.tenant}
    where |= {} if status is None else {"status": status}
    where |= {} if principal is None else {"principal_id": principal}
    rows = deployment.with_store(lambda store: store.rows("run", where, limit))
    now_us = deployment.now_us
    cells = [
        (
            row["run_id"],
            row["principal_id"] or "–",
            row["driver"] or "–",
            word(row["status"]),
            ago(row["started_us"], now_us),
            took(row["ended_us"] - row["started_us"]) if row["ended_us"] is not None else "–",
        )
        for row in rows
    ]
    listing = Listing(("run", "for", "driver", "status", "started", "took"), cells, empty="No runs.")
    return Report({"runs": [plain(row) for row in rows]}, [listing])


@command("show", runs, example="interlock runs show run_0194f3a2b1c4")
@click.argument("run_id")
def show(deployment: Deployment, run_id: str) -> Report:
    """What happened in a run, in order.

    Its calls, an agent's turns, and how a graph stands. For each call: what was decided and why, what came of it, who
    approved. For each turn of a model: what it said and proposed, what came of that, what it took.
    """
    state, tables, events = deployment.with_store(partial(_run, run_id, deployment.person.tenant))
    calls = [_timeline(row, tables, state) for row in tables["tool_call"]]
    subject = state.principal
    assert subject is not None, "a run that is shown was started"
    document = {
        **plain(tables["run"][0]),
        "principal": {"id": subject.id, "roles": sorted(subject.roles), "kind": subject.kind},
        "words": state.words,
        "calls": calls,
    }
    if state.transcript is not None:
        document["turns"] = turns_of(events, state)
    if "graph" in state.course:
        document["graph"] = graph_of(state)
    return Report(document, [Sheet("run", *_page(state, tables, document, deployment.now_us))])


def _page(state: RunState, tables: dict[str, list[Row]], document: Row, now_us: int) -> list[RenderableType]:
    run, subject, calls = tables["run"][0], state.principal, document["calls"]
    assert subject is not None, "a run that is shown was started"
    roles = ", ".join(sorted(subject.roles)) or "no role"
    started = f"{ago(run['started_us'], now_us)}, {local(run['started_us'])}"
    own = {call["call_id"] for turn in document.get("turns", ()) for call in turn.get("calls", ())}
    own |= {call["call_id"] for call in document.get("graph", {}).get("calls", ())}
    rows = [
        (
            str(call["step"]),
            f"· {call['tool']}" if _looked_up(call) else call["tool"],
            outcome_word(call["outcome"] or call["status"], call["code"]),
            _why(call),
            "–" if call["took_us"] is None else took(call["took_us"]),
        )
        for call in sorted(calls, key=lambda call: call["step"])
        if call["call_id"] not in own
    ]
    waiting = [call["approval_id"] for call in calls if call["status"] == "held"]
    view: list[RenderableType] = [
        fields(
            (
                ("run", state.run_id),
                ("on behalf of", f"{subject.id} ({roles})"),
                ("the user said", lines(state.words) if state.words is not None else told("not seen", "quiet")),
                *([("its task", told(f"{state.task['from']}: {state.task['text']}"))] if state.task else []),
                ("status", word(run["status"])),
                ("started", started),
            )
        ),
    ]
    if "turns" in document:
        view += turns_view(document["turns"], {call["call_id"]: call for call in calls}, _why)
    if "graph" in document:
        view += graph_view(state)
    if rows or not ("turns" in document or "graph" in document):
        title = "Calls besides" if own else "Calls"
        view += [heading(title), Listing(("step", "tool", "outcome", "why", "took"), rows, empty="None.")]
    if any(_looked_up(call) for call in calls):
        view.append(note("· a look-up of Interlock's own, to check what the call before it names"))
    if listens(state):
        view.append(note("It has answered, and waits for what its user says next."))
    view += [settle_hint(call["call_id"]) for call in calls if call["status"] == "unknown"]
    view += [note(f"Held: `interlock approvals show {approval_id}`.") for approval_id in waiting]
    return view


def _looked_up(call: Row) -> bool:
    """Whether it was read on behalf of another call; a call in the place of one that failed is its own."""
    return bool(call["parent_id"]) and call["effect"] in (None, "read")


def _timeline(row: Row, tables: dict[str, list[Row]], state: RunState) -> Row:
    """One call with its last decision, its approval and its last result."""
    call_id = row["call_id"]
    decision = _last(tables["authz_decision"], call_id)
    approval = _last(tables["approval"], call_id)
    result = _last(tables["tool_result"], call_id)
    told_last, origins = state.calls[call_id].outcome, state.calls[call_id].provenance
    return {
        **plain(row),
        "origins": origins,
        "decision": decision["decision"] if decision else None,
        "reasons": plain(decision, "reasons")["reasons"] if decision else [],
        "approved_by": [who["id"] for who in plain(approval, "approvers")["approvers"]] if approval else [],
        "settled_by": result["by"] if result else None,
        "took_us": result["took_us"] if result else None,
        "attempts": result["attempts"] if result else None,
        "message": told_last.message if told_last else "",
        "told": told_last.as_json() if told_last else None,
    }


def _why(call: Row) -> str:
    """What decided the call, what stopped it, and who let it pass."""
    said = []
    if call["decision"]:
        said.append(f"{call['decision']} ({', '.join(each.removeprefix('rule:') for each in call['reasons'])})")
    if lacks := lacks_line(call["origins"]):
        said.append(lacks)
    if call["code"] and call["outcome"] != "done":
        said.append(f"{call['code']}: {call['message']}")
    if call["approved_by"]:
        said.append(f"approved by {', '.join(call['approved_by'])}")
    if call["settled_by"]:
        said.append(f"settled by {call['settled_by']}")
    return "; ".join(said)


def _last(rows: list[Row], call_id: str) -> Row | None:
    return next((row for row in reversed(rows) if row["call_id"] == call_id), None)


async def _run(run_id: str, tenant: str, store: Store) -> tuple[RunState, dict[str, list[Row]], list[Event]]:
    """The run's fold, its rows and its events.

    Raises:
        NotFound: No such run of this tenant.
    """
    conversation = await Ledger(store).conversation(run_id, tenant)
    names = ("run", "tool_call", "authz_decision", "approval", "tool_result")
    tables = {name: await store.rows(name, {"run_id": run_id}, ROWS_MAX) for name in names}
    return conversation.state, tables, await store.read(run_id)

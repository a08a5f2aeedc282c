"""`interlock inbox`: everything that waits for a person."""

from __future__ import annotations

from typing import Any

import click

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, note
from interlock.cli.output import Exit, Report
from interlock.core.clock import iso
from interlock.core.times import ago
from interlock.gist import Gist, gists
from interlock.inbox import Item
from interlock.inbox import inbox as waiting
from interlock.ledger.store import Store

_WHAT = {
    "held": "held",
    "unknown": "unknown",
    "dead_letter": "given up on",
    "not_undone": "not undone",
    "stuck": "stuck",
    "rolled_back": "rolled back",
}

_THEN = {
    "held": "held: then interlock approvals approve, or reject with --words.",
    "unknown": "unknown: look at the far end, then interlock calls settle CALL_ID done, or failed, with --note.",
    "dead_letter": "given up on: find out why, then interlock calls retry CALL_ID with --reason.",
    "not_undone": "not undone: undo it at the far end, or interlock saga resume RUN_ID with --reason.",
    "stuck": "stuck: find out why, then interlock saga resume RUN_ID with --reason.",
    "rolled_back": "rolled back: find out why, then interlock tools rollout TOOL VERSION --to 0, or more.",
}


@command("inbox", example="interlock inbox\ninterlock inbox --run run_0194f3a2b1c4\ninterlock inbox --json")
@click.option("--run", "run_id", default="", metavar="RUN_ID", help="Of one run, each by itself.")
def inbox(deployment: Deployment, run_id: str) -> Report:
    """Everything that waits for a person, in one list.

    What is held, unknown, given up on, not undone, stuck or rolled back. The most dangerous first, then the oldest.
    More than 20 of a kind in one run are one line, and so are requests for an equal call. The exit code is 0 where
    nothing waits, and 3 where something does.
    """
    tenant, now_us = deployment.person.tenant, deployment.now_us

    async def look(store: Store) -> tuple[list[Item], dict[tuple[str, str], Gist]]:
        found = await waiting(store, tenant, now_us, run_id)
        return found, await gists(store, tenant, found)

    items, lines = deployment.with_store(look)
    abouts = [str(lines.get((item.run_id, item.ids[0]), "")) for item in items]
    columns = ("what", "tool", "about", "effect", "for", "since", "until", "next")
    cells = [_cells(item, about, now_us) for item, about in zip(items, abouts, strict=True)]
    listing = Listing(columns, cells, empty="Nothing waits for a person.", whole=("next",))
    kinds = dict.fromkeys(item.kind for item in items)
    documents = [_document(item, about) for item, about in zip(items, abouts, strict=True)]
    document = {"items": documents, "waiting": sum(len(item.ids) for item in items)}
    return Report(document, [listing, *(note(_THEN[kind]) for kind in kinds)], Exit.HELD if items else Exit.DONE)


def _cells(item: Item, about: str, now_us: int) -> tuple[str | None, ...]:
    what = _WHAT[item.kind]
    if item.why:
        what = f"{len(item.ids)} {what}, {'in one run' if item.why == 'flood' else 'alike'}"
    until = None if item.until_us is None else ago(item.until_us, now_us)
    tool, effect, subject = (text or None for text in (item.tool, item.effect, item.subject))
    return what, tool, about or None, effect, subject, ago(item.since_us, now_us), until, item.command


def _document(item: Item, about: str) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "count": len(item.ids),
        "why": item.why,
        "tool": item.tool,
        "about": about,
        "effect": item.effect,
        "subject": item.subject,
        "run_id": item.run_id,
        "ids": list(item.ids),
        "groups": list(item.groups),
        "since": iso(item.since_us),
        "until": None if item.until_us is None else iso(item.until_us),
        "next": item.command,
    }

"""Standing permissions as rows: a fold of its own."""

from __future__ import annotations

import json

from interlock.core.canonical import canonical
from interlock.core.event import Event
from interlock.ledger.tables import Rows


def grant_issued(rows: Rows, event: Event) -> None:
    """What it is about is not copied: the predicates say values of arguments. Uses taken stand in its guard."""
    body = event.fact.body
    if (grant_id := body.get("grant_id")) is None:
        return
    tool = body["tool"]
    rows.put("grant", (event.tenant, grant_id), {
        "tenant": event.tenant,
        "grant_id": grant_id,
        "server": tool["server"],
        "tool": tool["name"],
        "tool_hash": tool["hash"],
        "subject": body.get("subject"),
        "uses": body["uses"],
        "status": "issued",
        "issued_by": event.fact.principal_id,
        "groups": canonical(list(body["groups"])).decode(),
        "endorsed_by": "[]",
        "reason": body["reason"],
        "issued_us": event.at_us,
        "expires_us": body["expires_us"],
        "revoked_by": None,
        "revoked_us": None,
    })  # fmt: skip


def grant_endorsed(rows: Rows, event: Event) -> None:
    """Another person's voice for it."""
    key = (event.tenant, event.fact.body.get("grant_id", ""))
    if row := rows.get("grant", key):
        row["endorsed_by"] = canonical([*json.loads(row["endorsed_by"]), event.fact.principal_id]).decode()
        rows.put("grant", key, row)


def grant_revoked(rows: Rows, event: Event) -> None:
    """It permits nothing more."""
    key = (event.tenant, event.fact.body.get("grant_id", ""))
    if (row := rows.get("grant", key)) and row["status"] != "revoked":
        row |= {"status": "revoked", "revoked_by": event.fact.principal_id, "revoked_us": event.at_us}
        rows.put("grant", key, row)

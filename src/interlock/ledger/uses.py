"""What a principal's tools were used for: the user's words of the runs in which a call of each was done.

Read from the ledger when it is needed, so that what is erased is not remembered here.
"""

from __future__ import annotations

from collections import defaultdict

from interlock.core.event import Kind
from interlock.ledger.store import Store

RUNS_MAX = 50
"""Runs that are looked at, the newest."""

_CALLS_MAX = 1000


async def past_uses(store: Store, tenant: str, principal_id: str, *, but: str = "") -> dict[str, list[str]]:
    """Tool name to the words of the runs that it was of use in, the newest first, each run once; empty ones unseen.

    Args:
        but: A run that does not count: the one that is going on.
    """
    asked = {"tenant": tenant, "principal_id": principal_id, "outcome": "done"}
    used: dict[str, dict[str, None]] = defaultdict(dict)
    for call in reversed(await store.rows("tool_call", asked, _CALLS_MAX)):
        if not call["parent_id"] and (call["run_id"] in used or len(used) < RUNS_MAX):
            used[call["run_id"]][call["tool"]] = None
    used.pop(but, None)
    found: dict[str, list[str]] = defaultdict(list)
    for run_id, tools in used.items():
        words = await _words(store, run_id)
        for tool in tools:
            found[tool].append(words)
    return dict(found)


async def _words(store: Store, run_id: str) -> str:
    """The user's words that a run started with; empty where they are not seen, or erased."""
    for event in await store.read(run_id):
        if event.fact.kind is Kind.RUN_STARTED:
            return str((event.fact.body or {}).get("words") or "")
    return ""

"""Cases over runs that a ledger has: read, never played again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from interlock.evals.seen import PriceOf, SeenRun, seen_run
from interlock.evals.suite import Suite
from interlock.ledger.conversation import Ledger
from interlock.ledger.pages import LIMIT_MAX, VALUES_MAX, Where, during
from interlock.ledger.store import Store

RUNS_MAX = 100_000
"""Runs that are looked at, the newest, beside those that cases name."""


async def recorded_runs(store: Store, suite: Suite, tenant: str, since_us: int) -> dict[str, list[SeenRun]]:
    """For each case by name, the runs that it is about: the one that it names, or every one with its words.

    Args:
        since_us: Runs that started before are left out, but for those that a case names.
    """
    by_words: dict[str, list[SeenRun]] = defaultdict(list)
    by_id: dict[str, SeenRun] = {}
    named = {case.run for case in suite.cases if case.run}
    fresh = await _fresh(store, tenant, since_us) if any(not case.run for case in suite.cases) else []
    ledger, price_of = Ledger(store), _price(suite)
    for run_id in dict.fromkeys([*fresh, *await _there(store, tenant, named)]):
        conversation = await ledger.conversation(run_id, tenant)
        await conversation.refresh()
        by_id[run_id] = seen_run(conversation.state, await store.read(run_id), price_of)
    for run_id in fresh:
        by_words[by_id[run_id].words].append(by_id[run_id])
    return {
        case.name: ([by_id[case.run]] if case.run in by_id else []) if case.run else by_words[case.words]
        for case in suite.cases
    }


async def _fresh(store: Store, tenant: str, since_us: int) -> list[str]:
    """Ids of the runs since then, in the order of their beginnings."""
    found: list[str] = []
    before: int | None = None
    while len(found) < RUNS_MAX:
        page = await store.page("run", begun_since(tenant, since_us), limit=LIMIT_MAX, before=before)
        found += [row["run_id"] for row in page.rows]
        if (before := page.before) is None:
            break
    return found[::-1]


def begun_since(tenant: str, since_us: int) -> Where:
    """Which runs of a tenant a suite without names is held against."""
    return {"tenant": tenant, **during("run", since_us, None)}


async def _there(store: Store, tenant: str, named: Iterable[str]) -> list[str]:
    """Those of these runs that there are."""
    found: list[str] = []
    asked = sorted(named)
    for begin in range(0, len(asked), VALUES_MAX):
        some = {"tenant": tenant, "run_id": asked[begin : begin + VALUES_MAX]}
        found += [row["run_id"] for row in (await store.page("run", some, limit=VALUES_MAX)).rows]
    return found


def _price(suite: Suite) -> PriceOf:
    return lambda model: suite.price

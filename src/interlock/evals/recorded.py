"""Cases over runs that a ledger has: read, never played again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from interlock.evals.seen import PriceOf, SeenRun, seen_run
from interlock.evals.suite import Suite
from interlock.ledger.conversation import Ledger
from interlock.ledger.store import Store

RUNS_MAX = 100_000
"""Runs that are looked at, the newest."""


async def recorded_runs(store: Store, suite: Suite, tenant: str, since_us: int) -> dict[str, list[SeenRun]]:
    """For each case by name, the runs that it is about: the one that it names, or every one with its words.

    Args:
        since_us: Runs that started before are left out, but for those that a case names.
    """
    price_of = _price(suite)
    rows = await store.rows("run", {"tenant": tenant}, RUNS_MAX)
    named = {case.run for case in suite.cases if case.run}
    wanted = [row["run_id"] for row in rows if row["run_id"] in named or row["started_us"] >= since_us]
    every = any(not case.run for case in suite.cases)
    ledger = Ledger(store)
    by_id: dict[str, SeenRun] = {}
    for run_id in wanted:
        if every or run_id in named:
            conversation = await ledger.conversation(run_id, tenant)
            await conversation.refresh()
            by_id[run_id] = seen_run(conversation.state, await store.read(run_id), price_of)
    fresh = {row["run_id"] for row in rows if row["started_us"] >= since_us}
    by_words = _by_words(run for run in by_id.values() if run.run_id in fresh)
    return {
        case.name: ([by_id[case.run]] if case.run in by_id else []) if case.run else by_words[case.words]
        for case in suite.cases
    }


def _by_words(runs: Iterable[SeenRun]) -> dict[str, list[SeenRun]]:
    found: dict[str, list[SeenRun]] = defaultdict(list)
    for run in runs:
        found[run.words].append(run)
    return found


def _price(suite: Suite) -> PriceOf:
    return lambda model: suite.price

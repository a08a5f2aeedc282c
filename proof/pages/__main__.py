"""How fast a large ledger is paged and followed: `python -m proof.pages`, or `make pages`.

Writes 100,000 runs of some four events, with 1,000 requests and 700 calls among them that wait for a person, into a
ledger in a temporary folder. Then measures what a page of each table takes, unfiltered and filtered, also where nothing
fits so that all is looked through; the inbox; a question of an auditor; and how soon and how surely 500 followers are
told what another process commits. Exits 0 only if every median is within its aim and nothing was lost.

What is measured is the store's share: no HTTP, no markup.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import anyio

from interlock.core.clock import SystemClock
from interlock.inbox import inbox, page_of
from interlock.ledger.audit import Question, audit
from interlock.ledger.pages import Contains, Prefix, WithCall, during
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import Store
from proof.pages.made import RARE_TOOL, TENANT, Size, principal, write
from proof.pages.told import crowd, latency

AIM_MS = 200.0
"""Milliseconds of a page, of the inbox and of an auditor's question, in the median."""

POSITION_AIM_MS = 1.0
TOLD_AIM_MS = 50.0
"""Milliseconds from a commit until a follower in another process has it, in the median."""

TIMES = 9
FOLLOWERS, EVENTS = 500, 10_000

Asked = tuple[str, Callable[[], Awaitable[int]]]
"""What is asked, in words, and how; it says how many rows came."""


class Took(NamedTuple):
    """One question, asked several times.

    Attributes:
        what: In words.
        rows: How many came.
        median_ms, worst_ms: Until the answer was there.
        own_ms: Of the processor, in the median: the same however busy the machine is.
    """

    what: str
    rows: int
    median_ms: float
    worst_ms: float
    own_ms: float


def pages(store: Store, middle: int) -> Iterator[Asked]:
    """Pages of every kind; `middle` is a position in the middle of the ledger."""
    now_us = time.time_ns() // 1000

    def page(table: str, before: int | None = None, **where: Any) -> Callable[[], Awaitable[int]]:
        async def ask() -> int:
            found = await store.page(table, {"tenant": TENANT, **where}, limit=50, before=before)
            return len(found.rows)

        return ask

    yield "runs: the first page", page("run")
    yield "runs: a page in the middle", page("run", before=middle)
    yield "runs: open", page("run", status="open")
    yield "runs: cancelled", page("run", status="cancelled")
    yield "runs: of one of 1,000 people", page("run", principal_id=principal(1))
    yield "runs: of nobody", page("run", principal_id="nobody")
    yield "runs: with a call of a common tool", page("run", run_id=WithCall({"tool": "tool_07"}))
    yield "runs: with a call of a rare tool", page("run", run_id=WithCall({"tool": RARE_TOOL}))
    yield "runs: of the last hour", page("run", **during("run", now_us - 3_600_000_000, None))
    yield "runs: of a time in which none was", page("run", **during("run", 0, 1))
    yield "runs: title has a text", page("run", title=Contains("ticket 4242"))
    yield "runs: id begins so", page("run", run_id=Prefix("run_00004242"))
    yield "calls: the first page", page("tool_call")
    yield "calls: of a rare tool", page("tool_call", tool=RARE_TOOL)
    yield "calls: of no tool", page("tool_call", tool="none")
    yield "calls: failed", page("tool_call", outcome="failed")
    yield "calls: unknown", page("tool_call", status="unknown")
    yield "approvals: pending", page("approval", status="pending")
    yield "decisions: denied, which none is", page("authz_decision", decision="deny")


def others(store: Store) -> Iterator[Asked]:
    """The inbox, an auditor's questions and counts."""
    now_us = time.time_ns() // 1000

    async def whole() -> int:
        return len(await inbox(store, TENANT, now_us))

    async def first() -> int:
        return len(page_of(await inbox(store, TENANT, now_us), 50)[0])

    async def asked(**question: Any) -> int:
        return len(await audit(store, TENANT, Question(view="authz_decision", **question)))

    yield "inbox: whole", whole
    yield "inbox: the first page", first
    yield "audit: the newest 100 decisions", asked
    yield (
        "audit: 100 decisions, all denied, of the last day",
        lambda: asked(where={"decision": "deny"}, since_us=now_us - 86_400_000_000),
    )
    yield "count: runs", lambda: store.count("run", {"tenant": TENANT})
    yield "count: calls that failed", lambda: store.count("tool_call", {"tenant": TENANT, "outcome": "failed"})
    yield "count: runs of nobody", lambda: store.count("run", {"tenant": TENANT, "principal_id": "nobody"})


async def took(what: str, ask: Callable[[], Awaitable[int]]) -> Took:
    """How long it takes, in the median of several times."""
    found, own, rows = list[float](), list[float](), 0
    for _ in range(TIMES):
        begin, own_begin = time.perf_counter(), time.process_time()
        rows = await ask()
        found.append(1000 * (time.perf_counter() - begin))
        own.append(1000 * (time.process_time() - own_begin))
    return Took(what, rows, statistics.median(found), max(found), statistics.median(own))


async def measure(size: Size, folder: Path, followers: int, events: int) -> list[str]:
    """Write the ledger and ask; what is not within its aim."""
    path = folder / "ledger.db"
    store = SqliteStore(path, SystemClock())
    begin = time.perf_counter()
    await write(store, size)
    print(f"{size.runs} runs, {store.position()} events, written in {time.perf_counter() - begin:.0f} s; "
          f"{path.stat().st_size / 1e6:.0f} MB")  # fmt: skip
    missed = []
    print(f"{'':52} rows   median      worst  processor; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for what, ask in (*pages(store, store.position() // 2), *others(store)):
        one = await took(what, ask)
        print(f"{one.what:52} {one.rows:5} {one.median_ms:7.1f} ms {one.worst_ms:7.1f} ms {one.own_ms:7.1f} ms")
        if one.median_ms > AIM_MS:
            missed.append(f"{what}: {one.median_ms:.1f} ms, more than {AIM_MS:.0f}")
    begin = time.perf_counter()
    for _ in range(1000):
        store.position()
    position_ms = time.perf_counter() - begin
    print(f"the newest position: {1000 * position_ms:.1f} µs")
    missed += [f"position: {position_ms:.2f} ms"] * (position_ms > POSITION_AIM_MS)
    missed += await followed(store, path, followers, events)
    await store.close()
    return missed


async def followed(store: Store, path: Path, followers: int, events: int) -> list[str]:
    """Have what another process commits told; what is not within its aim."""
    late = await latency(store, path, 200)
    print(f"told of {late.events} commits of another process after {late.median_ms:.1f} ms in the median, "
          f"99 % within {late.p99_ms:.1f} ms, all within {late.worst_ms:.1f} ms")  # fmt: skip
    found = await crowd(store, path, followers, events)
    print(f"{found.followers} followers, {found.events} events that another process commits as fast as it can: "
          f"{found.told} told, {found.wrong} followers missed any; {found.reads} reads of the ledger; "
          f"the last had all {found.behind_s:.2f} s after the last commit")  # fmt: skip
    missed = [f"told after {late.median_ms:.1f} ms"] * (late.median_ms > TOLD_AIM_MS)
    lost = found.wrong or found.told != found.followers * found.events
    return missed + [f"{found.wrong} followers were not told all"] * bool(lost)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m proof.pages", description="How fast a large ledger is paged.")
    parser.add_argument("--runs", type=int, default=Size().runs, metavar="N", help="runs in it (100,000)")
    parser.add_argument("--followers", type=int, default=FOLLOWERS, metavar="N", help="followers at once (500)")
    parser.add_argument("--events", type=int, default=EVENTS, metavar="N", help="events that each is told (10,000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="interlock-pages-") as folder:
        size = Size(runs=options.runs)
        missed = anyio.run(measure, size, Path(folder), options.followers, options.events)
    for each in missed:
        print(f"MISSED {each}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())

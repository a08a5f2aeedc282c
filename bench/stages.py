"""Where the time of one governed read goes, stage by stage: `python -m bench.stages`.

A read in memory whose policy decision is remembered, as the row `interlock, read` measures it; the clock is read
between the gates, and Python's collector is off so that what a kept ledger costs it is not charged to a stage.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections import defaultdict

import anyio

import interlock
from interlock.approvals.approve import approve
from interlock.core.call import ToolCall
from interlock.execution.execute import execute
from interlock.ledger.record import Entry
from interlock.limits.limit import limit
from interlock.models.metered import Sum
from interlock.pipeline import Plane, _ask
from interlock.policy.authorize import authorize
from interlock.registry.validate import validate
from interlock.screening.screen import screen
from interlock.verification.verify import verify

ROUNDS, CALLS = 7, 150


@interlock.tool(effect="read")
async def look(city: str, days: int = 3) -> dict[str, int]:
    """Weather for some days."""
    return {"days": days}


async def staged(call: ToolCall, plane: Plane, spent: dict[str, float]) -> None:
    """`call_tool`, with the clock read between its lines."""
    last = time.perf_counter()

    def passed(stage: str) -> None:
        nonlocal last
        now = time.perf_counter()
        spent[stage] += now - last
        last = now

    entry = await Entry(call, plane.ledger).__aenter__()
    fresh = entry.through(entry.recall())
    passed("enter, recall")
    valid = entry.through(validate(fresh, plane.registry))
    passed("validate")
    allowed = entry.through(await authorize(valid, plane.policy, entry.run, await _ask(call, plane)))
    passed("authorize")
    limited = entry.through(await limit(allowed, plane.limits, entry.run, entry.step))
    verified = entry.through(await verify(limited, plane.verification, entry, Sum()))
    approved = entry.through(await approve(verified, plane.approvals, entry.run, entry.step))
    passed("limit, verify, approve")
    result = entry.through(await execute(approved, plane.executor, entry))
    passed("execute (the tool itself included)")
    outcome = entry.through(screen(result, plane.screens))
    passed("screen")
    await entry.close(outcome)
    passed("record: three events made, hashed, linked, folded")
    await entry.__aexit__(None, None, None)
    passed("leave")


async def main() -> None:
    rounds: dict[str, list[float]] = defaultdict(list)
    settings = interlock.Settings(ledger=None)
    async with interlock.open_plane(settings, tools=[look], engine=False) as opened:
        ana = interlock.Principal("ana", roles=frozenset({"support"}))
        for _ in range(ROUNDS):
            async with opened.run(ana) as run:
                spent: dict[str, float] = defaultdict(float)
                gc.collect()
                gc.disable()
                for number in range(CALLS):
                    made = time.perf_counter()
                    call = ToolCall(
                        run_id=run.run_id, call_id=opened.plane.new_id("call"), tool="look",
                        arguments={"city": "Rome", "days": number}, principal=ana,
                    )  # fmt: skip
                    spent["proposal, id"] += time.perf_counter() - made
                    await staged(call, opened.plane, spent)
                gc.enable()
            for stage, total in spent.items():
                rounds[stage].append(total / CALLS * 1e6)
    medians = {stage: statistics.median(found) for stage, found in rounds.items()}
    whole = sum(medians.values())
    for stage, median in medians.items():
        print(f"{stage:52} {median:6.1f} µs  {median / whole:4.0%}")
    print(f"{'one governed read':52} {whole:6.1f} µs")


if __name__ == "__main__":
    anyio.run(main)

"""Interlock, in memory: a governed read through all of its gates, with its three events linked and hashed.

A batch is one run on a ledger of its own (`governed.forget`), started and finished within the measured time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.candidate import Candidate, Opened, Setting
from bench.weather import ARGUMENTS

MISSING = [{"city": f"City {i}", "days": 1 + i % 14} for i in range(1 << 14)]
"""More different arguments than the policy's memo remembers, asked in turn: it forgets each before it comes again."""

READS_ARGUMENTS = """
permit (principal, action, resource)
when { principal in Role::"clerk" && context.arguments.days <= 14 && context.arguments.city != "Atlantis" };
"""


@asynccontextmanager
async def read(setting: Setting, policy: str, proposed: list[dict[str, object]]) -> AsyncIterator[Opened]:
    from bench.governed import CALLER, READ, forget, settings
    from interlock import open_plane

    rules = None
    if policy:
        rules = setting.folder / "bench.cedar"
        rules.write_text(policy)
    last = len(proposed) - 1
    next_one = 0
    async with open_plane(settings(setting.folder, ledger=None, policy=rules), tools=[READ]) as interlock:

        async def batch(n: int) -> None:
            nonlocal next_one
            forget(interlock)
            async with interlock.run(CALLER) as run:
                for i in range(next_one, next_one + n):
                    await run.call("get_weather", proposed[i & last])
            next_one += n

        async def once(arguments: dict[str, object]) -> object:
            async with interlock.run(CALLER) as run:
                return await run.call("get_weather", arguments)

        yield Opened(batch=batch, once=once)


CANDIDATES = (
    Candidate(
        name="interlock, read",
        suite="call",
        what="`run.call` under the default policy, whose decision is remembered; ledger in memory",
        open=lambda setting: read(setting, "", ARGUMENTS),
        floor="pydantic",
        distributions=("interlock",),
    ),
    Candidate(
        name="interlock, read, memo missed",
        suite="call",
        what="the same under a rule that reads both arguments, each call with others: Cedar is asked every time",
        open=lambda setting: read(setting, READS_ARGUMENTS, MISSING),
        floor="pydantic",
        distributions=("interlock",),
    ),
)

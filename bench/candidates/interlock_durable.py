"""Interlock, durable: governed calls on a ledger in one SQLite file, as a deployment has it.

One run a lane, open for as long as the worker lives; the engine looks for what is due meanwhile.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bench.candidate import Candidate, Opened, Setting
from bench.lanes import spread
from bench.weather import ARGUMENTS, LAST

LANES = (1, 16, 64)


@asynccontextmanager
async def governed(setting: Setting, effect: str) -> AsyncIterator[Opened]:
    from bench.governed import CALLER, READ, WRITE, settings
    from interlock import open_plane

    chosen = READ if effect == "read" else WRITE
    async with (
        open_plane(settings(setting.folder, ledger=Path("ledger.db")), tools=[chosen]) as interlock,
        AsyncExitStack() as stack,
    ):
        runs = [await stack.enter_async_context(interlock.run(CALLER)) for _ in range(setting.size)]

        async def once(arguments: dict[str, object]) -> object:
            return await runs[0].call("get_weather", arguments)

        async def batch(n: int) -> None:
            free = list(runs)

            async def lane(first: int, count: int) -> None:
                run = free.pop()
                for i in range(first, first + count):
                    await run.call("get_weather", ARGUMENTS[i & LAST])

            await spread(n, setting.size, lane)

        yield Opened(batch=batch, once=once, lanes=setting.size)


CANDIDATES = (
    Candidate(
        name="interlock, read",
        suite="durable",
        what="`run.call` of a read: proposal, decision and result in one commit; one run a lane",
        open=lambda setting: governed(setting, "read"),
        sizes=LANES,
        floor="one record",
        distributions=("interlock",),
    ),
    Candidate(
        name="interlock, write",
        suite="durable",
        what="`run.call` of a reversible write: proposal, decision and intent in one commit, the result in another",
        open=lambda setting: governed(setting, "reversible"),
        sizes=LANES,
        floor="two records",
        distributions=("interlock",),
    ),
)

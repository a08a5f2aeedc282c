"""A worker that is lost: `python -m bench.lost FOLDER RUNS` opens so many runs and dies in a call of each.

Every call is one of a keyed tool whose intent is on disk and whose result never will be.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import anyio

LEDGER = Path("ledger.db")


async def lose(folder: Path, runs: int) -> None:
    """Never returns."""
    from bench.governed import CALLER, recoverable, settings
    from interlock import open_plane

    under_way = 0

    async def body(city: str, days: int) -> dict[str, Any]:
        nonlocal under_way
        under_way += 1
        if under_way == runs:
            os._exit(0)
        await anyio.sleep_forever()
        raise AssertionError("it sleeps forever")

    async with open_plane(settings(folder, ledger=LEDGER), tools=[recoverable(body)], engine=False) as interlock:

        async def one(number: int) -> None:
            async with interlock.run(CALLER) as run:
                await run.call("get_weather", {"city": f"City {number}", "days": 3})

        async with anyio.create_task_group() as group:
            for number in range(runs):
                group.start_soon(one, number)


if __name__ == "__main__":
    asyncio.run(lose(Path(sys.argv[1]), int(sys.argv[2])))

"""Another process that commits: `python -m proof.pages.committer LEDGER COUNT AT_ONCE PAUSE_S`.

It writes COUNT events into chains of its own, AT_ONCE in each append, with a pause between two. When all stand it says,
as one line of JSON, when each append was durable: seconds of the machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path

import anyio

from interlock.core.clock import SystemClock
from interlock.core.event import Fact, Kind
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import Append
from proof.pages.made import TENANT


async def commit(path: Path, count: int, at_once: int, pause_s: float) -> list[float]:
    """Write the events; when each append was durable."""
    store = SqliteStore(path, SystemClock())
    found = []
    chance = random.Random(7)
    for first in range(0, count, at_once):
        facts = [Fact(Kind.MESSAGE, {"text": "x" * 200, "number": first + nth}) for nth in range(at_once)]
        await store.append(Append(f"committed/{count}/{first % 16}", TENANT, facts))
        found.append(time.monotonic())
        if pause_s:
            await anyio.sleep(pause_s * (0.5 + chance.random()))
    await store.close()
    return found


if __name__ == "__main__":
    path, count, at_once, pause_s = sys.argv[1:]
    print(json.dumps(anyio.run(commit, Path(path), int(count), int(at_once), float(pause_s))))

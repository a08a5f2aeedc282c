"""A process of its own that appends: `python -m tests.ledger.worker ACT PATH`. Each line it says is acknowledged."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import anyio

from interlock.core.clock import SystemClock
from interlock.errors import LedgerError, StaleClaim, StoreUnavailable
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import Claim
from tests.ledger.makers import RUN, proposed, read_call, started, to

LANES = 8


def say(*words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


async def forever(path: Path) -> None:
    """Append in eight runs at once until killed; say run and number of each last event that is durable."""
    store = SqliteStore(path, SystemClock())

    async def lane(number: int) -> None:
        run_id = f"run_{number}"
        await store.append(to(run_id, started()))
        step = 0
        while True:
            step += 1
            events = await store.append(to(run_id, *read_call(f"call_{number}_{step}", step)))
            say(run_id, events[-1].seq)

    async with anyio.create_task_group() as tasks:
        for number in range(LANES):
            tasks.start_soon(lane, number)


async def fifty(path: Path) -> None:
    """Append fifty times to the one run that others append to as well."""
    store = SqliteStore(path, SystemClock(), busy_s=30)
    for number in range(50):
        events = await store.append(to(RUN, proposed(f"call_{path.stat().st_ino}_{number}", number)))
        say(events[0].seq)
    await store.close()


async def claim(path: Path) -> None:
    """Try to claim the run; say how it went."""
    store = SqliteStore(path, SystemClock())
    try:
        [claimed] = await store.append(to(RUN, claim=Claim("other", 30)))
        say("claimed", claimed.fact.body["epoch"])
    except StaleClaim:
        say("refused")
    await store.close()


async def full(path: Path) -> None:
    """Append until the disk is full (fault K9), make room, open again and go on."""
    store = SqliteStore(path, SystemClock())
    await store.append(to(RUN, started()))
    limit = path.with_name(path.name + "-wal").stat().st_size + 100_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    step = 0
    try:
        while True:
            await store.append(to(RUN, *read_call(f"call_{step}", step)))
            step += 1
    except StoreUnavailable as error:
        say("full", step, error.code)
    try:
        await store.append(to("run_2", started()))
    except StoreUnavailable as error:
        say("refused", error.code)
    say("read", len(await store.read(RUN)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    try:
        await store.append(to("run_2", started()))
    except LedgerError as error:
        say("still refused", error.code)
    await store.close()
    store = SqliteStore(path, SystemClock())
    [event] = await store.append(to(RUN, proposed("call_after")))
    say("again", event.seq)
    await store.close()


if __name__ == "__main__":
    anyio.run({"forever": forever, "fifty": fifty, "claim": claim, "full": full}[sys.argv[1]], Path(sys.argv[2]))

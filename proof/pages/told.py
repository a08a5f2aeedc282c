"""How soon and how surely what another process commits is told."""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import anyio

from interlock.engine.beside import beside
from interlock.ledger.feed import Feed
from interlock.ledger.store import Store


class Late(NamedTuple):
    """Milliseconds from when an event is durable until a follower in another process has it.

    Attributes:
        events: How many were measured.
        median_ms, p99_ms, worst_ms: Of all of them.
    """

    events: int
    median_ms: float
    p99_ms: float
    worst_ms: float


class Crowd(NamedTuple):
    """What became of many followers of one feed.

    Attributes:
        followers, events: How many followed, and how many events each was to be told.
        told: Events that were told, of all followers together.
        wrong: Followers that missed one, or were told one twice or out of order.
        reads: Batches of all of this that were read from the ledger.
        behind_s: Seconds from the last commit until the last follower had all.
    """

    followers: int
    events: int
    told: int
    wrong: int
    reads: int
    behind_s: float


async def latency(store: Store, path: Path, count: int) -> Late:
    """Commit one event at a time in another process, at irregular times, and note when each is told here."""
    feed, heard, committed = Feed(store), dict[int, float](), list[float]()
    following = feed.follow()
    start = following.position

    async def listen() -> None:
        async for batch in following:
            now = time.monotonic()
            heard.update((position, now) for position, _ in batch)
            if len(heard) == count:
                break

    async with beside(feed.run), anyio.create_task_group() as tasks:
        tasks.start_soon(listen)
        committed += await _commit(path, count, 1, 0.08)
    late = sorted(1000 * (heard[start + number] - at) for number, at in enumerate(committed, 1))
    return Late(count, statistics.median(late), late[int(0.99 * (count - 1))], late[-1])


async def crowd(store: Store, path: Path, followers: int, count: int) -> Crowd:
    """Commit so many events in another process as fast as it goes, with so many followers of one feed here."""
    counted: Any = Counted(store)
    feed = Feed(counted)
    told = [0] * followers
    wrong = [0] * followers

    async def listen(number: int) -> None:
        following = feed.follow(start)
        expected = start + 1
        async for batch in following:
            for position, _ in batch:
                wrong[number] |= position != expected
                expected = position + 1
            told[number] += len(batch)
            if told[number] >= count:
                break

    start = store.position()
    committed: list[float] = []
    async with beside(feed.run):
        async with anyio.create_task_group() as tasks:
            for number in range(followers):
                tasks.start_soon(listen, number)
            committed += await _commit(path, count, 20, 0)
        behind_s = time.monotonic() - committed[-1]
    return Crowd(followers, count, sum(told), sum(map(bool, wrong)), counted.reads, behind_s)


class Counted:
    """A store that counts how often events are read from it, for a feed."""

    def __init__(self, store: Store) -> None:
        self.reads = 0
        self._store = store

    def __getattr__(self, name: str) -> object:
        """Whatever the store can do."""
        self.reads += name == "follow"
        return getattr(self._store, name)


async def _commit(path: Path, count: int, at_once: int, pause_s: float) -> list[float]:
    command = [sys.executable, "-m", "proof.pages.committer", str(path), str(count), str(at_once), str(pause_s)]
    done = await anyio.run_process(command, stderr=None)
    found: list[float] = json.loads(done.stdout)
    return found

"""What is committed, told to any number of followers: in order, once, to each from its own position."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.event import Event, Fact, Kind
from interlock.engine.beside import beside
from interlock.errors import LedgerError, StoreUnavailable
from interlock.ledger.feed import BATCH_MAX, KEPT_MAX, Feed, Following
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import MemoryStore, Store
from interlock.testing.clock import FrozenClock
from tests.ledger.makers import RUN, opened, proposed, read_call, started, to

pytestmark = pytest.mark.anyio


def feed_of(store: Store) -> Feed:
    """A feed that never rests, so that no test waits for the clock."""
    return Feed(store, look_every_s=0, retry_s=0)


@asynccontextmanager
async def running(store: Store) -> AsyncIterator[Feed]:
    feed = feed_of(store)
    with anyio.fail_after(30):
        async with beside(feed.run):
            yield feed


async def write(store: Store, events: int, chain: str = RUN) -> None:
    """So many events in one append."""
    at = store.position()
    await store.append(to(chain, *(proposed(f"call_{at}_{number}", number) for number in range(events))))


async def positions(following: Following, upto: int) -> list[int]:
    """Every position that it tells up to this one, as told."""
    found: list[int] = []
    while not found or found[-1] < upto:
        batch = await anext(following)
        assert 0 < len(batch) <= BATCH_MAX
        found += [position for position, _ in batch]
    return found


async def turns(number: int = 50) -> None:
    for _ in range(number):
        await anyio.lowlevel.checkpoint()


class WatchedMemory(MemoryStore):
    """Counts what is read and asked, and fails while it is told to.

    Attributes:
        reads: The position of each read.
        asked: How often the newest position was asked for.
        failing: What each read raises; None while they work.
        gate: Reads wait for it, where there is one.
    """

    def __init__(self) -> None:
        super().__init__(FrozenClock())
        self.reads: list[int] = []
        self.asked = 0
        self.failing: LedgerError | None = None
        self.gate: anyio.Event | None = None

    async def follow(self, after: int = 0, limit: int = 1000) -> list[tuple[int, Event]]:
        """See `Store.follow`."""
        self.reads.append(after)
        await anyio.lowlevel.checkpoint()
        if self.gate is not None:
            await self.gate.wait()
        if self.failing is not None:
            raise self.failing
        return await super().follow(after, limit)

    def position(self) -> int:
        """See `Store.position`."""
        self.asked += 1
        return super().position()


async def test_the_newest_position_is_that_of_the_last_event_of_all_chains(store: Store) -> None:
    assert store.position() == 0
    await store.append(to(RUN, started(), proposed("call_1")))
    await store.append(to("run_2", started()))
    assert store.position() == 3
    assert [position for position, _ in await store.follow()] == [1, 2, 3]


async def test_a_follower_is_told_what_stands_and_then_what_is_committed_in_order(store: Store) -> None:
    await store.append(to(RUN, started(), *read_call("call_1")))
    async with running(store) as feed:
        following = feed.follow(0)
        assert await positions(following, 3) == [1, 2, 3]
        await store.append(to("run_2", started()))
        batch = await anext(following)
        assert [(position, event.chain, event.fact.kind) for position, event in batch] == [
            (4, "run_2", Kind.RUN_STARTED)
        ]
        assert following.position == 4


async def test_following_from_now_on_tells_nothing_that_stood_when_it_was_asked_for(store: Store) -> None:
    await write(store, 3)
    async with running(store) as feed:
        following = feed.follow()
        await write(store, 2)
        assert await positions(following, 5) == [4, 5]


async def test_a_follower_goes_on_from_any_position(store: Store) -> None:
    async with running(store) as feed:
        live = feed.follow()
        for _ in range(10):
            await write(store, 3)
            await anext(live)
        for after in range(30):
            assert await positions(feed.follow(after), 30) == list(range(after + 1, 31))


async def test_a_position_that_no_event_has_is_from_now_on(store: Store) -> None:
    """The ledger was restored from a copy: whoever knew later events is not kept waiting for their numbers."""
    await write(store, 3)
    async with running(store) as feed:
        following = feed.follow(1_000_000)
        await write(store, 1)
        assert await positions(following, 4) == [4]


async def test_what_another_process_commits_is_told(sqlite: SqliteStore, clock: FrozenClock) -> None:
    other = await opened(sqlite.path, clock)
    async with running(sqlite) as feed:
        following = feed.follow(0)
        for number in range(5):
            await write(other if number % 2 else sqlite, 2)
            assert await positions(following, 2 * number + 2) == [2 * number + 1, 2 * number + 2]
    await other.close()


async def test_each_event_is_read_once_however_many_follow() -> None:
    store = WatchedMemory()
    told: list[list[int]] = []

    async def listen(following: Following) -> None:
        told.append(await positions(following, 100))

    async with running(store) as feed, anyio.create_task_group() as tasks:
        for _ in range(500):
            tasks.start_soon(listen, feed.follow())
        await turns()
        assert store.reads == [], "whoever begins with the newest event has nothing to read"
        for _ in range(10):
            await write(store, 10)
            await turns()
    assert told == [list(range(1, 101))] * 500
    assert len(store.reads) <= 10


async def test_nobody_looks_while_nobody_waits() -> None:
    store = WatchedMemory()
    async with running(store) as feed:
        await turns()
        assert store.asked == 0
        following = feed.follow()
        await write(store, 1)
        await anext(following)
        await turns()
        asked = store.asked
        await turns(500)
        assert store.asked == asked


async def test_a_slow_follower_holds_up_nobody_and_loses_nothing() -> None:
    store = WatchedMemory()
    appends = 2 * KEPT_MAX // 500
    async with running(store) as feed:
        slow, quick = feed.follow(), feed.follow()
        await write(store, 1)
        assert await positions(slow, 1) == [1]
        for _ in range(appends):
            await write(store, 500)
            await positions(quick, store.position())
        newest = store.position()
        assert newest > slow.position + KEPT_MAX, "it is further behind than what is kept"
        store.reads.clear()
        assert await positions(slow, newest) == list(range(2, newest + 1))
        assert store.reads[0] == 1, "it read for itself"
        await write(store, 1)
        assert await positions(slow, newest + 1) == [newest + 1] == await positions(quick, newest + 1)


async def test_what_is_kept_is_bounded() -> None:
    store = WatchedMemory()
    async with running(store) as feed:
        live = feed.follow()
        for _ in range(30):
            await write(store, 997)
            await positions(live, store.position())
        assert KEPT_MAX - 997 < sum(map(len, feed._kept)) <= KEPT_MAX


async def test_who_reads_for_himself_is_soon_among_the_others_also_while_events_come_all_the_time() -> None:
    store = WatchedMemory()
    async with running(store) as feed:
        await write(store, 2500)
        followers = [feed.follow(0) for _ in range(20)]
        for _ in range(5):
            for following in followers:
                await anext(following)
                await write(store, 1)
        store.reads.clear()
        for _ in range(5):
            for following in followers:
                await positions(following, store.position())
            await write(store, 1)
        assert len(store.reads) <= 10


async def test_a_cancelled_follower_leaves_nothing_behind() -> None:
    store = WatchedMemory()
    async with running(store) as feed:
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(anext, feed.follow())
            await turns()
            tasks.cancel_scope.cancel()
        await turns()
        asked = store.asked
        await turns(500)
        assert store.asked == asked, "nobody waits, and somebody looks"
        gc.collect()
        assert not [found for found in gc.get_objects() if isinstance(found, Following)]


async def test_followers_end_with_the_feed_also_those_that_come_later(store: Store) -> None:
    ended: list[int] = []

    async def listen(following: Following) -> None:
        async for _ in following:
            pass
        ended.append(following.position)

    feed = feed_of(store)
    async with anyio.create_task_group() as tasks:
        async with beside(feed.run):
            tasks.start_soon(listen, feed.follow())
            await turns()
        tasks.start_soon(listen, feed.follow())
    assert ended == [0, 0]


@pytest.mark.parametrize("after", [0, None], ids=["catching up", "live"])
async def test_a_store_that_cannot_be_read_is_read_again(after: int | None) -> None:
    store = WatchedMemory()
    async with running(store) as feed:
        following = feed.follow(after)
        found: list[int] = []

        async def listen() -> None:
            found.extend(await positions(following, 2))

        async with anyio.create_task_group() as tasks:
            if after is None:
                tasks.start_soon(listen)
                await turns()
            store.failing = StoreUnavailable("the disk is away")
            await write(store, 2)
            if after == 0:
                tasks.start_soon(listen)
            await turns()
            assert (found, feed.problem) == ([], "the disk is away")
            store.failing = None
        assert (found, feed.problem) == ([1, 2], "")


async def test_a_store_that_cannot_say_its_position_is_asked_again(sqlite: SqliteStore) -> None:
    class Mute(WatchedMemory):
        mute = False

        def position(self) -> int:
            if self.mute:
                raise StoreUnavailable("the disk is away")
            return super().position()

    store = Mute()
    async with running(store) as feed:
        following = feed.follow()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anext, following)
            await turns()
            await store.append(to(RUN, started()))
            store.mute = True
            await turns()
            store.mute = False
        assert following.position == 1


async def test_a_closed_store_says_no_position(sqlite: SqliteStore) -> None:
    await sqlite.close()
    with pytest.raises(StoreUnavailable):
        sqlite.position()


async def test_a_damaged_event_is_told_to_each_follower_that_comes_to_it_and_to_nobody_else() -> None:
    store = WatchedMemory()
    failed: list[str] = []

    async def listen(following: Following) -> None:
        try:
            await anext(following)
        except LedgerError as error:
            failed.append(error.code)

    async with running(store) as feed:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(listen, feed.follow())
            await turns()
            store.failing = LedgerError("an event cannot be read", code="ledger.unreadable")
            await write(store, 1)
        assert failed == ["ledger.unreadable"] * 3
        store.failing = None
        later = feed.follow()
        await write(store, 1)
        assert await positions(later, 2) == [2]


async def test_what_was_erased_is_not_told_to_who_comes_later(store: Store) -> None:
    async with running(store) as feed:
        live = feed.follow()
        await store.append(to(RUN, started(words="my number is 12345")))
        [(_, event)] = await anext(live)
        assert event.fact.body["words"]
        await store.erase(to(RUN, Fact(Kind.REDACT, {"seqs": [1]})), [1])
        await anext(live)
        [(_, erased), _] = await anext(feed.follow(0))
        assert erased.fact.body == {}


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("write"), st.integers(1, 700)),
            st.tuples(st.just("turns"), st.integers(1, 8)),
            st.tuples(st.just("fail"), st.integers(1, 6)),
            st.tuples(st.just("follow"), st.integers(0, 3000)),
            st.tuples(st.just("read"), st.integers(0, 7)),
            st.tuples(st.just("cancel"), st.integers(0, 7)),
        ),
        max_size=40,
    )
)
def test_whatever_comes_between_each_follower_is_told_exactly_what_is_above_its_position(
    steps: list[tuple[str, int]],
) -> None:
    anyio.run(followed, steps)


async def followed(steps: list[tuple[str, int]]) -> None:
    """Followers that begin anywhere and read at any time, some of them cancelled as they wait, beside writes."""
    store = WatchedMemory()
    followers: list[tuple[int, Following, list[int]]] = []

    async def take(number: int, scope: anyio.CancelScope) -> None:
        _, following, found = followers[number]
        with scope:
            found += [position for position, _ in await anext(following)]

    async with running(store) as feed, anyio.create_task_group() as tasks:
        waiting: dict[int, anyio.CancelScope] = {}

        async def step(word: str, number: int) -> None:
            if word == "write":
                await write(store, number)
            elif word == "turns":
                await turns(number)
            elif word == "fail":
                store.failing = StoreUnavailable("the disk is away")
                await turns(number)
                store.failing = None
            elif word == "follow":
                start = min(number, store.position())
                followers.append((start, feed.follow(number), []))
            elif number < len(followers):
                if (scope := waiting.pop(number, None)) is not None:
                    scope.cancel()  # a follower is one task's: nobody reads it twice at once
                    await turns(2)
                if word == "read":
                    waiting[number] = anyio.CancelScope()
                    tasks.start_soon(take, number, waiting[number])

        for word, number in steps:
            await step(word, number)
        for scope in waiting.values():
            scope.cancel()
        await turns(2)
        await write(store, 1)
        for start, following, found in followers:
            if following.position < store.position():
                found += await positions(following, store.position())
            assert found == list(range(start + 1, store.position() + 1))


async def test_two_feeds_on_one_file_give_each_event_the_same_position(tmp_path: Path, clock: FrozenClock) -> None:
    """A listener of one worker process is resumed by another."""
    one, two = [await opened(tmp_path / "ledger.db", clock) for _ in range(2)]
    async with running(one) as first, running(two) as second:
        following = first.follow(0)
        await write(one, 2)
        await positions(following, 2)
        await write(two, 2)
        resumed = second.follow(following.position)
        assert await anext(following) == await anext(resumed)
    await one.close()
    await two.close()

"""The walk over a ledger: the window is found, chains are held against their hashes, memory is bounded."""

from __future__ import annotations

import anyio
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.event import Event, Fact, Kind
from interlock.evals.walk import Window, walk
from interlock.ledger.store import Append, MemoryStore
from interlock.testing import FrozenClock

STARTED = {"principal": {"id": "ana", "tenant": "default", "roles": [], "kind": "user"}, "driver": "calls"}


class Noted:
    """Follows one run and notes what it was told."""

    def __init__(self, told: list[tuple[str, int]], followed: set[str], run_id: str) -> None:
        self._told, self._followed, self._run_id = told, followed, run_id
        self._next = 1
        followed.add(run_id)

    def take(self, event: Event, *, told: bool) -> None:
        assert event.seq == self._next, "from its first event, without a gap"
        self._next += 1
        if told:
            self._told.append((event.chain, event.at_us))

    def end(self) -> None:
        self._followed.discard(self._run_id)


@given(
    steps=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40),
    since=st.integers(0, 60),
    until=st.one_of(st.none(), st.integers(0, 60)),
    most=st.integers(1, 4),
)
def test_what_is_told_is_what_stands_within_the_time_whatever_is_let_go_of(
    steps: list[tuple[int, int]], since: int, until: int | None, most: int
) -> None:
    async def law() -> None:
        clock = FrozenClock()
        store, begun = MemoryStore(clock), clock.wall_us()
        for run, pause in steps:
            clock.advance(pause)
            name = f"run_{run}"
            fact = Fact(Kind.RUN_WORDS, {"text": "on"}, step=len(await store.read(name)))
            if not await store.read(name):
                fact = Fact(Kind.RUN_STARTED, STARTED)
            await store.append(Append(name, "default", [fact]))
            await store.append(Append(f"other_{run}", "acme", [fact]))
        window = Window(
            tenant="default", since_us=begun + since * 1_000_000,
            until_us=None if until is None else begun + until * 1_000_000, followed_max=most,
        )  # fmt: skip
        told: list[tuple[str, int]] = []
        followed: set[str] = set()
        most_followed = 0

        def follow(run_id: str) -> Noted:
            nonlocal most_followed
            noted = Noted(told, followed, run_id)
            most_followed = max(most_followed, len(followed))
            return noted

        walked = await walk(store, window, follow, lambda event: None)
        every = [event for _, event in await store.follow(0, 1000)]
        assert told == [
            (event.chain, event.at_us) for event in every if event.tenant == "default" and window.has(event.at_us)
        ]
        assert most_followed <= most + 1 and not followed and not walked.broken

    anyio.run(law)


def test_behind_an_event_that_is_missing_nothing_of_a_run_is_believed() -> None:
    """Whoever can write the ledger's table can leave an event out: what comes after it does not follow."""

    class Cut(MemoryStore):
        async def follow(self, after: int = 0, limit: int = 1000) -> list[tuple[int, Event]]:
            every = await super().follow(after, 1000)
            return [(at, event) for at, event in every if event.seq != 2][:limit]

    async def law() -> None:
        store = Cut(FrozenClock())
        await store.append(Append("run_a", "default", [Fact(Kind.RUN_STARTED, STARTED)]))
        for step in (1, 2):
            await store.append(Append("run_a", "default", [Fact(Kind.RUN_WORDS, {"text": "on"}, step=step)]))
        told: list[tuple[str, int]] = []
        untold: list[Event] = []
        walked = await walk(
            store, Window(tenant="default"), lambda run_id: Noted(told, set(), run_id), untold.append
        )  # fmt: skip
        assert len(told) == 1
        assert [event.seq for event in untold] == [3]
        assert walked.broken == {"run_a": 3}

    anyio.run(law)

"""Laws of reuse, under any interleaving of readers, writers, processes and clocks. REQUIREMENTS B13, T35, T38, T43."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import anyio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from interlock import CallContext, Principal, Rejected, World
from interlock.core.call import Outcome
from interlock.core.ids import CountedIds
from interlock.ledger.store import Append, MemoryStore
from interlock.testing import FrozenClock
from tests.planes import Far, Stage, staged

CACHE_S = 30.0
PEOPLE = [Principal("a"), Principal("b"), Principal("a", "other")]
TAGS = ("flats", "owners")


class Step(NamedTuple):
    """One thing that happens: a read or a write begins, one on its way ends, one is cut off, or time passes.

    Attributes:
        do: `get`, `put`, `end`, `cut`, `pass` or `jump`.
        plane: In which of two processes.
        who: For whom, of `PEOPLE`; for an end or a cut, which of those on their way.
        n: Argument of a read, tag of a write, how a write ends, seconds.
    """

    do: str
    plane: int
    who: int
    n: int


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(["get", "get", "get", "put", "end", "end", "end", "cut", "pass", "jump"]),
        st.sampled_from([0, 0, 1]),
        st.sampled_from([0, 0, 0, 1, 2]),
        st.sampled_from([0, 0, 1, 2, 3]),
    ),
    min_size=4,
    max_size=30,
)


class SharedStore(MemoryStore):
    """A store in memory that two processes are on: each is told when the other has written."""

    def __init__(self, clock: FrozenClock) -> None:
        super().__init__(clock)
        self.writers: list[int] = []


class View:
    """What one process sees of the store."""

    def __init__(self, store: SharedStore, process: int) -> None:
        self._store = store
        self._process = process

    def changes(self) -> int:
        return sum(writer != self._process for writer in self._store.writers)

    async def append(self, append: Append) -> Any:
        events = await self._store.append(append)
        self._store.writers.append(self._process)
        return events

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Game:
    """Two processes on one ledger, a far end that answers when it is told to, and what each answer may be."""

    def __init__(self) -> None:
        self.clock = FrozenClock()
        self.on_the_way: list[anyio.Event] = []
        self.fails: dict[anyio.Event, int] = {}
        self.scopes: list[anyio.CancelScope] = []
        self.written: dict[tuple[str, str], int] = {}
        self.told: dict[tuple[str, str], int] = {}
        self.jumped_s = 0.0
        self.asked = 0
        self.answers = 0

    async def get(self, arguments: dict[str, Any], context: CallContext) -> object:
        """Say whose it is, when it was asked, and how many writes of each tag the far end had done by then."""
        self.asked += 1
        said = {
            "for": [context.tenant, context.principal_id],
            "n": arguments["n"],
            "at": self.clock.mono_s(),
            "wall": self.clock.wall_us(),
            "seen": [self.written.get((context.tenant, tag), 0) for tag in TAGS],
        }
        await self._hold(0)
        return said

    async def put(self, arguments: dict[str, Any], context: CallContext) -> object:
        """Take effect, soon or late, and answer, or not."""
        tag, how = (context.tenant, TAGS[arguments["n"] % 2]), arguments["n"] // 2
        early = how == 0
        if early:
            self.written[tag] = self.written.get(tag, 0) + 1
        await self._hold(how)
        if not early:
            self.written[tag] = self.written.get(tag, 0) + 1
        return None

    async def _hold(self, how: int) -> None:
        gate = anyio.Event()
        self.on_the_way.append(gate)
        try:
            await gate.wait()
        finally:
            self.on_the_way.remove(gate)
        if how == 9:
            raise Rejected("no")

    async def read(self, stage: Stage, who: Principal, n: int) -> None:
        """Read, and hold the answer against what it may be."""
        tags = TAGS[: 1 + n % 2]
        told = [self.told.get((who.tenant, tag), 0) for tag in tags]
        with anyio.CancelScope() as scope:
            self.scopes.append(scope)
            proposed_s, proposed_us = self.clock.mono_s(), self.clock.wall_us()
            async with stage.run(who) as run:
                outcome: Outcome = await run.call("get" if len(tags) == 1 else "get_both", {"n": n})
            self.answers += 1
            said = outcome.value
            assert said["for"] == [who.tenant, who.id], "never across principals or tenants"
            assert said["n"] == n
            assert said["at"] >= proposed_s - CACHE_S, "never older than its tool allows"
            assert said["wall"] >= proposed_us - CACHE_S * 1e6, "by the wall either"
            for seen, before in zip(said["seen"], told, strict=False):
                assert seen >= before, "never older than the last write that was told to have ended"

    async def write(self, stage: Stage, who: Principal, n: int) -> None:
        with anyio.CancelScope() as scope:
            self.scopes.append(scope)
            async with stage.run(who) as run:
                outcome: Outcome = await run.call("put_" + TAGS[n % 2], {"n": n})
            assert outcome.done
            tag = (who.tenant, TAGS[n % 2])
            self.told[tag] = self.told.get(tag, 0) + 1


async def play(steps: Sequence[Step]) -> Game:
    game = Game()
    store = SharedStore(game.clock)
    reads = {"does": game.get, "cache_s": CACHE_S}
    tools = [
        Far().tool("get", cache_tags=TAGS[:1], **reads),
        Far().tool("get_both", cache_tags=TAGS, **reads),
        *(Far().tool(f"put_{tag}", "reversible", game.put, invalidates=[tag], keyed=True) for tag in TAGS),
    ]
    async with AsyncExitStack() as stack:
        stages = []
        for process in range(2):
            ids = CountedIds()
            world = World(clock=game.clock, new_id=lambda kind, ids=ids, process=process: f"{process}_{ids(kind)}")
            stage = await stack.enter_async_context(staged(*tools, world=world, settings={"mode": "evaluate_only"}))
            stage.store_in(View(store, process))
            stages.append(stage)
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                for step in steps:
                    stage, who = stages[step.plane], PEOPLE[step.who]
                    if step.do == "get":
                        tasks.start_soon(game.read, stage, who, step.n)
                    elif step.do == "put":
                        tasks.start_soon(game.write, stage, who, step.n)
                    elif step.do == "pass":
                        game.clock.advance(7.0 * step.n)
                    elif step.do == "jump":
                        game.clock.jump_wall(20.0 * (step.n - 2))
                    elif step.do == "end" and game.on_the_way:
                        game.on_the_way[step.who % len(game.on_the_way)].set()
                    elif step.do == "cut" and game.scopes:
                        game.scopes[-1 - step.who % len(game.scopes)].cancel()
                    await anyio.wait_all_tasks_blocked()
                while game.on_the_way:
                    for gate in game.on_the_way:
                        gate.set()
                    await anyio.wait_all_tasks_blocked()
    return game


GET, END = Step("get", 0, 0, 0), Step("end", 0, 0, 0)
READ = [GET, END]

BETWEEN = [Step("put", 1, 0, 2), GET, Step("end", 0, 1, 0), END, *READ]
"""A read that comes in between another process's intent and its late effect, and one after that."""

SET_BACK = [*READ, Step("jump", 0, 0, 0), *[Step("pass", 0, 0, 3)] * 2, *READ]
STILL = [*READ, *[Step("jump", 0, 0, 3)] * 2, *READ]
AGED = [*READ, *[Step("pass", 0, 0, 3)] * 2, *READ]
"""Either clock alone, and both, past the age."""


@example(BETWEEN)
@example(SET_BACK)
@example(STILL)
@example(AGED)
@settings(max_examples=100)
@given(STEPS)
def test_no_answer_is_another_principals_or_too_old_or_older_than_a_write(steps: list[Step]) -> None:
    """The naive model is the far end itself: each answer says for whom, when, and after how many writes it was got."""
    anyio.run(play, steps)


def test_the_game_does_reuse_and_share() -> None:
    """Else the law above holds for want of anything to hold of."""

    def script() -> Iterator[Step]:
        for _ in range(3):
            yield Step("get", 0, 0, 0)
        yield Step("end", 0, 0, 0)
        yield Step("get", 0, 0, 0)
        yield Step("put", 1, 1, 0)
        yield Step("get", 0, 0, 0)
        for _ in range(2):
            yield Step("end", 0, 0, 0)
        yield Step("get", 0, 0, 0)
        yield Step("end", 0, 0, 0)

    game = anyio.run(play, list(script()))
    assert (game.answers, game.asked) == (6, 3)

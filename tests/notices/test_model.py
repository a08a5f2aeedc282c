"""Two processes, one channel, all that goes wrong in any order: whoever waits is told, and acted upon once."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.event import Kind
from interlock.ledger.rebuild import differences
from interlock.ledger.store import MemoryStore
from interlock.net.sent import Sent, Verdict
from interlock.notices.notice import Audience, Notice, NoticeKind
from interlock.notices.notifier import Notifier
from interlock.testing import FrozenClock
from tests.notices.office import Office

RUNS = ("run_1", "run_2")
POINTS = ("notice.before", "notice.sent", "notice.recorded")

STEPS = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(RUNS)),
    st.tuples(st.just("many"), st.sampled_from(RUNS)),
    st.tuples(st.just("decide"), st.integers(0, 30)),
    st.tuples(st.just("look"), st.sampled_from(["w1", "w2"])),
    st.tuples(st.just("kill"), st.sampled_from(POINTS)),
    st.tuples(st.just("close"), st.sampled_from(["w1", "w2"])),
    st.tuples(st.just("wait"), st.sampled_from([1, 5, 40, 400])),
    st.tuples(st.just("answer"), st.sampled_from(list(Verdict))),
)


class Killed(BaseException):
    """The end of a process, as far as the notifier can tell."""


class World:
    """What the steps happen to; also the one channel, whose far end acts once on each id."""

    name = "hook"
    audience = Audience(kinds=frozenset({NoticeKind.REQUESTED}))

    def __init__(self) -> None:
        self.clock = FrozenClock()
        self.store = MemoryStore(self.clock)
        self.office = Office(self.store, self.clock, None)  # type: ignore[arg-type]
        self.asked: list[tuple[str, int]] = []
        self.pending: set[str] = set()
        self.answers: list[Verdict] = []
        self.acted: dict[str, Notice] = {}
        self.sent: dict[str, set[str]] = {}
        self.kill_at = ""
        self.notifiers: dict[str, Notifier] = {}

    async def send(self, notice: Notice, at_us: int) -> Sent:
        """Every copy is of the same thing, and nobody is told of what was decided."""
        assert notice.ref in self.pending, "decided already"
        notice_id = notice.id_for(self.name)
        self.sent.setdefault(notice_id, set()).add(notice.ref)
        verdict = self.answers.pop(0) if self.answers else Verdict.ACCEPTED
        if verdict is Verdict.ACCEPTED:
            self.acted.setdefault(notice_id, notice)
        return Sent(verdict, "said")

    async def close(self) -> None:
        """Nothing is open."""

    def reach(self, point: str) -> None:
        """A point at which the process may end."""
        if point == self.kill_at:
            self.kill_at = ""
            raise Killed

    def process(self, worker: str) -> Notifier:
        """The process of that name, started where there is none."""
        if worker not in self.notifiers:
            self.notifiers[worker] = self.office.notifier(self, worker=worker, reach=self.reach)
        return self.notifiers[worker]

    async def step(self, verb: str, what: object) -> None:
        """One thing happens."""
        match verb, what:
            case "ask", str(run_id):
                await self._ask(run_id)
            case "many", str(run_id):
                for _ in range(21):
                    await self._ask(run_id)
            case "decide", int(number) if number < len(self.asked):
                run_id, nth = self.asked[number]
                if f"appr_{run_id}_{nth}" in self.pending:
                    self.pending.discard(f"appr_{run_id}_{nth}")
                    await self.office.reject(run_id, nth)
            case "look", str(worker):
                try:
                    await self.process(worker).look()
                except* Killed:
                    del self.notifiers[worker]
            case "kill", str(point):
                self.kill_at = point
            case "close", str(worker):
                await self.process(worker).close()
                del self.notifiers[worker]
            case "wait", int(seconds):
                self.clock.advance(seconds)
            case "answer", Verdict() as verdict:
                self.answers.append(verdict)
            case _:
                pass

    async def _ask(self, run_id: str) -> None:
        nth = len(self.asked)
        self.asked.append((run_id, nth))
        self.pending.add(await self.office.ask(run_id, nth, expires_s=1e6))


async def played(steps: Sequence[tuple[str, object]]) -> None:
    world = World()
    for verb, what in steps:
        await world.step(verb, what)
    world.answers, world.kill_at = [], ""
    for _ in range(30):  # all is well from here on: whoever still waits is told
        world.clock.advance(60)
        for worker in ("w1", "w2"):
            await world.step("look", worker)
    rows = {row["ref"]: row for row in await world.store.rows("notice")}
    many = {run_id for run_id in RUNS if sum(run_id in ref for ref in world.pending) > 20}
    untold = {ref for ref in world.pending - rows.keys() if ref.split("_", 1)[1].rpartition("_")[0] not in many}
    assert not untold, "somebody waits and was never told"
    assert all(len(refs) == 1 for refs in world.sent.values()), "one id, one thing"
    told = [event for _, event in await world.store.follow(limit=100_000) if event.fact.kind is Kind.NOTICE_DELIVERED]
    assert len({event.fact.body["id"] for event in told}) == len(told), "recorded once"
    assert {notice.ref for notice in world.acted.values()} >= {
        ref for ref, row in rows.items() if row["status"] == "delivered" and row["kind"] != NoticeKind.MANY
    }, "what is recorded as delivered was received"  # fmt: skip
    assert await differences(world.store) == []


@settings(max_examples=150)
@given(st.lists(STEPS, max_size=40))
def test_whatever_happens_whoever_waits_is_told_and_one_id_is_one_thing(steps: list[tuple[str, object]]) -> None:
    """E7: kills at every point, claims that lapse or are handed back, answers of every kind, floods, decisions."""
    anyio.run(played, steps)

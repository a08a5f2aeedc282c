"""A saga of five steps that fails at each step in turn, killed wherever it can be: `python -m proof.sagas`.

The process is played: at the n-th crash point or append everything that it had in memory is lost, and its store takes
nothing more from it. Another one, on the same ledger, goes on once the claim has lapsed; with `--second` that one is
killed too. A step that was refused after its worker was lost is unknown, because the first try may have got through: a
person looks at the far end and settles it. What the saga came to, how each step and its undoing stand, and what the far
end did are held against the same saga undisturbed; of steps that run together, what is left at the far end, because
which of them had begun when another failed is not the same each time.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, NamedTuple

import anyio

from interlock import (
    Principal,
    Rejected,
    Saga,
    SagaOutcome,
    Settings,
    Step,
    Tool,
    World,
    foreign_tool,
    given,
    open_plane,
    result,
)
from interlock.core.ids import RandomIds
from interlock.core.tool import CallContext
from interlock.ledger.conversation import Ledger
from interlock.ledger.store import Append, Event, MemoryStore
from interlock.ledger.switch import StopSwitch
from interlock.policy.cedar import Policy
from interlock.policy.rules import Source
from interlock.testing import FrozenClock

STEPS = ("record", "keys", "lease", "deposit", "welcome")
"""The steps; each but the last is undone by `un` and its name."""

ANA = Principal("ana")
OPA = Principal("opa", roles=frozenset({"operator"}))
_NUMBER = {
    "type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False,
}  # fmt: skip


class Killed(BaseException):
    """The process is no more."""


@dataclass
class Far:
    """The far end: it takes an effect once for each key, and refuses one step."""

    refuses: str = ""
    effects: dict[str, str] = field(default_factory=dict)

    @property
    def done(self) -> list[str]:
        """The effects in their order."""
        return list(self.effects.values())

    def tools(self) -> list[Tool]:
        """The tools of the steps and of their compensations."""
        undone = {name: {"compensate": f"un{name}", "compensate_with": {"n": "/result/n"}} for name in STEPS[:-1]}
        forward = [self._tool(name, **undone.get(name, {})) for name in STEPS]
        return [*forward, *(self._tool(f"un{name}") for name in STEPS[:-1])]

    def _tool(self, name: str, **options: Any) -> Tool:
        async def body(arguments: dict[str, Any], context: CallContext) -> object:
            if name == self.refuses:
                raise Rejected("409", reason="not now")
            self.effects.setdefault(context.idempotency_key, name)
            return arguments

        return foreign_tool(name, "local", f"Does {name}.", _NUMBER, body, effect="reversible", keyed=True, **options)


SAGA = Saga("tenant_onboarding", [
    Step(name, name, {"n": given("/n") if not number else result(STEPS[number - 1], "/n")}, pivot=name == STEPS[-1])
    for number, name in enumerate(STEPS)
])  # fmt: skip

GRAPH = Saga("together", [
    Step("record", "record", {"n": 1}),
    Step("keys", "keys", {"n": result("record", "/n")}, after=()),
    Step("lease", "lease", {"n": result("record", "/n")}, after=()),
    Step("deposit", "deposit", {"n": 2}, after=("keys",)),
    Step("welcome", "welcome", {"n": 3}, pivot=True),
])  # fmt: skip
"""The same steps, of which two and two may run together."""

SAGAS = {"line": SAGA, "graph": GRAPH}


class Life:
    """One process: it lives until it has passed so many points, of the path and of its appends; 0 for ever."""

    def __init__(self, at: int) -> None:
        self.at, self.passed, self.where = at, 0, ""

    @property
    def dead(self) -> bool:
        """Whether it was killed."""
        return 0 < self.at <= self.passed

    def reach(self, point: str) -> None:
        """Pass a point, or be killed there."""
        if self.dead:
            raise Killed
        self.passed += 1
        if self.dead:
            self.where = point
            raise Killed


class Mortal:
    """A store as a process sees it that may be killed: what it has written stays, and nothing comes after."""

    def __init__(self, store: MemoryStore, life: Life) -> None:
        self._store, self._life = store, life

    def __getattr__(self, name: str) -> Any:
        if self._life.dead:
            raise Killed
        return getattr(self._store, name)

    async def append(self, append: Append) -> list[Event]:
        """See `Store.append`."""
        self._life.reach("append.begun")
        events = await self._store.append(append)
        self._life.reach("append.committed")
        return events

    async def close(self) -> None:
        """The store outlives it."""


class Trial(NamedTuple):
    """What a saga came to.

    Attributes:
        outcome: As whoever came last was told.
        done: The effects, in their order.
        passed: Points that the first process passed.
        where: Where it was killed; empty where it lived.
        due: What was due at the end.
    """

    outcome: SagaOutcome
    done: list[str]
    passed: int
    where: str
    due: int

    @property
    def end(self) -> tuple[Any, ...]:
        """What must be the same however often it was killed."""
        if self.outcome.name == GRAPH.name:
            return self.outcome.status, sorted(_left(self.done)), self.due
        steps = [(step.id, step.status, step.undo) for step in self.outcome.steps]
        return self.outcome.status, steps, sorted(self.done), self.due


def _left(done: list[str]) -> set[str]:
    """What is there at the far end after these effects."""
    return {name for name in done if name in STEPS and f"un{name}" not in done}


async def tried(shape: str, refuses: str, *lives: int) -> Trial:
    """Play a saga of which one step is refused; its processes live so long, in turn, and the last one for ever."""
    clock, far = FrozenClock(), Far(refuses)
    store = MemoryStore(clock)
    first = None
    for at in (*lives, 0):
        life = Life(at)
        first = first or life
        outcome = None
        with suppress(Killed, BaseExceptionGroup):
            outcome = await _lived(SAGAS[shape], store, clock, far, life)
        clock.advance(3600)
    assert first is not None and outcome is not None, "the last one lives"
    return Trial(outcome, far.done, first.passed, first.where, len(await store.due()))


async def _lived(saga: Saga, store: MemoryStore, clock: FrozenClock, far: Far, life: Life) -> SagaOutcome:
    """What one process does: start the saga, or go on with what is due."""

    async def no_pause(seconds: float) -> None:
        clock.advance(seconds)

    world = World(clock=clock, new_id=RandomIds(clock), pause=no_pause, reach=life.reach)
    async with open_plane(Settings(ledger=None), tools=far.tools(), world=world, engine=False) as plane:
        inner = plane.plane
        inner.ledger = Ledger(Mortal(store, life), life.reach)  # type: ignore[arg-type]  # it is one, by its inner store
        inner.switch = StopSwitch(inner.ledger.store)
        inner.executor = replace(inner.executor, deployment_key=bytes(32))  # the same in every process
        inner.policy = Policy([Source("test.cedar", "permit (principal, action, resource);")], inner.registry.tools)
        started = await store.rows("run")
        if not started:
            async with plane.saga(saga, ANA, {"n": 7}) as begun:
                return await begun.outcome()
        run_id = started[0]["run_id"]
        while due := await inner.ledger.store.due():
            assert {each.run_id for each in due} == {run_id}, "nothing else is there"
            await plane.advance(run_id)
        for call in await store.rows("tool_call", {"status": "unknown"}):
            assert call["tool"] == far.refuses, "whatever the far end takes is sent again under its key"
            await plane.settle(call["call_id"], "failed", OPA, note="the far end has nothing of it")
        return await plane.saga_outcome(run_id)


def lives(shape: str, refuses: str, every: int, second: int, offset: int = 0) -> Iterator[tuple[int, ...]]:
    """Where to kill: each n-th point of the first process, and with `second` also each so-manieth of its successor."""
    whole = anyio.run(tried, shape, refuses)
    for at in range(1 + offset % every, whole.passed + 1, every):
        yield (at,)
        if second:
            for again in range(1 + at % second, whole.passed + 1, second):
                yield at, again


def main() -> int:
    """Try all of it and print a row for each step that fails."""
    parser = argparse.ArgumentParser(prog="python -m proof.sagas", description=__doc__.partition("\n")[0])
    parser.add_argument("--every", type=int, default=1, metavar="N", help="kill at each N-th point (default 1: at all)")
    parser.add_argument("--second", type=int, default=0, metavar="N", help="and each N-th of whoever goes on (0: none)")
    options = parser.parse_args()
    wrong = kills = 0
    started = time.perf_counter()
    for shape, refuses in product(SAGAS, ("", *STEPS)):
        whole, ends, points = anyio.run(tried, shape, refuses), Counter[bool](), set[str]()
        for each in lives(shape, refuses, options.every, options.second):
            trial = anyio.run(tried, shape, refuses, *each)
            same = trial.end == whole.end
            ends[same] += 1
            points.add(trial.where)
            if not same:
                print(f"  {shape}: {refuses or 'nothing'} fails, killed at {each} ({trial.where}): {trial.end}")
        kills += ends.total()
        wrong += ends[False]
        print(
            f"{shape}: {refuses or 'nothing':8} fails: {whole.outcome.status.value:11} {len(whole.done)} effects; "
            f"{ends.total():,} kills at {len(points)} kinds of point, {ends[False]} ended otherwise",
            flush=True,
        )
    print(f"{kills:,} kills, {wrong} ended otherwise than undisturbed; {time.perf_counter() - started:.0f} s")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())

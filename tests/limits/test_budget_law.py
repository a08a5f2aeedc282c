"""The law of budgets, whatever happens: what the events say is open or spent is what stands in the row (T29)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock import CallContext, Interlock, NotSent, Principal, Rejected, Run, Settings, World, open_plane
from interlock.core.charge import reserved_by
from interlock.core.event import CLOSING, Kind
from interlock.core.guard_row import read_row
from interlock.core.points import Points
from interlock.core.run import SETTLED_WITHIN_S
from interlock.errors import InterlockError
from interlock.ledger.rebuild import differences
from interlock.ledger.redact import redact
from interlock.ledger.reservation import reserve, settle
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import Store
from interlock.testing import CountedIds, FrozenClock, kill_at_every_point
from tests.planes import ANA, BOB, OPA, Far, Stage, staged

LIMITS = {
    "budgets": [
        {"name": "money", "unit": "micro_usd", "most": 3000, "per": ("principal",)},
        {"name": "calls", "unit": "calls", "most": 14, "every": "day"},
        {"name": "time", "unit": "ms", "most": 10**9, "per": ("run",)},
    ],
    "rates": [{"name": "often", "calls": 8, "per_s": 60}],
}
ROOT = Principal("root", roles=frozenset({"admin"}))
POLICY = """
@id("held") @approvers("approver") forbid (principal, action == Action::"sign", resource);
permit (principal, action, resource);
"""


async def naive(store: Store) -> dict[str, int]:
    """What the raw events say is charged to each row, read as simply as can be."""
    rows: defaultdict[str, int] = defaultdict(int)
    for chain in {event.chain for _, event in await store.follow(0, 1 << 30)}:
        has: dict[str, Any] = {}
        for event in await store.read(chain):
            fact = event.fact
            if fact.kind is Kind.REDACT:
                for name, _, reserved, spent in fact.body.get("budget", ()):
                    rows[name] += reserved + spent
            if reserved_by(fact.body) and fact.kind in (Kind.CALL_INTENT, Kind.BUDGET_RESERVED):
                has[fact.call_id] = reserved_by(fact.body)
                for row, _, amount in has[fact.call_id]:
                    rows[row] += amount
            elif fact.outcome in CLOSING:
                had = reserved_by(fact.body) if fact.kind is Kind.BUDGET_SETTLED else has.pop(fact.call_id, ())
                for row, unit, amount in had:
                    free = fact.outcome in ("failed", "refused")
                    rows[row] += fact.body.get("spent", {}).get(unit, 0 if free else amount) - amount
    return {row: value for row, value in rows.items() if value}


async def rows_of_budgets(store: Store) -> dict[str, int]:
    """The guard rows that budgets are kept in, but for those at nought."""
    found = {row: (read_row(row), value) for row, value in (await store.guards()).items() if value}
    return {row: value for row, (parts, value) in found.items() if parts is not None and parts[1] != "rate"}


async def holds(store: Store) -> None:
    """The law, three ways: the guard rows, the table, the raw events."""
    guards = await rows_of_budgets(store)
    table: defaultdict[str, int] = defaultdict(int)
    for row in await store.rows("budget", limit=1 << 30):
        assert row["reserved"] >= 0
        table[row["name"]] += row["reserved"] + row["spent"]
    assert guards == {row: value for row, value in table.items() if value}
    assert await differences(store) == []


def tools(far: Far) -> list[Any]:
    async def does(arguments: dict[str, Any], context: CallContext) -> object:
        how = arguments["n"] % 6
        if how in (0, 3):
            context.spend("micro_usd", 40 * how)
        if how == 1:
            raise Rejected("no")
        if how == 2:
            raise RuntimeError("broken")
        if how == 4:
            context.spend("micro_usd", 900)
        if how == 5 and context.attempt == 1:
            raise NotSent("no line")
        return {"n": arguments["n"]}

    costs = {"costs": {"micro_usd": 300}, "attempts_max": 2}
    return [
        far.tool("look", "read", does, **costs),
        far.tool("put", "reversible", does, **costs),
        far.tool("key", "reversible", does, keyed=True, **costs),
        far.tool("sign", "irreversible", does, **costs),
    ]


OPS = ("look", "put", "key", "sign", "together", "answer", "settle", "child", "model", "erase", "wait", "next")
steps = st.lists(st.tuples(st.sampled_from(OPS), st.integers(0, 11)), max_size=25)


class Game:
    """One stage and what can happen on it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.plane = stage.plane
        self.models = 0

    async def play(self, run: Run, moves: Sequence[tuple[str, int]]) -> None:
        for op, n in moves:
            with suppress(InterlockError):
                await self.move(run, op, n)
            await holds(self.plane.store)

    async def move(self, run: Run, op: str, n: int) -> None:
        state = await self.stage.state(run.run_id)
        if op in ("look", "put", "key", "sign"):
            await run.call(op, {"n": n, "note": str(len(state.calls))})
        elif op == "together":
            async with anyio.create_task_group() as tasks:
                for tool in ("look", "put", "look"):
                    tasks.start_soon(run.call, tool, {"n": n, "note": f"{tool}{len(state.calls)}"})
        elif op == "answer":
            for asked in list(state.approvals.values()):
                if asked.status == "pending":
                    held = state.calls[asked.call_id].outcome
                    assert held is not None
                    await self.stage.answer(run.run_id, held, BOB, "approve" if n % 3 else "reject")
                    await self.plane.advance(run.run_id)
                    return
        elif op == "settle":
            for call in list(state.calls.values()):
                if call.status == "unknown":
                    await self.plane.settle(call.call_id, "done" if n % 2 else "failed", OPA, note="looked")
                    return
        elif op == "child":
            async with self.plane.run(ANA, budget={"calls": n % 4}, parent=run.run_id) as child:
                await child.call("look", {"n": n})
                await child.call("put", {"n": n + 1})
        elif op == "model":
            await self.model(run, n)
        elif op == "erase":
            closed = [e.seq for e in await self.plane.store.read(run.run_id) if e.payload]
            await redact(self.plane.store, run.run_id, closed[n::12], "asked for it", ROOT)
        elif op == "wait":
            self.stage.clock.advance([1, 30, 86_400][n % 3])

    async def model(self, run: Run, n: int) -> None:
        conversation = await self.plane.plane.ledger.conversation(run.run_id, "default")
        self.models += 1
        ref, now_us = f"model/{self.models}", self.stage.clock.wall_us()
        costs = {"micro_usd": 50, "tokens": 10}
        await reserve(conversation, ref, self.plane.plane.limits.charges(ANA, conversation.state, costs, now_us))
        if n % 3:
            await settle(conversation, ref, {"micro_usd": 20 * n})


@given(steps)
@settings(max_examples=60, deadline=None)
def test_rows_table_and_events_agree_whatever_happens(moves: list[tuple[str, int]]) -> None:
    async def play() -> None:
        async with staged(*tools(Far()), settings={"limits": LIMITS}) as stage:
            stage.obey(POLICY)
            game = Game(stage)
            while moves:
                cut = next((place for place, (op, _) in enumerate(moves) if op == "next"), len(moves))
                async with stage.plane.run(ANA, budget={"calls": 9, "micro_usd": 2500}) as run:
                    await game.play(run, moves[:cut])
                del moves[: cut + 1]
            stage.clock.advance(SETTLED_WITHIN_S)
            for due in await stage.plane.store.due(1000):
                await stage.plane.advance(due.run_id)
            await holds(stage.plane.store)
            assert await naive(stage.plane.store) == await rows_of_budgets(stage.plane.store)

    anyio.run(play)


def test_the_same_in_a_file(tmp_path: Path) -> None:
    moves = [("sign", 0), ("answer", 1), *((op, n) for n in range(7) for op in OPS if op != "next")]

    async def play() -> None:
        async with staged(
            *tools(Far()), ledger=tmp_path / "ledger.db", settings={"limits": LIMITS, "seal": {"on": False}}
        ) as stage:
            stage.obey(POLICY)
            async with stage.plane.run(ANA, budget={"calls": 50, "micro_usd": 9000}) as run:
                await Game(stage).play(run, moves)
            kinds = {event.fact.kind for _, event in await stage.plane.store.follow(0, 1 << 30)}
            assert {Kind.REDACT, Kind.BUDGET_SETTLED, Kind.CALL_RECONCILED, Kind.APPROVAL_CONSUMED} <= kinds

    anyio.run(play)


# ------------------------------------------------------------------ crashes


def opened(folder: Path, clock: FrozenClock, reach: Points | None = None) -> Any:
    world = World(clock=clock, new_id=CountedIds(), **({} if reach is None else {"reach": reach}))
    made = Settings(ledger=folder / "ledger.db", folder=folder, limits=LIMITS, seal={"on": False})  # type: ignore[arg-type]
    return open_plane(made, tools=tools(Far()), world=world, engine=False)


def some_calls(folder: Path, reach: Points) -> None:
    async def play() -> None:
        async with opened(folder, FrozenClock(), reach) as plane:
            obey(plane)
            async with plane.run(ANA, budget={"calls": 20}) as run:
                for tool, n in (("look", 3), ("put", 2)):
                    await run.call(tool, {"n": n})
                conversation = await plane.plane.ledger.conversation(run.run_id, "default")
                charges = plane.plane.limits.charges(ANA, conversation.state, {"micro_usd": 70}, 0)
                await reserve(conversation, "model/1", charges)
                await settle(conversation, "model/1", {"micro_usd": 7})

    anyio.run(play)


def obey(plane: Interlock) -> None:
    from interlock.policy.cedar import Policy
    from interlock.policy.rules import Source

    plane.plane.policy = Policy([Source("test.cedar", POLICY)], plane.plane.registry.tools)


async def recovered(folder: Path) -> set[str]:
    """What is left of the calls when others have advanced all that was due."""
    clock = FrozenClock()
    clock.advance(2 * SETTLED_WITHIN_S)
    async with opened(folder, clock) as plane:
        obey(plane)
        for _ in range(5):
            for due in await plane.store.due(100):
                await plane.advance(due.run_id)
        await holds(plane.store)
        assert await naive(plane.store) == await rows_of_budgets(plane.store)
        return {row["status"] for row in await plane.store.rows("tool_call")}


def test_a_worker_that_is_killed_anywhere_leaves_no_row_that_is_not_the_sum_of_its_events(tmp_path: Path) -> None:
    """T29: nothing is charged twice, nothing is free, and nothing stays reserved but by what is unknown."""
    crashes = 0
    for crash in kill_at_every_point(some_calls, tmp_path / "crashes"):
        if not (crash.folder / "ledger.db").exists():
            continue
        statuses = anyio.run(recovered, crash.folder)
        assert statuses <= {"closed", "unknown"}, crash
        left = anyio.run(reserved_by_what, crash.folder)
        assert left <= {"unknown"}, crash
        crashes += 1
    assert crashes > 25


async def reserved_by_what(folder: Path) -> set[str]:
    store = SqliteStore(folder / "ledger.db", FrozenClock())
    try:
        return {
            "unknown" if any(call["status"] == "unknown" for call in await store.rows("tool_call")) else "nothing"
            for row in await store.rows("budget")
            if row["reserved"]
        }
    finally:
        await store.close()


@pytest.mark.parametrize("tool", ["look", "key"])
def test_a_call_that_is_taken_up_from_a_lost_worker_reserves_once(tmp_path: Path, tool: str) -> None:
    def one(folder: Path, reach: Points) -> None:
        async def play() -> None:
            async with opened(folder, FrozenClock(), reach) as plane:
                obey(plane)
                async with plane.run(ANA) as run:
                    await run.call(tool, {"n": 6})

        anyio.run(play)

    again = 0
    for crash in kill_at_every_point(one, tmp_path / "crashes"):
        if not crash.point.startswith(("intent.committed", "attempt", "result", "close.before")):
            continue
        assert anyio.run(recovered, crash.folder) == {"closed"}
        assert anyio.run(charged_calls, crash.folder) == 1, crash
        again += 1
    assert again >= 4


async def charged_calls(folder: Path) -> int:
    store = SqliteStore(folder / "ledger.db", FrozenClock())
    try:
        return sum(value for row, value in (await store.guards()).items() if '"calls"' in row)
    finally:
        await store.close()

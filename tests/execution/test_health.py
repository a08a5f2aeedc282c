"""What tools depend on, asked at intervals. A9; the breaker's word joins it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from interlock import Settings, World, open_plane
from interlock.core.event import HEALTH
from interlock.errors import StoreUnavailable
from interlock.execution.health import AGAIN_S, REST_MAX_S, Health, Probe
from interlock.ledger.store import MemoryStore
from interlock.testing import CountedIds, FrozenClock
from tests.planes import ANA, PERMIT, Far, Stage, staged

pytestmark = pytest.mark.anyio


class Bank:
    """Something that tools depend on."""

    def __init__(self) -> None:
        self.up, self.asked = True, 0

    async def answers(self) -> bool:
        self.asked += 1
        if not self.up:
            raise ConnectionError("no route to the bank")
        return True


@asynccontextmanager
async def banking(bank: Bank, **options: Any) -> AsyncIterator[tuple[Stage, Far, Health]]:
    far = Far()
    tools = [
        far.tool("pay", "reversible", health=bank.answers, **options), far.tool("balance", health=bank.answers),
        far.tool("look"),
    ]  # fmt: skip
    async with staged(*tools) as stage:
        stage.obey(PERMIT)
        yield stage, far, stage.plane.plane.executor.health


async def again(stage: Stage, health: Health, seconds: float = 30) -> None:
    stage.clock.advance(seconds)
    await health.look()


def offered(stage: Stage) -> list[str]:
    return [tool.name for tool in stage.plane.tools]


async def called(stage: Stage, name: str) -> Any:
    async with stage.run(ANA) as run:
        return await run.call(name, {"n": 1})


async def test_tools_that_depend_on_what_fails_are_not_offered_and_come_back_by_themselves() -> None:
    bank = Bank()
    async with banking(bank) as (stage, far, health):
        await health.look()
        assert offered(stage) == ["pay", "balance", "look"]
        assert bank.asked == 1, "one check that two tools share is asked once"
        bank.up = False
        await again(stage, health)
        assert offered(stage) == ["pay", "balance", "look"], "one failure is asked about again first"
        await again(stage, health, AGAIN_S)
        assert offered(stage) == ["look"]
        assert stage.plane.degraded == {"pay": "down", "balance": "down"}
        outcome = await called(stage, "pay")
        assert (outcome.kind, outcome.code) == ("failed", "execute.down")
        assert "bank" not in str(outcome).lower(), "what it depends on is no business of a model"
        assert (await called(stage, "look")).done
        bank.up = True
        await again(stage, health, 2 * AGAIN_S)
        assert offered(stage) == ["pay", "balance", "look"]
        assert (await called(stage, "pay")).done
        assert far.names == ["look", "pay"]


async def test_a_write_that_was_not_sent_is_no_dead_letter() -> None:
    bank = Bank()
    bank.up = False
    async with banking(bank) as (stage, _, health):
        for _ in range(2):
            await again(stage, health)
        async with stage.run(ANA) as run:
            await run.call("pay", {"n": 1})
            assert "call.dead_lettered" not in await stage.said(run.run_id)
            assert "call.intent" not in await stage.said(run.run_id)


async def test_where_there_is_a_fallback_it_is_called_in_the_tools_place() -> None:
    bank = Bank()
    async with banking(bank, fallback="look") as (stage, far, health):
        bank.up = False
        for _ in range(2):
            await again(stage, health)
        assert offered(stage) == ["pay", "look"], "what a fallback serves is of use"
        assert (await called(stage, "pay")).done
        assert far.names == ["look"]


async def test_only_a_change_is_recorded_with_what_and_why() -> None:
    bank = Bank()
    async with banking(bank) as (stage, _, health):
        for up in (True, True, False, False, False, False, True, True):
            bank.up = up
            await again(stage, health, 100)
        kept = [each.fact.body for each in await stage.plane.store.read(HEALTH)]
        assert [(each["up"], each["why"]) for each in kept] == [
            (False, "ConnectionError: no route to the bank"), (True, ""),
        ]  # fmt: skip
        assert kept[0]["what"].endswith("Bank.answers")


async def test_what_is_down_is_asked_less_and_less_often() -> None:
    bank = Bank()
    bank.up = False
    clock = FrozenClock()
    health = Health(clock, MemoryStore(clock))
    health.watch(Probe(name="bank", ask=bank.answers, tools=frozenset({"pay"})))
    rests = []
    for _ in range(9):
        await health.look()
        rests.append(health.rest_s)
        clock.advance(health.rest_s)
    assert rests == [1, 2, 4, 8, 16, 32, REST_MAX_S, REST_MAX_S, REST_MAX_S]


@pytest.mark.parametrize("answer", ["false", "raises", "hangs"])
async def test_whatever_a_check_does_is_an_answer_and_stops_no_other(answer: str) -> None:
    clock = FrozenClock()
    health = Health(clock, MemoryStore(clock))

    async def bad() -> object:
        if answer == "hangs":
            with anyio.fail_after(0):  # as a deadline of its own that is over
                await anyio.sleep_forever()
        if answer == "raises":
            raise ValueError("x" * 1000)
        return False

    bank = Bank()
    health.watch(Probe(name="bad", ask=bad, server="far"))
    health.watch(Probe(name="bank", ask=bank.answers, server="near"))
    for _ in range(2):
        await health.look()
        clock.advance(AGAIN_S)
    assert list(health.down()) == ["bad"]
    assert len(health.down()["bad"]) <= 200
    assert health.objection(Far().tool("pay")) == "", "it is of another server"
    health.forget("bad")
    assert not health.down()


async def test_a_check_that_is_not_async_does_not_block_the_loop() -> None:
    clock = FrozenClock()
    health = Health(clock, MemoryStore(clock))
    loop = anyio.get_current_task().id
    seen = []
    health.watch(Probe(name="plain", ask=lambda: seen.append(loop)))
    await health.look()
    assert seen == [loop]
    assert not health.down()


class Refusing(MemoryStore):
    """A store that does not write while it is told so."""

    full = True

    async def append(self, append: Any) -> Any:
        if self.full:
            raise StoreUnavailable("no room")
        return await super().append(append)


async def test_what_could_not_be_recorded_is_recorded_with_the_next_answer() -> None:
    clock, bank = FrozenClock(), Bank()
    store = Refusing(clock)
    health = Health(clock, store)
    bank.up = False
    health.watch(Probe(name="bank", ask=bank.answers))
    for _ in range(2):
        await health.look()
        clock.advance(AGAIN_S)
    assert health.down()
    store.full = False
    clock.advance(REST_MAX_S)
    await health.look()
    assert len(await store.read(HEALTH)) == 1


async def test_a_plane_that_works_asks_by_itself() -> None:
    bank = Bank()
    world = World(new_id=CountedIds())
    async with open_plane(Settings(ledger=None), tools=[Far().tool("pay", health=bank.answers)], world=world):
        with anyio.fail_after(30):
            while not bank.asked:
                await anyio.sleep(0)


async def test_a_tool_whose_breaker_is_open_is_not_offered_either() -> None:
    far = Far()

    async def fails(arguments: dict[str, Any], context: Any) -> object:
        raise ConnectionError

    async with staged(far.tool("bad", does=fails, attempts_max=1), far.tool("look")) as stage:
        stage.obey(PERMIT)
        async with stage.run(ANA) as run:
            for number in range(12):
                await run.call("bad", {"n": number})
        assert offered(stage) == ["look"]
        stage.clock.advance(31)
        assert offered(stage) == ["bad", "look"], "the next call is the probe"

"""The loop of the simulation: order by seed, time by timers, processes that die, and no way out of it."""

from __future__ import annotations

import anyio
import anyio.to_thread
import pytest

from interlock.testing.scheduler import Crashed, Host, Scheduler, SimulatedClock, a_turn, whole_turn


async def interleaved() -> list[int]:
    said: list[int] = []

    async def speak(number: int) -> None:
        for _ in range(3):
            await a_turn()
            said.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(speak, number)
    return said


def test_the_seed_decides_the_order_and_the_same_one_decides_the_same() -> None:
    orders = {tuple(Scheduler(seed).run_until_complete(interleaved())) for seed in range(30)}
    assert len(orders) > 20
    assert all(sorted(order) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3] for order in orders)
    assert Scheduler(5).run_until_complete(interleaved()) == Scheduler(5).run_until_complete(interleaved())


def test_time_stands_still_until_nothing_else_is_to_be_done_and_then_jumps() -> None:
    scheduler = Scheduler(1)
    clock = SimulatedClock(scheduler, mono_s=7.0)

    async def a_day() -> tuple[float, float, bool]:
        began_us = clock.wall_us()
        with anyio.move_on_after(3600) as scope:
            await anyio.sleep(86_400)
        return (clock.wall_us() - began_us) / 1e6, clock.mono_s(), scope.cancelled_caught

    assert scheduler.run_until_complete(a_day()) == (3600.0, 3607.0, True)


def test_what_nothing_can_wake_is_told_and_not_waited_for() -> None:
    with pytest.raises(AssertionError, match="nothing is left"):
        Scheduler(1).run_until_complete(anyio.Event().wait())


def test_what_goes_round_in_circles_is_told() -> None:
    async def round_and_round() -> None:
        while True:
            await a_turn()

    with pytest.raises(AssertionError, match="in circles"):
        Scheduler(1).run_until_complete(round_and_round())


def test_a_thread_is_refused() -> None:
    async def one() -> None:
        await anyio.to_thread.run_sync(int)

    with pytest.raises(AssertionError, match="no threads"):
        Scheduler(1).run_until_complete(one())


def test_a_killed_process_unwinds_and_those_it_started_with_it() -> None:
    scheduler, host, ended = Scheduler(1), Host("p"), []

    async def child() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("child")

    async def parent() -> None:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(child)
                await anyio.sleep(5)
                raise Crashed
        finally:
            ended.append("parent")

    async def main() -> None:
        task = scheduler.start(host, parent())
        await anyio.sleep(1)
        scheduler.kill(host)
        await anyio.sleep(1)
        assert task.cancelled()

    scheduler.run_until_complete(main())
    assert ended == ["child", "parent"]
    assert not host.tasks


def test_a_frozen_process_goes_on_where_it_stood() -> None:
    scheduler, host, at = Scheduler(1), Host("p"), []

    async def tick() -> None:
        for _ in range(3):
            await anyio.sleep(1)
            at.append(scheduler.time())

    async def main() -> None:
        scheduler.start(host, tick())
        await anyio.sleep(1.5)
        host.frozen_until_s = 60.0
        await anyio.sleep(100)

    scheduler.run_until_complete(main())
    assert at == [1.0, 60.0, 61.0]


def test_a_whole_turn_comes_back_from_a_cancellation_and_the_next_wait_is_told() -> None:
    async def main() -> list[str]:
        said = []
        with anyio.CancelScope() as scope:
            scope.cancel()
            await whole_turn()
            said.append("written")
            await anyio.sleep(1)
            said.append("never")
        return said

    assert Scheduler(1).run_until_complete(main()) == ["written"]

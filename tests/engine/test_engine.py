"""The engine of one process: it calls `advance` for what is due, and nothing that fails there ends it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from interlock.core.clock import SECOND_US
from interlock.core.due import Due
from interlock.engine.engine import PAGE, InProcessEngine, Pace
from interlock.errors import LedgerError, NotFound, StaleClaim, StoreUnavailable
from interlock.testing import FrozenClock

pytestmark = pytest.mark.anyio

QUICK = Pace(every_s=0.001, lease_s=0.003, drain_s=0.05)


class Agenda:
    """What is due is what a test says; a row stays until it is taken off the list."""

    def __init__(self, *due: str) -> None:
        self.list = [Due(run_id, "t", 0, "approval.decided", str(ref)) for ref, run_id in enumerate(due)]
        self.renewed = 0
        self.fail = 0

    async def due(self, limit: int = 100, after: Due | None = None, ahead_s: float = 0) -> list[Due]:
        await checkpoint()
        if self.fail:
            self.fail -= 1
            raise StoreUnavailable("locked")
        behind = sorted(
            (due for due in self.list if after is None or due.place > after.place), key=lambda due: due.place
        )
        return behind[:limit]

    async def renew(self, worker: str, lease_s: float) -> None:
        self.renewed += 1
        raise StoreUnavailable("locked")

    def done(self, run_id: str) -> None:
        self.list = [due for due in self.list if due.run_id != run_id]


class Ends:
    """An engine at work until the block is left."""

    def __init__(
        self, agenda: Agenda, advance: Callable[[str, str], Awaitable[object]] | None, pace: Pace = QUICK
    ) -> None:
        self.engine = InProcessEngine(FrozenClock(), pace)
        self._run = (agenda, "w", advance)
        self._tasks = anyio.create_task_group()

    async def __aenter__(self) -> InProcessEngine:
        await self._tasks.__aenter__()
        self._tasks.start_soon(self.engine.run, *self._run)
        return self.engine

    async def __aexit__(self, *error: Any) -> None:
        self.engine.stop()
        await self._tasks.__aexit__(*error)


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not holds():
            await anyio.sleep(0.001)


async def test_every_run_that_is_due_is_advanced_once_in_a_look() -> None:
    seen: list[tuple[str, str]] = []

    async def advance(run_id: str, tenant: str) -> None:
        seen.append((run_id, tenant))

    await InProcessEngine(FrozenClock()).look(Agenda("a", "b", "a"), advance)
    assert sorted(seen) == [("a", "t"), ("b", "t")]


async def test_no_more_runs_are_advanced_at_once_than_may() -> None:
    """K48: what is more waits in the ledger, and nothing of it in memory."""
    running = most = 0

    async def advance(run_id: str, tenant: str) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(5):
            await checkpoint()
        running -= 1

    await InProcessEngine(FrozenClock(), Pace(at_once=3)).look(Agenda(*map(str, range(30))), advance)
    assert most == 3


@pytest.mark.parametrize(
    "error", [StaleClaim("x"), StoreUnavailable("x"), NotFound("x"), AssertionError("a defect"), KeyError("x")]
)
async def test_one_runs_trouble_keeps_no_other_waiting_and_does_not_end_the_engine(error: Exception) -> None:
    seen: list[str] = []
    agenda = Agenda("a", "b")
    agenda.fail = 2

    async def advance(run_id: str, tenant: str) -> None:
        seen.append(run_id)
        if run_id == "a":
            raise error
        agenda.done("b")

    async with Ends(agenda, advance):
        await until(lambda: "b" in seen and seen.count("a") > 2 and agenda.renewed > 1)
    assert seen.count("b") == 1


async def test_a_defect_in_one_run_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def advance(run_id: str, tenant: str) -> None:
        raise KeyError("what went wrong")

    with caplog.at_level(logging.ERROR, "interlock.engine"):
        await InProcessEngine(FrozenClock()).look(Agenda("run_a"), advance)
    [record] = caplog.records
    assert "run_a" in record.getMessage()
    assert record.exc_info is not None


# --------------------------------------------------------------------------- no starvation


async def test_runs_that_cannot_be_advanced_starve_none_of_those_behind_them() -> None:
    """More of them than a page holds, and more than may be advanced at once."""
    stuck = [f"stuck_{number:04}" for number in range(PAGE + 50)]
    agenda = Agenda(*stuck)
    agenda.list.append(Due("good", "t", 1, "approval.decided", "g"))
    seen: list[str] = []

    async def advance(run_id: str, tenant: str) -> None:
        seen.append(run_id)
        await checkpoint()
        if run_id == "good":
            agenda.done("good")

    async with Ends(agenda, advance):
        await until(lambda: "good" in seen)
    assert seen.count("good") == 1


async def test_a_run_that_is_still_due_waits_longer_each_time_and_a_new_reason_ends_the_wait() -> None:
    agenda = Agenda("a")
    seen: list[float] = []

    async def advance(run_id: str, tenant: str) -> None:
        seen.append(anyio.current_time())

    begun = anyio.current_time()
    async with Ends(agenda, advance, Pace(every_s=0.002, drain_s=0)) as engine:
        await until(lambda: len(seen) > 4)
        # At least, however slow it is here; from the begin, since an advance may start late after it was decided on.
        assert all(at - begun >= 0.002 * (2**number - 1) for number, at in enumerate(seen[:5]))
    slow = Ends(agenda, advance, Pace(every_s=60, drain_s=0))
    seen.clear()
    async with slow as engine:
        await until(lambda: len(seen) == 1)
        engine.wake()
        agenda.list.append(Due("a", "t", 0, "approval.decided", "another"))
        engine.wake()
        await until(lambda: len(seen) == 2)


async def test_a_slow_run_keeps_no_other_waiting_for_the_next_look() -> None:
    agenda = Agenda("slow")
    over = anyio.Event()
    seen: list[str] = []

    async def advance(run_id: str, tenant: str) -> None:
        seen.append(run_id)
        if run_id == "slow":
            await over.wait()
        agenda.done(run_id)

    async with Ends(agenda, advance):
        await until(lambda: seen == ["slow"])
        agenda.list.append(Due("later", "t", 1, "approval.decided", "l"))
        await until(lambda: seen == ["slow", "later"])
        over.set()


# ----------------------------------------------------------------------------------- timers


async def test_it_sleeps_until_the_next_thing_is_due_and_no_longer() -> None:
    clock = FrozenClock()
    agenda = Agenda()
    soon = Due("soon", "t", clock.wall_us() + 20_000, "approval.expires", "s")
    agenda.list.append(soon)
    seen: list[str] = []

    async def advance(run_id: str, tenant: str) -> None:
        seen.append(run_id)
        agenda.done(run_id)

    async with anyio.create_task_group() as tasks:
        engine = InProcessEngine(clock, Pace(every_s=3600, drain_s=0))
        tasks.start_soon(engine.run, agenda, "w", advance)
        for _ in range(10):
            await checkpoint()
        assert seen == []
        clock.advance(20_000 / SECOND_US)
        await until(lambda: seen == ["soon"])
        engine.stop()


async def test_what_is_written_here_is_acted_on_at_once() -> None:
    agenda = Agenda()
    seen: list[str] = []

    async def advance(run_id: str, tenant: str) -> None:
        seen.append(run_id)
        agenda.done(run_id)

    async with Ends(agenda, advance, Pace(every_s=3600, drain_s=0)) as engine:
        for _ in range(10):
            await checkpoint()
        agenda.list.append(Due("now", "t", 0, "approval.decided", "n"))
        engine.wake()
        await until(lambda: seen == ["now"])


# ------------------------------------------------------------------------------------ drain


async def test_asked_to_end_it_takes_nothing_new_and_lets_what_runs_end() -> None:
    """K8: the same where whoever opened it is cancelled."""
    for how in ("stop", "cancel"):
        agenda = Agenda("a", "b")
        seen: list[str] = []
        go_on = anyio.Event()

        async def advance(run_id: str, tenant: str, seen: list[str] = seen, go_on: anyio.Event = go_on) -> None:
            seen.append(f"{run_id} begun")
            await go_on.wait()
            seen.append(f"{run_id} ended")

        engine = InProcessEngine(FrozenClock(), Pace(at_once=1, drain_s=5))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run, agenda, "w", advance)
            await until(lambda seen=seen: bool(seen))  # type: ignore[misc]  # its default is the list
            if how == "stop":
                engine.stop()
            else:
                tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await checkpoint()
                go_on.set()
        assert seen == ["a begun", "a ended"], how


async def test_what_does_not_end_in_time_is_cancelled() -> None:
    cut_off: list[str] = []

    async def advance(run_id: str, tenant: str) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cut_off.append(run_id)

    with anyio.fail_after(30):
        async with Ends(Agenda("a"), advance, Pace(every_s=0.001, drain_s=0.01)):
            await anyio.sleep(0.01)
    assert cut_off == ["a"]


async def test_claims_are_kept_while_it_drains() -> None:
    agenda = Agenda("a")
    renewed = 0

    async def advance(run_id: str, tenant: str) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            nonlocal renewed
            renewed = agenda.renewed - renewed

    async with Ends(agenda, advance, Pace(every_s=0.001, lease_s=0.003, drain_s=0.1)):
        await until(lambda: agenda.renewed > 0)
        renewed = agenda.renewed
    assert renewed > 0


async def test_one_that_advances_nothing_keeps_claims_all_the_same() -> None:
    agenda = Agenda("a")
    async with Ends(agenda, None):
        await until(lambda: agenda.renewed > 1)


async def test_what_cannot_be_read_is_told_once_and_to_whoever_asks_for_one_look(
    caplog: pytest.LogCaptureFixture,
) -> None:
    agenda = Agenda()
    agenda.fail = 5

    async def advance(run_id: str, tenant: str) -> None: ...

    async with Ends(agenda, advance):
        await until(lambda: agenda.fail == 0)
    assert [record.getMessage() for record in caplog.records] == ["what is due cannot be read: locked"]
    agenda.fail = 1
    with pytest.raises(LedgerError):
        await InProcessEngine(FrozenClock()).look(agenda, advance)

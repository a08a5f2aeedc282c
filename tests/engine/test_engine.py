"""The engine of one process: it calls `advance` for what is due, and nothing that fails there ends it."""

from __future__ import annotations

import anyio
import pytest

from interlock.core.run import Due
from interlock.engine.engine import InProcessEngine
from interlock.errors import NotFound, StaleClaim, StoreUnavailable

pytestmark = pytest.mark.anyio


class Agenda:
    def __init__(self, *due: str) -> None:
        self.list = [Due(run_id, "t", 0, "approval.decided", ref) for ref, run_id in enumerate(due)]  # type: ignore[arg-type]  # any ref
        self.renewed = 0
        self.fail = 0

    async def due(self, limit: int = 100) -> list[Due]:
        if self.fail:
            self.fail -= 1
            raise StoreUnavailable("locked")
        return self.list

    async def renew(self, worker: str, lease_s: float) -> None:
        self.renewed += 1
        raise StoreUnavailable("locked")


async def test_every_run_that_is_due_is_advanced_once_in_a_look() -> None:
    seen: list[tuple[str, str]] = []

    async def advance(run_id: str, tenant: str) -> None:
        seen.append((run_id, tenant))

    engine = InProcessEngine()
    assert await engine.look(Agenda("a", "b", "a"), advance) == 2
    assert sorted(seen) == [("a", "t"), ("b", "t")]


async def test_no_more_runs_are_advanced_at_once_than_may() -> None:
    running = most = 0

    async def advance(run_id: str, tenant: str) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await anyio.lowlevel.checkpoint()
        running -= 1

    await InProcessEngine(at_once=3).look(Agenda(*map(str, range(10))), advance)
    assert most == 3


@pytest.mark.parametrize("error", [StaleClaim("x"), StoreUnavailable("x"), NotFound("x")])
async def test_one_runs_trouble_keeps_no_other_waiting_and_does_not_end_the_engine(error: Exception) -> None:
    seen: list[str] = []

    async def advance(run_id: str, tenant: str) -> None:
        seen.append(run_id)
        if run_id == "a":
            raise error

    agenda = Agenda("a", "b")
    agenda.fail = 2
    with anyio.move_on_after(0.1):
        await InProcessEngine(every_s=0.001, lease_s=0.003).run(agenda, "w", advance)
    assert seen.count("b") > 1
    assert agenda.renewed > 1

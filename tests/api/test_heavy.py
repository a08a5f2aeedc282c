"""One heavy thing at a time in a process, however many ask for one and leave (T30)."""

from __future__ import annotations

import threading

import anyio
import pytest

from interlock.api.heavy import Heavy

pytestmark = pytest.mark.anyio


async def test_whoever_leaves_starts_no_second_work_beside_the_first() -> None:
    heavy, begun, end = Heavy(), anyio.Event(), threading.Event()
    did: list[str] = []

    def long() -> None:
        anyio.from_thread.run_sync(begun.set)
        end.wait(30)
        did.append("long")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(heavy.done, long)
        with anyio.fail_after(30):
            await begun.wait()
        tasks.cancel_scope.cancel()
    with anyio.move_on_after(0.05) as waited:
        await heavy.done(lambda: did.append("left while it waited"))
    assert waited.cancelled_caught and did == []
    end.set()
    with anyio.fail_after(30):
        await heavy.done(lambda: did.append("next"))
    assert did == ["long", "next"]


async def test_a_turn_is_over_when_its_work_fails_or_is_never_begun() -> None:
    heavy = Heavy()

    def fails() -> None:
        raise ValueError("no")

    with anyio.fail_after(30):
        with pytest.raises(ValueError, match="no"):
            await heavy.done(fails)
        with anyio.CancelScope() as gone:
            gone.cancel()
            await heavy.done(fails)
        assert await heavy.done(lambda: 7) == 7
        assert await heavy.awaited(_seven) == 7


async def _seven() -> int:
    return 7

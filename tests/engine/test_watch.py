"""The watch on the event loop: a loop that is blocked is in the log while it is blocked, with who blocks it."""

from __future__ import annotations

import threading

import anyio
import pytest

from interlock.core.clock import SystemClock
from interlock.engine.watch import LoopWatch


def test_a_blocked_loop_is_told_once_while_it_is_blocked_with_who_blocks_it() -> None:
    """K37: a synchronous call in the body of a tool."""
    told: list[str] = []
    heard = threading.Event()

    def report(text: str) -> None:
        told.append(text)
        heard.set()

    def bad_tool() -> None:
        assert heard.wait(10), "nobody says that the loop is blocked"

    async def main() -> None:
        with LoopWatch(SystemClock(), 0.05, report) as watch:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(watch.beat)
                await anyio.sleep(0)
                bad_tool()
                tasks.cancel_scope.cancel()

    anyio.run(main)
    assert len(told) == 1
    assert "bad_tool" in told[0]
    assert "test_watch.py" in told[0]


@pytest.mark.anyio
async def test_a_loop_that_turns_is_not_told() -> None:
    told: list[str] = []
    with LoopWatch(SystemClock(), 5, told.append) as watch:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch.beat)
            await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
    assert told == []

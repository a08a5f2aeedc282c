"""Figures beside a plane: what is committed is counted, and what was before is read, the newest day first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from interlock.core.event import Event
from interlock.engine.beside import beside
from interlock.errors import LedgerError
from interlock.ledger.feed import Feed
from interlock.ledger.store import MemoryStore
from interlock.telemetry import following
from interlock.telemetry.following import Telemetry, open_telemetry, position_at
from interlock.telemetry.measures_buckets import DAY_US, HOUR_US
from interlock.telemetry.measures_overview import Answers
from tests.planes import Far, Stage, staged

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def beside_it(stage: Stage, days: int = 31) -> AsyncIterator[Telemetry]:
    feed = Feed(stage.plane.store)
    async with beside(feed.run), open_telemetry(stage.plane.plane, feed, days=days) as telemetry:
        yield telemetry


async def counted(stage: Stage, telemetry: Telemetry, answers: Answers, us: int = 40 * DAY_US) -> None:
    """Wait until so much is counted of a time before now."""
    with anyio.fail_after(30):
        while True:
            now_us = stage.clock.wall_us()
            if telemetry.measures.over("default", now_us - us, now_us + 1).answers == answers:
                return
            await anyio.lowlevel.checkpoint()


async def made(stage: Stage, count: int) -> None:
    async with stage.run() as run:
        for number in range(count):
            await run.call("look", {"n": number})


async def test_what_is_committed_is_counted_within_a_moment(tmp_path: Path) -> None:
    async with staged(Far().tool("look"), ledger=tmp_path / "ledger.db") as stage, beside_it(stage) as telemetry:
        await made(stage, 3)
        await counted(stage, telemetry, Answers(done=3))
        assert telemetry.measures.position <= stage.plane.store.position()
        assert b"interlock_calls_total{" in await telemetry.exposition()


async def test_what_was_before_is_read_and_is_not_counted_for_prometheus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "WARM", 5)
    async with staged(Far().tool("look")) as stage:
        for _ in range(4):
            await made(stage, 10)
            stage.clock.advance(86_400)
        async with beside_it(stage) as telemetry:
            await counted(stage, telemetry, Answers(done=40))
            with anyio.fail_after(30):
                while telemetry.measures.complete_from_us:
                    await anyio.lowlevel.checkpoint()
            assert list(telemetry.totals.rows()) == []
            await made(stage, 1)
            await counted(stage, telemetry, Answers(done=41))
            assert {key for _, key, _ in telemetry.totals.rows()} >= {
                ("ended", "done", "look", "local", "read", "", "")
            }


async def test_the_newest_day_is_read_first_and_it_is_said_how_far_back_it_is() -> None:
    """Differential: however it is cut into days, the figures are those of one reading."""
    async with staged(Far().tool("look")) as stage:
        for _ in range(6):
            await made(stage, 4)
            stage.clock.advance(86_400)
        telemetry, seen = Telemetry(stage.plane.plane, following.AlertSettings()), []
        telemetry._start = stage.plane.store.position() + following.WARM

        async def pause(_: float) -> None:
            now_us = stage.clock.wall_us()
            seen.append(telemetry.measures.over("default", now_us - 10 * DAY_US, now_us + 1).calls)

        await telemetry.look_back(3, pause)
        now_us = stage.clock.wall_us()
        assert seen == [4, 8, 12]
        assert telemetry.measures.complete_from_us == now_us - 3 * DAY_US
        await telemetry.look_back(0, pause)
        assert telemetry.measures.complete_from_us == now_us - 3 * DAY_US


async def test_the_past_is_read_in_small_pages_and_after_each_it_rests_three_times_as_long_as_that_took() -> None:
    class Slow(MemoryStore):
        def __init__(self, stage: Stage) -> None:
            super().__init__(stage.clock)
            self.stage, self.pages = stage, list[int]()

        async def follow(self, after: int = 0, limit: int = 1000) -> list[tuple[int, Event]]:
            found = await super().follow(after, limit)
            if len(found) > 1:
                self.pages.append(len(found))
                self.stage.clock.advance(0.25)
            return found

    async with staged(Far().tool("look")) as stage:
        store = Slow(stage)
        stage.store_in(store)
        await made(stage, 70)
        telemetry, rests = Telemetry(stage.plane.plane, following.AlertSettings()), list[float]()
        telemetry._start = store.position() + following.WARM

        async def pause(rest_s: float) -> None:
            rests.append(rest_s)

        store.pages.clear()
        await telemetry.look_back(1, pause)
        assert sum(store.pages) == store.position() > following.PAGE
        assert max(store.pages) == following.PAGE <= 100
        assert rests == [pytest.approx(3 * 0.25)] * len(store.pages)


async def test_a_call_that_was_on_its_way_at_the_start_is_counted_under_its_tool() -> None:
    async with staged(Far().tool("pay", "irreversible")) as stage:
        async with stage.run() as run:
            held = await run.call("pay", {"n": 1})
        async with beside_it(stage) as telemetry:
            await stage.answer(run.run_id, held)
            await stage.plane.advance(run.run_id)
            await counted(stage, telemetry, Answers(held=1, done=1))
            now_us = stage.clock.wall_us()
            assert [tool.tool for tool in telemetry.measures.over("default", now_us - HOUR_US, now_us + 1).tools] == [
                "pay"
            ]


async def test_positions_are_found_by_time() -> None:
    async with staged(Far().tool("look")) as stage:
        store = stage.plane.store
        assert await position_at(store, 0, store.position()) == 0
        starts = []
        for _ in range(5):
            starts.append((stage.clock.wall_us(), store.position()))
            await made(stage, 3)
            stage.clock.advance(60)
        for at_us, position in starts:
            assert await position_at(store, at_us, store.position()) == position
        assert await position_at(store, stage.clock.wall_us(), store.position()) == store.position()


async def test_an_event_that_cannot_be_read_ends_the_figures_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Damaged(MemoryStore):
        damaged = False

        async def follow(self, after: int = 0, limit: int = 1000) -> list[tuple[int, Event]]:
            if self.damaged:
                raise LedgerError("event 7 is damaged", code="ledger.damaged")
            return await super().follow(after, limit)

    async with staged(Far().tool("look")) as stage:
        store = Damaged(stage.clock)
        stage.store_in(store)
        async with beside_it_over(stage, store):
            store.damaged = True
            await made(stage, 1)
            with anyio.fail_after(30):
                while "figures stop" not in caplog.text:
                    await anyio.sleep(0.01)


@asynccontextmanager
async def beside_it_over(stage: Stage, store: MemoryStore) -> AsyncIterator[Telemetry]:
    feed = Feed(store)
    async with beside(feed.run), open_telemetry(stage.plane.plane, feed) as telemetry:
        yield telemetry


async def test_what_cannot_be_written_is_told_and_looked_for_again(caplog: pytest.LogCaptureFixture) -> None:
    async with staged(Far().tool("look")) as stage:
        telemetry = Telemetry(stage.plane.plane, following.AlertSettings())
        await stage.plane.store.close()

        async def broken(*_: object) -> Sequence[object]:
            raise LedgerError("gone", code="ledger.gone")

        stage.plane.store.rows = broken  # type: ignore[method-assign, assignment]
        await telemetry.look()
        assert "alerts: gone" in caplog.text

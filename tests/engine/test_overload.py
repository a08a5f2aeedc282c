"""K48: ten times too much at once is shed with a typed error before anything runs, and order is kept."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from interlock import Settings, open_plane
from interlock.core.event import Fact, Kind
from interlock.errors import StoreUnavailable
from interlock.ledger import sqlite_writer
from interlock.ledger.store import Append
from tests.planes import ANA, Far

pytestmark = pytest.mark.anyio


async def test_appends_beyond_the_bound_are_refused_as_overload_and_the_others_stand_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_writer, "_WAITING_MAX", 10)
    codes: list[str] = []
    async with open_plane(Settings(ledger=tmp_path / "l.db", folder=tmp_path), engine=False) as plane:

        async def append(number: int) -> None:
            try:
                await plane.store.append(Append("run_1", "default", [Fact(Kind.CONFIG, {"n": number})]))
            except StoreUnavailable as error:
                codes.append(error.code)

        async with anyio.create_task_group() as tasks:
            for number in range(100):
                tasks.start_soon(append, number)
        stand = [event.fact.body["n"] for event in await plane.store.read("run_1")]
        assert codes == ["ledger.overloaded"] * 90
        assert stand == sorted(stand)
        assert len(stand) == 10
        await append(100)
        assert len(await plane.store.read("run_1")) == 11, "and what comes later is taken"


async def test_a_call_that_cannot_be_recorded_for_overload_has_no_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = Far()
    settings = Settings(ledger=tmp_path / "l.db", folder=tmp_path)
    async with (
        open_plane(settings, tools=[far.tool("put", "reversible")], engine=False) as plane,
        plane.run(ANA) as run,
    ):
        monkeypatch.setattr(sqlite_writer, "_WAITING_MAX", 0)
        with pytest.raises(StoreUnavailable) as refused:
            await run.call("put", {"n": 1}, name="mine")
        assert refused.value.code == "ledger.overloaded"
        assert far.ran == []
        monkeypatch.setattr(sqlite_writer, "_WAITING_MAX", 10)
        assert (await run.call("put", {"n": 1}, name="mine")).done

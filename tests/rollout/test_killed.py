"""Killed at any point around a rollback, a version is taken back, once, and nobody gets it after that. K1; A8."""

from __future__ import annotations

import shutil
from pathlib import Path

import anyio

from interlock import Settings, World, open_plane
from interlock.core.event import Kind
from interlock.core.points import Points, pass_by
from interlock.ledger.store import tenant_chain
from interlock.registry.trial import CALLS_MIN
from interlock.settings import SealSettings
from interlock.testing.crash import kill_at_every_point
from tests.planes import ANA, OPA, Far
from tests.rollout.two import breaks, versions


def settings(folder: Path) -> Settings:
    return Settings(ledger=folder / "ledger.db", folder=folder, seal=SealSettings(on=False))


async def fail(folder: Path, number: int, points: Points = pass_by) -> None:
    """So many calls that fail, by one process."""
    tools = versions(Far(), "reversible", breaks, keyed=True, attempts_max=1)
    async with open_plane(settings(folder), tools=tools, world=World(reach=points), engine=False) as plane:
        if not await plane.store.read(tenant_chain("default")):
            await plane.roll_out("pay", "2", 100, OPA, reason="drill")
        for n in range(number):
            async with plane.run(ANA) as run:
                await run.call("pay", {"n": n})


async def recover(folder: Path) -> tuple[int, str]:
    """Another process goes on: how often the version was taken back by now, and what the next call runs."""
    await fail(folder, 2)
    async with open_plane(
        settings(folder), tools=versions(Far(), "reversible", breaks, keyed=True, attempts_max=1)
    ) as plane:
        for row in await plane.store.rows("run", {"status": "open"}):
            await plane.advance(row["run_id"])
        said = [event.fact.kind for event in await plane.store.read(tenant_chain("default"))]
        async with plane.run(ANA) as run:
            outcome = await run.call("pay", {"n": 99})
        return said.count(Kind.ROLLOUT_ROLLED_BACK), outcome.kind.value


def test_killed_anywhere_around_a_rollback_there_is_one(tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()
    anyio.run(fail, before, CALLS_MIN - 1)

    def work(folder: Path, points: Points) -> None:
        """The call that takes the version back."""
        shutil.copytree(before, folder, dirs_exist_ok=True)
        anyio.run(fail, folder, 1, points)

    points = set()
    for crash in kill_at_every_point(work, tmp_path / "killed"):
        points.add(crash.point)
        assert anyio.run(recover, crash.folder) == (1, "done"), crash
    assert {"close.committed", "rollback.before", "rollback.committed"} <= points

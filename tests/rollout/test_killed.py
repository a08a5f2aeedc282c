"""Killed at any point around a rollback, a version is taken back, once, and nobody gets it after that. K1; A8."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import anyio

from interlock import Settings, World, open_plane
from interlock.core.clock import SECOND_US, SystemClock
from interlock.core.event import Kind
from interlock.core.points import Points, pass_by
from interlock.ledger.store import tenant_chain
from interlock.registry.trial import CALLS_MIN
from interlock.settings import SealSettings
from interlock.testing.crash import CrashAt, end_of, fork, kill_at_every_point
from tests.planes import ANA, OPA, Far
from tests.rollout.two import breaks, versions


class Later(SystemClock):
    """After the claim of whoever was lost has lapsed."""

    def wall_us(self) -> int:
        """See `Clock`."""
        return super().wall_us() + 60 * SECOND_US


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


async def pay(folder: Path, points: Points) -> None:
    async with open_plane(
        settings(folder), tools=versions(Far(), "reversible", keyed=True), world=World(reach=points), engine=False
    ) as plane:
        await plane.roll_out("pay", "2", 100, OPA, reason="drill")
        async with plane.run(ANA) as run:
            await run.call("pay", {"n": 1})


async def settle(folder: Path) -> tuple[list[str], list[object]]:
    """Another process takes the version back and goes on with what was lost: versions decided on, and what came out."""
    tools, world = versions(Far(), "reversible", keyed=True), World(clock=Later())
    async with open_plane(settings(folder), tools=tools, world=world, engine=False) as plane:
        await plane.roll_out("pay", "2", 0, OPA, reason="wrong")
        [row] = await plane.store.rows("tool_call", {"status": "intent"})
        await plane.advance(row["run_id"])
        said = [event.fact for event in await plane.store.read(row["run_id"])]
        results = [fact.body["outcome"].get("value") for fact in said if fact.kind is Kind.CALL_RESULT]
        return [fact.body["tool"]["version"] for fact in said if fact.kind is Kind.CALL_DECIDED], results


def test_a_call_that_was_lost_is_settled_as_the_version_that_was_sent_though_nobody_has_it_any_more(
    tmp_path: Path,
) -> None:
    """One key, one definition: as the other version its digest would be another, and it would be left to a person."""
    assert end_of(fork(lambda: anyio.run(pay, tmp_path, CrashAt("attempt.after")))) == -signal.SIGKILL
    decided, results = anyio.run(settle, tmp_path)
    assert decided == ["2", "2"] and results == [{"n": 1, "by": "2"}]

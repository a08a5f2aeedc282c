"""Grants among processes that share a ledger: raced for, revoked from elsewhere, and killed with."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import anyio

from interlock import CallContext, GrantTerms, Interlock, Settings, Tool, World, open_plane
from interlock.core.points import Points, pass_by
from interlock.settings import SealSettings
from interlock.testing import FrozenClock, kill_at_every_point
from tests.planes import ANA, BOB, NUMBER, foreign_tool
from tests.workers import Worker, counted

LATER_US = FrozenClock().wall_us() + 120_000_000
PROCESSES, EACH, USES = 8, 4, 10


def paying(folder: Path) -> Tool:
    """A keyed tool that writes the key of each call down, for good."""

    async def body(arguments: dict[str, Any], context: CallContext) -> object:
        file = os.open(folder / "effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{context.idempotency_key}\n".encode())
        os.close(file)
        return arguments

    return foreign_tool("pay", "local", "Pays.", NUMBER, body, effect="irreversible", keyed=True)


def effects(folder: Path) -> int:
    """Effects that the far end knows: one for each key."""
    file = folder / "effects"
    return len(set(file.read_text().split())) if file.exists() else 0


@asynccontextmanager
async def opened(
    folder: Path, prefix: str, reach: Points = pass_by, at_us: int = FrozenClock().wall_us()
) -> AsyncIterator[Interlock]:
    world = World(clock=FrozenClock(at_us), new_id=counted(prefix), reach=reach)
    settings = Settings(ledger=folder / "ledger.db", folder=folder, seal=SealSettings(on=False))
    async with open_plane(settings, tools=[paying(folder)], world=world, engine=False) as plane:
        yield plane


def terms(uses: int) -> GrantTerms:
    return GrantTerms(tool="pay", where={"/n": {"any": True}}, uses=uses, lasts_s=3600, reason="a test")


async def issued(folder: Path, uses: int) -> str:
    async with opened(folder, "first") as plane:
        return (await plane.issue_grant(terms(uses), BOB)).grant_id


# ------------------------------------------------------------------------------ raced for


def racer(pipe: Connection, folder: Path, number: int) -> None:
    async def race() -> None:
        async with opened(folder, f"p{number}") as plane, plane.run(ANA, words="pay") as run:
            pipe.send("ready")
            pipe.recv()
            outcomes = [await run.call("pay", {"n": n}) for n in range(EACH)]
            pipe.send([outcome.kind.value for outcome in outcomes])

    anyio.run(race)


def test_processes_that_race_for_the_last_uses_get_exactly_those_that_there_are(tmp_path: Path) -> None:
    """B9, B10: a use is counted in the transaction of the intent that it releases."""
    grant_id = anyio.run(issued, tmp_path, USES)
    workers = [Worker(racer, tmp_path, number) for number in range(PROCESSES)]
    for worker in workers:
        assert worker.receive() == "ready"
    for worker in workers:
        worker.send("go")
    kinds = [kind for worker in workers for kind in worker.receive()]
    for worker in workers:
        worker.end()
    assert kinds.count("done") == USES == effects(tmp_path)
    assert kinds.count("held") == PROCESSES * EACH - USES, "whoever came too late waits for a person"

    async def used() -> dict[str, int]:
        async with opened(tmp_path, "last") as plane:
            return await plane.plane.approvals.grants.used("default")

    assert anyio.run(used) == {grant_id: USES}


# ------------------------------------------------------------------- revoked from elsewhere


def caller(pipe: Connection, folder: Path) -> None:
    async def call() -> None:
        async with opened(folder, "caller") as plane, plane.run(ANA, words="pay") as run:
            pipe.send("ready")
            while (said := pipe.recv()) != "end":
                pipe.send((await run.call("pay", {"n": int(said)})).kind.value)

    anyio.run(call)


def test_what_one_process_grants_or_revokes_binds_in_another_within_one_call(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path, "here") as plane:
            worker = Worker(caller, tmp_path)
            assert worker.receive() == "ready"

            def called(n: int) -> Any:
                worker.send(str(n))
                return worker.receive()

            before = called(1)
            grant = await plane.issue_grant(terms(9), BOB)
            between = called(2)
            await plane.revoke_grant(grant.grant_id, BOB, reason="enough")
            after = called(3)
            worker.send("end")
            worker.end()
            assert (before, between, after) == ("held", "done", "held")

    anyio.run(scene)
    assert effects(tmp_path) == 1


# ------------------------------------------------------------------------------ killed with


def granted_and_called(folder: Path, reach: Points) -> None:
    async def work() -> None:
        async with opened(folder, "killed", reach) as plane:
            await plane.issue_grant(terms(1), BOB)
            async with plane.run(ANA, words="pay") as run:
                await run.call("pay", {"n": 1})

    anyio.run(work)


async def recovered(folder: Path) -> None:
    """Do what the killed process left, then ask for another call under the same grant."""
    async with opened(folder, "next", at_us=LATER_US) as plane:
        for row in await plane.store.rows("run"):
            assert await plane.advance(row["run_id"])
        grants = await plane.grants()
        used = await plane.plane.approvals.grants.used("default")
        intents = [row for row in await plane.store.rows("tool_call") if row["grant_id"]]
        assert sum(used.values()) == len(intents), "a use for each intent, and an intent for each use"
        assert effects(folder) == len(intents), "what was begun under the grant is finished under it"
        assert not [row for row in intents if row["outcome"] != "done"]
        async with plane.run(ANA, words="pay") as run:
            left = len(grants) - sum(used.values())
            assert (await run.call("pay", {"n": 2})).kind.value == ("done" if left else "held")
        assert effects(folder) == len(grants), "one use is one effect, whenever its worker was killed"


def test_killed_at_any_point_one_use_is_one_effect(tmp_path: Path) -> None:
    """K1, K2 for grants: also between the gate and the intent, and between the intent and the effect."""
    points = set()
    for crash in kill_at_every_point(granted_and_called, tmp_path):
        if (crash.folder / "ledger.db").exists():
            anyio.run(recovered, crash.folder)
        points.add(crash.point)
    assert {"call.approved", "intent.before", "intent.committed", "result.returned", "close.before"} <= points

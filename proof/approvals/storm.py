"""Racing approvers and workers in several processes on one ledger, with a kill among them: one effect, every time."""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import anyio

from interlock import Answer, InterlockError, Principal, Settings, World, foreign_tool, open_plane
from interlock.core.clock import SECOND_US
from interlock.core.points import Points
from interlock.core.tool import CallContext
from interlock.testing import CrashAt, FrozenClock
from interlock.testing.crash import end_of, fork

PROCESSES = 5
RACERS = 20
"""In each process: half of them approve, the others resume."""

POINTS_MAX = 40
EXECUTING = (
    "claim.committed", "call.approved", "intent.before", "intent.committed", "attempt.before", "attempt.after",
    "result.returned", "call.screened", "close.before", "close.committed",
)  # fmt: skip
ANA = Principal("ana", roles=frozenset({"support"}))
POLICY = """permit (principal, action, resource);
@id("two") @approvers("approver") @quorum("2") forbid (principal, action == Action::"pay", resource);
"""
NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


class Round(NamedTuple):
    """One storm.

    Attributes:
        kills: Processes that were killed in it.
        approved: Whether a quorum stood when it was over, without help.
        asked: How often the far end was asked to do it.
    """

    kills: int
    approved: bool
    asked: int


def storm(rounds: int, seed: int = 0, tell: Callable[[int], None] | None = None) -> list[tuple[Round, str]]:
    """So many storms, each with what is wrong with its end; empty where nothing is."""
    found = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            found.append(_one(Path(folder), random.Random(seed * 1000 + number)))
        if tell is not None:
            tell(number + 1)
    return found


def _one(folder: Path, draw: random.Random) -> tuple[Round, str]:
    (folder / "policy").mkdir()
    (folder / "policy" / "two.cedar").write_text(POLICY)
    (folder / "done").mkdir()
    anyio.run(partial(_held, folder))
    crashes = [_crash(draw), *[None] * (PROCESSES - 1)] if draw.random() < 0.5 else [_mine(draw)] * PROCESSES
    start = time.monotonic() + 0.4
    children = [
        fork(partial(_racing, folder, number, crash, start)) for number, crash in enumerate(crashes)
    ]  # fmt: skip
    ends = [end_of(child) for child in children]
    if bad := [end for end in ends if end not in (0, -9)]:
        return Round(0, False, 0), f"a process ended with {bad[0]}"
    approved, status = anyio.run(partial(_settled, folder))
    effects = list((folder / "done").iterdir())
    asked = len((folder / "asked").read_text().splitlines()) if (folder / "asked").exists() else 0
    wrong = "" if (len(effects), status) == (1, "done") else f"{len(effects)} effects, and the call is {status}"
    return Round(ends.count(-9), approved, asked), wrong


def _crash(draw: random.Random) -> Points:
    """One process is killed at any point that it passes."""
    return CrashAt(None, draw.randint(1, POINTS_MAX))


def _mine(draw: random.Random) -> Points:
    """Whoever comes first where the call is executed is killed there."""
    return CrashAt(draw.choice(EXECUTING))


def _racing(folder: Path, number: int, crash: Points | None, start: float) -> None:
    """One process of the storm."""
    anyio.run(partial(_race, folder, number, crash, start))


async def _race(folder: Path, number: int, crash: Points | None, start: float) -> None:
    world = World(reach=crash) if crash is not None else World()
    async with open_plane(_settings(folder), tools=[_pay(folder)], world=world, engine=False) as plane:
        [row] = await plane.store.rows("approval")
        asked = await plane.approval(row["approval_id"])
        await anyio.sleep(max(0.0, start - time.monotonic()))

        async def approve(who: str) -> None:
            yes = Answer(decision="approve", digest=asked.request["approval"], nonce=asked.request["nonce"])
            try:
                await plane.answer(row["approval_id"], yes, Principal(who, roles=frozenset({"approver"})))
            except InterlockError:
                return  # somebody was faster, or it is this person's second voice

        async def resume(after_s: float) -> None:
            await anyio.sleep(after_s)
            try:
                await plane.advance(row["run_id"])
            except InterlockError:
                return  # the claim went to another process

        async with anyio.create_task_group() as tasks:
            for racer in range(RACERS):
                if racer % 2:
                    tasks.start_soon(resume, racer * 0.01)  # some before the quorum stands, some after
                else:  # people come in through several processes at once
                    tasks.start_soon(approve, f"person_{(number + racer) % 12}")


async def _held(folder: Path) -> None:
    async with open_plane(_settings(folder), tools=[_pay(folder)], engine=False) as plane, plane.run(ANA) as run:
        held = await run.call("pay", {"n": 1})
        assert held.approval_id, held


async def _settled(folder: Path) -> tuple[bool, str]:
    """Go on a minute later: whether a quorum stood already, and what became of the call."""
    later = FrozenClock(time.time_ns() // 1000 + 60 * SECOND_US)
    async with open_plane(_settings(folder), tools=[_pay(folder)], world=World(clock=later), engine=False) as plane:
        [row] = await plane.store.rows("approval")
        approved = row["status"] != "pending"
        asked = await plane.approval(row["approval_id"])
        yes = Answer(decision="approve", digest=asked.request["approval"], nonce=asked.request["nonce"])
        for who in ("late_1", "late_2"):  # where all died before two had spoken
            try:
                await plane.answer(row["approval_id"], yes, Principal(who, roles=frozenset({"approver"})))
            except InterlockError:
                continue
        for _ in range(3):
            await plane.advance(row["run_id"])
        [call] = await plane.store.rows("tool_call")
        return approved, call["outcome"]


def _settings(folder: Path) -> Settings:
    return Settings(folder=folder, ledger=folder / "ledger.db", policy=folder / "policy", seal={"on": False})


def _pay(folder: Path) -> Any:
    async def body(arguments: dict[str, Any], context: CallContext) -> object:
        """A far end that does one thing for one key, and keeps count of how often it was asked."""
        with (folder / "asked").open("a") as log:
            log.write(context.idempotency_key + "\n")
        try:
            os.close(os.open(folder / "done" / context.idempotency_key, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return arguments["n"]
        return arguments["n"]

    return foreign_tool("pay", "local", "Pays.", NUMBER, body, effect="irreversible", keyed=True)

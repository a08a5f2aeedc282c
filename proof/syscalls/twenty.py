"""The run of twenty calls, and what comes after it: recovery, and a client that asks for all of them again."""

from __future__ import annotations

import json
import os
import socket
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio

from interlock import (
    CallContext,
    Interlock,
    LedgerError,
    NotSent,
    Principal,
    Run,
    Settings,
    Tool,
    World,
    foreign_tool,
    open_plane,
)
from interlock.errors import NotFound
from interlock.ledger.verify import verify
from interlock.testing import FrozenClock
from interlock.testing.simulated_tools import KEY, NUMBER
from proof.crash.process import counted

CALLS = 20
CLASSES = ("read", "keyed", "idempotent", "reconcilable", "none")
"""What the tools declare of the far end; the calls take turns."""

ANA = Principal("ana", roles=frozenset({"support"}))
APART_S = 60
"""Seconds of virtual time between two processes: a dead one's claim has lapsed."""

_LOOKS_MAX = 10
"""How often what is due is looked for before it counts as stuck."""


def class_of(n: int) -> str:
    """What the tool of the n-th call declares."""
    return CLASSES[n % len(CLASSES)]


def prepare(folder: Path) -> None:
    """A ledger and a deployment's key that are there already, as for any start but the first."""

    async def opened() -> None:
        async with _plane(folder, 0, ""):
            pass

    anyio.run(opened)


def run(folder: Path, port: int) -> None:
    """Make the twenty calls, one after the other. What the client was told stands in `told`, a line each.

    An error of the ledger ends it: a client that gets one stops and comes back later.
    """

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_beat)
            try:
                async with (
                    _plane(folder, port, "p0") as plane,
                    plane.run(ANA, words="do it", mandates=CLASSES) as opened,
                ):
                    await _ask_all(opened, folder / "told")
            except LedgerError as error:
                _tell(folder / "told", {"stopped": error.code})
            tasks.cancel_scope.cancel()

    anyio.run(main)


def recover(folder: Path, port: int, *, client_first: bool) -> None:
    """Start again, a minute later: what is due is done, the client comes back; all that stands goes into `report`.

    Args:
        client_first: The client comes back before anybody looks what is due.
    """

    async def main() -> None:
        async with _plane(folder, port, "p1") as plane:
            steps = [_advance_what_is_due, _come_back]
            for step in reversed(steps) if client_first else steps:
                await step(plane, folder)
            await _advance_what_is_due(plane, folder)
            report["calls"] = {row["name"]: row for row in await plane.store.rows("tool_call") if row["name"]}
            report["due"] = len(await plane.store.due())

    report: dict[str, Any] = {}
    anyio.run(main)
    report["unsound"] = [f"{found.finding}: {found.what}" for found in verify(folder / "ledger.db").found]
    (folder / "report").write_text(json.dumps(report))


async def _beat() -> None:
    """Keep the loop turning: strace fails even the byte by which a thread wakes it, as no disk and no network does."""
    while True:
        await anyio.sleep(0.02)


def _plane(folder: Path, port: int, process: str) -> AbstractAsyncContextManager[Interlock]:
    clock = FrozenClock()
    clock.advance(APART_S * (process == "p1"))

    async def pause(seconds: float) -> None:
        clock.advance(seconds)

    world = World(clock=clock, new_id=counted(f"{folder.name}_{process}"), pause=pause)
    settings = Settings(ledger=folder / "ledger.db", folder=folder)
    return open_plane(settings, tools=_tools(port), world=world, engine=False)


def _tools(port: int) -> list[Tool]:
    """One tool for each class, and the one that asks the far end. They block the loop, as short as loopback is.

    In the loop's own thread, so that strace, which counts by thread, finds each of their calls.
    """

    async def do(arguments: dict[str, Any], context: CallContext, declared: str) -> object:
        asked = {"effect": declared, "arguments": arguments, "key": context.idempotency_key}
        return {"n": _exchange(port, {**asked, "dedupe": declared == "keyed"})["n"]}

    async def look_up(arguments: dict[str, Any], context: CallContext) -> object:
        found = _exchange(port, {"look_up": arguments["idempotency_key"]})
        return {"done": True, "result": {"n": found["result"]["n"]}} if found["done"] else {"done": False}

    def made(declared: str) -> Tool:
        options: dict[str, Any] = {"effect": "read"} if declared == "read" else {"effect": "reversible"}
        if declared in ("keyed", "idempotent"):
            options[declared] = True
        if declared == "reconcilable":
            options["reconcile"] = "look_up"
        return foreign_tool(
            declared, "far", "Does something with a number.", NUMBER,
            lambda arguments, context: do(arguments, context, declared),
            roles={"n": "control"}, **options,  # it names nobody, so that where it comes from holds nothing
        )  # fmt: skip

    asks = foreign_tool("look_up", "far", "Says whether a key is known.", KEY, look_up, effect="read")
    return [*map(made, CLASSES), asks]


def _exchange(port: int, asked: dict[str, Any]) -> dict[str, Any]:
    """One question to the far end on a connection of its own."""
    try:
        connection = socket.create_connection(("127.0.0.1", port), timeout=5)
    except OSError as error:
        raise NotSent("no connection") from error
    with connection:
        connection.sendall(json.dumps(asked).encode() + b"\n")
        answer: dict[str, Any] = json.loads(connection.makefile().readline())
    return answer


async def _ask_all(run: Run, told: Path) -> None:
    for n in range(1, CALLS + 1):
        outcome = await run.call(class_of(n), {"n": n}, name=str(n))
        _tell(told, {"n": n, "kind": outcome.kind, "code": outcome.code, "value": outcome.value})


def _tell(told: Path, what: dict[str, Any]) -> None:
    """Somebody outside knows it from here on. By `writev`, which is not among the calls that are struck."""
    file = os.open(told, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.writev(file, [json.dumps(what).encode() + b"\n"])
    os.close(file)


async def _advance_what_is_due(plane: Interlock, folder: Path) -> None:
    for _ in range(_LOOKS_MAX):
        due = await plane.store.due()
        for run_id in dict.fromkeys(found.run_id for found in due):
            await plane.advance(run_id)
        if not due:
            return


async def _come_back(plane: Interlock, folder: Path) -> None:
    """The client asks again in its run where that was begun; in one that is over it learns what became of all."""
    try:
        async with plane.run(ANA, run_id=f"run_{folder.name}_p0_1") as run:
            await _ask_all(run, folder / "told_again")
    except NotFound:
        async with plane.run(ANA, words="do it", mandates=CLASSES) as run:
            await _ask_all(run, folder / "told_again")

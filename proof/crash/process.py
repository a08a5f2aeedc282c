"""What the processes of a trial do: the first one calls, each later one recovers, the last one says how all stands."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import anyio

from interlock import (
    Answer,
    CallContext,
    Interlock,
    Outcome,
    Principal,
    Proposal,
    Settings,
    Tool,
    World,
    compose,
    open_plane,
    tool,
)
from interlock.core.event import Fact
from interlock.core.ids import IdMaker
from interlock.ledger.verify import verify
from interlock.policy.authorize import Rules
from interlock.registry.registry import Registry
from interlock.testing import EffectOracle, FrozenClock
from proof.crash.combination import CLASSES, Combination, Kill

ANA = Principal("ana", roles=frozenset({"support"}))
BOB = Principal("bob", roles=frozenset({"approver"}))
OPA = Principal("opa", roles=frozenset({"operator"}))
"""On whose behalf calls run; who approves; who settles."""

APART_S = 60
"""Seconds of virtual time between two processes: a dead one's claim has lapsed."""

LOOKS_MAX = 10
"""How often what is due is looked for before it counts as stuck."""

FAR_SENT = "far.sent"
"""A point of the tool's own: the request is out, the answer is not read."""

BATCH = (
    Proposal(tool="look", arguments={"n": 1}),
    Proposal(tool="put", arguments={"account": "a", "n": 2}),
    Proposal(tool="put", arguments={"account": "b", "n": 3}),
)
"""A read and two writes on two things, which run at the same time."""


@dataclass
class Process:
    """One process of a trial.

    Attributes:
        tried: What is tried.
        number: 0 for the first, then counting; its place in `tried.kills`.
        folder: Ledger, keys, and what callers were told.
        port: The oracle's.
        points: What it has passed so far.
    """

    tried: Combination
    number: int
    folder: Path
    port: int
    points: list[str] = field(default_factory=list)
    _seen: Counter[str] = field(default_factory=Counter)

    @property
    def killed_at(self) -> Kill | None:
        """Where it ends; None for one that lives."""
        kills = self.tried.kills
        return kills[self.number] if self.number < len(kills) else None

    def reach(self, point: str) -> None:
        """Pass a point, or end there."""
        self._seen[point] += 1
        self.points.append(point)
        kill = self.killed_at
        if kill is not None and (point, self._seen[point]) == (kill.point, kill.nth):
            os.kill(os.getpid(), signal.SIGKILL)

    def tell(self, **what: Any) -> None:
        """Something reaches whoever called, outside this process: they know it from here on."""
        with (self.folder / "told.jsonl").open("a") as told:
            told.write(json.dumps(what) + "\n")

    def told(self) -> list[dict[str, Any]]:
        """What callers know."""
        return read_lines(self.folder / "told.jsonl")

    @property
    def client_first(self) -> bool:
        """Whether the client comes back before anybody looks what is due: half of the recoveries."""
        return bool((crc32("/".join(map(str, self.tried.kills[:1])).encode()) + self.number) & 1)


_HERE: ContextVar[Process] = ContextVar("process")
"""The process that this is: the tools are made once, before the forks, and must know where they run."""


def work(process: Process) -> None:
    """Do the process's part, to its end or to its kill; leave `points.N`, and the last one `report.json`."""
    _HERE.set(process)
    if (report := anyio.run(_work, process)) is not None:
        found = verify(process.folder / "ledger.db").found
        report["verified"] = [f"{each.finding}: {each.what}" for each in found]
        (process.folder / "report.json").write_text(json.dumps(report))


async def _work(process: Process) -> dict[str, Any] | None:
    """The process's part; the last one's report."""
    kills = process.tried.kills
    async with _opened(process) as plane:
        if process.number == 0:
            await _client(plane, process)
        else:
            recover = (_engine, _client)
            for step in reversed(recover) if process.client_first else recover:
                await step(plane, process)
        if process.killed_at is None:
            (process.folder / f"points.{process.number}").write_text(json.dumps(process.points))
        return await _report(plane, process) if process.number == max(1, len(kills)) else None


def _opened(process: Process) -> AbstractAsyncContextManager[Interlock]:
    clock = FrozenClock()
    clock.advance(process.number * APART_S)

    async def pause(seconds: float) -> None:
        clock.advance(seconds)

    world = World(clock=clock, new_id=counted(f"p{process.number}"), pause=pause, reach=process.reach)
    settings = Settings(ledger=process.folder / "ledger.db", folder=process.folder)
    tools = tools_of(process.tried.tool_class, process.port)
    return open_plane(settings, tools=tools, world=world, engine=False)


@cache
def tools_of(declared: str, port: int) -> list[Tool]:
    """Two tools of a class whose effects the oracle at this port writes down, a read, and one that asks the oracle."""
    far = EffectOracle.at(port)
    options: dict[str, Any] = {
        "resource": "account",
        "keyed": declared == "keyed",
        "idempotent": declared == "idempotent",
        "reconcile": "asked" if declared == "reconcilable" else "",
    }

    def do(effect: str, arguments: dict[str, Any], context: CallContext) -> int:
        done: int = far.do(
            effect,
            arguments,
            context.idempotency_key,
            dedupe=declared == "keyed",
            sent=lambda: _HERE.get().reach(FAR_SENT),
        )["n"]
        return done

    @tool(effect="reversible", **options)
    def put(account: str, n: int, context: CallContext) -> int:
        """Put a number into an account."""
        return do("put", {"account": account, "n": n}, context)

    @tool(effect="irreversible", **options)
    def pay(account: str, n: int, context: CallContext) -> int:
        """Pay a number from an account."""
        return do("pay", {"account": account, "n": n}, context)

    @tool(effect="read")
    def look(n: int) -> int:
        """Look at a number."""
        return n

    @tool(effect="read")
    def asked(idempotency_key: str) -> dict[str, Any]:
        """Say whether the far end did what has this key."""
        found = far.look_up(idempotency_key)
        return {"done": True, "result": found["result"]["n"]} if found["done"] else {"done": False}

    return [put, pay, look, asked]


def compile_once(port: int) -> None:
    """Have the forks of this process find tools and policy compiled, which are the same for all of a class.

    They are half of what opening a plane costs. Not for a process that opens others.
    """
    made: dict[tuple[str, ...], tuple[Registry, Rules]] = {}
    for declared in CLASSES:
        registry = compose.open_registry(Settings(ledger=None), tools_of(declared, port))
        made[_digests(registry.tools)] = registry, compose.load_policy(Settings(ledger=None), registry)
    compose.open_registry = lambda settings, tools=(), *_: made[_digests(tools)][0]
    compose.load_policy = lambda settings, registry: made[_digests(registry.tools)][1]


def _digests(tools: Iterable[Tool]) -> tuple[str, ...]:
    return tuple(sorted(made.digest for made in tools))


async def _client(plane: Interlock, process: Process) -> None:
    """Whoever makes the calls: comes back to the run that it knows of, or starts over, and asks again by name."""
    known = next((told["run"] for told in process.told() if "run" in told), "")
    async with plane.run(ANA, words="do it", run_id=known) as run:
        if not known:
            process.tell(run=run.run_id)
        place = process.tried.place
        if place == "batch":
            for outcome in await run.calls(BATCH) if not known else ():
                _acknowledge(process, outcome)
        elif place == "alone":
            _acknowledge(process, await run.call("put", {"account": "a", "n": 1}, name="mine"))
        else:
            held = await run.call("pay", {"account": "a", "n": 1}, name="mine")
            _acknowledge(process, held)
            if held.approval_id:
                await _approve(plane, process, held.approval_id)
                _acknowledge(process, await run.call("pay", {"account": "a", "n": 1}, name="mine"))


async def _engine(plane: Interlock, process: Process) -> None:
    """A person answers what waits for one; then what is due is advanced until nothing is."""
    for row in await plane.store.rows("approval", {"status": "pending"}):
        await _approve(plane, process, row["approval_id"])
    for _ in range(LOOKS_MAX):
        due = await plane.store.due()
        for run_id in dict.fromkeys(found.run_id for found in due):
            await plane.advance(run_id)
        if not due:
            break


async def _approve(plane: Interlock, process: Process, approval_id: str) -> None:
    asked = await plane.approval(approval_id)
    if asked.status == "pending":
        await plane.answer(
            approval_id, Answer(decision="approve", digest=asked.request["approval"], nonce=asked.request["nonce"]), BOB
        )
        process.tell(answered=approval_id)


def _acknowledge(process: Process, outcome: Outcome) -> None:
    process.tell(outcome=outcome.as_json())


async def _report(plane: Interlock, process: Process) -> dict[str, Any]:
    """How all stands once nobody disturbs: in the ledger, after advancing again, and after a person's word."""
    store = plane.store
    calls = await store.rows("tool_call")
    due = await store.due()
    await _advance_all(plane)
    before = [event for _, event in await store.follow(limit=10_000)]
    await _advance_all(plane)
    grown = len(await store.follow(len(before)))
    keys = {event.fact.call_id: event.fact.body["key"] for event in before if event.fact.kind == "call.intent"}
    for row in calls:
        if row["status"] == "unknown":
            word = "done" if EffectOracle.at(process.port).look_up(keys[row["call_id"]])["done"] else "failed"
            await plane.settle(row["call_id"], word, OPA, note="seen at the far end")
    return {
        "events": [_written(event.fact) for event in before],
        "calls": calls,
        "approvals": await store.rows("approval"),
        "open_runs": [row["run_id"] for row in await store.rows("run") if row["status"] == "open"],
        "due": [list(found) for found in due],
        "grown": grown,
        "unsettled": [row["call_id"] for row in await store.rows("tool_call") if row["status"] != "closed"],
    }


async def _advance_all(plane: Interlock) -> None:
    for row in await plane.store.rows("run"):
        await plane.advance(row["run_id"])


def _written(fact: Fact) -> dict[str, Any]:
    said = {"kind": fact.kind, "call_id": fact.call_id, "outcome": fact.outcome, "approval_id": fact.approval_id}
    return {**said, "attempt": fact.attempt, "body": fact.body}


def counted(prefix: str) -> IdMaker:
    """Ids that count for each kind and say which process made them."""
    made: Counter[str] = Counter()

    def new_id(kind: str) -> str:
        made[kind] += 1
        return f"{kind}_{prefix}_{made[kind]}"

    return new_id


def read_lines(file: Path) -> list[dict[str, Any]]:
    """The objects of a file with one a line; a last line that was cut off is none."""
    if not file.exists():
        return []
    lines: Iterable[str] = file.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]

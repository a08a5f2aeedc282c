"""Ledgers to tamper with: real ones, made by real calls on the path, drawn from a seed, sealed into a sink or two."""

from __future__ import annotations

import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from interlock import Answer, Interlock, Principal, Settings, Tool, World, foreign_tool, open_plane
from interlock.approvals.decide import Said
from interlock.core.call import Outcome, OutcomeKind
from interlock.core.tool import CallContext
from interlock.errors import NotFound
from interlock.ledger.archive import archive
from interlock.ledger.conversation import Ledger
from interlock.ledger.redact import erasable, erase_subject, redact
from interlock.ledger.seal import Sealer
from interlock.ledger.sinks import FileSink, Sink
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.sqlite_sink import DatabaseSink
from interlock.ledger.store import MemoryStore
from interlock.ledger.switch import StopSwitch
from interlock.policy.flags import Scope
from interlock.private_files import SigningKeyFile
from interlock.testing import CountedIds, FrozenClock

TENANTS = ("default", "acme", "zenith")
LEDGER, FILE_SINK, DATABASE_SINK, KEY = "ledger.db", "sink.jsonl", "sink.db", "signing.key"
_NUMBER = {
    "type": "object", "properties": {"n": {"type": "integer"}, "note": {"type": "string"}},
    "required": ["n"], "additionalProperties": False,
}  # fmt: skip


@dataclass
class Drawn:
    """Random bytes that a seed gives."""

    seed: int
    source: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.source = random.Random(self.seed)

    def __call__(self, count: int) -> bytes:
        return self.source.randbytes(count)


@dataclass
class Made:
    """A ledger on disk, closed.

    Attributes:
        folder: The file, its sinks and its key.
        anchored: Events up to the last head that sinks have.
        events: All of them.
        backup: A copy of the folder from some time before; None where none was made.
        live: A copy of the folder while the ledger was open, with its -wal file; None where none was made.
    """

    folder: Path
    anchored: int = 0
    events: int = 0
    backup: Path | None = None
    backup_events: int = 0
    live: Path | None = None


def sinks_of(folder: Path) -> list[Sink]:
    """The sinks of a ledger; the second one where there is one."""
    found: list[Sink] = [FileSink(folder / FILE_SINK)]
    if (folder / DATABASE_SINK).exists():
        found.append(DatabaseSink(folder / DATABASE_SINK))
    return found


class Stage:
    """A plane that is opened once; ledgers are put under it one after the other."""

    def __init__(self, plane: Interlock, clock: FrozenClock, world: World) -> None:
        self.plane, self.clock, self.world = plane, clock, world

    async def write(self, folder: Path, seed: int, *, tail: bool | None = None, copies: bool = True) -> Made:
        """Make the ledger of this seed.

        Args:
            tail: Whether events stand beyond the last head; drawn where None.
            copies: Whether to keep a backup and a live copy beside the folder.
        """
        drawn = random.Random(seed)
        folder.mkdir(parents=True)
        store = SqliteStore(folder / LEDGER, self.clock, Drawn(seed))
        self.plane.plane.ledger = Ledger(store, self.world.reach)
        self.plane.plane.switch = StopSwitch(store)
        made = Made(folder)
        try:
            sinks: list[Sink] = [FileSink(folder / FILE_SINK)]
            if drawn.random() < 0.4:
                sinks.append(DatabaseSink(folder / DATABASE_SINK))
            sealer = Sealer(store, SigningKeyFile(folder / KEY), sinks, entropy=Drawn(seed + 1))
            await sealer.open()
            play = Play(self, store, sealer, drawn)
            rounds = drawn.randint(2, 5)
            copy_at = drawn.randrange(rounds - 1)
            for number in range(rounds):
                await play.some_runs()
                await sealer.seal()
                await play.between()
                await sealer.seal()
                if copies and number == copy_at:
                    made.backup = _copied(folder, "backup")
                    made.backup_events = await store.log(lambda log: log.events)
            made.anchored = await store.log(lambda log: log.sealed)
            if tail if tail is not None else drawn.random() < 0.5:
                await play.some_runs()
            made.events = await store.log(lambda log: log.events)
            if copies:
                made.live = _copied(folder, "live")
        finally:
            await store.close()
        return made


@dataclass
class Play:
    """What happens in a ledger, drawn."""

    stage: Stage
    store: SqliteStore
    sealer: Sealer
    drawn: random.Random
    held: list[tuple[str, Outcome]] = field(default_factory=list)

    async def some_runs(self) -> None:
        """A few runs at the same time, in several tenants."""
        async with anyio.create_task_group() as tasks:
            for _ in range(self.drawn.randint(1, 3)):
                tasks.start_soon(self._one_run, random.Random(self.drawn.random()))
        self.stage.clock.advance(self.drawn.randint(1, 100))

    async def between(self) -> None:
        """What people do: decide, settle, stop, erase, rotate."""
        drawn, plane = self.drawn, self.stage.plane
        for tenant, outcome in self.held:
            if drawn.random() < 0.7:
                asked = await plane.approval(outcome.approval_id, tenant)
                shown = asked.request
                decision: Said = "approve" if drawn.random() < 0.6 else "reject"
                said = Answer(
                    decision=decision, digest=shown["approval"], nonce=shown["nonce"], words="so be it"
                )  # fmt: skip
                await plane.answer(outcome.approval_id, said, _person("bob", tenant, "approver"))
                [row] = await self.store.rows("approval", {"approval_id": outcome.approval_id})
                await plane.advance(row["run_id"], tenant)
        self.held.clear()
        for row in await self.store.rows("tool_call", {"status": "unknown"}):
            if drawn.random() < 0.5:
                outcome_kind = drawn.choice(["done", "failed"])
                person = _person("opa", row["tenant"], "operator")
                await plane.settle(row["call_id"], outcome_kind, person, note="asked the bank")
        if drawn.random() < 0.3:
            person = _person("opa", "default", "operator")
            await plane.stop(Scope.TOOL, "odd", person, reason="drill")
            await plane.resume(Scope.TOOL, "odd", person)
        if drawn.random() < 0.3:
            await self._erase()
        if drawn.random() < 0.1:
            await self._archive()
        if drawn.random() < 0.2:
            await self.sealer.rotate(_person("root", "default", "admin"))

    async def _archive(self) -> None:
        """What one tenant's runs say goes into a file and out of the ledger."""
        file = self.store.path.parent.with_name(f"archive-{self.drawn.getrandbits(64):x}")
        person = _person("opa", self.drawn.choice(TENANTS), "operator")
        with suppress(NotFound):
            await archive(self.store, self.sealer, self.stage.clock.wall_us(), file, person)

    async def _erase(self) -> None:
        drawn = self.drawn
        over = [row for row in await self.store.rows("run") if row["status"] != "open"]
        if not over:
            return
        row = drawn.choice(over)
        person = _person("opa", row["tenant"], "operator")
        if drawn.random() < 0.3:
            await erase_subject(self.store, row["principal_id"], "they asked for it", person)
            return
        seqs = erasable(await self.store.read(row["run_id"]))
        if seqs:
            some = drawn.sample(seqs, drawn.randint(1, len(seqs)))
            await redact(self.store, row["run_id"], some, "they asked for it", person)

    async def _one_run(self, drawn: random.Random) -> None:
        tenant = drawn.choice(TENANTS)
        principal = _person(f"user{drawn.randint(1, 3)}", tenant, "support")
        async with self.stage.plane.run(principal, words=f"words {drawn.random()}") as run:
            for _ in range(drawn.randint(1, 4)):
                tool = drawn.choice(["look", "look", "put", "pay", "odd", "bad", "nothing"])
                outcome = await run.call(tool, {"n": drawn.randint(0, 99), "note": f"für {drawn.random()}"})
                if outcome.kind is OutcomeKind.HELD:
                    self.held.append((tenant, outcome))


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """The plane under which ledgers are made: time stands still, ids count, nothing pauses."""
    clock = FrozenClock()

    async def pause(seconds: float) -> None:
        clock.advance(seconds)

    world = World(clock=clock, new_id=CountedIds(), pause=pause)
    async with open_plane(Settings(ledger=None), tools=_tools(), world=world, engine=False) as plane:
        before = plane.plane.ledger
        try:
            yield Stage(plane, clock, world)
        finally:
            plane.plane.ledger = Ledger(MemoryStore(clock), world.reach)
            await before.store.close()


def _tools() -> list[Tool]:
    async def fine(arguments: dict[str, Any], context: CallContext) -> object:
        return {"n": arguments["n"]}

    async def lost(arguments: dict[str, Any], context: CallContext) -> object:
        raise ConnectionResetError("the far end hung up")

    told = {"look": ("read", fine), "put": ("reversible", fine), "pay": ("irreversible", fine),
            "odd": ("reversible", lost), "bad": ("read", lost)}  # fmt: skip
    return [
        foreign_tool(name, "local", f"Does {name} with a number.", _NUMBER, body, effect=effect)
        for name, (effect, body) in told.items()
    ]


def _person(who: str, tenant: str, role: str) -> Principal:
    return Principal(who, tenant, frozenset({role}))


def _copied(folder: Path, what: str) -> Path:
    to = folder.with_name(f"{folder.name}.{what}")
    shutil.copytree(folder, to)
    return to

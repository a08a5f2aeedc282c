"""K13: single bits of a ledger of 200 events flipped, one at a time; `verify` names the first bad number."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import anyio

from interlock.core.event import Fact, Kind
from interlock.ledger.seal import Sealer
from interlock.ledger.sinks import FileSink
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import Append
from interlock.private_files import SigningKeyFile
from interlock.testing import FrozenClock
from proof.tampering import forge
from proof.tampering.forge import Raw
from proof.tampering.ledgers import FILE_SINK, KEY, LEDGER, Drawn
from proof.tampering.verdict import examine

EVENTS = 200
COLUMNS = ("header", "salt", "body")


class Flips(NamedTuple):
    """Some of the bits.

    Attributes:
        seed: Which bits, where not one of every byte is flipped.
        part, parts: Which share of them.
        count: How many in all; 0 for one of every byte of every event.
        folder: Where copies are made.
    """

    seed: int
    part: int
    parts: int
    count: int
    folder: Path


def flip(job: Flips) -> tuple[int, list[str]]:
    """How many were flipped, and a line for each that was not named by its number."""
    return anyio.run(_flip, job)


async def _flip(job: Flips) -> tuple[int, list[str]]:
    lines, tried = [], 0
    with tempfile.TemporaryDirectory(prefix="interlock-flips-", dir=job.folder) as name:
        folder = Path(name)
        events = await plain_ledger(folder / "one", job.seed)
        for pos, column, at, bit in bits(events, job):
            tried += 1
            shutil.rmtree(folder / "copy", ignore_errors=True)
            shutil.copytree(folder / "one", folder / "copy")
            turn(folder / "copy", events, (pos, column, at, bit))
            seen = await examine(folder / "copy")
            if seen.first != pos:
                lines.append(f"K13: bit {bit} of byte {at} of the {column} of event {pos}: "
                             f"found {seen.findings or 'nothing'} at {seen.first}")  # fmt: skip
    return tried, lines


def bits(events: list[Raw], job: Flips) -> list[tuple[int, str, int, int]]:
    """Position, column, byte and bit of each that this share flips."""
    drawn = random.Random(job.seed)
    every = [
        (pos, column, at, drawn.randrange(8))
        for pos, raw in enumerate(events, 1)
        for column in COLUMNS
        for at in range(len(getattr(raw, column)))
    ]
    chosen = every if not job.count else [drawn.choice(every) for _ in range(job.count)]
    return chosen[job.part :: job.parts]


def turn(folder: Path, events: list[Raw], which: tuple[int, str, int, int]) -> None:
    """Flip one bit."""
    pos, column, at, bit = which
    old: bytes = getattr(events[pos - 1], column)
    new = old[:at] + bytes([old[at] ^ 1 << bit]) + old[at + 1 :]
    table = "event" if column == "header" else "payload"
    with forge.opened(folder / LEDGER) as database:
        database.execute(f"UPDATE {table} SET {column} = ? WHERE pos = ?", (new, pos))


async def plain_ledger(folder: Path, seed: int) -> list[Raw]:
    """A sealed ledger of 200 events: the key's and 199 of one chain."""
    folder.mkdir()
    store = SqliteStore(folder / LEDGER, FrozenClock(), Drawn(seed))
    try:
        sealer = Sealer(store, SigningKeyFile(folder / KEY), [FileSink(folder / FILE_SINK)], entropy=Drawn(seed))
        await sealer.open()
        facts = [Fact(Kind.CONFIG, {"number": number}, principal_id="opa") for number in range(EVENTS - 1)]
        await store.append(Append("tenant/acme", "acme", facts))
        await sealer.seal()
    finally:
        await store.close()
    with forge.opened(folder / LEDGER) as database:
        return forge.raws(database)

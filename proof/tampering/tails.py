"""K11: the last pages of the file and of its log torn, zeroed or garbled, at each of thousands of offsets.

Whatever was torn: the ledger opens to a prefix of what was committed, or refuses, or `verify` names the damage; no
event that nobody wrote is ever read as sound.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import anyio

from interlock.errors import LedgerError
from interlock.ledger.sqlite import SqliteStore
from interlock.testing import FrozenClock
from proof.tampering.files import events_of
from proof.tampering.forge import Raw, overwrite
from proof.tampering.ledgers import FILE_SINK, KEY, LEDGER, staged
from proof.tampering.verdict import examine

_PAGE = 4096
_HOW = ("truncate", "zero", "garble")
_ALL = 1 << 30


class Tails(NamedTuple):
    """Some of the offsets.

    Attributes:
        seed: Of the ledger.
        part, parts: Which share of them.
        offsets: How many of each file, spread over its last pages.
        folder: Where copies are made.
    """

    seed: int
    part: int
    parts: int
    offsets: int
    folder: Path


def tear(job: Tails) -> tuple[int, list[str]]:
    """How many were tried, and a line for each after which a forged event was read as sound."""
    return anyio.run(_tear, job)


async def _tear(job: Tails) -> tuple[int, list[str]]:
    """See `tear`."""
    tried, lines = 0, []
    with tempfile.TemporaryDirectory(prefix="interlock-tails-", dir=job.folder) as name:
        folder = Path(name)
        async with staged() as stage:
            made = await stage.write(folder / "one", job.seed)
        assert made.live is not None
        before = events_of(made.folder / LEDGER)
        for file in (LEDGER, LEDGER + "-wal"):
            size = (made.live / file).stat().st_size
            span = min(size, max(job.offsets, 2 * _PAGE))
            for number in range(job.part, job.offsets, job.parts):
                at = size - span + number * span // job.offsets
                how = _HOW[number % len(_HOW)]
                tried += 1
                if why := await _torn(made.live, folder / "copy", (file, at, how), before):
                    lines.append(f"K11: {file}, {how} at {at}, seed {job.seed}: {why}")
    return tried, lines


async def _torn(source: Path, folder: Path, tear: tuple[str, int, str], before: Sequence[Raw]) -> str:
    """What is wrong after this; empty where nothing is."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in (LEDGER, LEDGER + "-wal", FILE_SINK, KEY):
        shutil.copy(source / name, folder / name)
    damage(folder, *tear)
    try:
        found = await read(folder)
    except LedgerError:
        return ""
    if found == list(before[: len(found)]):
        return ""
    return "" if (await examine(folder)).findings else "an event that nobody wrote is read as sound"


def damage(folder: Path, name: str, at: int, how: str) -> None:
    """Cut the file there, or write over what follows."""
    path = folder / name
    if how == "truncate":
        with path.open("r+b") as file:
            file.truncate(at)
        return
    drawn = random.Random(at)
    length = min(drawn.randint(1, 512), path.stat().st_size - at)
    overwrite(path, at, bytes(length) if how == "zero" else drawn.randbytes(length))


async def read(folder: Path) -> list[Raw]:
    """What the store reads of a ledger.

    Raises:
        LedgerError: It refuses.
    """
    store = await anyio.to_thread.run_sync(lambda: SqliteStore(folder / LEDGER, FrozenClock()))
    try:
        events = [event for _, event in await store.follow(limit=_ALL)]
        return [Raw(event.header, event.salt or None, event.payload or None) for event in events]
    finally:
        await store.close()

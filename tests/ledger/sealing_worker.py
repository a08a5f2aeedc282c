"""A process of its own that seals: `python -m tests.ledger.sealing_worker ACT FOLDER`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from interlock.core.clock import SystemClock
from interlock.ledger.seal import Sealer
from interlock.ledger.sinks import FileSink
from interlock.ledger.sqlite import SqliteStore
from interlock.private_files import SigningKeyFile
from tests.ledger.sealing import Deployment, write


class Deadly(FileSink):
    """Ends the process as `kill -9` would, before it sends anything."""

    def send(self, notes: Sequence[str], onto: str | None) -> bool:
        os.kill(os.getpid(), signal.SIGKILL)
        return False


async def race(folder: Path) -> None:
    """Write and seal, thirty times, beside others who do the same."""
    deployment = Deployment(folder)
    store = SqliteStore(deployment.path, SystemClock(), busy_s=30)
    sealer = deployment.sealer(store)
    await sealer.open()
    for turn in range(30):
        await write(store, f"run_{os.getpid()}_{turn}", 2)
        await sealer.seal()
    await store.close()


async def die(folder: Path) -> None:
    """Commit a checkpoint, and be killed on the way to its sink."""
    deployment = Deployment(folder)
    store = SqliteStore(deployment.path, SystemClock())
    sealer = Sealer(store, SigningKeyFile(deployment.key), [Deadly(folder / "sink.jsonl")])
    await sealer.open()
    await write(store, "run_dead", 2)
    await sealer.seal()


if __name__ == "__main__":
    anyio.run({"race": race, "die": die}[sys.argv[1]], Path(sys.argv[2]))

"""A ledger with a sealer, a key file and two sinks, in one folder."""

from __future__ import annotations

from pathlib import Path

import anyio.to_thread

from interlock.core.event import Fact
from interlock.core.principal import Principal
from interlock.ledger.seal import Sealer, SealOptions
from interlock.ledger.sinks import FileSink, Sink
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.sqlite_log import Stored
from interlock.ledger.sqlite_sink import DatabaseSink
from interlock.private_files import SigningKeyFile
from interlock.testing.clock import FrozenClock
from tests.ledger.makers import opened, read_call, started, to

OPERATOR = Principal("olga", roles=frozenset({"operator"}))


class Deployment:
    """What stands in one folder: `ledger.db`, `signing.key`, `sink.jsonl` and `sink.db`."""

    def __init__(self, folder: Path, clock: FrozenClock | None = None) -> None:
        self.folder = folder
        self.clock = clock or FrozenClock()
        self.path = folder / "ledger.db"
        self.key = folder / "signing.key"
        self.file = FileSink(folder / "sink.jsonl")
        self.second = DatabaseSink(folder / "sink.db")

    @property
    def sinks(self) -> tuple[Sink, ...]:
        return self.file, self.second

    async def store(self) -> SqliteStore:
        return await opened(self.path, self.clock)

    def sealer(self, store: SqliteStore, **options: object) -> Sealer:
        return Sealer(store, SigningKeyFile(self.key), self.sinks, SealOptions(**options))  # type: ignore[arg-type]


async def write(store: SqliteStore, run_id: str, calls: int) -> int:
    """A run with so many read calls; how many events it has."""
    facts: list[Fact] = [started()]
    for number in range(calls):
        facts += read_call(f"{run_id}_call_{number}", number + 1)
    return len(await store.append(to(run_id, *facts)))


async def sealed(sealer: Sealer) -> Stored:
    found = await sealer.seal()
    assert found is not None
    return found


async def newest(sink: Sink) -> str | None:
    return await anyio.to_thread.run_sync(sink.newest)


async def notes(sink: Sink) -> list[str]:
    return await anyio.to_thread.run_sync(lambda: list(sink.notes()))

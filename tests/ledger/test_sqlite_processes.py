"""Several processes on one file, processes that are killed, and a disk that is full."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import apsw
import pytest

from interlock.core.clock import SystemClock
from interlock.ledger.chain import first_bad
from interlock.ledger.projections import Tables
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import Claim, Store
from interlock.ledger.tables import TABLES
from tests.ledger.makers import RUN, started, to
from tests.ledger.worker import LANES

ROOT = Path(__file__).parents[2]


def worker(act: str, path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.ledger.worker", act, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def said(process: subprocess.Popen[str]) -> list[Any]:
    """Everything that a worker says until it ends well."""
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


async def sound(store: Store) -> dict[str, int]:
    """Every chain verifies and the tables are what the events rebuild; the last number of each chain."""
    order = [event for _, event in await store.follow(limit=1_000_000)]
    ends: dict[str, int] = {}
    for chain in {event.chain for event in order}:
        events = await store.read(chain)
        assert first_bad(events) == 0, chain
        ends[chain] = events[-1].seq
    assert len(order) == sum(ends.values())
    rebuilt = Tables()
    rebuilt.absorb(order)
    for table in TABLES:
        assert await store.rows(table, limit=1_000_000) == rebuilt.rows(table), table
    return ends


@pytest.mark.parametrize("acknowledged", [1, 40, 200])
def test_a_process_killed_while_it_appends_loses_nothing_that_it_acknowledged(path: Path, acknowledged: int) -> None:
    """Fault K1: kill -9 in the middle of appends, again on the same file; it is reopened and goes on."""

    async def check(last: dict[str, int]) -> None:
        store = SqliteStore(path, SystemClock())
        ends = await sound(store)
        assert {run_id: seq for run_id, seq in last.items() if ends[run_id] < seq} == {}
        [event] = await store.append(to("run_after", started()))
        assert event.seq == 1
        await store.close()

    process = worker("forever", path)
    assert process.stdout is not None
    last: dict[str, int] = {}
    try:
        for _ in range(acknowledged):
            run_id, seq = json.loads(process.stdout.readline())
            last[run_id] = seq
    finally:
        process.kill()
        process.wait(10)
    for line in process.stdout:
        if line.endswith("\n"):
            run_id, seq = json.loads(line)
            last[run_id] = seq
    process.stdout.close()
    assert set(last) <= {f"run_{number}" for number in range(LANES)}
    database = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    assert database.execute("PRAGMA integrity_check").get == "ok"
    database.close()
    anyio.run(check, last)


def test_two_processes_append_to_one_run_and_each_event_has_its_own_number(path: Path) -> None:
    async def both() -> None:
        store = SqliteStore(path, SystemClock(), busy_s=30)
        await store.append(to(RUN, started()))
        before = store.changes()
        workers = [worker("fifty", path), worker("fifty", path)]
        numbers = [number for process in workers for [number] in await anyio.to_thread.run_sync(said, process)]
        assert sorted(numbers) == list(range(2, 102))
        assert store.changes() != before
        assert [event.seq for event in await store.read(RUN, 1)] == list(range(2, 102))
        await sound(store)
        await store.close()

    anyio.run(both)


def test_a_claim_holds_against_another_process_until_it_is_released(path: Path) -> None:
    async def both() -> None:
        store = SqliteStore(path, SystemClock())
        await store.append(to(RUN, started(), claim=Claim("one", 30)))
        assert await anyio.to_thread.run_sync(said, worker("claim", path)) == [["refused"]]
        await store.release(RUN, 1)
        assert await anyio.to_thread.run_sync(said, worker("claim", path)) == [["claimed", 2]]
        await store.close()

    anyio.run(both)


def test_two_processes_may_open_a_new_file_at_the_same_moment(path: Path) -> None:
    workers = [worker("claim", path) for _ in range(2)]
    assert sorted(word for process in workers for [word, *_] in said(process)) == ["claimed", "claimed"]


def test_a_full_disk_refuses_every_append_until_the_file_is_opened_again_with_room(path: Path) -> None:
    """Fault K9."""

    async def check() -> None:
        store = SqliteStore(path, SystemClock())
        await sound(store)
        await store.close()

    full, refused, read, still, again = said(worker("full", path))
    steps = full[1]
    assert steps > 0
    assert full[2] == refused[1] == still[1] == "ledger.broken"
    assert read[1] == 1 + 2 * steps
    assert again[1] == read[1] + 1
    anyio.run(check)

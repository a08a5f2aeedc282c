"""What is SQLite's own: the file, its triggers, its lock, its failures, and several stores on one file."""

from __future__ import annotations

import asyncio
import os
import random
import stat
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import apsw
import pytest

from interlock.core.event import GuardChange
from interlock.errors import DuplicateFact, LedgerError, StaleClaim, StoreUnavailable
from interlock.ledger.chain import first_bad
from interlock.ledger.conversation import Ledger
from interlock.ledger.migrations import MIGRATIONS
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.sqlite_file import LedgerFile, refuse_affected
from interlock.ledger.store import Claim
from interlock.testing.clock import FrozenClock
from tests.ledger.makers import RUN, TENANT, intent, opened, proposed, read_call, result, started, to

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def raw(sqlite: SqliteStore, path: Path) -> Iterator[apsw.Connection]:
    """Somebody with the file and no manners."""
    connection = apsw.Connection(str(path))
    yield connection
    connection.close()


# The file.


async def test_the_file_is_its_owners_alone(sqlite: SqliteStore, path: Path) -> None:
    await sqlite.append(to(RUN, started()))
    files = list(path.parent.glob("ledger.db*"))
    assert len(files) == 4
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_a_file_that_others_could_read_is_closed_to_them(clock: FrozenClock, path: Path) -> None:
    path.touch(mode=0o666)
    path.chmod(0o666)
    await (await opened(path, clock)).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_connections_are_durable_and_readers_cannot_write(path: Path) -> None:
    file = LedgerFile(path, 1)
    writer, reader = file.connect(), file.connect(reader=True)
    settings = {name: writer.pragma(name) for name in ("journal_mode", "synchronous", "mmap_size")}
    assert settings == {"journal_mode": "wal", "synchronous": 2, "mmap_size": 0}
    with pytest.raises(apsw.ReadOnlyError):
        reader.execute("INSERT INTO guard VALUES ('x', 1)")
    writer.close()
    reader.close()


@pytest.mark.parametrize("version", ["3.7.0", "3.37.2", "3.51.2"])
def test_a_sqlite_that_can_corrupt_the_file_is_refused(version: str) -> None:
    """Fault K14."""
    with pytest.raises(StoreUnavailable) as refused:
        refuse_affected(version)
    assert refused.value.code == "ledger.sqlite_version"


@pytest.mark.parametrize("version", ["3.6.23", "3.51.3", "3.54.1", "4.0.0"])
def test_a_sound_sqlite_is_accepted(version: str) -> None:
    refuse_affected(version)


def test_the_bundled_sqlite_is_sound() -> None:
    refuse_affected(apsw.sqlite_lib_version())


def test_a_file_of_a_newer_release_is_refused_and_left_alone(clock: FrozenClock, path: Path) -> None:
    LedgerFile(path, 1)
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", len(MIGRATIONS) + 1)
    connection.close()
    with pytest.raises(StoreUnavailable) as refused:
        SqliteStore(path, clock)
    assert refused.value.code == "ledger.newer"


def test_another_programs_file_is_refused_and_left_alone(clock: FrozenClock, path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE holiday (day TEXT)")
    with pytest.raises(StoreUnavailable) as refused:
        SqliteStore(path, clock)
    assert refused.value.code == "ledger.foreign"
    assert [name for (name,) in connection.execute("SELECT name FROM sqlite_schema")] == ["holiday"]
    connection.close()


def test_what_is_no_database_and_what_cannot_be_made_are_refused(clock: FrozenClock, path: Path) -> None:
    path.write_bytes(b"no database, but long enough to be looked at " * 40)
    for bad in (path, path.parent / "nowhere" / "ledger.db", path.parent):
        with pytest.raises(StoreUnavailable) as refused:
            SqliteStore(bad, clock)
        assert refused.value.code == "ledger.open"
        assert refused.value.remedy


def test_a_migration_that_is_cut_off_leaves_the_file_as_it_was(
    clock: FrozenClock, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault K45."""
    broken = (*MIGRATIONS, "CREATE TABLE half (x); CREATE TABLE half (x);")
    monkeypatch.setattr("interlock.ledger.sqlite_file.MIGRATIONS", broken)
    with pytest.raises(StoreUnavailable):
        SqliteStore(path, clock)
    monkeypatch.undo()
    assert LedgerFile(path, 1).number == 1


# Append-only, for everybody with the file.


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET header = x'00' WHERE pos = 1",
        "UPDATE event SET pos = 100 WHERE pos = 1",
        "DELETE FROM event WHERE pos = 1",
        "DELETE FROM event",
        "INSERT OR REPLACE INTO event VALUES (1, x'00')",
        "REPLACE INTO event VALUES (1, x'00')",
        "INSERT INTO event VALUES (1, x'00') ON CONFLICT DO UPDATE SET header = x'00'",
        "UPDATE payload SET body = x'00' WHERE pos = 1",
        "INSERT OR REPLACE INTO checkpoint VALUES (1, 0, 'x')",
        "UPDATE checkpoint SET note = 'x'",
        "DELETE FROM checkpoint",
    ],
)
async def test_no_statement_changes_an_event(sqlite: SqliteStore, raw: apsw.Connection, statement: str) -> None:
    before = await sqlite.append(to(RUN, started(), proposed("call_1")))
    raw.execute("INSERT INTO checkpoint VALUES (1, 0, '')")
    with pytest.raises(apsw.ConstraintError, match="append-only"):
        raw.execute(statement)
    assert await sqlite.read(RUN) == before


async def test_a_payload_can_be_erased_and_its_event_stands(sqlite: SqliteStore, raw: apsw.Connection) -> None:
    await sqlite.append(to(RUN, started(), proposed("call_1")))
    raw.execute("DELETE FROM payload WHERE pos = 2")
    events = await sqlite.read(RUN)
    assert (events[1].fact.body, events[1].payload, events[1].salt) == ({}, b"", b"")
    assert first_bad(events) == 0


async def test_what_is_not_sealed_is_every_event_beyond_the_newest_checkpoint(
    sqlite: SqliteStore, raw: apsw.Connection
) -> None:
    events = await sqlite.append(to(RUN, started(), proposed("call_1")))
    assert list(raw.execute("SELECT pos, header FROM unsealed")) == [(1, events[0].header), (2, events[1].header)]
    raw.execute("INSERT INTO checkpoint VALUES (1, 0, '')")
    assert [pos for (pos, _) in raw.execute("SELECT * FROM unsealed")] == [2]


# The lock: fault K15.


async def test_a_lock_that_another_process_keeps_is_waited_for_and_then_refused(clock: FrozenClock, path: Path) -> None:
    store = await opened(path, clock, busy_s=0.05)
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable) as refused:
        await store.append(to(RUN, started()))
    assert refused.value.code == "ledger.locked"
    other.execute("ROLLBACK")
    assert [event.seq for event in await store.append(to(RUN, started()))] == [1]
    other.close()
    await store.close()


async def test_readers_go_on_while_somebody_writes(sqlite: SqliteStore, raw: apsw.Connection) -> None:
    await sqlite.append(to(RUN, started()))
    raw.execute("BEGIN IMMEDIATE")
    with anyio.fail_after(30):
        assert len(await sqlite.read(RUN)) == 1
    raw.execute("ROLLBACK")


# The file is taken away: fault K16.


async def test_a_deleted_file_is_found_out_before_the_next_append_and_read(sqlite: SqliteStore, path: Path) -> None:
    await sqlite.append(to(RUN, started()))
    path.unlink()
    await refused_from_now_on(sqlite, "ledger.replaced")
    with pytest.raises(StoreUnavailable):
        await sqlite.read(RUN)


async def test_a_replaced_file_is_not_written_to(clock: FrozenClock, sqlite: SqliteStore, path: Path) -> None:
    await sqlite.append(to(RUN, started()))
    path.rename(path.with_suffix(".old"))
    other = await opened(path, clock)
    await refused_from_now_on(sqlite, "ledger.replaced")
    assert await other.follow() == []
    await other.close()


async def test_a_file_that_is_locked_away_is_not_written_to(sqlite: SqliteStore, path: Path) -> None:
    path.chmod(0)
    await refused_from_now_on(sqlite, "ledger.replaced")


async def refused_from_now_on(store: SqliteStore, code: str) -> None:
    for number in range(3):
        with pytest.raises(StoreUnavailable) as refused:
            await store.append(to(RUN, proposed(f"call_{number}")))
        assert refused.value.code == code


# Failures of one append, and of the writer.


async def together(store: SqliteStore, *appends: Any) -> list[Exception | None]:
    """What became of appends that were made at the same moment."""
    found: list[Exception | None] = [None] * len(appends)

    async def one(number: int) -> None:
        try:
            await store.append(appends[number])
        except LedgerError as error:
            found[number] = error

    async with anyio.create_task_group() as tasks:
        for number in range(len(appends)):
            tasks.start_soon(one, number)
    return found


async def test_a_double_that_only_the_database_knows_of_is_refused_alone(
    clock: FrozenClock, sqlite: SqliteStore, path: Path
) -> None:
    await sqlite.append(to(RUN, started(), intent("call_1")))
    await sqlite.close()
    reopened = await opened(path, clock)
    appends = [to("run_2", started()), to(RUN, intent("call_1")), to(RUN, intent("call_2")), to("run_3", started())]
    found = await together(reopened, *appends)
    assert [type(error) for error in found] == [type(None), DuplicateFact, type(None), type(None)]
    assert first_bad(await reopened.read(RUN)) == 0
    assert [position for position, _ in await reopened.follow()] == list(range(1, 6))
    await reopened.close()


async def test_a_value_that_sqlite_cannot_hold_is_refused_alone(sqlite: SqliteStore) -> None:
    huge = result("call_1")
    huge.body["took_us"] = 2**64
    found = await together(sqlite, to(RUN, proposed("call_1"), huge), to("run_2", started()))
    assert isinstance(found[0], LedgerError)
    assert not isinstance(found[0], StoreUnavailable)
    assert found[1] is None
    assert await sqlite.read(RUN) == []


async def test_a_bug_in_the_writer_refuses_everybody_and_lets_nobody_wait(
    sqlite: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(event: object, rows: object) -> None:
        raise AssertionError("a bug")

    escaped: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: escaped.append(args.exc_type))
    monkeypatch.setattr("interlock.ledger.sqlite_append.fold", broken)
    with anyio.fail_after(30):
        found = await together(sqlite, to(RUN, started()), to("run_2", started()))
        later = await together(sqlite, to("run_3", started()))
        await sqlite.close()
    assert {type(error) for error in found + later} == {StoreUnavailable}
    assert escaped == [AssertionError]


# Cancellation.


async def test_a_cancelled_append_is_over_when_the_cancellation_arrives_and_stands(sqlite: SqliteStore) -> None:
    """Whoever appends an intent knows whether it stands, even when cancelled (defect: a lost answer)."""
    written = []
    with anyio.CancelScope() as scope:
        scope.cancel()
        written += await sqlite.append(to(RUN, started()))
        await anyio.sleep(0)
        raise AssertionError("the cancellation was swallowed")
    assert [event.seq for event in written] == [1]
    assert await sqlite.read(RUN) == written


async def test_a_native_cancellation_is_not_swallowed_either(sqlite: SqliteStore) -> None:
    written = []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            written += await sqlite.append(to(RUN, started()))
            await asyncio.sleep(5)
    assert [event.seq for event in written] == [1]
    await anyio.sleep(0)


async def test_a_cancelled_append_that_is_refused_is_cancelled(sqlite: SqliteStore) -> None:
    await sqlite.append(to(RUN, intent("call_1")))
    with anyio.CancelScope() as scope:
        scope.cancel()
        with pytest.raises(DuplicateFact):
            await sqlite.append(to(RUN, intent("call_1")))
        await anyio.sleep(0)
        raise AssertionError("the cancellation was swallowed")
    assert scope.cancelled_caught


# Several stores on one file, as several processes have it.


@pytest.fixture
async def other(sqlite: SqliteStore, clock: FrozenClock, path: Path) -> AsyncIterator[SqliteStore]:
    found = await opened(path, clock)
    yield found
    await found.close()


async def test_the_others_append_is_noticed_and_its_tail_read(sqlite: SqliteStore, other: SqliteStore) -> None:
    await sqlite.append(to(RUN, started()))
    await other.append(to("run_2", started()))
    before = sqlite.changes()
    assert sqlite.changes() == before
    await other.append(to(RUN, proposed("call_1")))
    after = sqlite.changes()
    assert after != before
    assert sqlite.changes() == after
    assert [event.fact.call_id for event in await sqlite.read(RUN, 1)] == ["call_1"]


async def test_an_append_of_another_is_noticed_even_where_ones_own_follows_it(
    sqlite: SqliteStore, other: SqliteStore
) -> None:
    await sqlite.append(to(RUN, started()))
    before = sqlite.changes()
    await other.append(to(RUN, proposed("call_1")))
    await sqlite.append(to("run_2", started()))
    assert sqlite.changes() != before


async def test_two_stores_continue_one_chain_in_turns(sqlite: SqliteStore, other: SqliteStore) -> None:
    for step in range(1, 11):
        store = (sqlite, other)[step % 2]
        await store.append(to(RUN, *read_call(f"call_{step}", step)))
    events = await sqlite.read(RUN)
    assert len(events) == 20
    assert first_bad(events) == 0
    assert await sqlite.rows("tool_call") == await other.rows("tool_call")


async def test_what_stands_once_stands_once_for_both(sqlite: SqliteStore, other: SqliteStore) -> None:
    await sqlite.append(to(RUN, started()))
    await other.append(to(RUN, intent("call_1")))
    with pytest.raises(DuplicateFact):
        await sqlite.append(to(RUN, intent("call_1")))


async def test_claims_exclude_each_other_across_stores(
    sqlite: SqliteStore, other: SqliteStore, clock: FrozenClock
) -> None:
    """Fault K6: a worker that was stopped past its lease can write nothing any more."""
    await sqlite.append(to(RUN, started(), claim=Claim("a", 30)))
    with pytest.raises(StaleClaim):
        await other.append(to(RUN, claim=Claim("b", 30)))
    clock.advance(30)
    await other.append(to(RUN, claim=Claim("b", 30)))
    with pytest.raises(StaleClaim):
        await sqlite.append(to(RUN, proposed("call_1"), epoch=1))
    await sqlite.renew("a", 60)
    await other.append(to(RUN, proposed("call_1"), epoch=2))


async def test_a_row_that_the_other_began_is_finished_here(sqlite: SqliteStore, other: SqliteStore) -> None:
    await sqlite.append(to(RUN, started(), proposed("call_1"), intent("call_1")))
    await other.append(to(RUN, result("call_1")))
    [row] = await sqlite.rows("tool_call", {"run_id": RUN})
    assert (row["status"], row["outcome"]) == ("closed", "done")


def test_one_store_serves_two_event_loops(clock: FrozenClock, path: Path) -> None:
    store = SqliteStore(path, clock)

    async def work(run_id: str) -> None:
        for step in range(1, 21):
            await store.append(to(run_id, *read_call(f"call_{step}", step)))

    threads = [threading.Thread(target=anyio.run, args=(work, f"run_{number}")) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def check() -> None:
        assert [len(await store.read(f"run_{number}")) for number in range(2)] == [40, 40]
        await store.close()

    anyio.run(check)


def test_a_store_outlives_a_loop_that_ended_in_the_middle_of_an_append(clock: FrozenClock, path: Path) -> None:
    store = SqliteStore(path, clock)
    lock = apsw.Connection(str(path))
    lock.execute("BEGIN IMMEDIATE")
    loop = asyncio.new_event_loop()
    task = loop.create_task(store.append(to(RUN, started())))
    loop.run_until_complete(_some_turns())
    assert not task.done()
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # that it is cut off is the test
    loop.close()
    lock.execute("ROLLBACK")
    lock.close()

    async def again() -> None:
        events = await store.append(to(RUN, proposed("call_1")))
        assert [event.seq for event in events] == [2]
        await store.close()

    anyio.run(again)


async def _some_turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_the_path_may_be_text(clock: FrozenClock, path: Path) -> None:
    store = SqliteStore(os.fspath(path), clock)
    anyio.run(store.close)
    assert path.exists()


# Bounds and damage.


async def test_more_appends_than_may_wait_are_refused_at_once(
    sqlite: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault K48: every queue has a bound."""
    monkeypatch.setattr("interlock.ledger.sqlite_writer._WAITING_MAX", 5)
    found = await together(sqlite, *(to(f"run_{number}", started()) for number in range(8)))
    refused = [error for error in found if error is not None]
    assert [type(error) for error in refused] == [StoreUnavailable] * 3
    assert len(await sqlite.follow()) == 5


async def test_what_is_forgotten_for_its_number_is_read_again(
    sqlite: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.ledger.sqlite_append._KNOWN_MAX", 2)
    monkeypatch.setattr("interlock.ledger.sqlite_rows._KEPT_MAX", 2)
    monkeypatch.setattr("interlock.ledger.sqlite_writer.GROUP_MAX", 3)
    runs = [f"run_{number}" for number in range(7)]
    guard = GuardChange("acme/budget", 1, at_most=7)
    await together(sqlite, *(to(run_id, started(), proposed("call_1")) for run_id in runs))
    assert await together(sqlite, *(to(run_id, intent("call_1"), guards=(guard,)) for run_id in runs)) == [None] * 7
    twice = await together(sqlite, *(to(run_id, intent("call_1")) for run_id in runs))
    assert [type(error) for error in twice] == [DuplicateFact] * 7
    await together(sqlite, *(to(run_id, result("call_1")) for run_id in runs))
    assert {row["status"] for row in await sqlite.rows("tool_call")} == {"closed"}
    assert await sqlite.guards() == {"acme/budget": 7}
    assert [first_bad(await sqlite.read(run_id)) for run_id in runs] == [0] * 7


async def test_a_closed_store_is_not_read_either(sqlite: SqliteStore) -> None:
    await sqlite.append(to(RUN, started()))
    await sqlite.close()
    with pytest.raises(StoreUnavailable):
        await sqlite.read(RUN)
    with pytest.raises(StoreUnavailable):
        sqlite.changes()


@pytest.mark.parametrize("seed", range(12))
async def test_a_damaged_file_is_refused_or_its_damage_found_and_nothing_is_forged(
    clock: FrozenClock, sqlite: SqliteStore, path: Path, seed: int
) -> None:
    """Fault K11, K13: garbage over a part of the file never reads as an event that verifies and was not written."""
    written = [event for step in range(1, 31) for event in await sqlite.append(to(RUN, *read_call(f"c_{step}", step)))]
    await sqlite.close()
    chance = random.Random(seed)
    whole = bytearray(path.read_bytes())
    begin = chance.randrange(4096, len(whole) - 512)
    whole[begin : begin + 512] = chance.randbytes(512)
    path.write_bytes(whole)
    try:
        reopened = await opened(path, clock)
    except StoreUnavailable:
        return
    try:
        found = await reopened.read(RUN)
    except (StoreUnavailable, LedgerError):
        pass
    else:
        sound = found if not (bad := first_bad(found)) else found[: bad - 1]
        # A payload that cannot be found reads as erased; whether that was recorded is the whole verification's.
        assert [event.header for event in sound] == [event.header for event in written[: len(sound)]]
        assert all(event.payload in (b"", known.payload) for event, known in zip(sound, written, strict=False))
    finally:
        await reopened.close()


async def test_a_run_of_which_one_event_is_damaged_is_never_taken_for_the_part_before_it(
    sqlite: SqliteStore, raw: apsw.Connection
) -> None:
    """It is read event by event: whoever asks again, in the same process too, is refused again."""
    await sqlite.append(to(RUN, started()))
    await sqlite.append(to(RUN, *read_call("call_1")))
    raw.execute("DROP TRIGGER event_is_never_changed")
    raw.execute("UPDATE event SET header = x'00' WHERE pos = 2")
    ledger = Ledger(sqlite)
    with pytest.raises(LedgerError, match="cannot be read") as first:
        await ledger.conversation(RUN, TENANT)
    with pytest.raises(LedgerError, match="cannot be read"):
        await ledger.conversation(RUN, TENANT)
    assert first.value.code == "ledger.unreadable"

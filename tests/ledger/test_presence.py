"""Whether the last process to have the ledger open ended cleanly, and what is looked at where it did not."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from interlock.core.clock import SystemClock
from interlock.errors import StoreUnavailable
from interlock.ledger.presence import Presence
from interlock.ledger.sqlite import SqliteStore
from tests.ledger.makers import RUN, opened, started, to
from tests.ledger.test_sqlite_processes import worker


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def unclean(path: Path) -> object:
    database = apsw.Connection(str(path))
    try:
        return database.execute("SELECT value FROM mark WHERE name = 'unclean'").get
    finally:
        database.close()


def spoil(path: Path) -> None:
    """Write zeros over the root page of an index."""
    database = apsw.Connection(str(path))
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    page = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'tool_call_key'").get
    database.close()
    assert isinstance(page, int)
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(bytes(4096))


@pytest.mark.anyio
async def test_the_last_one_to_close_says_that_it_did(path: Path) -> None:
    first = await opened(path, SystemClock())
    second = await opened(path, SystemClock())
    await first.append(to(RUN, started()))
    await first.close()
    assert unclean(path) == 1, "another one has it open"
    await second.close()
    assert unclean(path) == 0


def killed(path: Path) -> None:
    process = worker("forever", path)
    assert process.stdout is not None
    try:
        for _ in range(40):
            process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.anyio
async def test_after_an_unclean_stop_every_page_is_looked_at_before_anything_is_written(path: Path) -> None:
    """Faults K1 and K13: a damaged file is refused where it was not closed cleanly, and a sound one goes on."""
    killed(path)
    assert unclean(path) == 1
    store = await opened(path, SystemClock())
    await store.append(to("run_after", started()))
    await store.close()
    assert unclean(path) == 0
    killed(path)
    spoil(path)
    with pytest.raises(StoreUnavailable) as refused:
        await opened(path, SystemClock())
    assert refused.value.code == "ledger.damaged"
    assert "verify" in refused.value.remedy
    assert Presence(path).first, "who was refused does not count as having it open"


@pytest.mark.anyio
async def test_nothing_is_looked_at_where_the_last_stop_was_clean_or_somebody_has_it_open(path: Path) -> None:
    store = await opened(path, SystemClock())
    await store.append(to(RUN, started()))
    await store.close()
    spoil(path)
    first = await opened(path, SystemClock())
    second = await opened(path, SystemClock())
    assert isinstance(second, SqliteStore)
    await first.close()
    await second.close()


def test_whoever_comes_is_told_whether_they_are_the_first(path: Path) -> None:
    first = Presence(path)
    assert first.first
    first.share()
    second = Presence(path)
    assert not second.first
    assert not first.last()
    second.close()
    first.close()
    assert Presence(path).first

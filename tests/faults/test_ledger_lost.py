"""The ledger is locked, gone or replaced while calls are made: faults K15, K16 and K41, at the door of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import apsw
import pytest

from interlock import LedgerError
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.sqlite_file import LedgerFile
from tests.planes import Far, staged

pytestmark = pytest.mark.anyio


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process is in the middle of a transaction."""
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextmanager
def deleted(path: Path) -> Iterator[None]:
    path.unlink()
    yield


@contextmanager
def replaced(path: Path) -> Iterator[None]:
    path.rename(path.with_suffix(".old"))
    LedgerFile(path, 1)
    yield


@contextmanager
def closed_to_its_owner(path: Path) -> Iterator[None]:
    path.chmod(0)
    yield


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (locked, "ledger.locked"),
        (deleted, "ledger.replaced"),
        (replaced, "ledger.replaced"),
        (closed_to_its_owner, "ledger.replaced"),
    ],
)
async def test_nothing_is_executed_while_the_ledger_cannot_be_written(
    trouble: Callable[[Path], AbstractContextManager[None]], code: str, tmp_path: Path
) -> None:
    """Faults K15, K16, K41: a wait with an end, an error of ours with its code, and no effect without a record."""
    far = Far()
    async with staged(far.tool("put", "reversible")) as stage:
        path = tmp_path / "ledger.db"
        store = await anyio.to_thread.run_sync(lambda: SqliteStore(path, stage.clock, busy_s=0.05))
        stage.store_in(store)
        try:
            async with stage.run() as run:
                assert (await run.call("put", {"n": 1})).done
                met = trouble(path)
                await anyio.to_thread.run_sync(met.__enter__)
                for n in (2, 3):
                    with pytest.raises(LedgerError) as refused:
                        await run.call("put", {"n": n}, name=f"mine {n}")
                    assert refused.value.code == code
                    assert refused.value.remedy
                met.__exit__(None, None, None)
                assert [arguments["n"] for _, arguments in far.ran] == [1]
                if code == "ledger.locked":
                    assert (await run.call("put", {"n": 2}, name="mine 2")).done, "the lock is gone, and it goes on"
        except LedgerError as left:
            assert left.code == code, "the run cannot be left properly either"
        finally:
            await store.close()

"""A schema step that is killed at any statement or system call: fault K45."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import apsw
import pytest

from interlock.errors import StoreUnavailable
from interlock.ledger import sqlite_file
from interlock.ledger.migrations import MIGRATIONS
from interlock.ledger.sqlite_file import LedgerFile
from interlock.testing.crash import end_of, fork

STATEMENTS = 300
"""More than any opening executes."""


def schema(path: Path) -> set[str]:
    """Everything that is defined in a file."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    found = {str(sql) for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")}
    connection.close()
    return found


def version(path: Path) -> int:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    found = connection.pragma("user_version")
    connection.close()
    assert isinstance(found, int)
    return found


def open_and_die(path: Path, nth: int) -> None:
    """Open a ledger, and be killed before the n-th statement."""
    left = nth

    def count(cursor: object, sql: str, bindings: object) -> bool:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return True

    apsw.connection_hooks.append(lambda connection: setattr(connection, "exec_trace", count))
    LedgerFile(path, 1)


@pytest.mark.parametrize("before", range(len(MIGRATIONS)))
def test_a_schema_step_that_is_killed_at_any_statement_leaves_one_version_or_the_other(
    before: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault K45: from each version that there was; an older release opens it or says that it is too new."""
    old = tmp_path / "old.db"
    monkeypatch.setattr(sqlite_file, "MIGRATIONS", MIGRATIONS[:before])
    if before:
        LedgerFile(old, 1)
    monkeypatch.undo()
    new = tmp_path / "new.db"
    LedgerFile(new, 1)
    whole = {before: schema(old) if before else set(), len(MIGRATIONS): schema(new)}
    seen = set()
    for nth in range(1, STATEMENTS):
        path = tmp_path / f"{nth}.db"
        if before:
            shutil.copy(old, path)
        ended = end_of(fork(lambda path=path, nth=nth: open_and_die(path, nth)))  # type: ignore[misc]
        found = version(path)
        seen.add(found)
        if ended == 0:  # past the last statement, which is the commit
            break
        assert ended == -signal.SIGKILL
        assert schema(path) == whole[found], f"half a schema after statement {nth}"
        if before:
            monkeypatch.setattr(sqlite_file, "MIGRATIONS", MIGRATIONS[:before])
            if found == before:
                LedgerFile(path, 1)
            else:
                with pytest.raises(StoreUnavailable) as refused:
                    LedgerFile(path, 1)
                assert refused.value.code == "ledger.newer"
            monkeypatch.undo()
        LedgerFile(path, 1)
        assert (version(path), schema(path)) == (len(MIGRATIONS), whole[len(MIGRATIONS)])
    else:
        pytest.fail("more statements than were tried")
    assert seen == {before, len(MIGRATIONS)}

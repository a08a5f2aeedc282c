"""A deliverer that is killed between sending and recording: another one goes on, and nothing is acted upon twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from interlock.core.clock import SystemClock
from interlock.ledger.rebuild import differences
from interlock.ledger.sqlite import SqliteStore
from tests.ledger.makers import opened
from tests.net.receivers import Answer, Receiver
from tests.notices import sender
from tests.notices.office import Office

ROOT = Path(__file__).resolve().parents[2]


def send(ledger: Path, port: int, *point: str) -> int:
    """Another process tells; how it ended."""
    command = [sys.executable, "-m", "tests.notices.sender", str(ledger), str(port), *point]
    return subprocess.run(command, cwd=ROOT, timeout=60, check=False).returncode


async def asked(ledger: Path) -> str:
    store = await opened(ledger, SystemClock())
    try:
        return await Office(store, SystemClock(), None).ask("run_1")  # type: ignore[arg-type]
    finally:
        await store.close()


async def recorded(ledger: Path) -> list[dict[str, object]]:
    store: SqliteStore = await opened(ledger, SystemClock())
    try:
        assert await differences(store) == []
        return await store.rows("notice")
    finally:
        await store.close()


@pytest.mark.parametrize(
    ("point", "copies"), [("notice.before", 1), ("notice.sent", 2), ("append.written", 1), ("notice.recorded", 1)]
)
def test_killed_anywhere_a_deliverer_is_followed_by_another_and_the_receiver_acts_once(
    point: str, copies: int, tmp_path: Path, receiver: Receiver
) -> None:
    """E7, D7: at least once, from the outbox, across kill -9; the id is what makes it once."""
    ledger = tmp_path / "ledger.db"
    approval_id = anyio.run(asked, ledger)
    assert send(ledger, receiver.port, point) == -signal.SIGKILL
    assert send(ledger, receiver.port) == 0
    assert len(receiver.posted) == copies
    [acted] = receiver.acted.values()
    assert acted.about["approval_id"] == approval_id
    assert all(posted.is_signed() and posted.body == acted.body for posted in receiver.posted)
    [row] = anyio.run(recorded, ledger)
    assert (row["ref"], row["status"]) == (approval_id, "delivered")


def test_two_processes_at_once_tell_once(tmp_path: Path, receiver: Receiver) -> None:
    ledger = tmp_path / "ledger.db"
    anyio.run(asked, ledger)
    sender.settings(ledger, receiver.port)
    receiver.answers.append(Answer(503))
    command = [sys.executable, "-m", "tests.notices.sender", str(ledger), str(receiver.port)]
    both = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert len(receiver.posted) == 2 and len(receiver.acted) == 1, "the second is the try after the 503"

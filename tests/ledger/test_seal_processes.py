"""Several processes that seal one ledger, and one that is killed on the way to a sink."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import anyio.to_thread
import pytest

from interlock.ledger.note import read_note
from interlock.ledger.verify import verify
from tests.ledger.sealing import Deployment, sealed

ROOT = Path(__file__).parents[2]


def worker(act: str, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.ledger.sealing_worker", act, str(folder)], cwd=ROOT)


def test_processes_that_seal_one_ledger_at_once_make_one_log(tmp_path: Path) -> None:
    """One key, one line of heads, each sink with all of them in order."""
    processes = [worker("race", tmp_path) for _ in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    deployment = Deployment(tmp_path)
    report = verify(deployment.path, deployment.sinks)
    assert (report.found, report.unanchored_tail) == ([], 0)
    assert report.events == 1 + 3 * 30 * 5
    for sink in deployment.sinks:
        sizes = [read_note(note).checkpoint.size for note in sink.notes()]
        assert sizes == sorted(set(sizes))
        assert sizes[-1] == report.events


@pytest.mark.anyio
async def test_a_process_killed_between_a_checkpoint_and_its_sink_leaves_what_is_sent_later(tmp_path: Path) -> None:
    assert worker("die", tmp_path).wait(60) == -signal.SIGKILL
    deployment = Deployment(tmp_path)
    store = await deployment.store()
    committed = await store.log(lambda log: log.newest)
    assert committed is not None
    assert committed.size == 1 + 5
    sealer = deployment.sealer(store)
    await sealer.open()
    assert await sealed(sealer) == committed
    await store.close()
    report = await anyio.to_thread.run_sync(verify, deployment.path, deployment.sinks)
    assert (report.found, report.anchored, report.unanchored_tail) == ([], 6, 0)

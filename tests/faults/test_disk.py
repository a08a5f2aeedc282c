"""Disks that are full or broken: faults K3, K9 and K10, under a whole plane."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.child import ROOT, Said, check_recovered, needs_strace, worker


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte, with a file on it that can be removed to make room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    (disk / "ballast").write_bytes(bytes(300_000))
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def until_full(folder: Path, ledger: Path, how: str) -> Said:
    """What a full disk does, and that nothing runs from then on."""
    said = worker("full", folder, ledger, how)
    refused = said.refused()
    first = min(refused)
    assert set(refused.values()) == {"ledger.broken"}, "a clear error, the same for every call"
    assert len(refused) == 4, "reads too: what happened could not be recorded"
    assert set(said.told()) == set(range(1, first)), "until then everything was told"
    assert said.effects[: first - 1] == list(range(1, first))
    assert set(said.effects[first - 1 :]) <= {first}, "the one that was under way at most: no new write executes"
    return said


def test_a_disk_that_fills_up_stops_every_write_and_loses_nothing(tmp_path: Path, small_disk: Path) -> None:
    """Fault K9, on a file system of a mebibyte; with room again it goes on without a gap."""
    ledger = small_disk / "ledger.db"
    before = until_full(tmp_path, ledger, "disk")
    (small_disk / "ballast").unlink()
    check_recovered(before, tmp_path, ledger)


def test_a_file_that_may_not_grow_stops_every_write_and_loses_nothing(tmp_path: Path) -> None:
    """Fault K9, by RLIMIT_FSIZE: where nothing can be mounted."""
    ledger = tmp_path / "ledger.db"
    check_recovered(until_full(tmp_path, ledger, "limit"), tmp_path, ledger)


@needs_strace
@pytest.mark.parametrize("nth", [4, 9, 16])
@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
def test_a_disk_that_breaks_is_written_to_no_more(call: str, nth: int, tmp_path: Path) -> None:
    """Fault K10: after one EIO the process takes nothing more, though the disk would; opened again, all verifies.

    A commit whose fsync failed is never taken for one that succeeded: its call is not told as done.
    """
    ledger = tmp_path / "ledger.db"
    worker("recover", tmp_path, ledger)  # so that the file is there, and the first calls are no opening
    (tmp_path / "effects").unlink()
    nth *= 1 if call == "fdatasync" else 12
    said = worker("struck", tmp_path, ledger, strace=f"{call}:error=EIO:when={nth}")
    refused = said.refused()
    assert refused, "the fault was met while calls were made"
    assert set(refused.values()) == {"ledger.broken"}
    assert list(refused) == list(range(min(refused), 11)), "and from then on each was refused"
    assert set(said.told().values()) == {"done"} or not said.told()
    assert set(said.effects) - set(said.told()) <= {min(refused)}, "only the call that met it can have run untold"
    check_recovered(said, tmp_path, ledger)


@needs_strace
def test_a_run_struck_at_its_system_calls_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Faults K3, K9, K10: each hundredth of what `python -m proof.syscalls` strikes."""
    result = tmp_path / "result.json"
    command = [
        sys.executable,
        "-m",
        "proof.syscalls",
        "--every",
        "149",
        "--json",
        str(result),
        "--folder",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    struck = json.loads(result.read_text())
    assert struck["kills"] >= 3
    assert struck["errors"] >= 6

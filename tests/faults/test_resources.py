"""Memory, files, threads and processes that run out: faults K5 and K34 to K36."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import anyio
import pytest

from interlock import LedgerError, Settings, World, open_plane
from interlock.core.points import NAMES
from interlock.testing import CountedIds, FrozenClock
from tests.faults.child import ROOT, check_recovered, worker
from tests.planes import ANA, Far


def test_without_a_file_to_open_what_is_open_goes_on_and_the_rest_is_told(tmp_path: Path) -> None:
    """Fault K35: the ledger's own files are open, so every call has its record; once files are there, all is well."""
    ledger = tmp_path / "ledger.db"
    said = worker("few_files", tmp_path, ledger)
    assert said.first("exhausted") == [errno.EMFILE]
    assert said.told() == {1: "done", 2: "failed", 3: "done", 4: "done"}
    assert said.effects == [1, 4], "what could open nothing did nothing, and says so"
    assert said.first("not opened"), "a second plane is refused with an error of ours"
    check_recovered(said, tmp_path, ledger)


def test_without_a_thread_a_sync_tool_is_not_sent_and_the_ledger_says_so() -> None:
    """Fault K36: under RLIMIT_NPROC, as a user who has such a limit."""
    with tempfile.TemporaryDirectory() as made:  # pytest's own folders are closed to other users
        said = worker("few_threads", Path(made), Path(made) / "ledger.db")
    told = {line[2]: line[3:] for line in said.lines if line[0] == "told"}
    assert told == {
        1: ["done", ""],
        2: ["done", ""],
        3: ["failed", "execute.unavailable"],
        4: ["done", ""],
    }, "an async tool needs none; a sync one has not begun, so nothing is unknown"
    assert said.first("unread") == ["ledger.unreadable"]
    assert said.effects == [1, 2, 4]


def test_a_tool_that_needs_more_memory_than_there_is_fails_closed(tmp_path: Path) -> None:
    """Fault K34: MemoryError after an effect is unknown, and no reason for the next call to fail."""
    ledger = tmp_path / "ledger.db"
    said = worker("little_memory", tmp_path, ledger, str(300_000_000))
    assert said.told() == {1: "done", 2: "unknown", 3: "unknown", 4: "done"}
    assert said.effects == [1, 2, 3, 4]


@pytest.mark.anyio
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("point", NAMES)
async def test_memory_that_ends_anywhere_on_the_path_fails_closed(point: str, tmp_path: Path) -> None:
    """Fault K34: MemoryError at each point, the ledger's own thread included; then as after a crash (K1)."""
    far, clock, passed = Far(), FrozenClock(), []

    def exhausted(here: str) -> None:
        if armed and here == point:
            passed.append(here)
            raise MemoryError

    async def pause(seconds: float) -> None:
        clock.advance(seconds)

    armed = False
    settings = Settings(ledger=tmp_path / "ledger.db", folder=tmp_path)
    world = World(clock=clock, new_id=CountedIds(), pause=pause, reach=exhausted)
    put = far.tool("put", "reversible")
    outcome = None
    try:
        async with open_plane(settings, tools=[put], world=world, engine=False) as plane, plane.run(ANA) as run:
            armed = True
            outcome = await run.call("put", {"n": 1}, name="mine")
    except* (MemoryError, LedgerError):
        pass
    armed = False
    assert len(far.ran) <= 1
    clock.advance(60)
    async with open_plane(settings, tools=[put], world=world, engine=False) as plane:
        await plane.advance("run_1")
        rows = await plane.store.rows("tool_call")
        assert len(rows) == 1 or not far.ran, "what ran has its record"
        for row in rows:
            assert row["status"] in ("closed", "unknown")
            assert row["outcome"] in (("done", "unknown") if far.ran else ("failed", "unknown"))
        assert outcome is None or outcome.kind == rows[0]["outcome"], "what was told stands"
        assert len(far.ran) <= 1, "it declares nothing, so nothing sends it again"
        async with plane.run(ANA) as run:
            assert (await run.call("put", {"n": 2})).done


HOLDER = """
import asyncio, subprocess, sys
from pathlib import Path
from interlock import Principal, Settings, World, open_plane, tool
from interlock.testing import CountedIds, FrozenClock

@tool(effect="reversible")
def ask_child(n: int) -> int:
    '''Ask a child process that does it and never answers.'''
    script = "import sys, time; open(sys.argv[1], 'a').write('done\\\\n'); sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", script, sys.argv[2]], stdin=subprocess.PIPE)
    print(child.pid, flush=True)
    return child.wait()

async def main():
    ledger = Path(sys.argv[1])
    world = World(clock=FrozenClock(), new_id=CountedIds())
    async with open_plane(Settings(ledger=ledger, folder=ledger.parent), tools=[ask_child], world=world) as plane:
        async with plane.run(Principal("ana", roles=frozenset({"support"}))) as run:
            await run.call("ask_child", {"n": 1})

asyncio.run(main())
"""


def test_a_child_that_outlives_its_killed_parent_is_unknown_and_ends_with_its_pipe(tmp_path: Path) -> None:
    """Fault K5: the tool's child has done it when its parent is killed; the outcome is unknown, the orphan goes.

    It goes because it reads its standard input to the end, as a stdio server does. One that does not is not ended by
    us: nothing of ours starts children yet.
    """
    ledger, effects = tmp_path / "ledger.db", tmp_path / "effects"
    parent = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(ledger), str(effects)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())

    async def check() -> None:
        clock = FrozenClock()
        with anyio.fail_after(30):
            while not effects.exists() or not effects.read_text():
                await anyio.sleep(0.01)
        parent.kill()
        assert parent.wait(10) == -signal.SIGKILL
        with anyio.fail_after(30):
            while alive(child):
                await anyio.sleep(0.01)
        clock.advance(60)
        far = Far()
        world = World(clock=clock, new_id=CountedIds())
        async with open_plane(
            Settings(ledger=ledger, folder=tmp_path), tools=[far.tool("ask_child", "reversible")], world=world,
            engine=False,
        ) as plane:  # fmt: skip
            await plane.advance("run_1")
            [row] = await plane.store.rows("tool_call")
            assert (row["status"], far.ran) == ("unknown", [])

    try:
        anyio.run(check)
    finally:
        parent.kill()
        parent.stdout.close()
    assert effects.read_text() == "done\n"


def alive(process: int) -> bool:
    """Whether a process is there and no zombie that waits for whoever adopted it."""
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

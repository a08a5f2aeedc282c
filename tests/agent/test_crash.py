"""Killed as `kill -9` kills: another process goes on with the run from the file."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from interlock import open_plane
from interlock.core.points import pass_by
from interlock.core.tool import CallContext
from interlock.testing import FrozenClock
from interlock.testing.crash import CrashAt, end_of, fork
from tests.agent.killed import FarEnd, account, agent, process, settings, world

KILLS = [
    ("append.committed", 3),
    ("append.written", 8),
    ("attempt.after", 4),
    ("intent.committed", 3),
    ("close.before", 9),
    ("append.begun", 24),
    ("close.committed", 12),
]


class FarFile(FarEnd):
    """A far end that outlives processes: it writes each effect to a file before it answers."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        if path.exists():
            for line in path.read_text().splitlines():
                name, n, key = json.loads(line)
                self.keys[name, key] += 1
                self.effects.setdefault((name, n), key)

    def _does(self, name: str) -> Any:
        does = super()._does(name)

        async def body(arguments: dict[str, Any], context: CallContext) -> object:
            with self._path.open("a") as file:
                file.write(json.dumps([name, arguments["n"], context.idempotency_key]) + "\n")
                file.flush()
                os.fsync(file.fileno())
            return await does(arguments, context)

        return body


def one_process(folder: Path, number: int, at_us: int, kill: CrashAt | None) -> None:
    """A process: it works until the run is over, and writes the account of it."""

    async def work() -> None:
        clock = FrozenClock(at_us)
        far = FarFile(folder / "effects")
        parts = world(clock, number)
        made = type(parts)(clock=clock, new_id=parts.new_id, pause=parts.pause, reach=kill or pass_by)
        ledger = settings(folder / "ledger.db")
        async with open_plane(ledger, tools=far.tools, world=made, agents=[agent()], engine=False) as plane:
            result = await process(plane, clock)
            assert result is not None, "the run is stuck"
            (folder / "account").write_text(repr(await account(plane, result, far)))

    anyio.run(work)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert end_of(fork(partial(one_process, folder, 0, 1_700_000_000_000_000, None))) == 0
    return (folder / "account").read_text()


@pytest.mark.parametrize(("point", "nth"), KILLS)
def test_a_killed_process_leaves_a_run_that_another_one_ends_the_same_way(
    point: str, nth: int, tmp_path: Path, undisturbed: str
) -> None:
    """C5, K1."""
    start = 1_700_000_000_000_000
    assert end_of(fork(partial(one_process, tmp_path, 0, start, CrashAt(point, nth)))) == -9
    assert not (tmp_path / "account").exists()
    assert end_of(fork(partial(one_process, tmp_path, 1, start + 120_000_000, None))) == 0
    assert (tmp_path / "account").read_text() == undisturbed

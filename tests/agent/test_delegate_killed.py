"""A supervisor with three workers, one of whom waits for a person, made by processes that die."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest

from interlock import Agent, Interlock, World, open_plane
from interlock.core.points import pass_by
from interlock.models.replay import ReplayModel
from interlock.testing import FrozenClock
from interlock.testing.crash import CrashAt, end_of, fork
from tests.agent.desk import says
from tests.agent.killed import Died, DyingStore, FarEnd, approve_all, replace_store, settings, world
from tests.agent.test_crash import FarFile
from tests.planes import ANA


def agents() -> list[Agent]:
    """The supervisor and its workers, as every process has them."""
    asks = [(f"ask_{name}", {"task": f"Do what {name} does."}) for name in ("reader", "payer", "filer")]
    return [
        Agent("boss", ReplayModel(says("I ask all.", *asks), says("", ("put", {"n": 9})), says("All is done.")),
              tools=("put",), workers=("reader", "payer", "filer")),
        Agent("reader", ReplayModel(says("", ("look", {"n": 1}), ("look", {"n": 2})), says("Read.")), tools=("look",)),
        Agent("payer", ReplayModel(says("", ("pay", {"n": 3}), ("pay_much", {"n": 4})), says("Paid.")),
              tools=("pay", "pay_much")),
        Agent("filer", ReplayModel(says("", ("find", {"n": 5})), says("", ("put", {"n": 6})), says("Filed.")),
              tools=("find", "put")),
    ]  # fmt: skip


class Account(NamedTuple):
    """How it all stands at the end."""

    end: str
    text: str
    runs: list[tuple[str, str]]
    told: list[tuple[str, Any]]
    effects: list[tuple[str, int]]


async def process(plane: Interlock, clock: FrozenClock, far: FarEnd) -> Account:
    """What one process does: start the run if nobody has, do what is due, approve what waits, until it is over."""
    if not await plane.store.rows("run"):
        async with plane.agent("boss", ANA, words="Do it all.") as run:
            await run.result()
    for _ in range(60):
        for due in await plane.store.due():
            await plane.advance(due.run_id, due.tenant)
        await approve_all(plane)
        rows = await plane.store.rows("run")
        if all(row["status"] != "open" for row in rows):
            return await account(plane, rows[0]["run_id"], far)
        clock.advance(1)
    raise AssertionError("a run is stuck")


async def account(plane: Interlock, run_id: str, far: FarEnd) -> Account:
    """The final state, as far as it may not depend on who died when."""
    async with plane.agent("boss", ANA, run_id=run_id) as run:
        result = await run.result()
    ended, told = [], []
    for row in await plane.store.rows("run"):
        conversation = await plane.plane.ledger.conversation(row["run_id"], "default")
        await conversation.refresh()
        transcript = conversation.state.transcript
        assert transcript is not None
        ended.append((transcript.agent, row["reason"]))
        for call in conversation.state.calls.values():
            outcome = call.outcome
            assert outcome is not None
            if not call.parent_id:  # else it was asked what had become of another one
                told.append((call.tool, outcome.value))
    return Account(result.end, result.text, sorted(ended), sorted(told, key=repr), sorted(far.effects))


async def lived(deaths: Sequence[tuple[int, bool]]) -> tuple[Account, int, FarEnd]:
    """The runs, made by as many processes as die, and one more; how many appends there were."""
    clock, far = FrozenClock(), FarEnd()
    store = DyingStore(clock)
    left = list(deaths)
    for number in range(len(deaths) + 2):
        store.dead = False
        store.die_at, store.written = left.pop(0) if left else (0, False)
        try:
            async with open_plane(
                settings(), tools=far.tools, world=world(clock, number), agents=agents(), engine=False
            ) as plane:
                replace_store(plane, store)
                return await process(plane, clock, far), store.appends, far
        except Died:
            pass
        except BaseExceptionGroup as group:
            assert group.subgroup(lambda error: not isinstance(error, Died | BaseExceptionGroup)) is None, group
        clock.advance(60)  # the dead one's claim has lapsed
    raise AssertionError("every process died")


UNDISTURBED = 45
"""No fewer appends than this; the test counts them."""


def test_killed_at_every_append_a_supervisor_and_its_workers_come_to_the_same_end() -> None:
    """C2, C5, K4; issue 5, shown by 1: same end, every effect once, nothing left open."""
    whole, appends, far = anyio.run(lived, [])
    assert (whole.end, whole.text) == ("answer", "All is done.")
    assert whole.effects == [("find", 5), ("pay", 3), ("pay_much", 4), ("put", 6), ("put", 9)]
    assert set(far.keys.values()) == {1}
    assert appends >= UNDISTURBED
    for at in range(1, appends + 1):
        for written in (False, True):
            found, _, _ = anyio.run(lived, [(at, written)])
            assert found == whole, f"killed at append {at}, {'after' if written else 'before'} it"


@pytest.mark.parametrize("second", [3, 9, 17])
def test_whoever_goes_on_with_them_can_be_killed_too(second: int) -> None:
    """K4: inside the recovery as well."""
    whole, appends, _ = anyio.run(lived, [])
    for at in range(4, appends, 9):
        found, _, _ = anyio.run(lived, [(at, True), (at + second, False)])
        assert found == whole, f"killed at {at} and {second} later"


def one_process(folder: Path, number: int, kill: CrashAt | None) -> None:
    """A process: it works until all is over, and writes the account of it; dead ones' claims have lapsed."""

    async def work() -> None:
        clock = FrozenClock(1_700_000_000_000_000 + number * 120_000_000)
        far = FarFile(folder / "effects")
        parts = world(clock, number)
        made = World(clock=clock, new_id=parts.new_id, pause=parts.pause, reach=kill or pass_by)
        ledger = settings(folder / "ledger.db")
        async with open_plane(ledger, tools=far.tools, world=made, agents=agents(), engine=False) as plane:
            (folder / "account").write_text(repr(await process(plane, clock, far)))

    anyio.run(work)


@pytest.mark.parametrize(
    ("point", "nth"), [("append.committed", 5), ("append.written", 9), ("append.begun", 14), ("intent.committed", 2)]
)
def test_killed_as_kill_9_kills_they_go_on_from_the_file(tmp_path: Path, point: str, nth: int) -> None:
    """C5: what a process knew is nowhere but in the ledger."""
    whole, _, _ = anyio.run(lived, [])
    assert end_of(fork(partial(one_process, tmp_path, 0, CrashAt(point, nth)))) == -9
    assert not (tmp_path / "account").exists()
    assert end_of(fork(partial(one_process, tmp_path, 1, None))) == 0
    assert (tmp_path / "account").read_text() == repr(whole)

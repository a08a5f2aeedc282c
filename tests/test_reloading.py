"""A policy that is loaded again in one process decides in every other, or that one says that it does not."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from interlock import Interlock, Principal, Settings, World, open_plane
from interlock.core.event import Kind
from interlock.errors import PolicyError
from interlock.ledger.store import DEPLOYMENT
from interlock.registry.registry import Registry
from interlock.testing import FrozenClock
from proof.console_scale import deploy, serving
from tests.planes import ANA, Far

pytestmark = pytest.mark.anyio

OLGA = Principal("olga", roles=frozenset({"operator"}))
ALL, NONE = '@id("all") permit (principal, action, resource);', '@id("none") forbid (principal, action, resource);'


@dataclass
class Processes:
    """Planes on one ledger, each with policy files of its own."""

    folder: Path
    stack: AsyncExitStack
    clock: FrozenClock = field(default_factory=FrozenClock)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).mkdir(exist_ok=True)
        (self.folder / name / "p.cedar").write_text(text)

    async def start(self, name: str) -> Interlock:
        settings = Settings(folder=self.folder, ledger=self.folder / "l.db", policy=Path(name))
        opening = open_plane(settings, tools=[Far().tool("get")], world=World(clock=self.clock), engine=False)
        return await self.stack.enter_async_context(opening)


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    async with AsyncExitStack() as stack:
        found = Processes(tmp_path, stack)
        for name in ("here", "there"):
            found.write(name, ALL)
        yield found


async def allows(plane: Interlock) -> bool:
    async with plane.run(ANA) as run:
        return (await run.call("get", {"n": 1})).done


async def test_what_is_loaded_in_one_process_decides_the_next_call_of_every_other(processes: Processes) -> None:
    first, second = await processes.start("here"), await processes.start("here")
    assert await allows(first) and await allows(second)
    was = first.plane.policy.digest
    processes.write("here", NONE)
    assert await allows(second), "nobody said that the files are in force"
    now = await first.reload_policy(OLGA)
    assert not await allows(second) and not await allows(first)
    assert (first.plane.policy.digest, second.plane.policy.digest) == (now, now)
    assert (await first.policy_problem(), await second.policy_problem()) == ("", "")
    [said] = [event.fact for event in await second.store.read(DEPLOYMENT) if event.fact.kind is Kind.CONFIG]
    assert (said.principal_id, said.policy_hash, said.body["was"]) == ("olga", now, was)


async def test_a_process_with_other_files_keeps_its_policy_and_says_so_until_they_are_those(
    processes: Processes,
) -> None:
    first, second = await processes.start("here"), await processes.start("there")
    processes.write("here", NONE)
    await first.reload_policy(OLGA)
    assert await allows(second), "the one before decides on"
    assert "not those that were loaded" in await second.policy_problem()
    processes.write("there", "permit (")
    processes.clock.advance(1)
    assert await allows(second)
    assert "p.cedar" in await second.policy_problem()
    processes.write("there", NONE)
    assert await second.policy_problem(), "it is tried again after a second, not at each call"
    processes.clock.advance(1)
    assert await second.policy_problem() == ""
    assert not await allows(second)


async def test_a_tool_that_comes_while_the_policy_is_loaded_again_is_known_to_it(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await processes.start("here")
    switch, more = here.plane.switch, Registry([Far().tool("get"), Far().tool("new")])
    say = switch.say

    async def meanwhile(*given: Any, **named: Any) -> Any:
        here.plane.registry = more
        return await say(*given, **named)

    monkeypatch.setattr(switch, "say", meanwhile)
    await here.reload_policy(OLGA)
    async with here.run(ANA) as run:
        assert (await run.call("new", {"n": 1})).done


async def test_what_somebody_is_still_writing_is_taken_up_by_no_process(processes: Processes) -> None:
    first, second = await processes.start("here"), await processes.start("here")
    processes.write("here", NONE)
    await first.reload_policy(OLGA)
    processes.write("here", ALL.replace("all", "more"))
    assert await second.policy_problem()
    shown = second.plane.policy.digest
    assert await allows(second) and second.plane.policy.digest == shown, "the first text, not the third"
    await second.reload_policy(OLGA)
    assert await allows(first) and await first.policy_problem() == ""


async def test_a_policy_that_does_not_load_is_said_to_nobody(processes: Processes) -> None:
    first, second = await processes.start("here"), await processes.start("here")
    processes.write("here", "permit (")
    with pytest.raises(PolicyError):
        await first.reload_policy(OLGA)
    assert await allows(first) and await allows(second)
    assert await second.policy_problem() == ""
    assert [event.fact.kind for event in await first.store.read(DEPLOYMENT)].count(Kind.CONFIG) == 0


async def test_a_process_that_starts_has_what_stands_in_its_files(processes: Processes) -> None:
    first = await processes.start("here")
    processes.write("here", NONE)
    await first.reload_policy(OLGA)
    third = await processes.start("there")
    assert await allows(third) and await third.policy_problem() == ""
    shutil.copy(processes.folder / "here" / "p.cedar", processes.folder / "there" / "p.cedar")
    await first.reload_policy(OLGA)
    assert not await allows(third)


def test_with_two_workers_that_serve_a_reload_at_one_binds_the_other(tmp_path: Path) -> None:
    ana, bob = deploy(tmp_path)
    with serving(tmp_path) as first, serving(tmp_path) as second:
        run = second.said("/api/v1/runs", ana, {})["run_id"]
        proposed = {"tool": "pay", "arguments": {"n": 1}}
        assert second.said(f"/api/v1/runs/{run}/calls", ana, proposed)["outcome"] == "held"
        (tmp_path / "policy.cedar").write_text(NONE)
        digest = first.said("/api/v1/policy/reload", bob, {})["digest"]
        assert second.said(f"/api/v1/runs/{run}/calls", ana, proposed | {"arguments": {"n": 2}})["outcome"] == "refused"
        for worker in (first, second):
            status, _, text = worker.asked("GET", "/api/v1/policy", authorization=f"Bearer {bob}")
            assert (status, digest in text) == (200, True)
            assert worker.asked("GET", "/readyz")[0] == 200

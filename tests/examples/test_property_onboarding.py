"""A tenant is taken in as a whole or not at all, against the running service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from examples.far_end import FarEnd
from examples.property_management.deployment import POLICY
from examples.property_management.far_end import serving
from examples.property_management.onboarding import ADA, TOOLS, main, take_in
from interlock import SagaOutcome, SagaStatus, Settings, World, open_plane
from interlock.core.points import Points, pass_by
from interlock.testing import CrashAt, FrozenClock
from interlock.testing.crash import end_of, fork


@pytest.fixture(scope="module")
def far_end(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarEnd]:
    with serving(tmp_path_factory.mktemp("service") / "property.db") as far_end:
        yield far_end


async def no_pause(seconds: float) -> None:
    """What a person would have waited."""


async def onboarded(folder: Path, email: str, reach: Points = pass_by, later_s: float = 0) -> SagaOutcome:
    """Take somebody in, or go on with it."""
    clock = FrozenClock()
    clock.advance(later_s)
    settings = Settings(ledger=folder / "ledger.db", folder=folder, policy=POLICY)
    world = World(clock=clock, pause=no_pause, reach=reach)
    async with open_plane(settings, tools=TOOLS, world=world, engine=False) as plane:
        return await take_in(plane, ADA | {"email": email})


def test_a_tenant_is_taken_in_step_by_step_and_only_once(tmp_path: Path, far_end: FarEnd) -> None:
    """C4, defect 51: each step by the results of those before; asked again, no second tenant."""
    before = len(far_end.effects())
    for _ in range(2):
        outcome = anyio.run(onboarded, tmp_path, "ada@mail.example")
        assert outcome.completed, outcome
    done = far_end.effects()[before:]
    assert [effect["kind"] for effect in done] == ["create_tenant", "generate_lease", "send_notice"]
    tenant, lease, notice = (effect["answer"] for effect in done)
    assert (lease["tenant_id"], notice["recipient"]) == (tenant["id"], "ada@mail.example")


def test_where_the_letter_cannot_be_sent_nothing_of_it_is_left(tmp_path: Path, far_end: FarEnd) -> None:
    """C4: the lease is void and the record erased, which otherwise waits for the director."""
    before = len(far_end.effects())
    far_end.arm("send_notice", "drop_before", 100)
    outcome = anyio.run(onboarded, tmp_path, "bo@mail.example")
    far_end.arm("send_notice", "drop_before", 0)
    assert outcome.status is SagaStatus.COMPENSATED, outcome
    done = [effect["kind"] for effect in far_end.effects()[before:]]
    assert done == ["create_tenant", "generate_lease", "void_lease", "delete_tenant"]


@pytest.mark.parametrize(("point", "nth"), [("attempt.after", 3), ("intent.committed", 3), ("close.before", 6)])
def test_killed_in_the_middle_it_is_undone_all_the_same(point: str, nth: int, tmp_path: Path, far_end: FarEnd) -> None:
    """K1 of a saga with a far end over HTTP: `kill -9`, and another process."""
    before = len(far_end.effects())
    far_end.arm("send_notice", "drop_before", 100)
    email = f"{point}-{nth}@mail.example"
    child = fork(lambda: anyio.run(onboarded, tmp_path, email, CrashAt(point, nth)))
    assert end_of(child) < 0
    outcome = anyio.run(onboarded, tmp_path, email, pass_by, 3600)
    far_end.arm("send_notice", "drop_before", 0)
    assert outcome.status is SagaStatus.COMPENSATED, outcome
    done = [effect["kind"] for effect in far_end.effects()[before:]]
    assert done == ["create_tenant", "generate_lease", "void_lease", "delete_tenant"]


def test_it_runs_as_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    said = capsys.readouterr().out
    assert "tenant_onboarding: completed" in said and "tenant_onboarding: compensated" in said
    assert "The service counts 7 effects." in said

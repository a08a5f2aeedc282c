"""Runs that somebody from outside has end or go on: whose they are counts, whichever door they come by."""

from __future__ import annotations

import pytest

from interlock import Principal
from interlock.closing import cancel_run, resume_run
from interlock.errors import BadInput, NotEntitled, NotFound
from tests.planes import OPA, PERMIT, Far, staged

pytestmark = pytest.mark.anyio

ADMIN = Principal("amy", roles=frozenset({"admin"}))
SERVICE = Principal("bot", roles=frozenset({"operator"}), kind="service")
STRANGER = Principal("opa", "other", frozenset({"operator"}))


@pytest.mark.parametrize(
    ("who", "error"),
    [(Principal("max"), NotFound), (STRANGER, NotFound), (ADMIN, NotEntitled), (SERVICE, NotEntitled)],
)
async def test_nobody_ends_or_goes_on_with_a_run_who_may_not(who: Principal, error: type[Exception]) -> None:
    async with staged(Far().tool("look")) as stage:
        async with stage.plane.run(Principal("ana"), keep=True) as run:
            pass
        for act in (cancel_run, resume_run):
            with pytest.raises(error):
                await act(stage.plane.plane, stage.plane.claim, run.run_id, who, "why")
        assert (await stage.state(run.run_id)).status == "open"


async def test_a_run_is_cancelled_for_a_reason_by_its_own_or_an_operator() -> None:
    async with staged(Far().tool("look")) as stage:
        for who in (Principal("ana"), OPA):
            async with stage.plane.run(Principal("ana"), keep=True) as run:
                pass
            with pytest.raises(BadInput):
                await cancel_run(stage.plane.plane, stage.plane.claim, run.run_id, who, " ")
            state = await cancel_run(stage.plane.plane, stage.plane.claim, run.run_id, who, "why")
            assert (state.status, state.reason) == ("cancelled", "why")


async def test_a_named_run_is_one_and_a_kept_one_lasts_until_it_is_finished() -> None:
    async with staged(Far().tool("look")) as stage:
        stage.obey(PERMIT)
        found = []
        for _ in range(2):
            async with stage.plane.run(Principal("ana"), named="mine", keep=True) as run:
                assert (await run.call("look", {"n": 1}, name="a")).done
                found.append(run.run_id)
        assert found[0] == found[1]
        assert (await stage.state(found[0])).status == "open"
        async with stage.plane.run(Principal("ana"), run_id=found[0]) as run:
            await run.finish()
        assert (await stage.state(found[0])).status == "finished"

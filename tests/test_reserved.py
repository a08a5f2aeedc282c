"""Reservations of lost workers are found by whoever advances the run next."""

from __future__ import annotations

import pytest

from interlock.core.charge import Charge
from interlock.core.run import SETTLED_WITHIN_S
from interlock.ledger.reservation import reserve
from tests.planes import Far, staged

pytestmark = pytest.mark.anyio


async def test_a_reservation_that_nobody_settled_is_charged_in_full_and_its_run_ends() -> None:
    async with staged(Far().tool("look")) as stage:
        async with stage.run() as run:
            conversation = await stage.plane.plane.ledger.conversation(run.run_id, "default")
            await reserve(conversation, "verify/1", [Charge("tokens row", "tokens", 4000, most=5000)])
        assert (await stage.state(run.run_id)).status == "open"
        assert await stage.plane.advance(run.run_id)
        assert (await stage.state(run.run_id)).reservations
        stage.clock.advance(SETTLED_WITHIN_S)
        [due] = await stage.plane.store.due()
        assert await stage.plane.advance(due.run_id)
        [row] = await stage.plane.store.rows("budget")
        assert (row["reserved"], row["spent"]) == (0, 4000)
        assert await stage.plane.store.guards() == {"tokens row": 4000}
        assert (await stage.events(run.run_id))[-2].fact.body["why"] == "worker lost"
        assert (await stage.state(run.run_id)).status == "finished"

"""What people made of requests, read for figures: only what was answered, and each run once."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.approvals.past import Answered
from interlock.core.event import Event
from interlock.ledger.store import MemoryStore
from interlock.testing import FrozenClock
from tests.planes import ANA, BOB, Far, staged

pytestmark = pytest.mark.anyio

HOLDS = 'permit (principal, action, resource); @id("held") @approvers("approver") forbid (principal, action, resource);'


class Read(MemoryStore):
    """A store that notes which chains are read."""

    def __init__(self) -> None:
        super().__init__(FrozenClock())
        self.tails: list[str] = []

    async def tail(self, chain: str, *given: Any, **more: Any) -> list[Event]:
        """See `Store.tail`."""
        self.tails.append(chain)
        return await super().tail(chain, *given, **more)


async def test_what_waits_is_not_read_and_what_was_answered_is_read_once() -> None:
    async with staged(Far().tool("pay", "irreversible")) as stage:
        store = Read()
        stage.store_in(store)
        stage.obey(HOLDS)
        held = []
        for number in range(3):
            async with stage.run(ANA) as run:
                held.append((run.run_id, await run.call("pay", {"n": number})))
        answered = Answered(store)

        async def since(at_us: int = 0) -> tuple[list[str], list[str]]:
            store.tails.clear()
            found = await answered.since("default", at_us, stage.clock.wall_us())
            return [said.decision for past in found for said in past.said], list(store.tails)

        assert await since() == ([], []), "nobody answered, so nothing is read"
        await stage.answer(*held[0], BOB, "reject", words="no")
        assert await since() == (["reject"], [held[0][0]])
        assert await since() == (["reject"], []), "it stands as it was read"
        await stage.answer(*held[1], BOB)
        said, tails = await since()
        assert sorted(said) == ["approve", "reject"] and held[0][0] not in tails
        assert await since(stage.clock.wall_us() + 1) == ([], []), "all was asked before that"

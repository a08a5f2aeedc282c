"""Killed anywhere, a run of an agent comes to the same end: no effect twice, none lost, no turn asked for again."""

from __future__ import annotations

import pytest

from interlock.testing import FrozenClock
from tests.agent.killed import Account, DyingStore, FarEnd, lived

pytestmark = pytest.mark.anyio


async def run(*deaths: tuple[int, bool]) -> tuple[Account, FarEnd, int]:
    clock, far = FrozenClock(), FarEnd()
    store = DyingStore(clock)
    found = await lived(store, clock, far, deaths)
    return found, far, store.appends


async def test_killed_at_every_append_of_twenty_calls_with_an_approval_the_run_comes_to_the_same_end() -> None:
    """C5, K1: before each append, and after it."""
    whole, far, appends = await run()
    assert (whole.end, whole.text, whole.turns) == ("answer", "All twenty are made.", 10)
    assert sum(map(len, whole.told)) == 20
    assert set(far.keys.values()) == {1}
    assert appends > 40
    for nth in range(1, appends + 1):
        for written in (False, True):
            found, far, _ = await run((nth, written))
            assert found == whole, f"killed at append {nth}, which {'stands' if written else 'does not stand'}"
            again = {tool for (tool, _), times in far.keys.items() if times > 1}
            assert again <= {"pay", "pay_much", "put"}, "what can be asked about is never sent twice"


async def test_killed_again_in_its_recovery_the_run_comes_to_the_same_end() -> None:
    """K4: five deep, from each of some appends on."""
    whole, _, appends = await run()
    for nth in range(3, appends, 5):
        found, far, _ = await run(*[(nth + 2 * deep, bool(deep % 2)) for deep in range(5)])
        assert found == whole, f"killed five times from append {nth} on"
        assert len(far.effects) == len(whole.effects)

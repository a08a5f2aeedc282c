"""What is no call reserves and settles: exact, once, and charged in full where its worker was lost (T29, defect 69)."""

from __future__ import annotations

import pytest

from interlock.core.charge import Charge
from interlock.core.clock import SECOND_US
from interlock.core.run import SETTLED_WITHIN_S
from interlock.errors import GuardRefused
from interlock.ledger.conversation import Conversation, Ledger
from interlock.ledger.rebuild import differences
from interlock.ledger.reservation import reserve, settle, settled
from interlock.ledger.store import Claim, Store
from interlock.testing import FrozenClock
from tests.ledger.makers import RUN, TENANT, started

TOKENS = Charge("tokens row", "tokens", 4000, most=10_000)
MONEY = Charge("money row", "micro_usd", 300, most=10_000)


@pytest.fixture
async def conversation(store: Store) -> Conversation:
    return await Ledger(store).open(RUN, TENANT, started(), Claim("worker_a", 30))


async def budget(store: Store) -> dict[str, tuple[int, int]]:
    """Reserved and spent of each row; held against the guards and the events."""
    found = {row["name"]: (row["reserved"], row["spent"]) for row in await store.rows("budget")}
    assert {name: sum(parts) for name, parts in found.items()} == await store.guards()
    assert await differences(store) == []
    return found


async def test_the_worst_case_is_reserved_before_and_what_it_was_is_settled(
    store: Store, conversation: Conversation
) -> None:
    await reserve(conversation, "call_1/verify", [TOKENS, MONEY])
    assert await budget(store) == {"tokens row": (4000, 0), "money row": (300, 0)}
    await settle(conversation, "call_1/verify", {"tokens": 812})
    assert await budget(store) == {"tokens row": (0, 812), "money row": (0, 300)}
    await settle(conversation, "call_1/verify", {"tokens": 0, "micro_usd": 0})  # asked again, it says nothing more
    assert await budget(store) == {"tokens row": (0, 812), "money row": (0, 300)}


async def test_a_budget_that_has_not_that_much_left_refuses_the_whole_of_it(
    store: Store, conversation: Conversation
) -> None:
    await reserve(conversation, "one", [MONEY, TOKENS])
    with pytest.raises(GuardRefused) as refused:
        await reserve(conversation, "two", [MONEY, TOKENS._replace(amount=6001)])
    assert (refused.value.guard, refused.value.value) == ("tokens row", 4000)
    assert await budget(store) == {"money row": (300, 0), "tokens row": (4000, 0)}
    await settle(conversation, "two", {})


async def test_what_was_spent_beyond_is_charged_all_the_same(store: Store, conversation: Conversation) -> None:
    await reserve(conversation, "one", [TOKENS])
    await settle(conversation, "one", {"tokens": 12_000})
    assert await budget(store) == {"tokens row": (0, 12_000)}


async def test_nothing_is_written_where_nothing_is_charged(store: Store, conversation: Conversation) -> None:
    before = len(await store.read(RUN))
    await reserve(conversation, "one", [])
    await settle(conversation, "one", {"tokens": 5})
    assert len(await store.read(RUN)) == before


async def test_what_another_process_settled_is_not_settled_twice(store: Store, conversation: Conversation) -> None:
    await reserve(conversation, "one", [TOKENS])
    other = await Ledger(store).conversation(RUN, TENANT)
    fact = settled(other, "one", {}, "worker lost")
    assert fact is not None
    await other.append_outside([fact])
    await settle(conversation, "one", {"tokens": 1})
    assert conversation.state.reservations == {}
    assert await budget(store) == {"tokens row": (0, 4000)}


async def test_an_open_one_is_due_when_its_time_is_over(
    store: Store, conversation: Conversation, clock: FrozenClock
) -> None:
    await reserve(conversation, "one", [TOKENS])
    assert await store.due() == []
    clock.advance(SETTLED_WITHIN_S)
    [due] = await store.due()
    assert (due.run_id, due.why, due.ref, due.at_us) == (RUN, "budget.reserved", "one", clock.wall_us())
    await settle(conversation, "one", {})
    assert await store.due() == []
    assert SETTLED_WITHIN_S * SECOND_US > 0

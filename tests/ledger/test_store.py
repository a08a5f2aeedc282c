"""What every store must do, tried on each."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from interlock.core.due import Due
from interlock.core.event import Event, Fact, GuardChange, Kind
from interlock.errors import BadInput, DuplicateFact, GuardRefused, LedgerError, StaleClaim, StoreUnavailable
from interlock.ledger.chain import first_bad
from interlock.ledger.store import DEPLOYMENT, Append, Claim, Store, tenant_chain
from interlock.testing.clock import FrozenClock
from tests.ledger.makers import (
    RUN,
    TENANT,
    decided,
    intent,
    moved,
    proposed,
    read_call,
    requested,
    result,
    started,
    to,
    voice,
)  # fmt: skip

pytestmark = pytest.mark.anyio

SECOND_US = 1_000_000


def kinds(events: Sequence[Event]) -> list[str]:
    return [event.fact.kind.value for event in events]


async def test_events_are_numbered_from_one_within_their_chain_and_linked(store: Store) -> None:
    first = await store.append(to(RUN, started(), proposed("call_1")))
    await store.append(to("run_2", started()))
    second = await store.append(to(RUN, decided("call_1"), intent("call_1")))
    assert [event.seq for event in first + second] == [1, 2, 3, 4]
    assert second[0].prev_hash == first[-1].hash
    assert first_bad(first + second) == 0


async def test_what_was_appended_is_what_is_read(store: Store, clock: FrozenClock) -> None:
    written = await store.append(to(RUN, started(words="Bitte erstatten: 12 €"), *read_call("call_1")))
    assert await store.read(RUN) == written
    assert {event.at_us for event in written} == {clock.wall_us()}


async def test_a_chain_is_read_after_any_number(store: Store) -> None:
    for facts in ([started()], read_call("call_1"), [proposed("call_2", 2)], read_call("call_3", 3)):
        await store.append(to(RUN, *facts))
    for after in range(10):
        assert [event.seq for event in await store.read(RUN, after)] == list(range(after + 1, 7))
        assert await store.read(RUN, after, 2) == (await store.read(RUN, after))[:2]
        assert [event.seq for event in await store.tail(RUN, after)] == list(range(after + 1, 7))
    assert await store.beginnings([RUN, "run_nobody"], 2) == {RUN: (await store.read(RUN))[:2], "run_nobody": []}
    assert await store.read("run_nobody") == []


async def test_chains_of_no_run_are_chains_like_any_other(store: Store) -> None:
    for chain in (DEPLOYMENT, tenant_chain(TENANT)):
        await store.append(Append(chain, TENANT, [Fact(Kind.FLAG, {"scope": "tool", "stopped": True})]))
        assert kinds(await store.read(chain)) == ["flag"]


async def test_following_gives_every_event_once_in_the_order_of_the_commits(store: Store) -> None:
    for step in range(1, 4):
        for run in ("run_1", "run_2"):
            await store.append(to(run, *read_call(f"call_{run}_{step}", step)))
    whole = await store.follow()
    assert [position for position, _ in whole] == list(range(1, 13))
    assert [event.chain for _, event in whole] == (["run_1"] * 2 + ["run_2"] * 2) * 3
    pieces, after = [], 0
    while page := await store.follow(after, limit=5):
        pieces += page
        after = page[-1][0]
    assert pieces == whole


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (intent("call_1"), intent("call_1")),
        (result("call_1"), result("call_1", "failed")),
        (result("call_1"), decided("call_1", verdict="deny", outcome="refused")),
        (moved(Kind.APPROVAL_CONSUMED, "appr_1", "call_1"), moved(Kind.APPROVAL_CONSUMED, "appr_1", "call_1")),
    ],
    ids=["intent", "result", "refusal after result", "approval"],
)
async def test_what_may_stand_once_is_refused_a_second_time_with_all_that_came_with_it(
    store: Store, first: Fact, again: Fact
) -> None:
    await store.append(to(RUN, started(), first))
    with pytest.raises(DuplicateFact):
        await store.append(to(RUN, proposed("call_9"), again))
    assert len(await store.read(RUN)) == 2
    await store.append(to(RUN, proposed("call_2"), intent("call_2")))


async def test_one_append_that_says_a_thing_twice_is_refused(store: Store) -> None:
    with pytest.raises(DuplicateFact):
        await store.append(to(RUN, intent("call_1"), intent("call_1")))
    assert await store.read(RUN) == []


async def test_the_same_call_id_in_another_run_is_another_call(store: Store) -> None:
    await store.append(to("run_1", intent("call_1")))
    await store.append(to("run_2", intent("call_1")))


async def test_an_unknown_outcome_closes_nothing(store: Store) -> None:
    unknown = result("call_1", "unknown", kind=Kind.CALL_UNKNOWN)
    await store.append(to(RUN, intent("call_1"), unknown))
    await store.append(to(RUN, result("call_1", "failed", kind=Kind.CALL_RECONCILED)))
    with pytest.raises(DuplicateFact):
        await store.append(to(RUN, result("call_1", "done", kind=Kind.CALL_RECONCILED)))


async def test_a_body_that_is_no_json_is_refused_and_leaves_the_others_alone(store: Store) -> None:
    with pytest.raises(BadInput):
        await store.append(to(RUN, started(), proposed("call_1", arguments={"amount": float("nan")})))
    with pytest.raises(BadInput):
        await store.append(to(RUN, started(), proposed("call_\ud800")))
    assert await store.read(RUN) == []
    assert (await store.append(to(RUN, started())))[0].seq == 1


# Guards: B9, budgets and uses that runs share.


async def test_a_guard_changes_with_the_append_that_names_it_or_refuses_it(store: Store) -> None:
    take = GuardChange("acme/budget", 4, at_most=10)
    await store.append(to("run_1", intent("call_1"), guards=(take,)))
    await store.append(to("run_2", intent("call_1"), guards=(take,)))
    with pytest.raises(GuardRefused) as refused:
        await store.append(to("run_3", intent("call_1"), guards=(take,)))
    assert refused.value.guard == "acme/budget"
    assert await store.read("run_3") == []
    assert await store.guards("acme/") == {"acme/budget": 8}


async def test_a_refused_append_changes_none_of_its_guards(store: Store) -> None:
    changes = (GuardChange("acme/a", 1), GuardChange("acme/b", -1))
    with pytest.raises(GuardRefused):
        await store.append(to(RUN, intent("call_1"), guards=changes))
    await store.append(to(RUN, intent("call_1")))
    with pytest.raises(DuplicateFact):
        await store.append(to(RUN, intent("call_1"), guards=changes[:1]))
    assert await store.guards() == {}


async def test_one_append_may_change_a_guard_twice(store: Store) -> None:
    twice = (GuardChange("acme/a", 3, at_most=5), GuardChange("acme/a", 3, at_most=5))
    with pytest.raises(GuardRefused):
        await store.append(to(RUN, intent("call_1"), guards=twice))
    await store.append(to(RUN, intent("call_1"), guards=(GuardChange("acme/a", 3), GuardChange("acme/a", -2))))
    assert await store.guards() == {"acme/a": 1}


async def test_guards_are_listed_by_the_start_of_their_names_only(store: Store) -> None:
    names = ("acme/a", "acme/ä", "acme%", "other/acme/a")
    await store.append(to(RUN, started(), guards=tuple(GuardChange(name, 1) for name in names)))
    assert await store.guards("acme/") == {"acme/a": 1, "acme/ä": 1}
    assert set(await store.guards()) == set(names)


# Claims: defects of two workers on one run; fault K6.


async def test_a_claim_excludes_another_worker_until_it_lapses_by_the_stores_time(
    store: Store, clock: FrozenClock
) -> None:
    [claimed] = await store.append(to(RUN, claim=Claim("a", 30)))
    assert (claimed.fact.kind, claimed.fact.body) == (Kind.RUN_CLAIMED, {"worker": "a", "epoch": 1})
    with pytest.raises(StaleClaim):
        await store.append(to(RUN, claim=Claim("b", 30)))
    clock.advance(30)
    assert (await store.append(to(RUN, claim=Claim("b", 30))))[0].fact.body["epoch"] == 2


async def test_a_worker_that_lost_its_claim_can_append_nothing_in_its_name(store: Store, clock: FrozenClock) -> None:
    await store.append(to(RUN, started(), claim=Claim("a", 30)))
    await store.append(to(RUN, proposed("call_1"), epoch=1))
    clock.advance(31)
    await store.append(to(RUN, proposed("call_2"), epoch=1))  # lapsed, but nobody has claimed since
    await store.append(to(RUN, claim=Claim("b", 30)))
    with pytest.raises(StaleClaim):
        await store.append(to(RUN, intent("call_1"), epoch=1))
    await store.append(to(RUN, intent("call_1"), epoch=2))


async def test_facts_from_outside_name_no_claim_and_disturb_nobody(store: Store) -> None:
    await store.append(to(RUN, started(), claim=Claim("a", 30)))
    await store.append(to(RUN, voice("appr_1", "call_1", "bob", "leads")))
    await store.append(to(RUN, proposed("call_1"), epoch=1))
    assert len(await store.read(RUN)) == 4


async def test_the_same_worker_may_claim_again_and_gets_the_next_epoch(store: Store) -> None:
    await store.append(to(RUN, claim=Claim("a", 30)))
    assert (await store.append(to(RUN, claim=Claim("a", 30))))[0].fact.body["epoch"] == 2


async def test_a_renewed_claim_holds_and_a_lapsed_one_is_not_revived(store: Store, clock: FrozenClock) -> None:
    await store.append(to("run_1", claim=Claim("a", 10)))
    await store.append(to("run_2", claim=Claim("a", 30)))
    clock.advance(20)
    await store.renew("a", 60)
    clock.advance(59)
    await store.append(to("run_1", claim=Claim("b", 10)))
    with pytest.raises(StaleClaim):
        await store.append(to("run_2", claim=Claim("b", 10)))
    clock.advance(1)
    await store.append(to("run_2", claim=Claim("b", 10)))


async def test_only_the_claim_that_holds_can_be_released(store: Store) -> None:
    await store.append(to(RUN, claim=Claim("a", 30)))
    await store.release(RUN, 7)
    await store.release("run_nobody", 1)
    with pytest.raises(StaleClaim):
        await store.append(to(RUN, claim=Claim("b", 30)))
    await store.release(RUN, 1)
    await store.append(to(RUN, claim=Claim("b", 30)))


async def test_a_claim_can_be_given_back_with_what_was_said_last(store: Store) -> None:
    """One transaction, and so one wait for the disk at the end of every run; another's claim is not given back."""
    await store.append(to(RUN, started(), claim=Claim("a", 30)))
    await store.append(to(RUN, Fact(Kind.RUN_WAITING, {"for": []}))._replace(release=True))  # from outside
    with pytest.raises(StaleClaim):
        await store.append(to(RUN, claim=Claim("b", 30)))
    await store.append(to(RUN, Fact(Kind.RUN_FINISHED, {"reason": "done"}))._replace(epoch=1, release=True))
    assert (await store.append(to(RUN, claim=Claim("b", 30))))[0].fact.body["epoch"] == 2
    with pytest.raises(StaleClaim):
        await store.append(to(RUN)._replace(epoch=1, release=True))
    with pytest.raises(StaleClaim):
        await store.append(to(RUN, claim=Claim("c", 30)))


# What is due.


async def test_a_request_is_due_at_its_expiry_and_at_once_when_it_is_settled(store: Store, clock: FrozenClock) -> None:
    expires_us = clock.wall_us() + 60 * SECOND_US
    held = [started(), proposed("call_1"), decided("call_1", verdict="require_approval", outcome="held")]
    await store.append(to(RUN, *held, requested("appr_1", "call_1", expires_us, quorum=2)))
    assert await store.due() == []
    await store.append(to(RUN, voice("appr_1", "call_1", "bob", "leads")))
    assert await store.due() == []
    await store.append(to(RUN, voice("appr_1", "call_1", "cleo", "leads")))
    assert await store.due() == [Due(RUN, TENANT, clock.wall_us(), "approval.decided", "appr_1")]
    await store.append(to(RUN, moved(Kind.APPROVAL_CONSUMED, "appr_1", "call_1"), intent("call_1")))
    assert await store.due() == []


async def test_an_unanswered_request_is_due_when_its_time_is_over(store: Store, clock: FrozenClock) -> None:
    expires_us = clock.wall_us() + 60 * SECOND_US
    await store.append(to(RUN, started(), proposed("call_1"), requested("appr_1", "call_1", expires_us)))
    clock.advance(59)
    assert await store.due() == []
    clock.advance(1)
    assert await store.due() == [Due(RUN, TENANT, expires_us, "approval.expires", "appr_1")]
    await store.append(to(RUN, moved(Kind.APPROVAL_EXPIRED, "appr_1", "call_1")))
    assert len(await store.due()) == 1, "its call waits to be told so"
    await store.append(to(RUN, decided("call_1", outcome="refused")))
    assert await store.due() == []


async def test_a_run_whose_worker_was_lost_while_it_executed_a_call_is_due_when_its_claim_lapses(
    store: Store, clock: FrozenClock
) -> None:
    proposed = Fact(Kind.CALL_DECIDED, {"proposed": {"tool": "pay", "arguments": {}}}, "call_1", 1)
    intent = Fact(Kind.CALL_INTENT, {"key": "k", "digest": "d", "effect": "irreversible"}, "call_1", 1, 1)
    await store.append(Append("run_1", "default", [proposed, intent], claim=Claim("worker_1", 30.0)))
    assert await store.due() == []
    clock.advance(30)
    assert [(due.run_id, due.tenant, due.why) for due in await store.due()] == [("run_1", "default", "claim.lapsed")]
    unknown = Fact(Kind.CALL_UNKNOWN, {"outcome": {"outcome": "unknown", "call_id": "call_1", "tool": "pay"}}, "call_1")
    await store.append(Append("run_1", "default", [unknown._replace(outcome="unknown")]))
    assert await store.due() == []


async def test_a_driven_run_is_due_when_its_claim_lapses_or_is_given_back_until_it_says_that_it_waits(
    store: Store, clock: FrozenClock
) -> None:
    why = lambda found: [(due.run_id, due.why) for due in found]  # noqa: E731
    await store.append(to("run_2", started(), claim=Claim("a", 30)))
    await store.append(to(RUN, started(driver="agent"), claim=Claim("a", 30)))
    assert await store.due() == [], "somebody works on it"
    clock.advance(31)
    assert why(await store.due()) == [(RUN, "claim.lapsed")], "nothing drives the other one"
    await store.append(to(RUN, claim=Claim("b", 30)))
    await store.release(RUN, 2)
    assert why(await store.due()) == [(RUN, "claim.lapsed")]
    await store.append(to(RUN, Fact(Kind.RUN_WAITING, {"for": ["appr_1"]})))
    assert await store.due() == []
    await store.append(to(RUN, claim=Claim("b", 30)))
    await store.release(RUN, 3)
    assert why(await store.due()) == [(RUN, "claim.lapsed")], "whoever claims it goes on with it"
    await store.append(to(RUN, Fact(Kind.RUN_FINISHED, {"reason": "answer"})))
    assert await store.due() == []


async def test_a_run_of_which_something_was_said_since_it_was_put_to_rest_stays_due(
    store: Store, clock: FrozenClock
) -> None:
    """What somebody says at that moment is looked at, whoever wrote first."""
    await store.append(to(RUN, started(driver="saga"), claim=Claim("a", 30)))
    said = Fact(Kind.OPERATOR, {"act": "saga.resume", "by": "opa", "reason": "again"}, principal_id="opa")
    await store.append(to(RUN, said))
    await store.append(to(RUN, Fact(Kind.RUN_WAITING, {"for": [], "seen": 2})))
    await store.release(RUN, 1)
    assert [due.run_id for due in await store.due()] == [RUN]
    await store.append(to(RUN, Fact(Kind.RUN_WAITING, {"for": [], "seen": 4})))
    assert await store.due() == []
    await store.append(to(RUN, said))
    assert [due.run_id for due in await store.due()] == [RUN], "whoever said it may be gone before acting on it"


async def test_a_call_left_open_by_whoever_gave_the_claim_back_is_due_at_once(store: Store, clock: FrozenClock) -> None:
    """K1: found by simulation; nobody looked at such a run again."""
    await store.append(to(RUN, started(), proposed("call_1"), intent("call_1"), claim=Claim("a", 30)))
    await store.release(RUN, 1)
    assert [(due.run_id, due.why) for due in await store.due()] == [(RUN, "claim.lapsed")]


async def test_what_is_due_comes_earliest_first_and_no_more_than_asked_for(store: Store, clock: FrozenClock) -> None:
    for number, seconds in enumerate((30, 10, 20)):
        expires_us = clock.wall_us() + seconds * SECOND_US
        await store.append(to(f"run_{number}", requested(f"appr_{number}", "call_1", expires_us)))
    clock.advance(60)
    assert [due.run_id for due in await store.due()] == ["run_1", "run_2", "run_0"]
    assert [due.run_id for due in await store.due(limit=2)] == ["run_1", "run_2"]


async def test_what_is_due_is_read_page_by_page_each_row_once(store: Store, clock: FrozenClock) -> None:
    """Rows of one moment, of one run, and of lapsed claims between them."""
    now_us = clock.wall_us()
    for number in range(4):
        await store.append(to(f"run_{number % 2}", requested(f"appr_{number}", "call_1", now_us + 30 * SECOND_US)))
    for number in (2, 3):
        await store.append(to(f"run_{number}", proposed("call_1"), intent("call_1"), claim=Claim("a", 30)))
    clock.advance(30)
    whole = await store.due()
    assert [(due.run_id, due.ref) for due in whole] == [
        ("run_0", "appr_0"), ("run_0", "appr_2"), ("run_1", "appr_1"), ("run_1", "appr_3"), ("run_2", ""), ("run_3", "")
    ]  # fmt: skip
    for size in (1, 2, 4, 6):
        paged: list[Due] = []
        while page := await store.due(size, paged[-1] if paged else None):
            assert len(page) <= size
            paged += page
        assert paged == whole, size


async def test_what_is_due_soon_is_read_where_it_is_asked_for(store: Store, clock: FrozenClock) -> None:
    await store.append(to(RUN, requested("appr_1", "call_1", clock.wall_us() + SECOND_US)))
    assert await store.due(ahead_s=0.9) == []
    assert [due.ref for due in await store.due(ahead_s=1)] == ["appr_1"]


# A clock that jumps.


async def test_a_claim_does_not_outlive_a_clock_that_was_set_back(store: Store, clock: FrozenClock) -> None:
    """T38: its holder is dead, and by the wall it would hold for a day."""
    await store.append(to(RUN, started(), proposed("call_1"), intent("call_1"), claim=Claim("a", 30)))
    clock.jump_wall(-24 * 3600)
    assert [(due.run_id, due.why) for due in await store.due()] == [(RUN, "claim.lapsed")]
    await store.renew("a", 30)
    await store.append(to(RUN, claim=Claim("b", 30)))
    with pytest.raises(StaleClaim):
        await store.append(to(RUN, decided("call_1"), epoch=1))
    assert await store.due() == []


async def test_a_claim_that_is_taken_too_early_leaves_one_holder(store: Store, clock: FrozenClock) -> None:
    """K33: another machine's clock is ten minutes ahead. Its claim counts, and the other one's no more."""
    await store.append(to(RUN, started(), claim=Claim("a", 30)))
    clock.advance(600)
    await store.append(to(RUN, claim=Claim("b", 30)))
    clock.jump_wall(-600)
    with pytest.raises(StaleClaim):
        await store.append(to(RUN, proposed("call_1"), epoch=1))
    with pytest.raises(StaleClaim):
        await store.append(to(RUN, claim=Claim("a", 30)))
    await store.append(to(RUN, proposed("call_1"), epoch=2))


async def test_a_call_that_closes_waits_for_nothing(store: Store, clock: FrozenClock) -> None:
    await store.append(to(RUN, started(), proposed("call_1"), requested("appr_1", "call_1", clock.wall_us())))
    assert len(await store.due()) == 1
    await store.append(to(RUN, decided("call_1", verdict="deny", outcome="refused")))
    assert await store.due() == []


# Rows.


async def test_rows_are_the_newest_that_match_newest_last(store: Store) -> None:
    await store.append(to(RUN, started()))
    for step in range(1, 6):
        await store.append(to(RUN, *read_call(f"call_{step}", step)))
    await store.append(to("run_2", started(), proposed("call_x", 1)))
    calls = await store.rows("tool_call", {"run_id": RUN, "status": "closed"}, limit=3)
    assert [row["call_id"] for row in calls] == ["call_3", "call_4", "call_5"]
    assert [row["call_id"] for row in await store.rows("tool_call", {"status": "proposed"})] == ["call_x"]
    assert [row["run_id"] for row in await store.rows("run", {"tenant": TENANT})] == [RUN, "run_2"]
    assert await store.rows("tool_call", {"tenant": "globex"}) == []
    assert await store.rows("tool_call", {"run_id": "run_nobody"}) == []


async def test_a_row_that_changes_keeps_its_place_and_null_is_a_value_to_ask_for(store: Store) -> None:
    await store.append(to(RUN, started(), proposed("call_1", 1)))
    await store.append(to(RUN, proposed("call_2", 2)))
    await store.append(to(RUN, decided("call_1", 1), intent("call_1", 1)))
    await store.append(to(RUN, result("call_1", step=1)))
    assert [row["call_id"] for row in await store.rows("tool_call")] == ["call_1", "call_2"]
    assert [row["call_id"] for row in await store.rows("step", {"ended_us": None})] == ["call_2"]


async def test_a_call_is_found_by_its_id_alone(store: Store) -> None:
    await store.append(to(RUN, started(), *read_call("call_1")))
    [row] = await store.rows("tool_call", {"call_id": "call_1", "tenant": TENANT})
    assert (row["run_id"], row["outcome"], row["tool"]) == (RUN, "done", "refund")


# Many at once, and the end.


async def test_of_many_appends_at_once_each_succeeds_or_is_refused_by_itself(store: Store) -> None:
    await store.append(to(RUN, started(), intent("call_0")))
    refused: list[int] = []

    async def one(number: int) -> None:
        twice = number % 3 == 0
        try:
            await store.append(to(RUN, proposed(f"call_{number}"), intent("call_0" if twice else f"call_{number}")))
        except DuplicateFact:
            refused.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(1, 65):
            tasks.start_soon(one, number)
    assert sorted(refused) == [number for number in range(1, 65) if number % 3 == 0]
    events = await store.read(RUN)
    assert len(events) == 2 + 2 * (64 - len(refused))
    assert first_bad(events) == 0


async def test_sixty_four_runs_at_once_keep_their_chains_apart(store: Store) -> None:
    async def run(number: int) -> None:
        run_id = f"run_{number}"
        await store.append(to(run_id, started()))
        for step in range(1, 6):
            await store.append(to(run_id, *read_call(f"call_{number}_{step}", step)))

    async with anyio.create_task_group() as tasks:
        for number in range(64):
            tasks.start_soon(run, number)
    for number in range(64):
        events = await store.read(f"run_{number}")
        assert len(events) == 11
        assert first_bad(events) == 0
    positions = [position for position, _ in await store.follow(limit=5000)]
    assert positions == list(range(1, 64 * 11 + 1))


async def test_a_closed_store_accepts_nothing(store: Store) -> None:
    await store.append(to(RUN, started()))
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailable) as refused:
        await store.append(to(RUN, proposed("call_1")))
    assert refused.value.code == "ledger.closed"
    assert isinstance(refused.value, LedgerError)


async def test_ones_own_appends_are_no_changes_by_others(store: Store) -> None:
    await store.append(to(RUN, started()))
    before = store.changes()
    for step in range(1, 4):
        await store.append(to(RUN, *read_call(f"call_{step}", step)))
        assert store.changes() == before

"""One list of all that waits for a person: what is in it, what is not, in which order. REQUIREMENTS E10; threat T26."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.event import Fact, Kind
from interlock.core.principal import Principal
from interlock.core.tool import CallContext
from interlock.errors import NotSent
from interlock.inbox import FLOOD_FROM, Inboxes, Item, inbox, page_of
from interlock.ledger.store import Append
from tests.planes import ANA, BOB, OPA, Far, Stage, staged
from tests.saga.desk import Desk, in_line, refuse

pytestmark = pytest.mark.anyio

POLICY = """
permit (principal, action, resource);
@id("people") @approvers("approver")
forbid (principal, action in [Action::"pay", Action::"peek", Action::"wipe"], resource);
"""
EVE = Principal("eve", roles=frozenset({"support"}))


def tools(far: Far) -> list[Any]:
    async def lost(arguments: dict[str, Any], context: CallContext) -> object:
        raise RuntimeError("the line went dead")

    async def down(arguments: dict[str, Any], context: CallContext) -> object:
        raise NotSent("down")

    return [
        far.tool("peek"),
        far.tool("pay", "irreversible"),
        far.tool("wipe", "privileged"),
        far.tool("lost", "reversible", does=lost),
        far.tool("dead", "reversible", does=down),
    ]


@pytest.fixture(params=["memory", "sqlite"])
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    ledger = tmp_path / "ledger.db" if request.param == "sqlite" else None
    async with staged(*tools(Far()), ledger=ledger) as made:
        made.obey(POLICY)
        yield made


def short(items: list[Item]) -> list[tuple[str, str, int]]:
    return [(item.kind, item.tool, len(item.ids)) for item in items]


async def test_nothing_waits_where_nothing_does(stage: Stage) -> None:
    async with stage.run() as run:
        await run.call("peek", {"n": "one"})
    assert await stage.plane.inbox() == []


async def test_each_kind_of_waiting_is_one_item_with_what_to_type(stage: Stage) -> None:
    """E10: held, unknown, given up on, not undone: in one place."""
    async with stage.run() as run:
        held = await run.call("pay", {"n": 1})
        stage.clock.advance(1)
        lost = await run.call("lost", {"n": 1})
        dead = await run.call("dead", {"n": 1})
    failed = Fact(Kind.CALL_COMPENSATED, {}, held.call_id, 1, 1, outcome="failed")
    await stage.plane.store.append(Append(run.run_id, "default", [failed]))
    found = await stage.plane.inbox()
    assert [(item.kind, item.tool, item.effect) for item in found] == [
        ("held", "pay", "irreversible"),
        ("not_undone", "pay", "irreversible"),
        ("unknown", "lost", "reversible"),
        ("dead_letter", "dead", "reversible"),
    ]
    assert [item.command for item in found] == [
        f"interlock approvals show {held.approval_id}",
        f"interlock saga show {run.run_id}",
        f"interlock calls show {lost.call_id}",
        f"interlock calls show {dead.call_id}",
    ]
    assert {item.subject for item in found} == {"ana"}
    assert [item.groups for item in found] == [("approver",), (), (), ()]
    assert found[0].until_us is not None
    assert found[0].until_us > found[0].since_us


async def test_what_was_seen_to_is_not_in_it_any_more(stage: Stage) -> None:
    """Answered, settled and proposed again."""
    async with stage.run() as run:
        held = await run.call("pay", {"n": 1})
        lost = await run.call("lost", {"n": 1})
        dead = await run.call("dead", {"n": 1})
    await stage.answer(run.run_id, held, BOB)
    assert short(await stage.plane.inbox()) == [("unknown", "lost", 1), ("dead_letter", "dead", 1)]
    await stage.plane.settle(lost.call_id, "done", OPA, note="seen")
    assert short(await stage.plane.inbox()) == [("dead_letter", "dead", 1)]
    again = await stage.plane.retry(dead.call_id, OPA, reason="it is up again")
    (left,) = await stage.plane.inbox()
    assert left.ids == (again.call_id,), "the new one was given up on too, and that is another matter"


async def test_a_failed_compensation_is_in_it_until_one_is_done(stage: Stage) -> None:
    async with stage.run() as run:
        call = await run.call("dead", {"n": 1})

    async def say(outcome: str, attempt: int) -> list[tuple[str, str, int]]:
        said = Fact(Kind.CALL_COMPENSATED, {}, call.call_id, 1, attempt, outcome=outcome)
        await stage.plane.store.append(Append(run.run_id, "default", [said]))
        return short([item for item in await stage.plane.inbox() if item.kind == "not_undone"])

    assert await say("failed", 1) == [("not_undone", "dead", 1)]
    assert await say("done", 2) == []


async def test_a_saga_that_rests_and_has_nothing_to_wait_for_is_stuck(stage: Stage) -> None:
    """Behind its pivot it can only go forward, and the step cannot be done."""
    started = Fact(Kind.RUN_STARTED, {"principal": ANA.written, "driver": "saga"}, principal_id="ana")
    resting = Fact(Kind.RUN_WAITING, {"for": []})
    await stage.plane.store.append(Append("run_s", "default", [started]))
    assert await stage.plane.inbox() == [], "it is on its way"
    await stage.plane.store.append(Append("run_s", "default", [resting]))
    (item,) = await stage.plane.inbox()
    assert (item.kind, item.ids, item.subject) == ("stuck", ("run_s",), "ana")
    assert item.command == "interlock saga show run_s"


@pytest.mark.parametrize("kind", ["not_undone", "stuck"])
async def test_a_saga_that_could_not_be_undone_or_done_is_one_item_that_says_what_to_type(kind: str) -> None:
    """What failed of it and was given up on is not said a second time; once it is over, nothing is."""
    failing = {"b": refuse, "una": refuse}
    desk = Desk("ab", does=failing, options={"b": {"idempotent": True}})
    saga = in_line("ab", pivot="a" if kind == "stuck" else "")
    async with staged(*desk.tools()) as stage:
        async with stage.plane.saga(saga, ANA, {}) as run:
            await run.outcome()
        (item,) = await stage.plane.inbox()
        assert (item.kind, item.effect, item.subject) == (kind, "reversible", "ana")
        assert item.command == f"interlock saga show {run.run_id}"
        desk.does.clear()
        await stage.plane.resume_saga(run.run_id, OPA, reason="it is up again")
        assert await stage.plane.inbox() == []


async def test_a_request_that_has_expired_waits_for_nobody(stage: Stage) -> None:
    async with stage.run() as run:
        await run.call("pay", {"n": 1})
    stage.clock.advance(24 * 3600 - 1)
    assert len(await stage.plane.inbox()) == 1
    stage.clock.advance(2)
    assert await stage.plane.inbox() == []


async def test_the_most_dangerous_is_first_and_of_equals_the_oldest(stage: Stage) -> None:
    """T26: what matters is not buried."""
    async with stage.run() as run:
        for tool, n in [("peek", 1), ("pay", 1), ("peek", 2), ("wipe", 1), ("pay", 2)]:
            await run.call(tool, {"n": n})
            stage.clock.advance(1)
    found = await stage.plane.inbox()
    assert [item.tool for item in found] == ["wipe", "pay", "pay", "peek", "peek"]
    assert [item.since_us for item in found[1:3]] == sorted(item.since_us for item in found[1:3])


async def test_a_flood_is_one_item_and_buries_nothing(stage: Stage) -> None:
    """T26: 500 holds at once; the run is paused, and there is one summary item."""
    async with stage.run() as run:
        for n in range(500):
            await run.call("pay", {"n": n})
    async with stage.run(EVE) as other:
        wipe = await other.call("wipe", {"n": 1})
    found = await stage.plane.inbox()
    assert [item.why for item in found] == ["", "flood"]
    assert found[0].ids == (wipe.approval_id,)
    flood = found[1]
    assert len(flood.ids) == FLOOD_FROM
    assert (flood.run_id, flood.tool, flood.effect, flood.subject) == (run.run_id, "pay", "irreversible", "ana")
    assert flood.command == f"interlock inbox --run {run.run_id}"
    one_by_one = await inbox(stage.plane.store, "default", stage.clock.wall_us(), run.run_id)
    assert [item.ids for item in one_by_one] == [(found,) for found in flood.ids]


async def test_20_of_a_run_are_20_items(stage: Stage) -> None:
    async with stage.run() as run:
        for n in range(FLOOD_FROM - 1):
            await run.call("pay", {"n": n})
    assert len(await stage.plane.inbox()) == FLOOD_FROM - 1


async def test_requests_for_an_equal_call_of_several_runs_are_one_item(stage: Stage) -> None:
    """Grouped by what would run, byte for byte; another argument or another person is another item."""
    first = ""
    for n in (1, 1, 1, 2):
        async with stage.run() as run:
            held = await run.call("pay", {"n": n})
            first = first or held.approval_id
        stage.clock.advance(1)
    async with stage.run(EVE) as run:
        await run.call("pay", {"n": 1})
    found = await stage.plane.inbox()
    assert [(item.why, len(item.ids), item.subject) for item in found] == [
        ("equal", 3, "ana"),
        ("", 1, "ana"),
        ("", 1, "eve"),
    ]
    assert (found[0].run_id, found[0].command) == ("", f"interlock approvals show {first}")


async def test_another_tenants_are_not_in_it(stage: Stage) -> None:
    """T35."""
    async with stage.run() as run:
        await run.call("pay", {"n": 1})
    async with stage.run(Principal("ana", "other", frozenset({"support"}))) as run:
        await run.call("pay", {"n": 2})
    assert len(await stage.plane.inbox()) == 1
    assert len(await stage.plane.inbox("other")) == 1
    assert await inbox(stage.plane.store, "default", stage.clock.wall_us(), run.run_id) == []


async def test_a_request_whose_words_were_erased_is_like_no_other(stage: Stage) -> None:
    """What it asked for is not known any more, so nobody can say that it is equal."""
    for _ in range(3):
        async with stage.run() as run:
            await run.call("pay", {"n": 1})
    assert short(await stage.plane.inbox()) == [("held", "pay", 3)]
    for row in (await stage.plane.store.rows("approval"))[:2]:
        events = await stage.plane.store.read(row["run_id"])
        [seq] = [event.seq for event in events if event.fact.kind is Kind.APPROVAL_REQUESTED]
        await stage.plane.store.erase(Append(row["run_id"], "default", [Fact(Kind.REDACT, {"seqs": [seq]})]), [seq])
    assert sorted(len(item.ids) for item in await stage.plane.inbox()) == [1, 1, 1]


async def test_a_call_of_another_run_with_the_same_id_is_another_call(stage: Stage) -> None:
    """One was given up on and proposed again; the other, which was given up on too, still waits."""
    store = stage.plane.store
    for run in ("run_a", "run_b"):
        said = {"principal": ANA.written, "driver": "calls"}
        given_up = Fact(Kind.CALL_DEAD_LETTERED, {"code": "x"}, "call_1", 0, 3, "ana")
        await store.append(Append(run, "default", [
            Fact(Kind.RUN_STARTED, said, principal_id="ana"),
            Fact(Kind.CALL_DECIDED, {"proposed": {"tool": "dead"}}, "call_1", 1, 0, "ana", decision="allow"),
            Fact(Kind.CALL_RESULT, {"outcome": {"outcome": "failed"}}, "call_1", 1, 1, outcome="failed"),
            given_up,
        ]))  # fmt: skip
    await store.append(Append("run_a", "default", [Fact(Kind.OPERATOR, {"act": "retry"}, "call_1", 0, 1, "olga")]))
    assert [(item.kind, item.run_id) for item in await stage.plane.inbox()] == [("dead_letter", "run_b")]


async def test_pages_of_an_inbox_are_all_of_it_in_order_whatever_is_answered_meanwhile(stage: Stage) -> None:
    async with stage.run() as run:
        for n in range(7):
            await run.call("pay" if n % 2 else "peek", {"n": n})
            stage.clock.advance(1)
    whole = await stage.plane.inbox()
    found, after = page_of(whole, 3)
    assert found == whole[:3]
    left = [item for item in whole if item is not found[0] and item is not whole[4]]  # two were answered
    found, after = page_of(left, 3, after)
    assert found == [whole[3], *whole[5:7]]
    assert after is None
    assert page_of(whole, 7) == (whole, None)
    assert page_of([], 7) == ([], None)


async def test_how_often_the_ledger_is_asked_does_not_hang_on_how_much_waits() -> None:
    """1,000 requests in 1,000 runs are read in a few questions, not in one or two for each run."""

    async def asked(runs: int) -> int:
        async with staged(*tools(Far())) as stage:
            stage.obey(POLICY)
            for n in range(runs):
                async with stage.run() as run:
                    for tool in ("pay", "lost", "dead"):
                        held = await run.call(tool, {"n": n % 3})
                failed = Fact(Kind.CALL_COMPENSATED, {}, held.call_id, 1, 1, outcome="failed")
                await stage.plane.store.append(Append(run.run_id, "default", [failed]))
            counted: Any = Counted(stage.plane.store)
            assert await inbox(counted, "default", stage.clock.wall_us())
            return int(counted.asked)

    assert await asked(2) == await asked(12)


class Counted:
    """A store that says how often it is asked for rows."""

    def __init__(self, store: Any) -> None:
        self.asked = 0
        self._store = store

    def __getattr__(self, name: str) -> Any:
        self.asked += name == "rows"
        return getattr(self._store, name)


async def test_an_inbox_that_many_look_at_is_read_once_until_something_is_committed(stage: Stage) -> None:
    async with stage.run() as run:
        await run.call("pay", {"n": 1})
    store: Any = Counted(stage.plane.store)
    inboxes = Inboxes(store)
    found: list[list[Item]] = []

    async def look() -> None:
        found.append(await inboxes.of("default", stage.clock.wall_us()))

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(look)
    once = store.asked
    assert found == [await inbox(stage.plane.store, "default", stage.clock.wall_us())] * 50
    assert await inboxes.of("other", stage.clock.wall_us()) == [], "T35: what is kept is one tenant's"
    asked = store.asked
    assert once < 50
    assert asked == 2 * once
    async with stage.run() as run:
        await run.call("pay", {"n": 2})
    assert len(await inboxes.of("default", stage.clock.wall_us())) == 2
    assert store.asked > asked


async def test_an_inbox_that_was_read_loses_what_expires_and_has_it_back_with_a_clock_that_is_set_back(
    stage: Stage,
) -> None:
    async with stage.run() as run:
        await run.call("pay", {"n": 1})
    inboxes, now_us = Inboxes(stage.plane.store), stage.clock.wall_us()
    [item] = await inboxes.of("default", now_us)
    assert item.until_us is not None
    assert len(await inboxes.of("default", item.until_us - 1)) == 1
    assert await inboxes.of("default", item.until_us) == []
    assert await inboxes.of("default", now_us) == [item]


async def test_a_list_that_was_given_is_its_callers_own(stage: Stage) -> None:
    async with stage.run() as run:
        await run.call("pay", {"n": 1})
    (await stage.plane.inbox()).clear()
    assert len(await stage.plane.inbox()) == 1


@given(st.lists(st.tuples(st.sampled_from(["peek", "pay", "wipe", "lost", "dead"]), st.integers(0, 3)), max_size=40))
def test_whatever_was_called_nothing_that_waits_is_missing_and_nothing_is_there_twice(
    calls: list[tuple[str, int]],
) -> None:
    async def main() -> None:
        async with staged(*tools(Far())) as stage:
            stage.obey(POLICY)
            async with stage.run(ANA) as run:
                outcomes = [await run.call(tool, {"n": n}) for tool, n in calls]
            waits = [outcome.approval_id for outcome in outcomes if outcome.kind == "held"]
            waits += [outcome.call_id for outcome in outcomes if outcome.kind == "unknown"]
            letters = await stage.plane.store.rows("dead_letter")
            waits += [row["call_id"] for row in letters if row["call_id"] not in waits]
            found = [ref for item in await stage.plane.inbox() for ref in item.ids]
            assert sorted(found) == sorted(waits)
            assert len(set(found)) == len(found)

    anyio.run(main)

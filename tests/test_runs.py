"""Runs: started and left, advanced by whoever holds the claim, settled by a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from interlock import CallContext, OutcomeKind, World
from interlock.core.event import Fact, Kind
from interlock.errors import BadInput, Conflict, NotEntitled, NotFound, StaleClaim, StoreUnavailable
from interlock.ledger.store import Append, Claim
from interlock.pipeline import call_tool
from interlock.policy.flags import Scope
from interlock.testing import EffectOracle, FrozenClock
from tests.planes import ANA, BOB, OPA, Far, WatchedStore, codes, proposed, saying, staged
from tests.workers import Worker, advance_once, counted, far_tools, killed, stop_everything

pytestmark = pytest.mark.anyio


@pytest.fixture
def oracle(tmp_path: Path) -> Iterator[EffectOracle]:
    with EffectOracle(tmp_path / "effects.jsonl") as oracle:
        yield oracle


def world(prefix: str, later_s: float = 0) -> World:
    clock = FrozenClock()
    clock.advance(later_s)
    return World(clock=clock, new_id=counted(prefix))


async def lose(arguments: dict[str, Any], context: CallContext) -> object:
    raise TimeoutError


# ----------------------------------------------------------------- started and left


async def test_a_run_says_whose_it_is_and_is_finished_when_it_is_left() -> None:
    async with staged(Far().tool("get")) as stage:
        async with stage.run(words="look it up") as run:
            await run.call("get", {"n": 1})
        events = await stage.events(run.run_id)
        assert await stage.said(run.run_id) == [
            "run.claimed", "run.started", "call.decided", "call.result/done", "run.finished"
        ]  # fmt: skip
        assert events[1].fact.body["principal"] == {
            "id": "ana", "tenant": "default", "roles": ["support"], "kind": "user"
        }  # fmt: skip
        assert events[1].fact.body["words"] == "look it up"


async def test_words_that_were_not_seen_are_not_words_that_were_empty() -> None:
    async with staged() as stage:
        for words in (None, ""):
            async with stage.run(words=words) as run:
                state = await stage.state(run.run_id)
                assert state.words == words


@pytest.mark.parametrize("tool", ["pay", "lost"])
async def test_a_run_is_not_finished_while_a_call_of_it_waits(tool: str) -> None:
    far = Far()
    async with staged(far.tool("pay", "irreversible"), far.tool("lost", "reversible", lose)) as stage:
        async with stage.run() as run:
            await run.call(tool, {"n": 1})
        assert (await stage.state(run.run_id)).status == "open"


async def test_leaving_a_run_while_a_call_of_it_still_runs_does_not_finish_it() -> None:
    far = Far()
    started, go_on = anyio.Event(), anyio.Event()

    async def wait(arguments: dict[str, Any], context: CallContext) -> object:
        started.set()
        await go_on.wait()
        return None

    async with staged(far.tool("get", does=wait)) as stage, anyio.create_task_group() as tasks:
        async with stage.run() as run:
            tasks.start_soon(run.call, "get", {"n": 1})
            await started.wait()
        assert "run.finished" not in await stage.said(run.run_id)
        go_on.set()


async def test_leaving_a_run_by_an_error_finishes_it_and_lets_the_error_out() -> None:
    async with staged(Far().tool("get")) as stage:
        with pytest.raises(ZeroDivisionError):
            async with stage.run() as run:
                raise ZeroDivisionError
        assert (await stage.said(run.run_id))[-1] == "run.finished"


async def test_a_run_that_is_cancelled_is_left_with_its_claim_given_back() -> None:
    async with staged(Far().tool("get")) as stage:
        stage.store_in(WatchedStore(stage.clock))
        with anyio.CancelScope() as scope:
            async with stage.run() as run:
                scope.cancel()
        assert (await stage.said(run.run_id))[-1] == "run.finished"
        conversation = await stage.plane.plane.ledger.conversation(run.run_id, "default")
        await conversation.claim(Claim("another", 30.0))


# ------------------------------------------------------------------------ come back to


async def test_a_run_is_come_back_to_by_its_principal_alone(tmp_path: Path) -> None:
    """T35: the run's id is no permission; nor is the tenant."""
    far = Far()
    for tenant, person in (("default", "eve"), ("evil", "ana")):
        async with staged(far.tool("pay", "irreversible")) as stage:
            async with stage.run() as run:
                await run.call("pay", {"n": 1}, name="mine")
            with pytest.raises(NotFound):
                async with stage.plane.run(replace(ANA, id=person, tenant=tenant), run_id=run.run_id):
                    pass
            with pytest.raises(NotFound):
                async with stage.plane.run(ANA, run_id="run_none"):
                    pass
            async with stage.plane.run(ANA, run_id=run.run_id) as again:
                assert (await again.call("pay", {"n": 1}, name="mine")).repeated
                assert (await again.call("pay", {"n": 2})).kind is OutcomeKind.HELD


async def test_a_run_that_is_over_tells_what_was_and_runs_nothing_new() -> None:
    far = Far()
    async with staged(far.tool("put", "reversible")) as stage:
        async with stage.run() as run:
            await run.call("put", {"n": 1}, name="mine")
        async with stage.plane.run(ANA, run_id=run.run_id) as again:
            assert (await again.call("put", {"n": 1}, name="mine")).repeated
            assert (await again.call("put", {"n": 2})).code == "recall.run_over"
        assert (await stage.said(run.run_id)).count("run.finished") == 1
        assert len(far.ran) == 1


async def test_a_run_that_somebody_works_on_is_not_come_back_to() -> None:
    far = Far()
    async with staged(far.tool("put", "reversible")) as stage, stage.run() as run:
        with pytest.raises(StaleClaim):
            async with stage.plane.run(ANA, run_id=run.run_id):
                pass
        assert (await run.call("put", {"n": 1})).done, "and whoever works on it is not disturbed"
        stage.store_in(stage.plane.store)
        stage.plane.worker = "another"
        with pytest.raises(StaleClaim):
            async with stage.plane.run(ANA, run_id=run.run_id):
                pass


async def test_of_two_who_come_back_at_once_one_works_on_the_run() -> None:
    """Both have seen that nobody holds it before either has claimed it."""
    far = Far()
    async with staged(far.tool("pay", "irreversible")) as stage:
        stage.store_in(WatchedStore(stage.clock))
        async with stage.run() as run:
            await run.call("pay", {"n": 1})
        entered: list[str] = []

        async def come_back() -> None:
            try:
                async with stage.plane.run(ANA, run_id=run.run_id):
                    entered.append("in")
                    for _ in range(5):
                        await anyio.lowlevel.checkpoint()
            except StaleClaim:
                entered.append("refused")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(come_back)
            tasks.start_soon(come_back)
        assert sorted(entered) == ["in", "refused"]


# ------------------------------------------------------------------ advanced, alone


async def test_what_nothing_is_due_for_is_not_changed_by_advancing() -> None:
    """DESIGN.md 1.3: advancing is idempotent; where nothing is due it adds not even a claim."""
    far = Far()
    async with staged(far.tool("get"), far.tool("pay", "irreversible")) as stage:
        async with stage.run() as run:
            await run.call("get", {"n": 1})
            await run.call("pay", {"n": 1})
        before = await stage.said(run.run_id)
        for _ in range(3):
            assert await stage.plane.advance(run.run_id)
            assert await stage.said(run.run_id) == before
        assert far.names == ["get"]


async def test_advancing_a_run_that_is_open_here_works_under_its_claim() -> None:
    far = Far()
    async with staged(far.tool("pay", "irreversible")) as stage, stage.run() as run:
        held = await run.call("pay", {"n": 1})
        await stage.answer(run.run_id, held)
        assert await stage.plane.advance(run.run_id)
        assert (await stage.said(run.run_id)).count("run.claimed") == 1
        assert (await run.call("pay", {"n": 2})).kind is OutcomeKind.HELD, "and the run goes on"


async def test_a_call_that_this_process_is_executing_is_not_lost() -> None:
    """Advancing the run meanwhile settles nothing that is still on its way."""
    far = Far()
    started, go_on = anyio.Event(), anyio.Event()

    async def wait(arguments: dict[str, Any], context: CallContext) -> object:
        started.set()
        await go_on.wait()
        return 7

    outcomes = []
    async with staged(far.tool("put", "reversible", wait)) as stage, stage.run() as run:

        async def put() -> None:
            outcomes.append(await run.call("put", {"n": 1}))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(put)
            await started.wait()
            await stage.plane.advance(run.run_id)
            go_on.set()
        assert outcomes[0].value == 7
        assert "call.unknown/unknown" not in await stage.said(run.run_id)


async def test_two_processes_advance_one_run_and_one_stops_before_doing_anything(
    tmp_path: Path, oracle: EffectOracle
) -> None:
    """Shown by 6: real processes over SQLite; while the other works, nothing is written and nothing runs here."""
    ledger = tmp_path / "ledger.db"
    async with staged(*far_tools(oracle.port), ledger=ledger, world=world("here")) as stage:
        async with stage.run() as run:
            held = await run.call("pay", {"n": 1})
        await stage.answer(run.run_id, held)
        other = Worker(advance_once, str(ledger), oracle.port, run.run_id)
        assert other.receive() == "effect done"
        before = await stage.said(run.run_id)
        for _ in range(3):
            assert not await stage.plane.advance(run.run_id)
        assert await stage.said(run.run_id) == before
        other.send("go on")
        assert other.receive() is True
        other.end()
        assert await stage.plane.advance(run.run_id)
        assert (await stage.said(run.run_id, held.call_id))[-2:] == ["call.intent", "call.result/done"]
        assert len(oracle.effects()) == 1


async def test_a_worker_whose_claim_lapsed_stops_and_only_says_what_it_knows(
    tmp_path: Path, oracle: EffectOracle
) -> None:
    """DESIGN.md 1.3, K6: the epoch fences it; no second effect, and its late result settles the call."""
    ledger = tmp_path / "ledger.db"
    here = world("here")
    async with staged(*far_tools(oracle.port), ledger=ledger, world=here) as stage:
        async with stage.run() as run:
            held = await run.call("pay", {"n": 1})
        await stage.answer(run.run_id, held)
        other = Worker(advance_once, str(ledger), oracle.port, run.run_id)
        assert other.receive() == "effect done"
        stage.clock.advance(30.0)
        assert await stage.plane.advance(run.run_id)
        assert (await stage.said(run.run_id, held.call_id))[-1] == "call.unknown/unknown"
        other.send("go on")
        assert other.receive() == "StaleClaim"
        other.end()
        late = (await stage.events(run.run_id, held.call_id))[-1].fact
        assert (late.kind, late.outcome, late.body["how"]) == ("call.reconciled", "done", "late")
        assert len(oracle.effects()) == 1


async def test_a_stop_thrown_in_another_process_binds_the_next_call_here(tmp_path: Path) -> None:
    """B19: within one call, and no engine and no time in between."""
    far = Far()
    ledger = tmp_path / "ledger.db"
    async with staged(far.tool("put", "reversible"), ledger=ledger, world=world("here")) as stage, stage.run() as run:
        assert (await run.call("put", {"n": 1})).done
        await anyio.to_thread.run_sync(killed, stop_everything, str(ledger))
        assert (await run.call("put", {"n": 2})).code == "authorize.stopped"
        await stage.plane.plane.switch.turn(Scope.ALL, "", OPA, stop=False)
        assert (await run.call("put", {"n": 3})).done
        assert [arguments["n"] for _, arguments in far.ran] == [1, 3]


async def test_two_workers_in_one_process_do_not_both_advance() -> None:
    """The same over two ledgers of one store."""
    far = Far()
    async with staged(far.tool("pay", "irreversible")) as stage:
        async with stage.run() as run:
            held = await run.call("pay", {"n": 1})
        await stage.answer(run.run_id, held)
        before = await stage.said(run.run_id)
        stage.store_in(stage.plane.store)
        other = await stage.plane.plane.ledger.conversation(run.run_id, "default")
        await stage.plane.store.release(run.run_id, other.state.epoch)
        await other.claim(Claim("another", 30.0))
        stage.store_in(stage.plane.store)
        assert not await stage.plane.advance(run.run_id)
        assert await stage.said(run.run_id) == [*before, "run.claimed"]
        assert far.ran == []
        stage.clock.advance(30.0)
        assert await stage.plane.advance(run.run_id), "and once the other's claim has lapsed, this one may"
        assert len(far.ran) == 1


async def test_a_call_whose_request_expired_is_told_so_even_if_the_first_who_would_say_it_is_cut_off() -> None:
    """K1: found by simulation; the request was over, nothing was due any more, and its call was held for ever."""
    async with staged(Far().tool("pay", "irreversible")) as stage:
        store = WatchedStore(stage.clock)
        stage.store_in(store)
        async with stage.run() as run:
            held = await run.call("pay", {"n": 1})
        stage.clock.advance(24 * 3600)
        store.fail_at.add(len(store.appends) + 3)  # its claim, the end of the request, the end of the call
        with pytest.raises(StoreUnavailable):
            await stage.plane.advance(run.run_id)
        assert (await stage.said(run.run_id))[-1] == "approval.expired"
        assert [due.run_id for due in await store.due()] == [run.run_id]
        await stage.plane.advance(run.run_id)
        assert (await stage.said(run.run_id, held.call_id))[-1] == "call.decided/refused"
        assert await store.due() == []


async def test_who_leaves_a_run_that_is_being_advanced_leaves_the_claim_with_the_advance() -> None:
    """Found by simulation: it was given back, and another worker took for lost what was under way here."""
    begun, go_on = anyio.Event(), anyio.Event()

    async def pay(arguments: dict[str, Any], context: CallContext) -> object:
        begun.set()
        await go_on.wait()
        return "paid"

    async with staged(Far().tool("pay", "irreversible", pay)) as stage:
        store = stage.plane.store
        async with anyio.create_task_group() as tasks:
            async with stage.run() as run:
                held = await run.call("pay", {"n": 1})
                await stage.answer(run.run_id, held)
                tasks.start_soon(stage.plane.advance, run.run_id)
                await begun.wait()
            with pytest.raises(StaleClaim):
                await store.append(Append(run.run_id, "default", [], claim=Claim("another", 30.0)))
            assert await store.due() == []
            go_on.set()
        assert (await stage.said(run.run_id))[-2:] == ["call.result/done", "run.finished"]
        await store.append(Append(run.run_id, "default", [], claim=Claim("another", 30.0)))


async def test_a_run_is_not_finished_over_a_request_whose_record_stands_and_was_not_confirmed() -> None:
    """K19: the answer to a commit is lost. Found by simulation."""
    async with staged(Far().tool("pay", "irreversible")) as stage:
        store = WatchedStore(stage.clock)
        stage.store_in(store)
        async with stage.run() as run:
            store.lose_at.add(len(store.appends) + 1)
            with pytest.raises(StoreUnavailable):
                await run.call("pay", {"n": 1})
        assert "run.finished" not in await stage.said(run.run_id)


async def test_a_run_that_nobody_knows_cannot_be_advanced() -> None:
    async with staged() as stage:
        with pytest.raises(NotFound):
            await stage.plane.advance("run_none")


async def test_two_who_load_a_run_at_the_same_moment_both_find_it() -> None:
    """An engine and a person's answer meet a run that this process has not read yet."""
    far = Far()
    async with staged(far.tool("pay", "irreversible")) as stage:
        store = WatchedStore(stage.clock)
        stage.store_in(store)
        async with stage.run() as run:
            held = await run.call("pay", {"n": 1})
            shown = await stage.shown(run.run_id, held)
        stage.store_in(store)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stage.plane.advance, run.run_id)
            tasks.start_soon(stage.plane.answer, held.approval_id, saying(shown), BOB)
        await stage.plane.advance(run.run_id)
        assert len(far.ran) == 1


# -------------------------------------------------------------------------- settled


async def test_what_is_unknown_is_listed_and_only_an_operator_settles_it() -> None:
    """REQUIREMENTS B14: nor a service, nor another tenant's operator."""
    far = Far()
    async with staged(far.tool("put", "reversible", lose), far.tool("get")) as stage, stage.run() as run:
        unknown = await run.call("put", {"n": 1})
        read = await run.call("get", {"n": 1})
        rows = await stage.plane.store.rows("tool_call", {"status": "unknown"})
        assert [row["call_id"] for row in rows] == [unknown.call_id]
        for person in (ANA, BOB, replace(OPA, kind="service"), replace(OPA, roles=frozenset({"Operator"}))):
            with pytest.raises(NotEntitled):
                await stage.plane.settle(unknown.call_id, "done", person, note="x")
        with pytest.raises(NotFound):
            await stage.plane.settle(unknown.call_id, "done", replace(OPA, tenant="evil"), note="x")
        for word in ("unknown", "held", "refused", "DONE", ""):
            with pytest.raises(BadInput):
                await stage.plane.settle(unknown.call_id, word, OPA, note="x")
        with pytest.raises(Conflict):
            await stage.plane.settle(read.call_id, "failed", OPA, note="x")
        assert (await stage.said(run.run_id, unknown.call_id))[-1] == "call.unknown/unknown"


@pytest.mark.parametrize("word", ["done", "failed"])
async def test_a_settled_call_is_over_and_says_how_and_by_whom(word: str) -> None:
    far = Far()
    async with staged(far.tool("put", "reversible", lose)) as stage, stage.run() as run:
        unknown = await run.call("put", {"n": 1}, name="mine")
        told = await stage.plane.settle(unknown.call_id, word, OPA, note="asked the bank")
        assert told.kind == word
        assert ("took no effect" in repr(told)) == (word == "failed")
        fact = (await stage.events(run.run_id, unknown.call_id))[-1].fact
        assert (fact.kind, fact.outcome, fact.principal_id) == ("call.reconciled", word, "opa")
        assert fact.body["note"] == "asked the bank"
        again = await run.call("put", {"n": 1}, name="mine")
        assert again.kind == word
        assert again.repeated
        with pytest.raises(Conflict):
            await stage.plane.settle(unknown.call_id, word, OPA, note="again")
        assert await stage.plane.store.rows("tool_call", {"status": "unknown"}) == []


async def test_two_operators_settle_at_once_and_one_of_them_is_told() -> None:
    far = Far()
    async with staged(far.tool("put", "reversible", lose)) as stage:
        stage.store_in(WatchedStore(stage.clock))
        async with stage.run() as run:
            unknown = await run.call("put", {"n": 1})
            conflicts = []

            async def settle(word: str) -> None:
                try:
                    await stage.plane.settle(unknown.call_id, word, OPA, note="x")
                except Conflict as error:
                    conflicts.append(error.code)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(settle, "done")
                tasks.start_soon(settle, "failed")
            assert conflicts == ["settle.not_unknown"]
            outcome = (await stage.state(run.run_id)).calls[unknown.call_id].outcome
            assert outcome is not None
            assert outcome.done


async def test_a_late_word_of_a_lost_worker_does_not_reopen_what_was_settled() -> None:
    """In the fold and in the rows alike."""
    far = Far()
    async with staged(far.tool("put", "reversible", lose)) as stage, stage.run() as run:
        unknown = await run.call("put", {"n": 1})
        await stage.plane.settle(unknown.call_id, "done", OPA, note="x")
        conversation = await stage.plane.plane.ledger.conversation(run.run_id, "default")
        late = Fact(Kind.CALL_UNKNOWN, {"outcome": unknown.as_json()}, unknown.call_id, 1, outcome="unknown")
        await conversation.append_outside([late])
        assert (await stage.state(run.run_id)).calls[unknown.call_id].status == "closed"
        (row,) = await stage.plane.store.rows("tool_call", {"call_id": unknown.call_id})
        assert (row["status"], row["outcome"]) == ("closed", "done")


async def test_another_workers_claim_stops_this_ones_next_call_before_anything() -> None:
    """Spec ledger: an append under a claim that is past is refused; the call has not run."""
    far = Far()
    async with staged(far.tool("put", "reversible")) as stage, stage.run() as run:
        stage.clock.advance(30.0)
        ledger = stage.plane.plane.ledger
        stage.store_in(stage.plane.store)
        other = await stage.plane.plane.ledger.conversation(run.run_id, "default")
        await other.claim(Claim("another", 30.0))
        stage.plane.plane.ledger = ledger
        with pytest.raises(StaleClaim):
            await run.call("put", {"n": 1})
        assert far.ran == []
        await stage.plane.store.release(run.run_id, other.epoch)
        run._conversation.epoch = other.epoch  # so that the run can be left


async def test_a_call_is_refused_or_recorded_whatever_its_id() -> None:
    """Ids are opaque; two calls with one id are one call."""
    far = Far()
    async with staged(far.tool("get")) as stage, stage.run() as run:
        outcomes = [await call_tool(proposed(run, "get", call_id=call_id), stage.plane.plane) for call_id in "aab"]
        assert codes(outcomes) == ["", "", ""]
        assert [outcome.repeated for outcome in outcomes] == [False, True, False]
        assert len(far.ran) == 2

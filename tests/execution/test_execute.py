"""Execution: the intent first, then the tries that the table allows, and one key for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from interlock import CallContext, OutcomeKind
from interlock.errors import NotSent, Rejected, StoreUnavailable
from interlock.execution.bulkhead import Bulkhead
from interlock.execution.retry import BACKOFF_S
from interlock.pipeline import call_tool
from tests.planes import OPA, Far, Stage, WatchedStore, proposed, staged

pytestmark = pytest.mark.anyio


def failing(*errors: BaseException | object) -> Any:
    """A body that goes through these, one a try; what is no exception is returned."""
    left: Iterator[Any] = iter(errors)

    async def act(arguments: dict[str, Any], context: CallContext) -> object:
        found = next(left)
        if isinstance(found, BaseException):
            raise found
        return found

    return act


READ, WRITE = {"effect": "read"}, {"effect": "reversible"}
KEYED, IDEMPOTENT = WRITE | {"keyed": True}, WRITE | {"idempotent": True}
LOST, GONE, NO, BUG = TimeoutError("t"), NotSent("n"), Rejected("r"), RuntimeError("b")

CASES = [
    # what the tool is, what happens, tries, outcome, code
    (READ, [LOST, LOST, 1], 3, "done", ""),
    (READ, [LOST] * 3, 3, "failed", "execute.timeout"),
    (READ, [BUG, 1], 2, "done", ""),
    (READ, [NO, 1], 1, "failed", "execute.rejected"),
    (READ | {"outward": True}, [LOST, 1], 2, "done", ""),
    (WRITE, [LOST, 1], 1, "unknown", "execute.unknown"),
    (WRITE, [BUG, 1], 1, "unknown", "execute.unknown"),
    (WRITE, [NO, 1], 1, "failed", "execute.rejected"),
    (WRITE, [GONE, GONE, 1], 3, "done", ""),
    (WRITE, [GONE] * 3, 3, "failed", "execute.unavailable"),
    (WRITE, [GONE, LOST, 1], 2, "unknown", "execute.unknown"),
    (KEYED, [LOST, 1], 2, "done", ""),
    (KEYED, [LOST] * 3, 3, "unknown", "execute.unknown"),
    (KEYED, [LOST, GONE, GONE], 3, "unknown", "execute.unknown"),
    (KEYED, [LOST, NO], 2, "unknown", "execute.unknown"),
    (IDEMPOTENT, [BUG, LOST, 1], 3, "done", ""),
    (WRITE | {"attempts_max": 1}, [GONE, 1], 1, "failed", "execute.unavailable"),
    (READ | {"attempts_max": 5}, [BUG] * 5, 5, "failed", "execute.broken"),
]


@pytest.mark.parametrize(("options", "errors", "tries", "kind", "code"), CASES, ids=range(len(CASES)))
async def test_a_failed_try_is_followed_by_what_the_table_allows(
    options: dict[str, Any], errors: list[Any], tries: int, kind: str, code: str
) -> None:
    """Defects 44, 45, 47, 48: DESIGN.md section 3; maxRetries=3 is three tries and not four."""
    far = Far()
    async with staged(far.tool("act", does=failing(*errors), **options)) as stage, stage.run() as run:
        outcome = await run.call("act", {"n": 1})
        assert (outcome.kind.value, outcome.code) == (kind, code)
        assert len(far.ran) == tries
        assert [context.attempt for context in far.contexts] == list(range(1, tries + 1))
        assert len({context.idempotency_key for context in far.contexts}) == 1, "defect 34: one key for every try"


@pytest.mark.parametrize("text", ["timeout, retry", "503 please try again", "APPROVED", "ECONNREFUSED", "not sent"])
async def test_no_text_of_a_result_or_an_error_drives_control(text: str) -> None:
    """T41, defect 47: typed errors alone; a value that says «error, retry» is a value."""
    far = Far()
    told = far.tool("told", "reversible", failing({"error": text, "retry": True}), keyed=True)
    raised = far.tool("raised", "reversible", failing(RuntimeError(text)))
    async with staged(told, raised) as stage, stage.run() as run:
        assert (await run.call("told", {"n": 1})).value == {"error": text, "retry": True}
        assert (await run.call("raised", {"n": 1})).kind is OutcomeKind.UNKNOWN
        assert far.names == ["told", "raised"]


async def test_pauses_double_within_a_fifth_of_jitter() -> None:
    """REQUIREMENTS B11: with the pause injected, no test sleeps."""
    far = Far()
    async with staged(far.tool("act", does=failing(*[BUG] * 8), attempts_max=8)) as stage, stage.run() as run:
        await run.call("act", {"n": 1})
        assert len(stage.paused) == 7
        for paused, base in zip(stage.paused, (*BACKOFF_S, BACKOFF_S[-1], BACKOFF_S[-1]), strict=True):
            assert 0.8 * base <= paused <= 1.2 * base


async def test_there_is_no_pause_where_there_is_no_other_try() -> None:
    far = Far()
    tools = [far.tool("done"), far.tool("lost", "reversible", failing(LOST)), far.tool("no", does=failing(NO))]
    async with staged(*tools) as stage, stage.run() as run:
        for tool in tools:
            await run.call(tool.name, {"n": 1})
        assert stage.paused == []


async def test_one_call_has_one_budget_of_tries_even_where_it_is_asked_again_by_name() -> None:
    """Defect 48: layers of retries multiply (5 x 5 = 25); here there is one."""
    far = Far()
    async with staged(far.tool("act", does=failing(*[BUG] * 9))) as stage, stage.run() as run:
        for _ in range(3):
            assert (await run.call("act", {"n": 1}, name="mine")).kind is OutcomeKind.FAILED
        assert len(far.ran) == 3


async def test_the_key_differs_for_another_call_run_tenant_and_digest() -> None:
    """Defect 34: and is nobody's guess, because the deployment's own key is in it."""
    far = Far()
    tool = far.tool("put", "reversible")
    async with staged(tool) as stage:
        for _ in range(2):
            async with stage.run() as run:
                await run.call("put", {"n": 1}, name="a")
                await run.call("put", {"n": 1}, name="b")
                await run.call("put", {"n": 2}, name="c")
    async with staged(tool) as stage, stage.run() as run:
        await run.call("put", {"n": 1}, name="a")
    assert run.run_id == "run_1", "the same ids as in the first run, under another deployment's key"
    keys = [context.idempotency_key for context in far.contexts]
    assert len(set(keys)) == len(keys) == 7


async def test_a_reads_result_bears_no_intent_and_an_outward_ones_does() -> None:
    """Spec ledger, durability point 2."""
    far = Far()
    async with staged(far.tool("get"), far.tool("fetch", outward=True)) as stage, stage.run() as run:
        for tool, intents in (("get", 0), ("fetch", 1)):
            outcome = await run.call(tool, {"n": 1})
            assert (await stage.said(run.run_id, outcome.call_id)).count("call.intent") == intents


async def test_no_more_calls_run_at_once_than_there_are_slots() -> None:
    """DESIGN.md: the bulkhead; a call that waits for its slot has no intent yet."""
    far = Far()
    running, most = 0, 0

    async def work(arguments: dict[str, Any], context: CallContext) -> object:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
        running -= 1
        return None

    async with staged(far.tool("get", does=work)) as stage, stage.run() as run:
        object.__setattr__(stage.plane.plane.executor, "bulkhead", Bulkhead(process_max=3))
        async with anyio.create_task_group() as tasks:
            for n in range(12):
                tasks.start_soon(run.call, "get", {"n": n})
    assert most == 3
    assert len(far.ran) == 12


# ------------------------------------------------------------------- the store fails


async def stored(stage: Stage) -> WatchedStore:
    """Let what follows go through a store that can be told to fail."""
    store = WatchedStore(stage.clock)
    stage.store_in(store)
    return store


async def test_an_intent_that_cannot_be_written_stops_the_call_and_leaves_it_to_be_made_again() -> None:
    """Spec ledger: an append failure before an effect stops the call; defect 35."""
    far = Far()
    async with staged(far.tool("put", "reversible")) as stage:
        store = await stored(stage)
        async with stage.run() as run:
            store.fail_at = {len(store.appends) + 1}
            with pytest.raises(StoreUnavailable):
                await run.call("put", {"n": 1}, name="mine")
            assert far.ran == []
            again = await run.call("put", {"n": 1}, name="mine")
            assert again.done
            assert not again.repeated
            assert far.names == ["put"]


async def test_a_call_that_could_not_be_recorded_is_in_nobodys_way() -> None:
    """An equal call is not refused for the sake of one that was never recorded, nor counted with it."""
    far = Far()
    async with staged(far.tool("put", "reversible"), settings={"limits": {"alike_max": 1}}) as stage:
        store = await stored(stage)
        async with stage.run() as run:
            store.fail_at = {len(store.appends) + 1}
            with pytest.raises(StoreUnavailable):
                await run.call("put", {"n": 1})
            assert (await run.call("put", {"n": 1})).done


@pytest.mark.parametrize("failures", [1, 2])
async def test_a_result_that_cannot_be_written_never_repeats_the_effect(failures: int) -> None:
    """Defects 35, 41, K41: the intent stands, the call is settled as after a crash and is not undone by guess."""
    far = Far()
    async with staged(far.tool("put", "reversible")) as stage:
        store = await stored(stage)
        async with stage.run() as run:
            asked = len(store.appends)
            store.fail_at = {asked + 2 + number for number in range(failures)}
            with pytest.raises(StoreUnavailable):
                await run.call("put", {"n": 1}, name="mine")
            again = await run.call("put", {"n": 1}, name="mine")
            assert again.kind is OutcomeKind.UNKNOWN
            assert (await run.call("put", {"n": 1})).code == "limit.duplicate"
            await stage.plane.advance(run.run_id)
            assert (await run.call("put", {"n": 1}, name="mine")).kind is OutcomeKind.UNKNOWN
            assert far.names == ["put"]
            state = await stage.state(run.run_id)
            assert state.calls[again.call_id].status == "unknown"
            settled = await stage.plane.settle(again.call_id, "done", OPA, note="the far end has it")
            assert settled.done
            assert (await run.call("put", {"n": 1}, name="mine")).done


@pytest.mark.parametrize("nth", range(1, 8))
@pytest.mark.parametrize("lost", [False, True], ids=["not written", "written, answer lost"])
@pytest.mark.parametrize("effect", ["read", "reversible", "irreversible"])
async def test_whichever_append_fails_no_effect_is_without_intent_or_done_twice(
    nth: int, lost: bool, effect: str
) -> None:
    """Defects 35, 41, 53: for the n-th append of a run, asked again by the same name until it holds."""
    far = Far()
    async with staged(far.tool("act", effect)) as stage:
        store = await stored(stage)
        async with stage.run() as run:
            at = {len(store.appends) + nth}
            store.fail_at, store.lose_at = (set(), at) if lost else (at, set())
            outcome = None
            for _ in range(6):
                try:
                    outcome = await run.call("act", {"n": 1}, name="mine")
                    if outcome.kind is OutcomeKind.HELD:
                        state = await stage.state(run.run_id)
                        if state.approvals[outcome.approval_id].status == "pending":
                            await stage.answer(run.run_id, outcome)
                    await stage.plane.advance(run.run_id)
                except StoreUnavailable:
                    assert len(store.appends) in at | {max(at) + 1}
                if effect != "read":
                    facts = [str(event.fact.kind) for event in await store.read(run.run_id)]
                    assert facts.count("call.intent") >= len(far.ran), "no effect without an intent"
                    assert facts.count("call.intent") <= 1
            store.fail_at = store.lose_at = set()
            assert len(far.ran) <= (1 if effect != "read" else 2)
            assert outcome is not None
            state = await stage.state(run.run_id)
            assert state.calls[outcome.call_id].status in ("closed", "unknown")
            assert outcome.kind in (OutcomeKind.DONE, OutcomeKind.UNKNOWN)


async def test_two_calls_race_and_the_failure_of_one_is_not_the_others() -> None:
    far = Far()
    async with staged(far.tool("put", "reversible")) as stage:
        store = await stored(stage)
        async with stage.run() as run:
            store.fail_at = {len(store.appends) + 1}
            with pytest.raises(StoreUnavailable):
                await call_tool(proposed(run, "put", {"n": 1}), stage.plane.plane)
            assert (await call_tool(proposed(run, "put", {"n": 2}, "call_y"), stage.plane.plane)).done
            assert [arguments["n"] for _, arguments in far.ran] == [2]


async def test_what_undoes_a_call_stands_in_its_intent() -> None:
    """Defect 36: registered before the effect, and not in memory."""
    far = Far()
    whence = {"n": "/result/n", "note": "/arguments/note"}
    tools = [
        far.tool("put", "reversible", compensate="take", compensate_with=whence), far.tool("take", "reversible"),
    ]  # fmt: skip
    async with staged(*tools) as stage, stage.run() as run:
        outcome = await run.call("put", {"n": 1, "note": "a"})
        intent = (await stage.events(run.run_id, outcome.call_id))[1].fact
        assert (intent.kind, intent.body["compensate"]) == ("call.intent", "take")
        undo = (await stage.state(run.run_id)).calls[outcome.call_id].undo
        assert undo is not None
        assert (undo.tool_hash, undo.arguments, undo.results) == (tools[1].digest, {"note": "a"}, {"n": "/n"})
        assert undo.derived(outcome.value) == {"n": 1, "note": "a"}

"""A worker is lost after its intent: what the tool declares says how the call is settled, on the path and once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from interlock import CallContext, OutcomeKind, Run, Tool
from interlock.errors import NotSent
from interlock.execution.bulkhead import Bulkhead
from interlock.execution.execute import RECOVERIES_MAX
from interlock.policy.flags import Scope
from tests.planes import ANA, NUMBER, OPA, PERMIT, Far, Stage, staged

pytestmark = pytest.mark.anyio

LEASE_S = 30
"""The default of `Settings.lease_s`."""


class Lost(BaseException):
    """In a kill's place: it ends the worker where it is raised, and the ledger hears nothing more of it."""


class Mortal(Far):
    """A far end whose caller dies at the first so many calls of `put`, before or after the effect."""

    def __init__(self, deaths: int, *, after_effect: bool = True) -> None:
        super().__init__()
        self.deaths = deaths
        self.after_effect = after_effect
        self.effects: dict[str, int] = {}
        self.asked: list[dict[str, Any]] = []

    async def put(self, arguments: dict[str, Any], context: CallContext) -> object:
        dies = self.deaths > 0
        self.deaths -= 1
        if dies and not self.after_effect:
            raise Lost
        key = context.idempotency_key
        self.effects[key] = self.effects.get(key, 0) + 1
        if dies:
            raise Lost
        return {"n": arguments["n"]}

    async def was_put(self, arguments: dict[str, Any], context: CallContext) -> object:
        self.asked.append(arguments)
        return {"done": arguments["idempotency_key"] in self.effects, "result": {"n": arguments["n"]}}

    def tools(self, **options: Any) -> list[Tool]:
        schema = {
            "type": "object",
            "properties": {"idempotency_key": {"type": "string"}, "n": {"type": "integer"}},
            "required": ["idempotency_key"],
        }
        asks = self.tool("was_put", does=self.was_put, input_schema=schema)
        return [self.tool("put", "reversible", self.put, **options), asks]


@asynccontextmanager
async def lost(far: Mortal, **options: Any) -> AsyncIterator[tuple[Stage, str]]:
    """A stage on which the worker of a run was lost while it executed `put`, and its claim has lapsed."""
    async with staged(*far.tools(**options)) as stage:
        run_id = await abandoned(stage)
        yield stage, run_id


async def abandoned(stage: Stage) -> str:
    """A run whose worker dies in its call: neither the call's end nor the claim's is written."""
    store = stage.plane.store
    deaf = Deaf(store)
    stage.store_in(deaf)
    with pytest.raises(Lost):
        async with stage.run() as run:
            await run.call("put", {"n": 1}, name="mine")
    stage.store_in(store)
    stage.clock.advance(LEASE_S)
    run_id: str = run.run_id
    return run_id


class Deaf:
    """A store that hears a worker's intents and claims and nothing that it says after its tool died."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._dead = False

    async def append(self, append: Any) -> Any:
        kinds = {fact.kind for fact in append.facts}
        if self._dead or kinds & {"call.unknown", "call.result", "run.finished"}:
            self._dead = True
            raise Lost
        return await self._store.append(append)

    async def release(self, run_id: str, epoch: int) -> None:
        if not self._dead:
            await self._store.release(run_id, epoch)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def asked_again(stage: Stage, run_id: str) -> Any:
    async with stage.plane.run(ANA, run_id=run_id) as run:
        return await run.call("put", {"n": 1}, name="mine")


@pytest.mark.parametrize("declared", [{"keyed": True}, {"idempotent": True}])
async def test_what_can_be_sent_again_is_sent_again_with_the_same_key(declared: dict[str, bool]) -> None:
    """DESIGN.md decision 4, K2: an intent without a result counts as maybe sent."""
    far = Mortal(1)
    async with lost(far, **declared) as (stage, run_id):
        assert await stage.plane.advance(run_id)
        assert list(far.effects.values()) == [2], "sent twice, with one key"
        assert [context.attempt for context in far.contexts] == [1, 2]
        outcome = await asked_again(stage, run_id)
        assert (outcome.done, outcome.repeated, outcome.value) == (True, True, {"n": 1})
        assert (await stage.state(run_id)).calls[outcome.call_id].recoveries == 1


@pytest.mark.parametrize("after_effect", [True, False])
async def test_what_can_be_asked_about_is_asked_and_done_only_if_it_was_not(after_effect: bool) -> None:
    """Reconcilable: «not done» counts as not sent, so that it is done exactly once."""
    far = Mortal(1, after_effect=after_effect)
    async with lost(far, reconcile="was_put") as (stage, run_id):
        assert await stage.plane.advance(run_id)
        assert list(far.effects.values()) == [1]
        assert len(far.asked) == 1
        outcome = await asked_again(stage, run_id)
        assert outcome.value == {"n": 1}
        last = [event.fact for event in await stage.events(run_id, outcome.call_id) if event.fact.outcome][-1]
        assert last.kind == ("call.reconciled" if after_effect else "call.result")
        if after_effect:
            assert (last.body["by"], last.body["how"]) == ("was_put", "asked")


async def test_what_nobody_can_tell_is_unknown_and_never_sent_again() -> None:
    """Defects 37, 44, 53."""
    far = Mortal(1)
    async with lost(far) as (stage, run_id):
        for _ in range(3):
            assert await stage.plane.advance(run_id)
        outcome = await asked_again(stage, run_id)
        assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, "execute.lost")
        assert far.names == ["put"]
        assert (await stage.said(run_id)).count("call.unknown/unknown") == 1
        assert (await stage.plane.settle(outcome.call_id, "done", OPA, note="seen")).done


async def test_a_lost_call_for_which_there_is_no_room_is_not_said_to_have_done_nothing() -> None:
    """It was sent once: turned away now, it is unknown and not failed."""
    far = Mortal(1)
    async with lost(far, keyed=True) as (stage, run_id):
        object.__setattr__(stage.plane.plane.executor, "bulkhead", Bulkhead(process_max=0, waiting_max=0))
        assert await stage.plane.advance(run_id)
        outcome = await asked_again(stage, run_id)
        assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, "execute.unknown")
        assert far.names == ["put"]


async def test_asking_again_by_name_takes_the_call_up_in_the_process_that_holds_the_run() -> None:
    """A client that comes back need not wait for an engine."""
    far = Mortal(1)
    async with lost(far, keyed=True) as (stage, run_id):
        outcome = await asked_again(stage, run_id)
        assert (outcome.done, outcome.repeated) == (True, False)
        assert list(far.effects.values()) == [2]


async def tighten(stage: Stage) -> None:
    stage.obey('@id("none") forbid (principal, action, resource);')


async def stop(stage: Stage) -> None:
    await stage.plane.stop(Scope.TOOL, "put", OPA, reason="drill")


async def hold(stage: Stage) -> None:
    stage.obey(f'{PERMIT} @id("ask") @approvers("approver") forbid (principal, action, resource);')


@pytest.mark.parametrize("change", [tighten, stop, hold])
async def test_what_may_not_be_sent_today_is_unknown_and_not_refused(change: Any) -> None:
    """B19, T23: every gate on today's facts; a refusal would say that nothing ran."""
    far = Mortal(1)
    async with lost(far, keyed=True) as (stage, run_id):
        await change(stage)
        assert await stage.plane.advance(run_id)
        outcome = await asked_again(stage, run_id)
        assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, "execute.lost")
        assert far.names == ["put"]
        assert not (await stage.state(run_id)).approvals


async def test_a_tool_that_was_changed_since_is_not_what_was_decided() -> None:
    """T7: the intent binds the definition; another one is never sent in its place."""
    far = Mortal(1)
    async with lost(far, keyed=True) as (stage, run_id):
        changed = far.tool("put", "reversible", far.put, keyed=True, description="Puts it elsewhere.")
        registry = type(stage.plane.plane.registry)
        stage.plane.plane.registry = registry([changed, far.tools()[1]])
        stage.obey(PERMIT)
        assert await stage.plane.advance(run_id)
        assert (await asked_again(stage, run_id)).kind is OutcomeKind.UNKNOWN
        assert far.names == ["put"]


async def test_a_process_that_has_not_the_tool_leaves_the_call_to_one_that_has() -> None:
    far = Mortal(1)
    async with lost(far, keyed=True) as (stage, run_id):
        registry = stage.plane.plane.registry
        stage.plane.plane.registry = type(registry)([Far().tool("get")])
        assert await stage.plane.advance(run_id)
        assert (await stage.said(run_id))[-1] == "call.intent"
        stage.plane.plane.registry = registry
        assert await stage.plane.advance(run_id)
        assert (await asked_again(stage, run_id)).done


async def test_recovery_that_is_lost_is_recovered_and_counted() -> None:
    """K4: five workers are lost one after the other over one call; the sixth ends it, with the same key."""
    far = Mortal(6)
    async with lost(far, keyed=True) as (stage, run_id):
        for _ in range(5):
            await advance_and_die(stage, run_id)
        assert await stage.plane.advance(run_id)
        outcome = await asked_again(stage, run_id)
        assert outcome.done
        assert list(far.effects.values()) == [7]
        assert (await stage.said(run_id)).count("recovery") == 6
        assert (await stage.said(run_id)).count("call.intent") == 1


async def advance_and_die(stage: Stage, run_id: str) -> None:
    store = stage.plane.store
    stage.store_in(Deaf(store))
    with pytest.raises(Lost):
        await stage.plane.advance(run_id)
    stage.store_in(store)
    stage.clock.advance(LEASE_S)


async def test_a_call_over_which_every_worker_is_lost_is_left_to_a_person() -> None:
    """K40: quarantined after so many, a dead letter, and due no more."""
    far = Mortal(99)
    async with lost(far, keyed=True) as (stage, run_id):
        for _ in range(RECOVERIES_MAX):
            await advance_and_die(stage, run_id)
        assert await stage.plane.advance(run_id)
        outcome = await asked_again(stage, run_id)
        assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, "execute.quarantined")
        assert len(far.names) == 1 + RECOVERIES_MAX
        assert [row["tool"] for row in await stage.plane.store.rows("dead_letter")] == ["put"]
        assert await stage.plane.store.due() == []
        assert (await stage.plane.settle(outcome.call_id, "failed", OPA, note="seen")).kind is OutcomeKind.FAILED


async def test_an_approval_belongs_to_its_intent_and_is_not_needed_again() -> None:
    """Spec approvals 3: crash after consume: no second approval, no second consumption."""
    far = Mortal(1)
    async with staged(*far.tools(keyed=True)) as stage:
        stage.obey(f'{PERMIT} @id("ask") @approvers("approver") forbid (principal, action == Action::"put", resource);')
        async with stage.run() as run:
            held = await run.call("put", {"n": 1}, name="mine")
        await stage.answer(run.run_id, held)
        await advance_and_die(stage, run.run_id)
        assert await stage.plane.advance(run.run_id)
        said = await stage.said(run.run_id)
        assert said.count("approval.consumed") == said.count("approval.requested") == 1
        assert (await asked_again(stage, run.run_id)).done
        assert list(far.effects.values()) == [2]


async def test_taken_up_and_cancelled_it_stays_as_it_was_for_the_next() -> None:
    """K38 within K4: recovery that is cut off says nothing that it does not know."""
    far = Mortal(1)
    entered = anyio.Event()

    async def hang(arguments: dict[str, Any], context: CallContext) -> object:
        if context.attempt == 1:
            raise Lost
        if not entered.is_set():
            entered.set()
            await anyio.sleep_forever()
        return {"n": 1}

    far.put = hang  # type: ignore[method-assign]
    async with lost(far, keyed=True) as (stage, run_id):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stage.plane.advance, run_id)
            await entered.wait()
            tasks.cancel_scope.cancel()
        assert (await stage.said(run_id))[-1] == "recovery"
        assert await stage.plane.advance(run_id)
        assert (await asked_again(stage, run_id)).done


# ------------------------------------------------------------ the far end is asked on the first run too


def asking(answer: object) -> tuple[Far, list[Tool]]:
    """A write that times out, and a read that says what became of it."""
    far = Far()

    async def put(arguments: dict[str, Any], context: CallContext) -> object:
        raise TimeoutError("no answer")

    async def was_put(arguments: dict[str, Any], context: CallContext) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    tools = [
        far.tool("put", "reversible", put, reconcile="was_put"),
        far.tool("was_put", does=was_put, attempts_max=1),
    ]
    return far, tools


CASES = [
    ({"done": True, "result": {"n": 7}}, "done", 1),
    ({"done": True}, "done", 1),
    ({"done": False}, "failed", 3),  # not done counts as not sent: tried again, and asked again
    ({"done": "yes"}, "unknown", 1),
    ({"done": None}, "unknown", 1),
    ("done", "unknown", 1),
    ([], "unknown", 1),
    (NotSent("down"), "unknown", 1),
]


@pytest.mark.parametrize(("answer", "kind", "tries"), CASES)
async def test_a_write_that_times_out_is_asked_about(answer: object, kind: str, tries: int) -> None:
    """DESIGN.md section 3: only a plain yes or no counts (T41)."""
    far, tools = asking(answer)
    async with staged(*tools) as stage, stage.run() as run:
        outcome = await run.call("put", {"n": 1})
        assert outcome.kind.value == kind
        assert far.names.count("put") == tries
        assert far.names.count("was_put") == tries


async def test_what_the_far_end_says_was_done_is_screened_like_any_result() -> None:
    """B16: the asking read's word on the result is no more trusted than the tool's own; the effect stands."""
    far, (put, was_put) = asking({"done": True, "result": {"n": "seven"}})
    strict = far.tool("put", "reversible", put.body, reconcile="was_put", output_schema=NUMBER)
    async with staged(strict, was_put) as stage, stage.run() as run:
        outcome = await run.call("put", {"n": 1})
        assert (outcome.kind, outcome.code) == (OutcomeKind.WITHHELD, "screen.output_schema")


async def test_asking_is_a_governed_read_of_the_same_principal() -> None:
    """One path: it is decided and recorded as a child; where policy denies it, the call is unknown."""
    far, tools = asking({"done": True})
    async with staged(*tools) as stage, stage.run() as run:
        done = await run.call("put", {"n": 1})
        children = [call for call in (await stage.state(run.run_id)).calls.values() if call.parent_id == done.call_id]
        assert [child.tool for child in children] == ["was_put"]
        stage.obey(f'{PERMIT} @id("no") forbid (principal, action == Action::"was_put", resource);')
        assert (await run.call("put", {"n": 2})).kind is OutcomeKind.UNKNOWN
        assert far.names == ["put", "was_put", "put"]


async def test_a_run_is_returned_to_while_its_lost_call_waits(anyio_backend: str) -> None:
    """Other calls of the run go on; the lost one is settled when it is asked for."""
    far = Mortal(1)
    async with lost(far, keyed=True) as (stage, run_id):
        run: Run
        async with stage.plane.run(ANA, run_id=run_id) as run:
            assert (await run.call("put", {"n": 2})).done
            equal = await run.call("put", {"n": 1})
            assert equal.code == "limit.duplicate"
            assert (await run.call("put", {"n": 1}, name="mine")).done

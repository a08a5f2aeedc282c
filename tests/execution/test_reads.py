"""Reads that need not ask their tool: from the cache, by an equal one on its way. REQUIREMENTS B13, defect 59."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from interlock import CallContext, Entity, OutcomeKind, Principal, Proposal, Tool, World
from interlock.core.call import Outcome, ToolCall, ValidCall, call_digest
from interlock.errors import NotSent, Rejected, StoreUnavailable
from interlock.execution.cache import cache_key
from interlock.ledger.replay import replay
from interlock.pipeline import call_tool
from interlock.policy.flags import Scope
from interlock.testing import CountedIds, FrozenClock
from tests.planes import ANA, BOB, OPA, Far, Stage, WatchedStore, proposed, staged

pytestmark = pytest.mark.anyio

EVA = replace(ANA, tenant="other")
"""The same id and roles in another tenant."""


class Remote:
    """The far end: a number that writes change; each of its answers says for whom it was given."""

    def __init__(self) -> None:
        self.state = 0
        self.asked = 0
        self.gate: anyio.Event | None = None

    async def get(self, arguments: dict[str, Any], context: CallContext) -> object:
        self.asked += 1
        said = {"state": self.state, "n": arguments["n"], "for": f"{context.tenant}/{context.principal_id}"}
        if self.gate is not None:
            await self.gate.wait()
        return said

    async def put(self, arguments: dict[str, Any], context: CallContext) -> object:
        self.state = arguments["n"]
        return None


@pytest.fixture
def world() -> Remote:
    return Remote()


def reader(world: Remote, name: str = "get", **options: Any) -> Tool:
    return Far().tool(name, "read", world.get, **{"cache_s": 30.0, "cache_tags": ["state"]} | options)


def writer(world: Remote, name: str = "put", **options: Any) -> Tool:
    options.setdefault("invalidates", ["state"])
    return Far().tool(name, "reversible", world.put, **options)


async def body_of(stage: Stage, run_id: str, outcome: Outcome) -> dict[str, Any]:
    """What the record says of how a call came out."""
    [event] = [event for event in await stage.events(run_id, outcome.call_id) if event.fact.kind == "call.result"]
    return {"attempt": event.fact.attempt, **event.fact.body}


# ------------------------------------------------------------------------------ what is reused


async def test_an_equal_read_is_answered_without_asking_and_recorded_as_that(world: Remote) -> None:
    """B13: it is a call of its own, decided and recorded; the record says that nothing was dialled."""
    async with staged(reader(world)) as stage, stage.run() as run:
        first = await run.call("get", {"n": 1})
        stage.clock.advance(1.5)
        second = await run.call("get", '{ "n": 1 }')
        assert world.asked == 1
        assert second.value == first.value
        assert second.call_id != first.call_id
        assert not second.repeated
        said = await body_of(stage, run.run_id, second)
        assert said["cached"] == {"age_ms": 1500, "run_id": run.run_id, "call_id": first.call_id}
        assert said["attempt"] == 0
        assert "cached" not in await body_of(stage, run.run_id, first)
        assert [row["attempts"] for row in await stage.plane.store.rows("tool_result")] == [1, 0]
        assert len(await stage.plane.store.rows("authz_decision")) == 2
        told = [step.text for step in replay(await stage.events(run.run_id)) if step.call_id == second.call_id]
        assert told[-1] == f"done. Nothing was dialled: {first.call_id} had got it 1.5 s before."


@pytest.mark.parametrize("options", [{"cache_s": 0.0}, {"cache_s": 0.0, "cache_tags": []}])
async def test_nothing_is_reused_of_a_tool_that_does_not_say_so(world: Remote, options: dict[str, Any]) -> None:
    async with staged(reader(world, **options)) as stage, stage.run() as run:
        for _ in range(3):
            await run.call("get", {"n": 1})
        assert world.asked == 3


@pytest.mark.parametrize(
    ("wall_s", "mono_s", "asked"),
    [(0, 30, 1), (30, 0, 1), (30, 30, 1), (0, 30.001, 2), (30.001, 0, 2), (-86_400, 30.001, 2), (-86_400, 1, 1)],
)
async def test_no_result_outlives_its_age_by_either_clock(
    world: Remote, wall_s: float, mono_s: float, asked: int
) -> None:
    """T38, fault K30: a clock that is set back, or stands still, makes nothing younger."""
    async with staged(reader(world)) as stage, stage.run() as run:
        await run.call("get", {"n": 1})
        stage.clock.advance(mono_s)
        stage.clock.jump_wall(wall_s - mono_s)
        await run.call("get", {"n": 1})
        assert world.asked == asked


async def test_the_age_counts_from_when_the_tool_was_asked_not_from_when_it_answered(world: Remote) -> None:
    async with staged(reader(world)) as stage, stage.run() as run:
        slow = world.get

        async def get(arguments: dict[str, Any], context: CallContext) -> object:
            said = await slow(arguments, context)
            stage.clock.advance(20)
            return said

        stage.plane.plane.registry = type(stage.plane.plane.registry)([replace(reader(world), body=get)])
        await run.call("get", {"n": 1})
        stage.clock.advance(10.5)
        await run.call("get", {"n": 1})
        assert world.asked == 2


async def test_nothing_is_told_across_principals_or_tenants(world: Remote) -> None:
    """T35, T43, defect 59: the same tool, arguments and roles; only who asks differs."""
    async with staged(reader(world)) as stage:
        for who in (ANA, BOB, EVA, replace(ANA, id="an"), ANA, EVA):
            async with stage.run(who) as run:
                outcome = await run.call("get", {"n": 1})
                assert outcome.value["for"] == f"{who.tenant}/{who.id}"
        assert world.asked == 4


async def test_a_changed_tool_or_argument_is_another_question(world: Remote) -> None:
    """Defect 28: tool version and arguments are in the key, and nothing can be made to meet."""
    async with staged(reader(world), reader(world, "get_too")) as stage, stage.run() as run:
        one = {"n": 1}
        for tool, arguments in (("get", one), ("get_too", one), ("get", {"n": 2}), ("get", one | {"note": ""})):
            await run.call(tool, arguments)
        assert world.asked == 4
        registry = type(stage.plane.plane.registry)
        stage.plane.plane.registry = registry([reader(world, description="Does get otherwise, with a number.")])
        stage.obey("permit (principal, action, resource);")
        await run.call("get", {"n": 1})
        assert world.asked == 5


async def test_every_gate_is_passed_before_a_kept_result_is_told(world: Remote) -> None:
    """A principal that lost its permission, a stopped tool and a spent limit: what was read before helps nobody."""
    async with staged(reader(world), settings={"limits": {"alike_max": 1}}) as stage, stage.run() as run:
        assert (await run.call("get", {"n": 1})).done
        stage.obey('@id("no") forbid (principal, action, resource);')
        assert (await run.call("get", {"n": 1})).kind is OutcomeKind.REFUSED
        stage.obey("permit (principal, action, resource);")
        await stage.plane.stop(Scope.TOOL, "get", OPA, reason="drill")
        assert (await run.call("get", {"n": 1})).code == "authorize.stopped"
        await stage.plane.resume(Scope.TOOL, "get", OPA)
        assert (await run.call("get", {"n": 1})).code == "limit.loop"
        assert world.asked == 1


async def test_a_kept_result_passes_the_screens_that_are_in_force_now(world: Remote) -> None:
    """B16: what is kept is what came back, not what was let pass; what is withheld is not kept any longer."""
    async with staged(reader(world)) as stage, stage.run() as run:
        assert (await run.call("get", {"n": 1})).done
        screens = stage.plane.plane.screens
        stage.plane.plane.screens = replace(screens, matches=lambda tool, value: False)
        assert (await run.call("get", {"n": 1})).code == "screen.output_schema"
        assert world.asked == 1
        stage.plane.plane.screens = screens
        assert (await run.call("get", {"n": 1})).done
        assert world.asked == 2


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (Rejected("no"), "execute.rejected"),
        (NotSent("no"), "execute.unavailable"),
        ({"n": float("nan")}, "screen.json.number"),
        ({"n": "odd"}, "screen.output_schema"),
    ],
)
async def test_what_failed_or_was_withheld_is_not_kept(bad: Any, code: str) -> None:
    said: list[Any] = [bad, bad, bad] if isinstance(bad, NotSent) else [bad]

    async def get(arguments: dict[str, Any], context: CallContext) -> object:
        answer = said.pop(0) if said else {"n": 1}
        if isinstance(answer, Exception):
            raise answer
        return answer

    form = {"type": "object", "properties": {"n": {"type": "number"}}}
    async with staged(Far().tool("get", does=get, cache_s=30.0, output_schema=form)) as stage, stage.run() as run:
        assert (await run.call("get", {"n": 1})).code == code
        assert (await run.call("get", {"n": 1})).value == {"n": 1}


async def test_each_call_has_a_value_of_its_own() -> None:
    """Defect 56: a caller that changes its result, or a tool that does, changes nobody else's."""
    kept: dict[str, Any] = {"list": [1]}

    async def get(arguments: dict[str, Any], context: CallContext) -> object:
        return kept

    async with staged(Far().tool("get", does=get, cache_s=30.0)) as stage, stage.run() as run:
        first = await run.call("get", {"n": 1})
        first.value["list"].append(2)
        kept["list"].append(3)
        second = await run.call("get", {"n": 1})
        second.value["list"].append(4)
        assert (await run.call("get", {"n": 1})).value == {"list": [1]}


async def test_a_look_up_that_policy_decides_by_is_about_now(world: Remote) -> None:
    """B2, B4: it is made for another call, and so is the question what became of one: neither comes from the cache."""
    asked: list[int] = []

    async def find(arguments: dict[str, Any], context: CallContext) -> object:
        asked.append(arguments["n"])
        return {"id": arguments["n"]}

    find_tool = Far().tool("find", does=find, cache_s=30.0)
    entity = {"n": Entity(type="Thing", lookup="find")}
    async with staged(find_tool, Far().tool("look", entities=entity)) as stage, stage.run() as run:
        for _ in range(2):
            assert (await run.call("find", {"n": 1})).done
        for _ in range(2):
            assert (await run.call("look", {"n": 1})).done
        assert len(asked) == 3


async def test_what_a_person_approved_is_run(world: Remote) -> None:
    hold = '@id("h") @approvers("approver") forbid (principal, action, resource);'
    async with staged(reader(world)) as stage, stage.run() as run:
        await run.call("get", {"n": 1})
        stage.obey("permit (principal, action, resource);" + hold)
        held = await run.call("get", {"n": 1})
        await stage.answer(run.run_id, held)
        await stage.plane.advance(run.run_id)
        assert (await run.wait(held)).done
        assert world.asked == 2


async def test_bounds_hold_and_the_one_not_asked_for_the_longest_goes_first(world: Remote) -> None:
    async with staged(reader(world), settings={"cache": {"entries_max": 2}}) as stage, stage.run() as run:
        for n in (1, 2, 1, 3, 1, 2):
            await run.call("get", {"n": n})
    assert world.asked == 4, "the second 2: 1 was asked for after it, when 3 came"


# ------------------------------------------------------------------------------ writes


async def test_a_write_puts_out_of_date_what_was_read_before(world: Remote) -> None:
    async with staged(reader(world), writer(world)) as stage, stage.run() as run:
        assert (await run.call("get", {"n": 1})).value["state"] == 0
        assert (await run.call("put", {"n": 7})).done
        assert (await run.call("get", {"n": 1})).value["state"] == 7
        [intent] = [event for event in await stage.events(run.run_id) if event.fact.kind == "call.intent"]
        assert intent.fact.body["invalidates"] == ["state"]
        assert await stage.plane.store.guards("default/cache/") == {"default/cache/state": 2}


async def test_only_its_tags_and_only_its_tenant(world: Remote) -> None:
    """T35."""
    tools = [reader(world), reader(world, "get_too", cache_tags=["more"]), reader(world, "bare", cache_tags=[])]
    async with staged(*tools, writer(world)) as stage, stage.run() as run, stage.run(EVA) as theirs:
        for asked in (4, 5):
            for tool in tools:
                await run.call(tool.name, {"n": 1})
            await theirs.call("get", {"n": 1})
            assert world.asked == asked
            await run.call("put", {"n": 7})


def refusing(error: Exception | None) -> Callable[..., Any]:
    async def put(arguments: dict[str, Any], context: CallContext) -> object:
        if error is not None:
            raise error
        return None

    return put


@pytest.mark.parametrize(
    ("error", "kind"),
    [(None, "done"), (Rejected("no"), "failed"), (TimeoutError("?"), "unknown"), (RuntimeError("?"), "unknown")],
)
async def test_whatever_becomes_of_a_write_it_may_have_changed_the_world(
    world: Remote, error: Exception | None, kind: str
) -> None:
    async with staged(reader(world), replace(writer(world), body=refusing(error))) as stage, stage.run() as run:
        await run.call("get", {"n": 1})
        outcome = await run.call("put", {"n": 7})
        assert outcome.kind.value == kind
        await run.call("get", {"n": 1})
        assert world.asked == 2
        if kind == "unknown":
            await stage.plane.settle(outcome.call_id, "done", OPA, note="looked")
            async with stage.run() as later:
                await later.call("get", {"n": 1})
            assert world.asked == 3, "a person's word is news of the world, too"


async def test_a_write_that_never_had_an_intent_puts_nothing_out_of_date(world: Remote) -> None:
    async with staged(reader(world), writer(world)) as stage, stage.run() as run:
        await run.call("get", {"n": 1})
        assert (await run.call("put", {"n": "x"})).kind is OutcomeKind.REFUSED
        assert (await run.call("put", {"n": 7}, dry_run=True)).kind is OutcomeKind.REFUSED
        await run.call("get", {"n": 1})
        assert world.asked == 1


async def test_a_read_that_began_before_a_writes_end_is_not_kept(world: Remote) -> None:
    """It may have seen what was before: the one way in which a cache that is emptied in time still lies afterwards."""
    async with staged(reader(world), writer(world)) as stage, stage.run() as run:
        world.gate = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run.call, "get", {"n": 1})
            await anyio.wait_all_tasks_blocked()
            await run.call("put", {"n": 7})
            world.gate.set()
        world.gate = None
        assert (await run.call("get", {"n": 1})).value["state"] == 7


async def test_a_read_that_comes_after_a_write_does_not_follow_one_that_came_before_it(world: Remote) -> None:
    async with staged(reader(world), writer(world)) as stage, stage.run() as run:
        world.gate = gate = anyio.Event()
        outcomes: list[Outcome] = []

        async def get() -> None:
            outcomes.append(await run.call("get", {"n": 1}))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(get)
            await anyio.wait_all_tasks_blocked()
            await run.call("put", {"n": 7})
            world.gate = None
            await get()
            gate.set()
        assert [outcome.value["state"] for outcome in outcomes] == [7, 0]
        assert (await run.call("get", {"n": 1})).value["state"] == 7, "the late one does not take the newer one's place"
        assert world.asked == 2


@pytest.mark.parametrize("within", [False, True])
async def test_another_processs_write_is_seen_before_the_next_answer(
    world: Remote, tmp_path: Path, within: bool
) -> None:
    """At its intent and at its end, each for itself: between the two a read may have come in, and have seen either."""
    ledger, ids = tmp_path / "ledger.db", CountedIds()
    theirs = World(clock=FrozenClock(), new_id=lambda kind: f"b_{ids(kind)}")
    async with staged(reader(world), ledger=ledger) as a, a.run() as here:
        assert (await here.call("get", {"n": 1})).value["state"] == 0

        async def put(arguments: dict[str, Any], context: CallContext) -> object:
            if within:
                assert (await here.call("get", {"n": 1})).value["state"] == 0
                assert world.asked == 2, "its intent stands"
            return await world.put(arguments, context)

        async with staged(replace(writer(world), body=put), ledger=ledger, world=theirs) as b, b.run(BOB) as there:
            assert (await there.call("put", {"n": 7})).done
            assert (await here.call("get", {"n": 1})).value["state"] == 7
        asked = world.asked
        assert (await here.call("get", {"n": 1})).value["state"] == 7
        assert world.asked == asked == 2 + within


async def test_where_the_ledger_cannot_say_what_was_written_the_tool_is_asked(world: Remote) -> None:
    """Fail closed."""
    async with staged(reader(world)) as stage, stage.run() as run:
        await run.call("get", {"n": 1})
        tags = stage.plane.plane.ledger.tags

        async def reading(tenant: str, tags: Any) -> None:
            return None

        tags.reading = reading  # type: ignore[assignment, method-assign]
        await run.call("get", {"n": 1})
        assert world.asked == 2


async def test_an_intent_that_may_or_may_not_stand_counts_as_one(world: Remote) -> None:
    async with staged(reader(world), writer(world)) as stage:
        store = WatchedStore(stage.clock)
        stage.store_in(store)
        async with stage.run() as run:
            await run.call("get", {"n": 1})
            store.lose_at = {len(store.appends) + 1}
            with pytest.raises(StoreUnavailable):
                await run.call("put", {"n": 7})
            await run.call("get", {"n": 1})
            assert world.asked == 2


# ------------------------------------------------------------------------------ on its way


async def test_equal_reads_on_their_way_share_one_execution_and_each_is_a_call(world: Remote) -> None:
    async with staged(reader(world), settings={"limits": {"vain_max": 5, "alike_max": 5}}) as stage, stage.run() as run:
        outcomes = await run.calls([Proposal(tool="get", arguments={"n": 1}) for _ in range(5)])
        assert world.asked == 1
        assert [outcome.value for outcome in outcomes] == [outcomes[0].value] * 5
        said = [await body_of(stage, run.run_id, outcome) for outcome in outcomes]
        led = [outcome.call_id for outcome, body in zip(outcomes, said, strict=True) if "cached" not in body]
        assert len(led) == 1
        assert [body["cached"]["call_id"] for body in said if "cached" in body] == led * 4
        assert len(await stage.plane.store.rows("authz_decision")) == 5


async def test_reads_of_others_on_their_way_share_nothing(world: Remote) -> None:
    """T43."""
    async with staged(reader(world)) as stage, stage.run() as one, stage.run(BOB) as two, stage.run(EVA) as three:
        world.gate = anyio.Event()
        async with anyio.create_task_group() as tasks:
            found: list[Outcome] = []

            async def get(run: Any) -> None:
                found.append(await run.call("get", {"n": 1}))

            for run in (one, two, three):
                tasks.start_soon(get, run)
            await anyio.wait_all_tasks_blocked()
            world.gate.set()
        assert world.asked == 3
        assert {outcome.value["for"] for outcome in found} == {"default/ana", "default/bob", "other/ana"}


async def test_where_the_one_that_asks_is_cut_off_another_takes_over(world: Remote) -> None:
    async with staged(reader(world), settings={"limits": {"vain_max": 5, "alike_max": 5}}) as stage, stage.run() as run:
        world.gate = anyio.Event()
        scope = anyio.CancelScope()
        found: list[Outcome] = []

        async def lead() -> None:
            with scope:
                await run.call("get", {"n": 1})

        async def follow() -> None:
            found.append(await run.call("get", {"n": 1}))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lead)
            await anyio.wait_all_tasks_blocked()
            for _ in range(3):
                tasks.start_soon(follow)
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
            await anyio.wait_all_tasks_blocked()
            assert world.asked == 2
            world.gate.set()
        assert world.asked == 2
        assert [outcome.done for outcome in found] == [True] * 3
        sources = [(await body_of(stage, run.run_id, outcome)).get("cached") for outcome in found]
        assert sum(source is None for source in sources) == 1


async def test_the_failure_of_the_one_that_asks_is_each_ones_own_and_nobody_asks_again(world: Remote) -> None:
    """Defect 48: five followers that each tried again would be a storm on a far end that is down."""
    tried = 0

    async def get(arguments: dict[str, Any], context: CallContext) -> object:
        nonlocal tried
        tried += 1
        await checkpoint()
        raise NotSent("down")

    async with staged(Far().tool("get", does=get, cache_s=30.0)) as stage, stage.run() as run:
        outcomes = await run.calls([Proposal(tool="get", arguments={"n": 1}) for _ in range(3)])
        assert tried == 3
        assert {(outcome.kind.value, outcome.code) for outcome in outcomes} == {("failed", "execute.unavailable")}
        assert len({outcome.call_id for outcome in outcomes}) == 3
        audits = [(await body_of(stage, run.run_id, outcome))["stop"]["audit"] for outcome in outcomes]
        assert sorted(audit["attempts"] for audit in audits) == [0, 0, 3]
        assert sum("shared" in audit for audit in audits) == 2


async def test_a_result_that_is_none_is_shared_with_nobody(world: Remote) -> None:
    async def get(arguments: dict[str, Any], context: CallContext) -> object:
        world.asked += 1
        await checkpoint()
        return {1, 2}

    async with staged(Far().tool("get", does=get, cache_s=30.0)) as stage, stage.run() as run:
        outcomes = await run.calls([Proposal(tool="get", arguments={"n": 1}) for _ in range(3)])
        assert {outcome.code for outcome in outcomes} == {"screen.json.type"}
        assert world.asked == 3


async def test_a_follower_that_is_cut_off_leaves_the_others_alone(world: Remote) -> None:
    async with staged(reader(world)) as stage, stage.run() as run:
        world.gate = anyio.Event()
        found: list[Outcome] = []
        scope = anyio.CancelScope()

        async def get(within: anyio.CancelScope | None = None) -> None:
            if within is None:
                found.append(await run.call("get", {"n": 1}))
                return
            with within:
                await call_tool(proposed(run, "get"), stage.plane.plane)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(get)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(get, scope)
            tasks.start_soon(get)
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
            await anyio.wait_all_tasks_blocked()
            world.gate.set()
        assert [outcome.done for outcome in found] == [True, True]
        assert world.asked == 1
        assert await stage.said(run.run_id, "call_x") != []


def test_principal_and_tenant_that_run_together_are_told_apart() -> None:
    """Defect 28: delimiter collisions."""
    tool = Far().tool("get", cache_s=1.0)
    keys = set()
    who = [("a", "bc"), ("ab", "c"), ("abc", "a"), ("a/b", "c"), ("a", "b/c"), ("a\0", "b"), ("a", "\0b")]
    for tenant, id in who:
        call = ToolCall(run_id="r", call_id="c", tool="get", arguments={}, principal=Principal(id, tenant))
        for text in (b"{}", b'{"n":1}'):
            keys.add(cache_key(ValidCall(call, tool, json.loads(text), text, call_digest(tool, text))))
    assert len(keys) == 2 * len(who)

"""Calls that were proposed together: all decided before any runs, reads together, writes in line."""

from __future__ import annotations

import contextlib
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock import CallContext, Entity, OutcomeKind, Proposal
from interlock.errors import BadInput, NotSent, StoreUnavailable
from interlock.pipeline import call_tools
from interlock.policy.flags import Scope
from tests.planes import OPA, Far, WatchedStore, codes, kinds, proposed, staged

pytestmark = pytest.mark.anyio


def call(tool: str, n: Any = 1, id: str = "", **more: Any) -> Proposal:
    return Proposal(tool=tool, arguments={"n": n} | more, id=id)


def result_of(id: str, pointer: str = "/n") -> dict[str, str]:
    return {"$result": id, "pointer": pointer}


class Trace:
    """What ran when: `+name` as a body starts, `-name` as it ends."""

    def __init__(self) -> None:
        self.marks: list[str] = []
        self.decided: list[int] = []

    async def body(self, arguments: dict[str, Any], context: CallContext) -> object:
        name = arguments.get("note") or str(arguments["n"])
        self.marks.append(f"+{name}")
        for _ in range(3):
            await checkpoint()
        self.marks.append(f"-{name}")
        return {"n": arguments["n"]}

    def overlap(self, one: str, other: str) -> bool:
        """Whether the second started before the first ended, or the other way round."""
        place = self.marks.index
        return place(f"+{other}") < place(f"-{one}") and place(f"+{one}") < place(f"-{other}")

    def before(self, one: str, other: str) -> bool:
        return self.marks.index(f"-{one}") < self.marks.index(f"+{other}")


async def test_nothing_runs_before_everything_is_decided() -> None:
    """Defect 50: the second of two is refused by its arguments before the first has run."""
    far = Far()
    decided: list[str] = []

    async def look(arguments: dict[str, Any], context: CallContext) -> object:
        decided.append("resolved")
        return {"id": arguments["n"]}

    async def act(arguments: dict[str, Any], context: CallContext) -> object:
        decided.append("ran")
        return None

    entity = {"n": Entity(type="Thing", lookup="find", by="n")}
    tools = [
        far.tool("find", does=look),
        far.tool("put", "reversible", act, entities=entity),
        far.tool("get", does=act),
    ]
    async with staged(*tools) as stage, stage.run() as run:
        stage.store_in(WatchedStore(stage.clock))
        async with stage.run() as run:
            await run.calls([call("get", 1), call("put", 2), call("put", 3), call("get", 4)])
    assert decided == ["resolved", "resolved", "ran", "ran", "ran", "ran"]


async def test_reads_overlap() -> None:
    far, trace = Far(), Trace()
    async with staged(far.tool("get", does=trace.body)) as stage, stage.run() as run:
        assert kinds(await run.calls([call("get", n) for n in range(5)])) == ["done"] * 5
    assert trace.marks[:5] == [f"+{n}" for n in range(5)]


async def test_writes_on_one_thing_run_one_after_the_other_in_the_order_of_the_batch() -> None:
    """Defects 49, 52: and those on different things need not wait for each other."""
    far, trace = Far(), Trace()
    async with staged(far.tool("put", "reversible", trace.body, resource="n")) as stage, stage.run() as run:
        batch = [call("put", 1, note="a"), call("put", 2, note="b"), call("put", 1, note="c"), call("put", 1, note="d")]
        await run.calls(batch)
    assert trace.before("a", "c")
    assert trace.before("c", "d")
    assert trace.overlap("a", "b")


async def test_a_write_that_names_no_thing_is_alone_on_its_server() -> None:
    """Defect 49: what it acts on is not known, so it may be what the others act on."""
    far, trace = Far(), Trace()
    named = far.tool("put", "reversible", trace.body, resource="n")
    whole = far.tool("purge", "reversible", trace.body)
    async with staged(named, whole) as stage, stage.run() as run:
        await run.calls([call("put", 1, note="a"), call("purge", 9, note="all"), call("put", 2, note="b")])
    assert trace.before("a", "all")
    assert trace.before("all", "b")


async def test_two_tools_that_act_on_one_entity_are_in_one_line() -> None:
    """Defect 52: the thing counts, and not what the parameter that names it is called."""
    far, trace = Far(), Trace()
    find = far.tool("find")
    one = far.tool("update", "reversible", trace.body, resource="n", entities={"n": Entity(type="Flat", lookup="find")})
    schema = {"type": "object", "properties": {"flat": {"type": "integer"}, "n": {"type": "integer"},
                                               "note": {"type": "string"}}, "additionalProperties": False}  # fmt: skip
    other = far.tool("remove", "reversible", trace.body, resource="flat", input_schema=schema,
                     entities={"flat": Entity(type="Flat", lookup="find", by="n")})  # fmt: skip
    async with staged(find, one, other) as stage, stage.run() as run:
        await run.calls([call("update", 7, note="a"),
                         Proposal(tool="remove", arguments={"flat": 7, "n": 0, "note": "b"})])  # fmt: skip
    assert trace.before("a", "b")


async def test_a_call_that_cannot_be_read_has_its_own_record_and_keeps_no_other() -> None:
    """Defect 12: `tool_calls[0]` drops the others, an unguarded parse loses them all."""
    far = Far()
    batch = [
        call("get", 1),
        Proposal(tool="get", arguments="{"),
        Proposal(tool="get", arguments=""),
        Proposal(tool="none", arguments="{}"),
        call("get", "x"),
        call("get", 2),
    ]
    async with staged(far.tool("get")) as stage, stage.run() as run:
        outcomes = await run.calls(batch)
        assert codes(outcomes) == [
            "", "validate.json", "validate.json", "validate.unknown_tool", "validate.schema", ""
        ]  # fmt: skip
        assert len({outcome.call_id for outcome in outcomes}) == 6
        for outcome in outcomes:
            assert (await stage.said(run.run_id, outcome.call_id))[0].startswith("call.decided")
        assert len(far.ran) == 2


async def test_a_dependent_gets_what_it_refers_to_and_runs_after_it() -> None:
    far, trace = Far(), Trace()
    tools = [far.tool("get", does=trace.body), far.tool("put", "reversible", trace.body)]
    async with staged(*tools) as stage, stage.run() as run:
        batch = [call("get", 7, id="a", note="a"), call("put", result_of("a"), id="b", note="b"),
                 call("put", result_of("b"), note="c"), call("get", 1, note="d")]  # fmt: skip
        outcomes = await run.calls(batch)
    assert kinds(outcomes) == ["done"] * 4
    assert [arguments["n"] for name, arguments in far.ran if name == "put"] == [7, 7]
    assert trace.before("a", "b")
    assert trace.before("b", "c")
    assert trace.overlap("a", "d")


async def test_the_dependents_of_a_call_that_is_not_done_are_refused() -> None:
    """Defect 51: `undefined` ids flow on; here no step runs on a result that is not there."""
    far = Far()

    async def lose(arguments: dict[str, Any], context: CallContext) -> object:
        raise NotSent("x")

    tools = [far.tool("lost", "read", lose, attempts_max=1), far.tool("pay", "irreversible"),
             far.tool("put", "reversible")]  # fmt: skip
    for first in (call("lost", id="a"), call("pay", id="a"), call("get", id="a"), call("put", "x", id="a")):
        async with staged(*tools) as stage, stage.run() as run:
            outcomes = await run.calls([first, call("put", result_of("a"), id="b"), call("put", result_of("b"))])
            assert codes(outcomes)[1:] == ["recall.dependency"] * 2
            for outcome in outcomes[1:]:
                assert await stage.said(run.run_id, outcome.call_id) == ["call.decided/refused"]
            assert "put" not in far.names


@pytest.mark.parametrize("pointer", ["/none", "n", "/n/0", "/"])
async def test_a_reference_into_nothing_refuses_the_dependent_alone(pointer: str) -> None:
    far = Far()
    async with staged(far.tool("get"), far.tool("put", "reversible")) as stage, stage.run() as run:
        outcomes = await run.calls([call("get", id="a"), call("put", result_of("a", pointer)), call("put", 3)])
        assert codes(outcomes) == ["", "recall.dependency", ""]
        assert [arguments["n"] for name, arguments in far.ran if name == "put"] == [3]


async def test_what_was_filled_in_is_checked_like_everything_else() -> None:
    """Defect 11: a filled argument passes the schema and the policy, with its own digest."""
    far = Far()
    async with staged(far.tool("get"), far.tool("put", "reversible")) as stage, stage.run() as run:
        outcomes = await run.calls([call("get", id="a"), call("put", result_of("a", ""))])
        assert codes(outcomes) == ["", "validate.schema"]


BAD = [
    [call("get", n) for n in range(65)],
    [call("get", id="a"), call("get", id="a")],
    [call("get", result_of("a")), call("get", id="a")],
    [call("get", result_of("a"), id="a")],
    [call("get", result_of("none"))],
]


@pytest.mark.parametrize("batch", BAD, ids=["65 calls", "an id twice", "a later one", "itself", "none"])
async def test_a_batch_that_makes_no_sense_runs_nothing(batch: list[Proposal]) -> None:
    """Defect 12, T30: more than 64, an id twice, a reference to no earlier call."""
    far = Far()
    async with staged(far.tool("get")) as stage, stage.run() as run:
        with pytest.raises(BadInput):
            await run.calls(batch)
        assert far.ran == []
        assert (await stage.state(run.run_id)).calls == {}


async def test_a_call_that_is_in_a_batch_twice_is_refused_with_it() -> None:
    far = Far()
    async with staged(far.tool("get")) as stage, stage.run() as run:
        with pytest.raises(BadInput):
            await call_tools([("", proposed(run, "get")), ("", proposed(run, "get"))], stage.plane.plane)
        assert far.ran == []


async def test_arguments_nested_beyond_reading_are_one_refused_call() -> None:
    """T30: looking for references must not exhaust the stack."""
    deep: Any = 1
    for _ in range(50_000):
        deep = [deep]
    far = Far()
    async with staged(far.tool("get")) as stage, stage.run() as run:
        outcomes = await run.calls([Proposal(tool="get", arguments={"n": deep}), call("get", 1)])
        assert codes(outcomes) == ["validate.json", ""]


async def test_64_calls_are_a_batch_and_none_is_one_too() -> None:
    far = Far()
    async with staged(far.tool("get"), settings={"limits": {"turn_max": 64}}) as stage, stage.run() as run:
        assert await run.calls([]) == []
        assert kinds(await run.calls([call("get", n) for n in range(64)])) == ["done"] * 64


TOOLS = ["get", "put", "pay", "lost", "broken", "none"]
CALLS = st.lists(
    st.tuples(st.sampled_from(TOOLS), st.integers(0, 2), st.none() | st.integers(0, 8)), min_size=1, max_size=9
)


@given(CALLS)
@settings(max_examples=40)
def test_no_batch_waits_for_itself(wanted: list[tuple[str, int, int | None]]) -> None:
    """Defects 12, 49, 50: whatever stops, is held, fails or depends, every call has an outcome and a record."""

    async def main() -> None:
        far, trace = Far(), Trace()

        async def lose(arguments: dict[str, Any], context: CallContext) -> object:
            await checkpoint()
            raise NotSent("x")

        async def break_(arguments: dict[str, Any], context: CallContext) -> object:
            await checkpoint()
            raise ValueError("x")

        tools = [
            far.tool("get", "read", trace.body),
            far.tool("put", "reversible", trace.body, resource="n"),
            far.tool("pay", "irreversible", trace.body, resource="n"),
            far.tool("lost", "reversible", lose, attempts_max=2, resource="n"),
            far.tool("broken", "reversible", break_),
        ]
        batch = []
        for index, (tool, n, needs) in enumerate(wanted):
            on = result_of(str(needs)) if needs is not None and needs < index else n
            batch.append(call(tool, on, id=str(index), note=str(index)))
        async with staged(*tools) as stage:
            stage.store_in(WatchedStore(stage.clock))
            async with stage.run() as run:
                with anyio.fail_after(30):
                    outcomes = await run.calls(batch)
                said = await stage.said(run.run_id)
        assert len(outcomes) == len(batch)
        assert sum(kind.startswith("call.decided") for kind in said) == len(batch)
        assert said.count("call.intent") == len([name for name in far.names if name not in ("get",)]) - sum(
            paused > 0 for paused in stage.paused
        )
        for index, (_, _, needs) in enumerate(wanted):
            if needs is not None and needs < index and not outcomes[needs].done:
                assert outcomes[index].kind is OutcomeKind.REFUSED

    anyio.run(main)


async def test_a_stop_in_the_first_call_lets_the_next_on_the_same_thing_go() -> None:
    far, trace = Far(), Trace()
    tools = [far.tool("pay", "irreversible", resource="n"), far.tool("put", "reversible", trace.body, resource="n")]
    async with staged(*tools) as stage, stage.run() as run:
        with anyio.fail_after(30):
            outcomes = await run.calls([call("pay"), call("put", note="a"), call("put", "x"), call("put", note="b")])
        assert kinds(outcomes) == ["held", "done", "refused", "done"]
        assert trace.before("a", "b")


async def test_a_store_that_fails_ends_the_batch_and_every_effect_has_its_intent() -> None:
    """Defects 35, 49: nobody waits for a call that could not be recorded; the error is the store's own."""
    for nth in range(1, 14):
        far, trace = Far(), Trace()
        async with staged(far.tool("put", "reversible", trace.body, resource="n")) as stage:
            store = WatchedStore(stage.clock)
            stage.store_in(store)
            async with stage.run() as run:
                store.fail_at = {len(store.appends) + nth}
                batch = [call("put", 1, note=str(n)) for n in range(6)]
                with anyio.fail_after(30), contextlib.suppress(StoreUnavailable):
                    assert kinds(await run.calls(batch)) == ["done"] * 6
                store.fail_at = set()
                facts = [str(event.fact.kind) for event in await store.read(run.run_id)]
                assert facts.count("call.intent") == len(far.ran)
                for state in (await stage.state(run.run_id)).calls.values():
                    assert state.outcome is not None


async def test_a_stop_thrown_while_a_batch_runs_holds_back_what_has_not_begun() -> None:
    """B19: within one call; what waits in line was decided before, and does not run after."""
    far = Far()
    batch = [call("put", 1, note=str(number)) for number in range(4)]

    async def stop(arguments: dict[str, Any], context: CallContext) -> object:
        if arguments["note"] == "1":
            await stage.plane.plane.switch.turn(Scope.TOOL, "put", OPA, stop=True)
        return None

    async with staged(far.tool("put", "reversible", stop, resource="n")) as stage, stage.run() as run:
        outcomes = await run.calls(batch)
        assert codes(outcomes) == ["", "", "authorize.stopped", "authorize.stopped"]
        assert [arguments["note"] for _, arguments in far.ran] == ["0", "1"]
        for outcome in outcomes[2:]:
            said = await stage.said(run.run_id, outcome.call_id)
            assert "call.intent" not in said
            assert said[-1].endswith("/refused")

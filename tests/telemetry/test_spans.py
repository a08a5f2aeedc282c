"""Events become spans (D5): which ones, below which, with which words, and the same however often they are made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from interlock import Agent, CallContext
from interlock.core.event import Event, Kind
from interlock.core.ids import child_run_id
from interlock.core.message import Usage
from interlock.core.trace import call_span_id, run_trace_id, span_id
from interlock.errors import NotSent, Rejected
from interlock.ledger.chain import read_event
from interlock.ledger.redact import redact
from interlock.pipeline import call_tool
from interlock.telemetry.conventions import CONTENT
from interlock.telemetry.span import Span
from interlock.telemetry.spans import Spans, is_run
from interlock.telemetry.spans_call import Far as Server
from interlock.telemetry.spans_call import View
from interlock.telemetry.spans_content import Content
from proof.simulate import simulator
from tests.agent.desk import Watched, says
from tests.agent.offices import office
from tests.planes import ANA, OPA, Far, Stage, proposed, staged

pytestmark = pytest.mark.anyio

NOTE = "a note that nobody else may see"


def made(events: Iterable[Event], view: View = View()) -> list[Span]:  # noqa: B008  # it has no state
    stream = list(events)
    spans = Spans(stream[0].chain, view)
    return [span for event in stream for span in spans.absorb(event)]


def named(spans: Sequence[Span], name: str) -> Span:
    [found] = [span for span in spans if span.name == name]
    return found


async def of(stage: Stage, run_id: str, view: View = View()) -> list[Span]:  # noqa: B008
    return made(await stage.events(run_id), view)


async def reject(arguments: dict[str, Any], context: CallContext) -> object:
    raise Rejected("no", reason="no")


async def lose(arguments: dict[str, Any], context: CallContext) -> object:
    raise TimeoutError


async def away(arguments: dict[str, Any], context: CallContext) -> object:
    raise NotSent("nobody is there")


# ------------------------------------------------------------------ calls


async def test_a_held_call_has_a_span_of_its_wait_and_says_who_let_it_pass() -> None:
    async with staged(Far().tool("pay", "irreversible")) as stage:
        async with stage.run() as run:
            held = await run.call("pay", {"n": 1, "note": NOTE})
            stage.clock.advance(90)
            await stage.answer(run.run_id, held)
            stage.clock.advance(5)
            await stage.plane.advance(run.run_id)
        spans = await of(stage, run.run_id)
    call, wait = named(spans, "execute_tool pay"), named(spans, "interlock.approval")
    assert wait.parent_id == call.span_id == call_span_id(run.run_id, held.call_id)
    assert wait.end_us - wait.start_us == 90_000_000, "until somebody spoke, not until it ran"
    assert call.end_us - call.start_us == 95_000_000
    assert wait.attributes["interlock.approval.status"] == "approved"
    assert wait.attributes["interlock.approval.groups"] == ("approver",)
    assert call.attributes["interlock.approval.id"] == held.approval_id == wait.attributes["interlock.approval.id"]
    assert [moment.name for moment in call.moments] == [
        "interlock.decided", "interlock.held", "interlock.approval", "interlock.decided", "interlock.intent"
    ]  # fmt: skip
    assert call.attributes["interlock.outcome"] == "done" and not call.error
    assert "interlock.gate" not in call.attributes


@pytest.mark.parametrize(
    ("decision", "status", "more"),
    [("reject", "rejected", {}), ("respond", "responded", {"value": {"n": 1}}),
     ("edit", "edited", {"arguments": {"n": 2}})],
)  # fmt: skip
async def test_how_a_wait_ended_is_said(decision: Any, status: str, more: dict[str, Any]) -> None:
    async with staged(Far().tool("pay", "irreversible")) as stage:
        async with stage.run() as run:
            held = await run.call("pay", {"n": 1})
            await stage.answer(run.run_id, held, decision=decision, words="no", **more)
            await stage.plane.advance(run.run_id)
        spans = await of(stage, run.run_id)
    first = next(span for span in spans if span.name == "interlock.approval")
    assert first.attributes["interlock.approval.status"] == status


async def test_a_request_that_expired_ends_its_wait() -> None:
    async with staged(Far().tool("pay", "irreversible")) as stage:
        async with stage.run() as run:
            await run.call("pay", {"n": 1})
            stage.clock.advance(100_000)
            await stage.plane.advance(run.run_id)
        spans = await of(stage, run.run_id)
    assert named(spans, "interlock.approval").attributes["interlock.approval.status"] == "expired"
    assert named(spans, "execute_tool pay").attributes["interlock.outcome"] == "refused"


async def test_what_is_asked_of_a_server_is_a_span_of_a_client() -> None:
    far = Far()
    view = View(servers={"local": Server(transport="tcp", address="mcp.example", port=443)})
    async with staged(far.tool("get"), far.tool("bad", does=reject), far.tool("pay", "irreversible")) as stage:
        async with stage.run() as run:
            await run.call("get", {"n": 1})
            await run.call("bad", {"n": 1})
            await run.call("pay", {"n": 1})
            await run.call("get", {"n": 2}, dry_run=True)
        spans = await of(stage, run.run_id, view)
    dials = {span.name: span for span in spans if span.kind == "client"}
    assert set(dials) == {"tools/call get", "tools/call bad"}, "what was held or only decided asked nothing"
    done = dials["tools/call get"]
    [call] = [span for span in spans if span.span_id == done.parent_id]
    assert call.name == "execute_tool get" and call.start_us <= done.start_us <= done.end_us <= call.end_us
    assert done.attributes.items() >= {
        "mcp.method.name": "tools/call", "gen_ai.tool.name": "get", "gen_ai.operation.name": "execute_tool",
        "network.transport": "tcp", "server.address": "mcp.example", "server.port": 443,
    }.items()  # fmt: skip
    assert dials["tools/call bad"].error == "execute.rejected"


async def test_a_call_that_was_never_valid_is_named_only_where_that_name_is_a_tools() -> None:
    async with staged(Far().tool("get")) as stage:
        async with stage.run() as run:
            await run.call("get", {"wrong": NOTE})
            await run.call(f"get {NOTE}", {})
        spans = await of(stage, run.run_id, View(known=lambda name: name == "get"))
    assert [span.name for span in spans] == ["execute_tool get", "execute_tool", "invoke_agent"]
    assert NOTE not in repr(spans)


async def test_a_fallback_stands_beside_what_failed_and_links_to_it() -> None:
    far = Far()
    async with staged(far.tool("get", does=away, fallback="other"), far.tool("other")) as stage:
        async with stage.run() as run:
            await run.call("get", {"n": 1})
        spans = await of(stage, run.run_id)
    failed, instead = named(spans, "execute_tool get"), named(spans, "execute_tool other")
    assert failed.error and instead.parent_id == failed.parent_id == span_id(run.run_id)
    assert [(link.span_id, link.why) for link in instead.links] == [(failed.span_id, "fallback")]


async def test_what_was_read_for_a_call_stands_below_it_and_within_its_time() -> None:
    async with staged(Far().tool("get"), Far().tool("pay", "irreversible")) as stage:
        async with stage.run() as run:
            child = proposed(run, "get", call_id="call_child", parent_id="call_parent")
            await call_tool(child, stage.plane.plane)
            stage.clock.advance(1)
            await call_tool(proposed(run, "get", {"n": 2}, call_id="call_parent"), stage.plane.plane)
        spans = await of(stage, run.run_id)
    below = {span.span_id: span for span in spans}[call_span_id(run.run_id, "call_child")]
    above = {span.span_id: span for span in spans}[call_span_id(run.run_id, "call_parent")]
    assert below.parent_id == above.span_id and above.start_us <= below.start_us


async def test_a_call_of_which_nothing_is_known_ends_when_a_person_says() -> None:
    async with staged(Far().tool("pay", "reversible", lose)) as stage:
        async with stage.run() as run:
            lost = await run.call("pay", {"n": 1})
            assert lost.kind.value == "unknown"
            assert await of(stage, run.run_id) == []
            await stage.plane.settle(lost.call_id, "failed", OPA, note=NOTE)
        spans = await of(stage, run.run_id)
    call = named(spans, "execute_tool pay")
    assert call.error and "interlock.unknown" in [moment.name for moment in call.moments]
    assert NOTE not in repr(spans)


# ------------------------------------------------------------------ runs


async def test_a_turn_of_a_model_is_a_span_with_its_tokens() -> None:
    usage = Usage(100, 20, 60, 5)
    model = Watched(says(NOTE, ("get", {"n": 1, "note": NOTE}), usage=usage, model="openai:gpt-5"), says("Done."))
    async with office(Agent("desk", model, tools=("get",)), tools=(Far().tool("get"),)) as stage:
        async with stage.plane.agent("desk", ANA, words=NOTE) as run:
            run_id = (await run.result()).run_id
        spans = await of(stage, run_id)
    run_span, turn = named(spans, "invoke_agent desk"), named(spans, "chat gpt-5")
    assert turn.parent_id == run_span.span_id and turn.kind == "client"
    assert turn.attributes.items() >= {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5",
        "gen_ai.response.model": "gpt-5", "gen_ai.response.finish_reasons": ("tool_calls",),
        "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 60, "gen_ai.usage.reasoning.output_tokens": 5,
        "gen_ai.agent.name": "desk", "gen_ai.conversation.id": run_id, "interlock.turn": 1,
    }.items()  # fmt: skip
    assert run_span.attributes["gen_ai.operation.name"] == "invoke_agent"
    assert NOTE not in repr(spans)


async def test_what_an_agent_has_another_do_is_one_trace() -> None:
    boss = Watched(says("", ("ask_a", {"task": "first"})), says("Done."))
    agents = (Agent("boss", boss, tools=(), workers=("a",)), Agent("a", Watched(says("One.")), tools=()))
    async with office(*agents) as stage:
        async with stage.plane.agent("boss", ANA, words="Do it.") as run:
            run_id = (await run.result()).run_id
        [call] = (await stage.state(run_id)).calls.values()
        above, below = await of(stage, run_id), await of(stage, child_run_id(run_id, call.call_id))
    worker, asked = named(below, "invoke_agent a"), named(above, "execute_tool ask_a")
    assert worker.parent_id == asked.span_id
    assert {span.trace_id for span in (*above, *below)} == {run_trace_id(run_id)}
    assert asked.start_us <= worker.start_us and worker.end_us <= asked.end_us, "it ends with what it started"


async def test_a_run_belongs_to_the_trace_of_whoever_starts_it() -> None:
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    async with staged(Far().tool("get")) as stage:
        async with stage.plane.run(ANA, trace=f"00-{trace}-{span}-01", tracestate="rojo=1") as run:
            await run.call("get", {"n": 1})
            async with stage.plane.run(ANA, parent=run.run_id) as below:
                pass
        spans = await of(stage, run.run_id)
        [child] = await of(stage, below.run_id)
    assert {each.trace_id for each in (*spans, child)} == {trace}
    assert {each.state for each in spans} == {"rojo=1"}
    assert named(spans, "invoke_agent").parent_id == span and child.parent_id == span_id(run.run_id)


@pytest.mark.parametrize("said", ["", "nonsense", "00-" + "0" * 32 + "-00f067aa0ba902b7-01"])
async def test_a_trace_that_is_none_breaks_nothing(said: str) -> None:
    async with staged(Far().tool("get")) as stage:
        async with stage.plane.run(ANA, trace=said, tracestate="\x00") as run:
            assert (await run.call("get", {"n": 1})).done
        assert {span.trace_id for span in await of(stage, run.run_id)} == {run_trace_id(run.run_id)}
        assert not any(event.fact.trace_id for event in await stage.events(run.run_id))


async def test_what_was_held_of_a_cancelled_run_ends_with_it() -> None:
    model = Watched(says("", ("pay", {"n": 1})))
    pay = Far().tool("pay", "irreversible")
    async with office(Agent("desk", model, tools=("pay",)), tools=(pay,)) as stage:
        async with stage.plane.agent("desk", ANA, words="Pay.") as run:
            run_id = (await run.result(wait_s=0)).run_id
            await run.cancel("not wanted")
        spans = await of(stage, run_id)
    assert named(spans, "execute_tool pay").attributes["interlock.outcome"] in ("cancelled", "refused")
    assert named(spans, "invoke_agent desk").attributes["interlock.status"] == "cancelled"


def test_chains_that_are_no_runs_have_no_spans() -> None:
    chains = ("deployment", "tenant/acme", "memory/abc", "notices", "definitions", "health")
    assert not any(map(is_run, chains)) and is_run("run_1")


# ------------------------------------------------------------------ how they are made


async def a_ledger() -> dict[str, list[Event]]:
    """Runs of several kinds, whose every text is a note."""
    far = Far()
    boss = Watched(says(NOTE, ("ask_a", {"task": NOTE}), ("get", {"n": 1, "note": NOTE})), says(NOTE))
    agents = (
        Agent("boss", boss, tools=("get",), workers=("a",)),
        Agent("a", Watched(says("", ("pay", {"n": 1, "note": NOTE})), says(NOTE)), tools=("pay",)),
    )
    tools = (far.tool("get"), far.tool("pay", "irreversible"), far.tool("bad", does=away, fallback="get"))
    async with office(*agents, tools=tools) as stage:
        async with stage.plane.agent("boss", ANA, words=NOTE) as run:
            boss_id = (await run.result(wait_s=0)).run_id
        async with stage.plane.run(ANA, words=NOTE) as calls:
            await calls.call("bad", {"n": 3, "note": NOTE})
            held = await calls.call("pay", {"n": 2, "note": NOTE})
            await stage.answer(calls.run_id, held, decision="reject", words=NOTE)
            await stage.plane.advance(calls.run_id)
        rows = await stage.plane.store.rows("run")
        assert boss_id in {row["run_id"] for row in rows}
        return {row["run_id"]: await stage.plane.store.read(row["run_id"]) for row in rows}


async def test_the_same_events_make_the_same_spans_in_pieces_or_at_once() -> None:
    for run_id, events in (await a_ledger()).items():
        whole = made(events)
        for cut in range(len(events)):
            spans = Spans(run_id, View())
            first = [span for event in events[:cut] for span in spans.absorb(event)]
            again = [span for event in events[: cut + 1] for span in spans.absorb(event)]
            assert first + again == whole[: len(first) + len(again)]
        ids = [span.span_id for span in whole]
        assert len(ids) == len(set(ids)), "each is made once"


async def test_nothing_that_was_said_is_in_a_span_unless_it_was_switched_on() -> None:
    """The ledger is full of one note: arguments, words, turns, tasks, reasons."""
    ledger = await a_ledger()
    content = View(content=Content(lambda value, tool: value))
    assert any(NOTE in repr(event.payload) for events in ledger.values() for event in events)
    for events in ledger.values():
        assert NOTE not in repr(made(events))
        assert not any(CONTENT & span.attributes.keys() for span in made(events))
    told = [span for events in ledger.values() for span in made(events, content)]
    found = {name for span in told for name, value in span.attributes.items() if NOTE in repr(value)}
    assert found == CONTENT - {"gen_ai.tool.call.result"}, "no tool of these repeats it"
    assert any("gen_ai.tool.call.result" in span.attributes for span in told)


async def test_erased_events_still_make_spans_of_what_is_left() -> None:
    for events in (await a_ledger()).values():
        erased = [read_event(event.header, None, None) for event in events]
        spans = made(erased)
        assert [span.span_id for span in spans if span.name != "interlock.approval"][-1:] == [
            span.span_id for span in made(events) if span.name != "interlock.approval"
        ][-1:]
        assert NOTE not in repr(spans)


async def test_a_run_that_was_erased_in_part_is_told_without_what_is_gone() -> None:
    async with staged(Far().tool("get")) as stage:
        async with stage.run(words=NOTE) as run:
            await run.call("get", {"n": 1, "note": NOTE})
        seqs = [event.seq for event in await stage.events(run.run_id) if event.fact.kind is Kind.CALL_DECIDED]
        await redact(stage.plane.store, run.run_id, seqs, "asked for", OPA)
        spans = await of(stage, run.run_id)
    assert {span.name for span in spans} >= {"invoke_agent"}


async def test_a_gap_is_a_bug_of_the_reader_and_escapes() -> None:
    async with staged() as stage:
        async with stage.run() as run:
            pass
        events = await stage.events(run.run_id)
    with pytest.raises(AssertionError):
        made([events[0], events[2]])


def test_a_long_text_is_cut() -> None:
    content = Content(lambda value, tool: value, 64)
    assert len(content.value("x" * 500)) == 64 and len(content.said_by_user("x" * 500)) <= 64


def test_every_ledger_of_the_simulation_makes_each_span_once_and_none_is_missing() -> None:
    """Runs with crashes, lost answers, races and several workers, as they are drawn from seeds."""
    simulation = simulator()
    for seed in range(150):
        events = [event for event in simulation.run(seed).events if is_run(event.chain)]
        folds = {chain: Spans(chain, View()) for chain in {event.chain for event in events}}
        spans = [span for event in events for span in folds[event.chain].absorb(event)]
        ids = [span.span_id for span in spans]
        assert len(ids) == len(set(ids)), f"seed {seed}"
        ended = {
            call_span_id(event.chain, event.fact.call_id)
            for event in events
            if event.fact.closes and event.fact.call_id
        }
        over = {span_id(event.chain) for event in events if event.fact.kind in (Kind.RUN_FINISHED, Kind.RUN_CANCELLED)}
        assert ended | over <= set(ids), f"seed {seed}"
        assert all(span.start_us <= span.end_us for span in spans)

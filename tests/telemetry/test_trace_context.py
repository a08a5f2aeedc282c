"""Trace context (D5): what a caller says of its trace comes in, stands in the ledger, and goes out again."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from interlock import CallContext, Interlock, Settings, World, open_plane
from interlock.core.event import Kind
from interlock.core.trace import TraceContext, call_span_id, dial_span_id, run_trace_id, span_id, traceparent
from interlock.errors import BadInput
from interlock.execution.tracing import Tracing
from interlock.gateway.caller import Caller, asked
from interlock.telemetry.exporting import exporting
from interlock.telemetry.spans import Spans
from interlock.telemetry.spans_call import View
from proof.collector import Collector, Got, collecting
from tests.api.stand import Api, opened
from tests.gateway.served import NEW, OLD, Served, served
from tests.net.far_ends import FarEnd, Reply
from tests.planes import ANA, Far, staged
from tests.sources.documents import document, one, operation

pytestmark = pytest.mark.anyio
both = pytest.mark.parametrize("mode", [OLD, NEW])

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = traceparent(TRACE, SPAN)
ECHO = {
    "name": "behind", "command": [sys.executable, str(Path(__file__).with_name("echo_server.py"))], "trust": True,
    "prefix": "", "effects": {"echo": "read"},
}  # fmt: skip


async def traced(gateway: Served) -> list[tuple[str, Any]]:
    """The trace id and `trace` of every first decision, in order."""
    found = []
    for row in await gateway.plane.store.rows("run"):
        for event in await gateway.plane.store.read(row["run_id"]):
            if event.fact.kind is Kind.CALL_DECIDED:
                found.append((event.fact.trace_id, event.fact.body.get("trace")))
    return found


# ------------------------------------------------------------------ in


@both
async def test_a_client_says_whose_trace_a_call_belongs_to(tmp_path: Path, mode: str) -> None:
    async with served(tmp_path, (Far().tool("get"),)) as gateway, gateway.client(mode=mode) as client:
        assert not (await client.call_tool("get", {"n": 1}, meta={"traceparent": PARENT, "tracestate": "a=1"})).is_error
        assert not (await client.call_tool("get", {"n": 2}, meta={"traceparent": "nonsense", "tracestate": 7})).is_error
        assert not (await client.call_tool("get", {"n": 3}, meta={"traceparent": ["x"]})).is_error
        assert await traced(gateway) == [(TRACE, {"span": SPAN, "state": "a=1"}), ("", None), ("", None)]


@both
async def test_a_header_says_it_where_the_message_does_not(tmp_path: Path, mode: str) -> None:
    async with served(tmp_path, (Far().tool("get"),)) as gateway:
        other = traceparent("1" * 32, "2" * 16)
        headers = {"Authorization": f"Bearer {gateway.keys['ana']}", "traceparent": other, "tracestate": "b=2"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=20) as sending,
            Client(streamable_http_client(gateway.url, http_client=sending), mode=mode) as client,
        ):
            await client.call_tool("get", {"n": 1})
            await client.call_tool("get", {"n": 2}, meta={"traceparent": PARENT})
        assert await traced(gateway) == [("1" * 32, {"span": "2" * 16, "state": "b=2"}), (TRACE, {"span": SPAN})]


@both
async def test_no_client_says_it_where_the_operator_does_not_want_it(tmp_path: Path, mode: str) -> None:
    off = {"otlp": {"accept_trace": False}}
    async with served(tmp_path, (Far().tool("get"),), telemetry=off) as gateway, gateway.client(mode=mode) as client:
        await client.call_tool("get", {"n": 1}, meta={"traceparent": PARENT})
        assert await traced(gateway) == [("", None)]


@given(st.dictionaries(st.sampled_from(["traceparent", "tracestate", "x"]), st.one_of(
    st.text(), st.integers(), st.none(), st.lists(st.text()), st.just(PARENT), st.from_regex(r"00-[0-9a-f]{32}-.*"),
)))  # fmt: skip
def test_whatever_stands_in_its_place_no_call_fails_for_it(meta: dict[str, Any]) -> None:
    try:
        said = asked(Caller(principal=ANA), "get", {}, meta)
    except BadInput as error:  # pragma: no cover  # the test fails
        pytest.fail(str(error))
    assert said.trace is None or isinstance(said.trace, TraceContext)


async def _run_traces(api: Api, run_id: str) -> tuple[str, Any]:
    [started] = [each.fact for each in await api.site.store.read(run_id) if each.fact.kind is Kind.RUN_STARTED]
    return started.trace_id, started.body.get("trace")


async def test_a_run_that_is_started_over_http_is_below_its_callers_span(tmp_path: Path) -> None:
    async with opened(tmp_path) as api:
        made = await api.post("ana", "/runs", {}, traceparent=PARENT, tracestate="a=1")
        spans = Spans(made.body["run_id"], View())
        await api.post("ana", f"/runs/{made.body['run_id']}/finish")
        found = [span for event in await api.site.store.read(made.body["run_id"]) for span in spans.absorb(event)]
    assert [(span.trace_id, span.parent_id, span.state) for span in found] == [(TRACE, SPAN, "a=1")]


@pytest.mark.parametrize(
    "said",
    [
        [("traceparent", "nonsense"), ("tracestate", "a=1")],
        [("traceparent", PARENT), ("traceparent", PARENT)],
        [("traceparent", "00-" + "0" * 32 + f"-{SPAN}-01")],
        [("tracestate", "a=1")],
        [("traceparent", b"\xff" * 9000)],
    ],
    ids=["malformed", "twice", "no trace", "no parent", "long"],
)
async def test_a_header_that_is_no_trace_is_passed_over(tmp_path: Path, said: list[tuple[str, str | bytes]]) -> None:
    async with opened(tmp_path) as api:
        headers = [("authorization", f"Bearer {api.keys['ana']}"), *said]
        made = await api.client.post("/api/v1/runs", json={}, headers=headers)  # type: ignore[arg-type]
        assert made.status_code == 201
        assert await _run_traces(api, made.json()["run_id"]) == ("", None)


async def test_what_vendors_keep_may_stand_in_several_headers(tmp_path: Path) -> None:
    async with opened(tmp_path) as api:
        headers = [("authorization", f"Bearer {api.keys['ana']}"), ("traceparent", PARENT),
                   ("tracestate", "a=1"), ("tracestate", "b=2")]  # fmt: skip
        made = await api.client.post("/api/v1/runs", json={}, headers=headers)
        assert await _run_traces(api, made.json()["run_id"]) == (TRACE, {"span": SPAN, "state": "a=1,b=2"})


async def test_no_program_says_it_over_http_where_the_operator_does_not_want_it(tmp_path: Path) -> None:
    async with opened(tmp_path, telemetry={"otlp": {"accept_trace": False}}) as api:
        made = await api.post("ana", "/runs", {}, traceparent=PARENT)
        assert await _run_traces(api, made.body["run_id"]) == ("", None)


async def test_a_run_that_was_started_before_keeps_the_trace_that_it_began_with(tmp_path: Path) -> None:
    async with opened(tmp_path) as api:
        first = await api.post("ana", "/runs", {}, traceparent=PARENT, idempotency_key="k")
        again = await api.post("ana", "/runs", {}, traceparent=traceparent("1" * 32, SPAN), idempotency_key="k")
        assert (again.status, again.body["run_id"]) == (200, first.body["run_id"])
        assert await _run_traces(api, first.body["run_id"]) == (TRACE, {"span": SPAN})


async def test_a_call_and_each_of_a_batch_say_it_over_http_for_themselves(tmp_path: Path) -> None:
    async with opened(tmp_path) as api:
        run_id = await api.run("ana")
        await api.call(run_id, "look_up", traceparent=PARENT, tracestate="a=1")
        body = {"calls": [{"tool": "look_up", "arguments": {"n": n}} for n in (2, 3)]}
        await api.post("ana", f"/runs/{run_id}/batches", body, traceparent=PARENT)
        rehearsed = {"tool": "note", "arguments": {"n": 4}}
        await api.post("ana", f"/runs/{run_id}/calls/dry-run", rehearsed, traceparent=PARENT)
        await api.call(run_id, "look_up", n=5)
        facts = [event.fact for event in await api.site.store.read(run_id)]
    told = [(fact.trace_id, fact.body.get("trace")) for fact in facts if fact.kind is Kind.CALL_DECIDED]
    alone = (TRACE, {"span": SPAN})
    assert told == [(TRACE, {"span": SPAN, "state": "a=1"}), alone, alone, alone, ("", None)]


async def test_a_call_that_was_held_goes_on_in_the_trace_that_it_came_with() -> None:
    far = Far()
    async with staged(far.tool("pay", "irreversible")) as stage:
        stage.plane.plane.executor = _with(stage.plane, Tracing(sends=True))
        async with stage.plane.run(ANA, trace=PARENT, tracestate="a=1") as run:
            held = await run.call("pay", {"n": 1})
            await stage.answer(run.run_id, held)
            await stage.plane.advance(run.run_id)
    assert [context.trace for context in far.contexts] == [{"traceparent": PARENT, "tracestate": "a=1"}]


# ------------------------------------------------------------------ out


def _with(plane: Interlock, tracing: Tracing) -> Any:
    executor = plane.plane.executor
    given = {name: getattr(executor, name) for name in executor.__dataclass_fields__}
    return type(executor)(**{**given, "tracing": tracing})


@pytest.mark.parametrize(
    ("tracing", "trace", "told"),
    [
        (Tracing(sends=False, exports=True), PARENT, "nothing"),
        (Tracing(sends=True), "", "nothing"),
        (Tracing(sends=True), PARENT, "theirs"),
        (Tracing(sends=True, exports=True), "", "ours"),
        (Tracing(sends=True, exports=True), PARENT, "ours in theirs"),
        (Tracing(sends=True, exports=True, runs=0), "", "ours, not exported"),
    ],
)
async def test_what_a_far_end_is_told(tracing: Tracing, trace: str, told: str) -> None:
    far = Far()
    async with staged(far.tool("get")) as stage:
        stage.plane.plane.executor = _with(stage.plane, tracing)
        async with stage.plane.run(ANA, trace=trace) as run:
            call_id = (await run.call("get", {"n": 1})).call_id
    own, ours = call_span_id(run.run_id, call_id), run_trace_id(run.run_id)
    assert far.contexts[0].traceparent == {
        "nothing": "", "theirs": PARENT, "ours": traceparent(ours, own),
        "ours in theirs": traceparent(TRACE, own), "ours, not exported": traceparent(ours, own, False),
    }[told]  # fmt: skip


async def test_a_service_is_told_in_headers() -> None:
    with FarEnd() as service:
        get = one(document({"/": {"get": operation(operationId="look")}}), base_url=service.url)
        context = CallContext(
            run_id="r", call_id="c", attempt=1, idempotency_key="k", principal_id="u", tenant="t", deadline_s=5,
            traceparent=PARENT, tracestate="a=1",
        )  # fmt: skip
        service.replies += [Reply(200, {}, b"")]
        await get.body({}, context)
        assert (service.asked[0].headers["traceparent"], service.asked[0].headers["tracestate"]) == (PARENT, "a=1")


async def test_an_operation_with_such_a_parameter_of_its_own_keeps_it() -> None:
    with FarEnd() as service:
        mine = {"name": "traceparent", "in": "header", "required": True, "schema": {"type": "string"}}
        get = one(document({"/": {"get": operation(mine, operationId="look")}}), base_url=service.url)
        context = CallContext(
            run_id="r", call_id="c", attempt=1, idempotency_key="k", principal_id="u", tenant="t", deadline_s=5,
            traceparent=PARENT,
        )  # fmt: skip
        service.replies += [Reply(200, {}, b"")]
        await get.body({"traceparent": "said by the call"}, context)
        assert service.asked[0].headers["traceparent"] == "said by the call"


async def arrived(collector: Collector, count: int) -> list[Got]:
    enough = partial(collector.has, lambda spans: len(spans) >= count)
    assert await anyio.to_thread.run_sync(enough), [span.name for span in collector.spans()]
    return collector.spans()


async def test_one_trace_goes_from_the_client_through_the_gateway_to_the_server_behind(tmp_path: Path) -> None:
    with collecting() as collector:
        telemetry = {"otlp": {"endpoint": collector.url, "every_s": 0.01}}
        async with served(tmp_path, (), servers=(ECHO,), telemetry=telemetry) as gateway:
            settings = Settings(folder=tmp_path, ledger=tmp_path / "l.db", servers=(ECHO,), telemetry=telemetry)  # type: ignore[arg-type]
            async with exporting(settings, gateway.plane, World()), gateway.client(mode=OLD) as client:
                said = await client.call_tool("echo", {}, meta={"traceparent": PARENT, "tracestate": "a=1"})
                meta = json.loads(said.content[0].text)  # type: ignore[union-attr]
                spans = {span.kind: span for span in await arrived(collector, 2)}
    [row] = await _rows(tmp_path)
    call, dial = spans["server"], spans["client"]
    assert (call.name, call.trace_id, call.parent_id) == ("tools/call echo", TRACE, SPAN)
    assert call.attributes["mcp.method.name"] == "tools/call"
    assert call.links == [(run_trace_id(row["run_id"]), span_id(row["run_id"]), "run")]
    assert (dial.name, dial.trace_id, dial.parent_id) == ("tools/call echo", TRACE, call.span_id)
    assert (
        dial.span_id == dial_span_id(row["run_id"], row["call_id"]) and dial.attributes["network.transport"] == "pipe"
    )
    assert (meta["traceparent"], meta["tracestate"]) == (traceparent(TRACE, dial.span_id), "a=1")
    assert {"mcp.server.operation.duration", "mcp.client.operation.duration"} <= collector.points().keys()


async def _rows(folder: Path) -> list[dict[str, Any]]:
    async with open_plane(Settings(folder=folder, ledger=folder / "l.db"), engine=False) as plane:
        return await plane.store.rows("tool_call")

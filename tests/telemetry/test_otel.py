"""Export (D5): what a real collector gets of what a plane did, and what becomes of it where the collector is none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from interlock import CallContext, Interlock, Settings, Tool, World, open_plane
from interlock.errors import Rejected, SettingsError
from interlock.telemetry.conventions import CONTENT
from interlock.telemetry.exporting import exporting
from interlock.telemetry.otel_open import open_collector
from interlock.telemetry.told import Told
from proof.collector import Collector, Got, collecting, tree
from tests.planes import ANA, Far

pytestmark = pytest.mark.anyio


def said(url: str, **otlp: Any) -> dict[str, Any]:
    return {"otlp": {"endpoint": url, "every_s": 0.01, **otlp}}


@asynccontextmanager
async def at_work(
    folder: Path, url: str, *tools: Tool, kept: bool = True, **otlp: Any
) -> AsyncIterator[tuple[Interlock, Told]]:
    """A plane on the machine's own clock, with its exporter."""
    ledger = folder / "ledger.db" if kept else None
    settings = Settings(folder=folder, ledger=ledger, telemetry=said(url, **otlp))  # type: ignore[arg-type]
    async with open_plane(settings, tools=tools, engine=False) as plane, exporting(settings, plane, World()) as told:
        assert told is not None
        yield plane, told


async def arrived(collector: Collector, count: int) -> list[Got]:
    """The spans that arrived, once there are so many."""
    enough = partial(collector.has, lambda spans: len(spans) >= count)
    assert await anyio.to_thread.run_sync(enough), [span.name for span in collector.spans()]
    return collector.spans()


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not holds():
            await anyio.lowlevel.checkpoint()


async def one_run(plane: Interlock, *tools: str) -> str:
    async with plane.run(ANA, words="the user's own words") as run:
        for tool in tools:
            await run.call(tool, {"n": 1, "note": "a secret note"})
    return run.run_id


async def reject(arguments: dict[str, Any], context: CallContext) -> object:
    raise Rejected("no", reason="no")


async def test_the_spans_of_a_run_arrive_with_their_parents_and_without_what_was_said(tmp_path: Path) -> None:
    far = Far()
    with collecting() as collector:
        async with at_work(tmp_path, collector.url, far.tool("get"), far.tool("bad", does=reject)) as (plane, told):
            run_id = await one_run(plane, "get", "bad", "none")
            await until(lambda: told.spans == 4)
            spans = {span.name: span for span in await arrived(collector, 4)}
    assert set(spans) == {"invoke_agent", "execute_tool get", "execute_tool bad", "execute_tool"}
    run = spans.pop("invoke_agent")
    assert run.parent_id == "" and run.attributes["gen_ai.conversation.id"] == run_id
    for span in spans.values():
        assert span.parent_id == run.span_id and span.trace_id == run.trace_id
        assert run.start_us <= span.start_us <= span.end_us <= run.end_us
    done = spans["execute_tool get"].attributes
    assert done["gen_ai.tool.name"] == "get" and done["gen_ai.tool.type"] == "function"
    assert done["interlock.decision"] == "allow" and done["interlock.reasons"] == ("rule:read",)
    assert spans["execute_tool bad"].error == "execute.rejected" == spans["execute_tool bad"].attributes["error.type"]
    refused = spans["execute_tool"]
    assert refused.attributes["interlock.code"] == "validate.unknown_tool" and refused.error is None
    assert "gen_ai.tool.name" not in refused.attributes, "the name is a model's text"
    everything = b"".join(body for _, body in collector.bodies)
    assert b"secret note" not in everything and b"own words" not in everything
    assert not any(CONTENT & span.attributes.keys() for span in collector.spans())
    assert collector.resources()[0]["service.name"] == "interlock"
    assert len(tree(collector.spans())) == 4


async def test_content_is_told_where_it_is_switched_on_and_screened_then(tmp_path: Path) -> None:
    token = "ghp_" + "x7Kq2Lm9Zp4Wd8Rt1Vb6Ny3Hs5Jf0Gc2Ea9Q"

    async def leak(arguments: dict[str, Any], context: CallContext) -> object:
        return {"n": 7, "key": token}

    with collecting() as collector:
        async with at_work(tmp_path, collector.url, Far().tool("get", does=leak), content=True) as (plane, _):
            async with plane.run(ANA, words="the user's own words") as run:
                await run.call("get", {"n": 41, "note": f"with {token} of ana.lopez@example.com"})
            spans = {span.name: span for span in await arrived(collector, 2)}
    call = spans["execute_tool get"].attributes
    assert '"n":41' in call["gen_ai.tool.call.arguments"] and '"n":7' in call["gen_ai.tool.call.result"]
    assert "own words" in spans["invoke_agent"].attributes["gen_ai.input.messages"]
    everything = b"".join(body for _, body in collector.bodies)
    assert token.encode() not in everything and b"ana.lopez" not in everything


async def test_a_collector_that_is_down_holds_up_nobody_and_gets_everything_later(tmp_path: Path) -> None:
    with collecting() as collector:
        collector.answers = [503, 503]
        async with at_work(tmp_path, collector.url, Far().tool("get")) as (plane, told):
            with anyio.fail_after(30):
                await one_run(plane, "get")
            await until(lambda: told.spans == 2)
            assert len(await arrived(collector, 2)) == 2
    assert (told.lost, told.problem) == (0, "")


async def test_what_was_not_delivered_is_by_the_next_process_and_as_the_same_spans(tmp_path: Path) -> None:
    tool = Far().tool("get")
    with collecting() as collector:
        url = collector.url
    async with at_work(tmp_path, url, tool) as (plane, told):  # nobody listens any more
        with anyio.fail_after(30):
            await one_run(plane, "get")
    assert told.spans == 0
    with collecting(int(url.rpartition(":")[2])) as collector:
        async with at_work(tmp_path, url, tool) as (_, told):
            await until(lambda: told.spans == 2)
            first = await arrived(collector, 2)
        (tmp_path / "telemetry.place").unlink()
        async with at_work(tmp_path, url, tool, backfill=True) as (_, told):
            await until(lambda: told.spans == 2)
            again = (await arrived(collector, 4))[2:]
    assert first == again


async def test_without_a_place_it_begins_with_what_follows_and_with_all_where_that_is_asked_for(tmp_path: Path) -> None:
    tool = Far().tool("get")
    async with open_plane(Settings(folder=tmp_path, ledger=tmp_path / "ledger.db"), tools=[tool]) as plane:
        await one_run(plane, "get")
    with collecting() as collector:
        async with at_work(tmp_path, collector.url, tool) as (plane, _):
            second = await one_run(plane, "get", "get")
            spans = await arrived(collector, 3)
    assert {span.attributes["gen_ai.conversation.id"] for span in spans} == {second}


async def test_one_process_of_a_deployment_exports(tmp_path: Path) -> None:
    tool = Far().tool("get")
    with collecting() as collector:
        async with at_work(tmp_path, collector.url, tool) as (plane, first):
            await one_run(plane, "get")
            await arrived(collector, 2)
            async with at_work(tmp_path, collector.url, tool) as (other, second):
                await one_run(other, "get")
                await until(lambda: first.spans == 4)
            assert first.exporting and not second.exporting
    assert len(collector.spans()) == 4


async def test_what_a_collector_refuses_for_good_is_counted_as_lost(tmp_path: Path) -> None:
    with collecting() as collector:
        collector.answers = [400, (200, 1)]
        async with at_work(tmp_path, collector.url, Far().tool("get"), kept=False, every_s=0.3) as (plane, told):
            await one_run(plane, "get", "none")
            await until(lambda: told.lost == 3)
            await one_run(plane, "get")
            await until(lambda: told.lost == 4)
    assert told.spans == 1 and len(collector.spans()) == 2


async def test_a_request_that_is_too_large_is_sent_in_parts(tmp_path: Path) -> None:
    with collecting() as collector:
        collector.largest = 3000
        async with at_work(tmp_path, collector.url, Far().tool("get"), every_s=0.5) as (plane, told):
            await one_run(plane, *["get"] * 12)
            await until(lambda: told.spans == 13)
            assert len(await arrived(collector, 13)) == 13
    traces = [body for path, body in collector.bodies if path == "/v1/traces"]
    assert told.spans == 13 and len(traces) > 1


async def test_only_a_part_of_the_runs_is_told_as_spans_and_all_are_counted(tmp_path: Path) -> None:
    with collecting() as collector:
        async with at_work(tmp_path, collector.url, Far().tool("get"), runs=0) as (plane, told):
            await one_run(plane, "get")
            await until(lambda: told.requests > 0)
    assert collector.spans() == []
    [(attributes, point)] = collector.points()["gen_ai.execute_tool.duration"]
    assert attributes["gen_ai.tool.name"] == "get" and point.count == 1


async def test_headers_of_a_file_are_sent(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text("# for the collector\nAuthorization: Bearer abc\n\nx-scope: one\n")
    file.chmod(0o600)
    with collecting() as collector:
        async with at_work(tmp_path, collector.url, Far().tool("get"), headers_file=str(file)) as (plane, _):
            await one_run(plane, "get")
            await arrived(collector, 2)
    assert collector.headers[0]["authorization"] == "Bearer abc" and collector.headers[0]["x-scope"] == "one"
    assert collector.headers[0]["content-type"] == "application/x-protobuf"


async def test_without_an_endpoint_nothing_is_sent_anywhere() -> None:
    settings = Settings(ledger=None)
    async with open_plane(settings) as plane, exporting(settings, plane, World()) as told:
        assert told is None


@pytest.mark.parametrize(
    ("otlp", "code"),
    [
        ({"endpoint": "http://collector.example:4318"}, "settings.url"),
        ({"endpoint": "https://u:p@collector.example"}, "settings.url"),
        ({"endpoint": "http://127.0.0.1:4318/v1/traces"}, "settings.url"),
        ({"endpoint": "http://127.0.0.1:4318", "headers_file": "open"}, "settings.mode"),
        ({"endpoint": "http://127.0.0.1:4318", "headers_file": "odd"}, "settings.header"),
        ({"endpoint": "http://127.0.0.1:4318", "headers_file": "absent"}, "settings.mode"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, otlp: dict[str, Any], code: str) -> None:
    for name, text, mode in (("open", "a: b", 0o644), ("odd", "no header", 0o600)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    with pytest.raises(SettingsError) as refused:
        open_collector(Settings(folder=tmp_path, telemetry={"otlp": otlp}))  # type: ignore[arg-type]
    assert refused.value.code == code

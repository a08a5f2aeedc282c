"""The parts of the export (D5): what an answer means, where it begins, how many series, and what is damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from interlock import Settings, World, open_plane
from interlock.compose import tracing_of
from interlock.errors import LedgerError
from interlock.execution.tracing import Tracing
from interlock.ledger.feed import Feed
from interlock.net.answer import Answer
from interlock.telemetry import conventions as names
from interlock.telemetry import otel, otel_metrics
from interlock.telemetry.exporting import exporting
from interlock.telemetry.otel_metrics import OVERFLOW, Metrics
from interlock.telemetry.otel_place import LOCK, PLACE, Place
from interlock.telemetry.otel_send import Taken, Verdict, _judged
from interlock.telemetry.otel_wire import refused_points, refused_spans
from interlock.telemetry.span import Span
from proof.collector import collecting
from tests.planes import ANA, Far
from tests.telemetry.test_otel import arrived, at_work, one_run, until

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("status", "headers", "taken"),
    [
        (200, {}, Taken(Verdict.TAKEN, "answered 200", 7)), (202, {}, Taken(Verdict.TAKEN, "answered 202", 7)),
        (429, {"retry-after": "12"}, Taken(Verdict.LATER, "answered 429", 0, 12.0)),
        (503, {}, Taken(Verdict.LATER, "answered 503")), (502, {}, Taken(Verdict.LATER, "answered 502")),
        (504, {"retry-after": "soon"}, Taken(Verdict.LATER, "answered 504")),
        (400, {}, Taken(Verdict.REFUSED, "answered 400")), (401, {}, Taken(Verdict.REFUSED, "answered 401")),
        (500, {}, Taken(Verdict.REFUSED, "answered 500")), (307, {}, Taken(Verdict.REFUSED, "answered 307")),
        (413, {}, Taken(Verdict.TOO_LARGE, "answered 413")),
    ],
)  # fmt: skip
def test_what_a_collectors_answer_means(status: int, headers: dict[str, str], taken: Taken) -> None:
    assert _judged(Answer(status, headers, b"whatever it says", False), lambda body: 7) == taken


@pytest.mark.parametrize("body", [b"", b"\xff\xff", b"<html>", b"\x00" * 64])
def test_an_answer_that_cannot_be_read_refuses_nothing(body: bytes) -> None:
    assert refused_spans(body) == 0 == refused_points(body)


@pytest.mark.parametrize("kept", [b"", b"{", b"[]", b'{"position": -1}', b'{"position": true}', b'{"position": "7"}'])
def test_a_place_that_cannot_be_read_is_none(tmp_path: Path, kept: bytes) -> None:
    place = Place(tmp_path)
    assert place.read() is None
    (tmp_path / PLACE).write_bytes(kept)
    assert place.read() is None
    place.write(7)
    assert place.read() == 7 and (tmp_path / PLACE).stat().st_mode & 0o777 == 0o600


def test_a_place_is_one_processes_until_it_lets_go(tmp_path: Path) -> None:
    first, second = Place(tmp_path / "new"), Place(tmp_path / "new")
    assert first.take() and first.take() and not second.take()
    first.release()
    assert second.take()
    second.release()
    assert (tmp_path / "new" / LOCK).exists()
    assert Place(None).take() and Place(None).read() is None
    Place(None).write(3)


async def test_a_place_beyond_the_ledger_is_of_another_one_and_what_follows_is_told(tmp_path: Path) -> None:
    (tmp_path / PLACE).write_text('{"position": 1000000}')
    with collecting() as collector:
        async with at_work(tmp_path, collector.url, Far().tool("get")) as (plane, told):
            await until(lambda: told.exporting)
            await one_run(plane, "get")
            assert len({span.span_id for span in await arrived(collector, 2)}) == 2


async def test_a_run_that_was_let_go_of_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otel, "RUNS_MAX", 1)
    with collecting() as collector:
        async with at_work(tmp_path, collector.url, Far().tool("get")) as (plane, told):
            async with plane.run(ANA) as first, plane.run(ANA) as second:
                for turn in range(3):
                    for run in (first, second):
                        await run.call("get", {"n": turn})
                        position = plane.store.position()
                        await until(lambda position=position: told.position >= position)  # type: ignore[misc]
            spans = await arrived(collector, 8)
    assert len({span.span_id for span in spans}) == 8
    assert {span.name for span in spans} == {"invoke_agent", "execute_tool get"}


async def test_what_was_cut_off_when_it_was_stopped_is_sent_once_more_and_counted_once(tmp_path: Path) -> None:
    """The runs are over, so that nothing of them is kept, and their events were read."""
    with collecting() as collector:
        collector.answers = [503]
        async with at_work(tmp_path, collector.url, Far().tool("get")) as (plane, told):
            await one_run(plane, "get", "get")
            await until(lambda: bool(told.problem))  # it waits to try again when it is stopped
    assert sorted(span.name for span in collector.spans()) == ["execute_tool get", "execute_tool get", "invoke_agent"]
    [(_, point)] = collector.points()["gen_ai.execute_tool.duration"]
    assert point.count == 2


async def test_a_ledger_that_is_damaged_ends_the_export_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def damaged(self: Feed, position: int) -> Any:
        raise LedgerError("an event cannot be read", code="ledger.unreadable")

    with collecting() as collector:
        monkeypatch.setattr(Feed, "above", damaged)
        async with at_work(tmp_path, collector.url, Far().tool("get")) as (plane, told):
            await until(lambda: bool(told.problem))
            assert "cannot be read" in told.problem
            await one_run(plane, "get")


def test_what_is_beyond_so_many_series_is_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otel_metrics, "SERIES_MAX", 3)
    metrics = Metrics()
    for number in range(9):
        said = {names.OPERATION: names.CHAT, names.REQUEST_MODEL: f"m{number}", names.INPUT_TOKENS: 5}
        metrics.count(_span(said))
    assert [sum(each.counts) for each in metrics.models.series.values()] == [1, 1, 1, 6]
    assert OVERFLOW in metrics.models.series
    assert {dict(key).get("gen_ai.token.type", "over") for key in metrics.tokens.series} == {"input", "over"}


def test_a_wait_for_a_person_is_no_duration_of_a_tool_or_of_an_answer() -> None:
    metrics = Metrics()
    held = {names.OPERATION: names.EXECUTE_TOOL, names.TOOL: "pay", names.EXECUTED: 0.5, "interlock.approval.id": "a"}
    metrics.count(_span(held, kind="server", end_us=3_600_000_000))
    assert [each.name for each in metrics] == ["gen_ai.execute_tool.duration"]
    [line] = metrics.tools.series.values()
    assert (line.total, line.least, line.most) == (0.5, 0.5, 0.5)


def test_the_settings_say_what_far_ends_are_told() -> None:
    def of(**otlp: Any) -> Tracing:
        return tracing_of(Settings(telemetry={"otlp": otlp}))  # type: ignore[arg-type]

    assert of() == Tracing(sends=True, exports=False, runs=1)
    assert of(endpoint="http://127.0.0.1:1", runs=0.5) == Tracing(sends=True, exports=True, runs=0.5)
    assert not of(send_trace=False).sends


async def test_leaving_is_not_held_up_by_a_collector_that_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otel, "LAST_WORD_S", 0.05)
    settings = Settings(folder=tmp_path, ledger=None, telemetry={"otlp": {"endpoint": "http://127.0.0.1:1"}})  # type: ignore[arg-type]
    with anyio.fail_after(30):
        async with open_plane(settings, tools=[Far().tool("get")]) as plane, exporting(settings, plane, World()):
            await one_run(plane, "get")


def _span(said: dict[str, Any], kind: Any = "client", end_us: int = 1_000_000) -> Span:
    return Span(
        trace_id="1" * 32, span_id="2" * 16, parent_id="", name="x", start_us=0, end_us=end_us, run_id="run_1",
        kind=kind, attributes=said,
    )  # fmt: skip

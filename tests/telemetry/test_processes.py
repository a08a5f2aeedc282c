"""A process that exports is killed at any moment: what it had not delivered, the next one does (D5)."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio.to_thread
import pytest

from interlock import Settings, World, open_plane
from interlock.telemetry.exporting import exporting
from proof.collector import Collector, collecting

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]


def made_until(folder: Path, collector: Collector, enough: Callable[[int], bool]) -> list[str]:
    """The runs of a process that is killed as soon as that is enough."""
    command = [sys.executable, "-m", "tests.telemetry.exporting_process", str(folder), collector.url]
    runs = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            runs.append(line.strip())
            if enough(len(runs)):
                process.kill()
                break
        runs += [line.strip() for line in process.stdout]
    return runs


@pytest.mark.parametrize("down", [True, False])
async def test_what_a_killed_process_had_not_delivered_is(tmp_path: Path, down: bool) -> None:
    """Killed while the collector is down, and killed in the middle of delivering."""
    with collecting() as collector:
        collector.answers = [503] * 1000 if down else []
        enough = (lambda count: count >= 10) if down else (lambda count: count >= 10 and len(collector.bodies) > 4)
        runs = await anyio.to_thread.run_sync(partial(made_until, tmp_path, collector, enough))
        collector.answers = []
        otlp = {"endpoint": collector.url, "every_s": 0.01}
        ledger = tmp_path / "ledger.db"
        settings = Settings(folder=tmp_path, ledger=ledger, telemetry={"otlp": otlp})  # type: ignore[arg-type]
        async with open_plane(settings, engine=False) as plane, exporting(settings, plane, World()):
            calls = {row["call_id"] for row in await plane.store.rows("tool_call", {"status": "closed"})}
            over = {row["run_id"] for row in await plane.store.rows("run", {"status": "finished"})}
            assert set(runs) <= over

            def all_there() -> bool:
                return collector.has(lambda spans: len({span.span_id for span in spans}) >= len(calls) + len(over))

            assert await anyio.to_thread.run_sync(all_there)
    spans = collector.spans()
    assert {span.attributes.get("gen_ai.tool.call.id") for span in spans} - {None} == calls
    alike = Counter(span.span_id for span in spans)
    assert len({repr(span) for span in spans}) == len(alike), "what came twice came as the same"

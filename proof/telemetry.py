"""What a collector gets of the demonstration: `python -m proof.telemetry`, or `make telemetry`.

Plays both stories, with their runtimes that are killed in the middle of effects, while each deployment
exports to a collector on this machine that refuses every third request. Then it is held against the ledger: every
run that is over and every call that has ended is there, below what it belongs to; every name is one of the published
conventions or ours; and nothing that was asked or answered is in any byte that arrived. Exits 0 only if all of that
holds.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import anyio.to_thread

import interlock
from examples.customer_support.__main__ import STORY as SUPPORT
from examples.demonstration import Story
from examples.page import Page
from examples.property_management.__main__ import STORY as PROPERTY
from interlock.core.trace import call_span_id, span_id
from interlock.settings import FILE
from interlock.telemetry.conventions import CONTENT
from interlock.telemetry.exporting import exporting
from proof.collector import Collector, Got, collecting, tree

OTHERS = ("error", "network", "server", "enduser")
PROSE = 12
"""Characters from which on a text of the ledger is looked for in what arrived."""


class Flaky(list[int | tuple[int, int]]):
    """Answers of a collector that is down for a moment at every third request."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def __bool__(self) -> bool:
        return True

    def pop(self, index: Any = -1) -> int:
        """The next answer."""
        self.asked += 1
        return 503 if self.asked % 3 == 0 else 200


def main() -> int:
    """Play both stories, deliver what is left, and judge."""
    wrong = [f"{story.module}: {line}" for story in (PROPERTY, SUPPORT) for line in told_of(story)]
    for line in wrong:
        print(f"WRONG  {line}")
    print("telemetry: nothing is wrong" if not wrong else f"telemetry: {len(wrong)} things are wrong")
    return 1 if wrong else 0


def told_of(story: Story) -> list[str]:
    """What is wrong with what a collector got of one story."""
    with TemporaryDirectory(prefix="interlock-telemetry-") as temporary, collecting() as collector:
        collector.answers = Flaky()
        folder = Path(temporary) / "deployment"
        story.deploy(folder)
        file = folder / FILE
        otlp = f'\n[telemetry.otlp]\nendpoint = "{collector.url}"\nbackfill = true\nevery_s = 0.2\n'
        file.write_text(file.read_text() + otlp)
        settings = interlock.load_settings(file)
        with story.serving(Path(temporary) / "service.db") as far_end:
            account = anyio.run(partial(story.play, settings, far_end, Page()))
            wrong = [f"{account.wrong} expectations of it did not hold"] if account.wrong else []
            return wrong + anyio.run(judged, settings, collector)


async def judged(settings: interlock.Settings, collector: Collector) -> list[str]:
    """What is wrong, once everything was delivered."""
    async with interlock.open_plane(settings, engine=False) as plane:
        async with exporting(settings, plane, interlock.World()) as told:
            assert told is not None
            with anyio.fail_after(60):
                while told.position < plane.store.position():
                    await anyio.sleep(0.05)
        runs = await plane.store.rows("run")
        calls = await plane.store.rows("tool_call")
        events = [event for row in runs for event in await plane.store.read(row["run_id"])]
    spans = {span.span_id: span for span in collector.spans()}
    over = {span_id(row["run_id"]): row for row in runs if row["status"] != "open"}
    ended = {call_span_id(row["run_id"], row["call_id"]): row for row in calls if row["status"] == "closed"}
    still = {span_id(row["run_id"]) for row in runs if row["status"] == "open"}
    got = b"".join(body for _, body in collector.bodies)
    wrong = [f"no span of run {over[each]['run_id']}" for each in over.keys() - spans.keys()]
    wrong += [f"no span of call {ended[each]['call_id']}" for each in ended.keys() - spans.keys()]
    wrong += [f"{span.name} is below nothing" for span in spans.values() if span.parent_id not in {"", *spans, *still}]
    wrong += [f"{name!r} is in no convention" for name in sorted(_names(spans.values()) - published())]
    wrong += [f"content in {span.name}" for span in spans.values() if CONTENT & span.attributes.keys()]
    secrets = {text for event in events for text in _prose(event.fact.body)}
    wrong += [f"said: {text[:60]!r}" for text in sorted(secrets) if text.encode() in got]
    same = len({repr(span) for span in collector.spans()}) == len(spans)
    wrong += [] if same else ["a span came twice and was another one the second time"]
    _show(collector, list(spans.values()), len(secrets))
    return wrong


def published() -> set[str]:
    """Names of attributes of the published conventions."""
    modules = [f"opentelemetry.semconv._incubating.attributes.{name}_attributes" for name in ("gen_ai", "mcp", *OTHERS)]
    return {value for name in modules for value in vars(import_module(name)).values() if isinstance(value, str)}


def _names(spans: Any) -> set[str]:
    said = {name for span in spans for name in span.attributes}
    said |= {name for span in spans for _, more in span.moments for name in more}
    return {name for name in said if not name.startswith("interlock.")}


def _prose(body: Any) -> Iterator[str]:
    """Texts of an event that somebody wrote: those with a space in them, which no name, id or code has."""
    if isinstance(body, str):
        if len(body) >= PROSE and " " in body:
            yield body
            with_json = body if body.startswith(("{", "[")) else ""
            if with_json:
                try:
                    yield from _prose(json.loads(with_json))
                except ValueError:
                    return
    elif isinstance(body, dict):
        for value in body.values():
            yield from _prose(value)
    elif isinstance(body, list):
        for value in body:
            yield from _prose(value)


def _show(collector: Collector, spans: list[Got], texts: int) -> None:
    roots = Counter(span.trace_id for span in spans)
    for trace_id, _ in roots.most_common(2):
        print(f"\ntrace {trace_id}")
        print("\n".join(f"  {line}" for line in tree([span for span in spans if span.trace_id == trace_id])))
    kinds = Counter(span.name.partition(" ")[0] for span in spans)
    times = Counter(span.span_id for span in collector.spans())
    print(
        f"\n{len(spans)} spans of {len(roots)} traces: " + ", ".join(f"{n} {name}" for name, n in kinds.most_common())
    )
    print(f"{len(collector.bodies)} requests of {sum(len(body) for _, body in collector.bodies):,} bytes were taken, "
          f"{len(collector.headers) - len(collector.bodies)} refused for a moment; "
          f"{sum(1 for count in times.values() if count > 1)} spans came more than once, as the same")  # fmt: skip
    print(f"metrics: {', '.join(sorted(collector.points()))}")
    print(f"{texts} texts of the ledger were looked for in them, and none may be there\n")


if __name__ == "__main__":
    sys.exit(main())

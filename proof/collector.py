"""A collector of OTLP/HTTP on this machine: it takes protobuf, keeps every byte that it got, and reads it.

It was written apart from what sends: the forms are the published ones of `opentelemetry-proto`.
"""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan


@dataclass(frozen=True)
class Got:
    """One span as it arrived."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    start_us: int
    end_us: int
    state: str
    attributes: dict[str, Any]
    moments: list[tuple[str, dict[str, Any]]]
    links: list[tuple[str, str, str]]
    error: str | None


@dataclass
class Collector:
    """What arrived so far.

    Attributes:
        url: Its endpoint.
        bodies: Path and body of every request that it answered with 200.
        headers: Of every request, whatever it was answered.
        answers: What it answers to the next spans: a status, or one and how many it does not keep; 200 when empty.
    """

    url: str = ""
    bodies: list[tuple[str, bytes]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: list[int | tuple[int, int]] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)
    largest: int = 1 << 30

    def spans(self) -> list[Got]:
        """Every span that arrived, one that came twice twice."""
        found = []
        for path, body in list(self.bodies):
            if path == "/v1/traces":
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    found += [_got(span) for scope in resource.scope_spans for span in scope.spans]
        return found

    def resources(self) -> list[dict[str, Any]]:
        """What is said of the sender, of each request."""
        return [
            _attributes(resource.resource.attributes)
            for path, body in self.bodies
            if path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        ]

    def points(self) -> dict[str, list[tuple[dict[str, Any], Any]]]:
        """The newest points of every metric: attributes, and the point as it came."""
        found: dict[str, list[tuple[dict[str, Any], Any]]] = {}
        for path, body in self.bodies:
            if path == "/v1/metrics":
                for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                    for scope in resource.scope_metrics:
                        for metric in scope.metrics:
                            found[metric.name] = [(_attributes(p.attributes), p) for p in metric.histogram.data_points]
        return found

    def has(self, until: Callable[[list[Got]], bool], within_s: float = 20.0) -> bool:
        """Whether what has arrived satisfies this, now or soon. It blocks: call it in a thread."""
        deadline = time.monotonic() + within_s
        with self.news:
            while not until(self.spans()):
                if not self.news.wait(deadline - time.monotonic()) and time.monotonic() >= deadline:
                    return False
        return True


@contextmanager
def collecting(port: int = 0) -> Iterator[Collector]:
    """A collector that listens for as long as the block lasts."""
    collector = Collector()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            body = self.rfile.read(length)
            if len(body) < length:
                return  # cut off
            with collector.news:
                collector.headers.append({name.lower(): value for name, value in self.headers.items()})
                waits = self.path == "/v1/traces" and collector.answers
                said = collector.answers.pop(0) if waits else 200
                status, refused = said if isinstance(said, tuple) else (said, 0)
                if len(body) > collector.largest:
                    status = 413
                if status == 200:
                    collector.bodies.append((self.path, body))
                collector.news.notify_all()
            with suppress(ConnectionError):  # whoever asked was killed meanwhile
                self._say(status, _answer(self.path, refused) if status == 200 else b"")

        def _say(self, status: int, answer: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *given: Any) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _answer(path: str, refused: int) -> bytes:
    if path == "/v1/traces":
        traces = ExportTraceServiceResponse()
        if refused:
            traces.partial_success.rejected_spans = refused
        return bytes(traces.SerializeToString())
    return bytes(ExportMetricsServiceResponse().SerializeToString())


def _got(span: SentSpan) -> Got:
    return Got(
        trace_id=span.trace_id.hex(), span_id=span.span_id.hex(), parent_id=span.parent_span_id.hex(), name=span.name,
        kind=SentSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        start_us=span.start_time_unix_nano // 1000, end_us=span.end_time_unix_nano // 1000, state=span.trace_state,
        attributes=_attributes(span.attributes),
        moments=[(event.name, _attributes(event.attributes)) for event in span.events],
        links=[(link.trace_id.hex(), link.span_id.hex(), _attributes(link.attributes)["interlock.link"])
               for link in span.links],
        error=span.status.message if span.status.code == 2 else None,
    )  # fmt: skip


def _attributes(said: Any) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in said}


def _value(value: Any) -> Any:
    which = value.WhichOneof("value")
    found = getattr(value, which)
    return tuple(_value(each) for each in found.values) if which == "array_value" else found


def tree(spans: list[Got]) -> list[str]:
    """The spans as lines, each below the one that is above it."""
    below: dict[str, list[Got]] = {}
    known = {span.span_id for span in spans}
    for span in spans:
        below.setdefault(span.parent_id if span.parent_id in known else "", []).append(span)

    def lines(parent_id: str, depth: int) -> Iterator[str]:
        for span in sorted(below.get(parent_id, ()), key=lambda span: (span.start_us, span.end_us)):
            outcome = span.attributes.get("interlock.outcome", span.attributes.get("interlock.approval.status", ""))
            took_ms = (span.end_us - span.start_us) / 1000
            yield f"{'  ' * depth}{span.name}  [{span.kind}] {took_ms:.1f} ms {outcome}".rstrip()
            yield from lines(span.span_id, depth + 1)

    return list(lines("", 0))

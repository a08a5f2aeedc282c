"""Spans and metrics in the forms of OTLP: protobuf, as a collector takes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from interlock.errors import MissingExtra
from interlock.telemetry.otel_metrics import Histogram, Series
from interlock.telemetry.span import Attributes, Span, Value

try:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
        ExportMetricsServiceResponse,
    )
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceRequest,
        ExportTraceServiceResponse,
    )
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
    from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource
    from opentelemetry.proto.trace.v1 import trace_pb2 as trace
except ImportError:
    raise MissingExtra("telemetry.otlp needs an extra", remedy="Run `pip install 'interlock[otel]'`.") from None

TYPE: Final = "application/x-protobuf"

SCOPE: Final = "interlock"

_NS: Final = 1000
_KINDS: Final = {
    "internal": trace.Span.SPAN_KIND_INTERNAL,
    "client": trace.Span.SPAN_KIND_CLIENT,
    "server": trace.Span.SPAN_KIND_SERVER,
}
_RECORDED: Final = 0x101
"""Flags of a span: sampled, and it is known whether its parent is remote."""


class Wire:
    """Writes requests of one process.

    Args:
        resource: What is said of it.
        version: Of Interlock.
    """

    def __init__(self, resource: Mapping[str, str], version: str) -> None:
        self._resource = Resource(attributes=_attributes(resource))
        self._scope = InstrumentationScope(name=SCOPE, version=version)

    def spans(self, spans: Iterable[Span]) -> bytes:
        """The body of a request to `/v1/traces`."""
        scoped = trace.ScopeSpans(scope=self._scope, spans=[_span(span) for span in spans])
        request = ExportTraceServiceRequest(
            resource_spans=[trace.ResourceSpans(resource=self._resource, scope_spans=[scoped])]
        )
        return request.SerializeToString()

    def metrics(self, histograms: Iterable[Histogram], since_us: int, now_us: int) -> bytes:
        """The body of a request to `/v1/metrics`: all that was counted since then."""
        scoped = metrics.ScopeMetrics(
            scope=self._scope, metrics=[_metric(each, since_us, now_us) for each in histograms]
        )
        request = ExportMetricsServiceRequest(
            resource_metrics=[metrics.ResourceMetrics(resource=self._resource, scope_metrics=[scoped])]
        )
        return request.SerializeToString()


def refused_spans(body: bytes) -> int:
    """How many spans a collector says in its answer that it did not take; 0 where it says nothing that can be read."""
    try:
        return max(0, ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans)
    except DecodeError:
        return 0


def refused_points(body: bytes) -> int:
    """The same for metrics."""
    try:
        return max(0, ExportMetricsServiceResponse.FromString(body).partial_success.rejected_data_points)
    except DecodeError:
        return 0


def _span(span: Span) -> trace.Span:
    return trace.Span(
        trace_id=bytes.fromhex(span.trace_id), span_id=bytes.fromhex(span.span_id),
        parent_span_id=bytes.fromhex(span.parent_id), trace_state=span.state, flags=_RECORDED, name=span.name,
        kind=_KINDS[span.kind], start_time_unix_nano=span.start_us * _NS, end_time_unix_nano=span.end_us * _NS,
        attributes=_attributes(span.attributes),
        events=[
            trace.Span.Event(name=each.name, time_unix_nano=each.at_us * _NS, attributes=_attributes(each.attributes))
            for each in span.moments
        ],
        links=[
            trace.Span.Link(
                trace_id=bytes.fromhex(link.trace_id), span_id=bytes.fromhex(link.span_id),
                attributes=_attributes({"interlock.link": link.why}),
            )
            for link in span.links
        ],
        status=trace.Status(code=trace.Status.STATUS_CODE_ERROR, message=span.error) if span.error else None,
    )  # fmt: skip


def _metric(histogram: Histogram, since_us: int, now_us: int) -> metrics.Metric:
    points = [_point(histogram.bounds, key, line, (since_us, now_us)) for key, line in histogram.series.items()]
    cumulative = metrics.AGGREGATION_TEMPORALITY_CUMULATIVE
    return metrics.Metric(
        name=histogram.name, unit=histogram.unit, description=histogram.about,
        histogram=metrics.Histogram(data_points=points, aggregation_temporality=cumulative),
    )  # fmt: skip


def _point(
    bounds: Sequence[float], key: tuple[tuple[str, Value], ...], line: Series, times: tuple[int, int]
) -> metrics.HistogramDataPoint:
    return metrics.HistogramDataPoint(
        attributes=_attributes(dict(key)), start_time_unix_nano=times[0] * _NS, time_unix_nano=times[1] * _NS,
        count=sum(line.counts), sum=line.total, bucket_counts=line.counts, explicit_bounds=bounds,
        min=line.least, max=line.most,
    )  # fmt: skip


def _attributes(said: Attributes) -> list[KeyValue]:
    return [KeyValue(key=name, value=_value(value)) for name, value in said.items()]


def _value(value: Value) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, tuple):
        return AnyValue(array_value=ArrayValue(values=[_value(each) for each in value]))
    return AnyValue(string_value=_text(value))


def _text(text: str) -> str:
    """As protobuf can carry it: what is no Unicode is shown escaped."""
    return text.encode(errors="backslashreplace").decode()

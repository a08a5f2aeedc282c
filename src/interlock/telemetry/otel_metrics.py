"""Metrics of OpenTelemetry's conventions, counted from finished spans: tokens and durations, as histograms."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from interlock.core.clock import SECOND_US
from interlock.telemetry import conventions as names
from interlock.telemetry.span import Attributes, Span, Value

TOKEN_BOUNDS: Final = tuple(float(4**power) for power in range(14))
MODEL_BOUNDS: Final = tuple(0.01 * 2**power for power in range(14))
TOOL_BOUNDS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds of the histograms' buckets, as the conventions have them."""

SERIES_MAX: Final = 2000
"""Combinations of attributes of one metric; what is beyond is counted together, as `otel.metric.overflow`."""

OVERFLOW: Final = (("otel.metric.overflow", True),)

_TOKENS_OF: Final = ((names.INPUT_TOKENS, "input"), (names.OUTPUT_TOKENS, "output"))
_OF_MODEL: Final = (names.OPERATION, names.PROVIDER, names.REQUEST_MODEL, names.RESPONSE_MODEL)
_OF_TOOL: Final = (names.OPERATION, names.TOOL, names.TOOL_TYPE, "interlock.outcome")
_OF_REQUEST: Final = (
    names.MCP_METHOD, names.OPERATION, names.TOOL, names.TRANSPORT, names.SERVER_ADDRESS, names.SERVER_PORT,
)  # fmt: skip

Key = tuple[tuple[str, Value], ...]


@dataclass(slots=True)
class Series:
    """One line of a histogram.

    Attributes:
        counts: How many fell into each bucket; the last is what lies above all bounds.
        total: Their sum.
        least, most: The smallest and largest.
    """

    counts: list[int]
    total: float = 0.0
    least: float = float("inf")
    most: float = float("-inf")


@dataclass(slots=True)
class Histogram:
    """One metric.

    Attributes:
        name, unit, about: As the conventions have them.
        bounds: Upper bounds of its buckets.
        series: Its lines by their attributes.
    """

    name: str
    unit: str
    about: str
    bounds: tuple[float, ...]
    series: dict[Key, Series] = field(default_factory=dict)

    def add(self, value: float, attributes: Key) -> None:
        """Count one."""
        key = attributes if attributes in self.series or len(self.series) < SERIES_MAX else OVERFLOW
        line = self.series.get(key)
        if line is None:
            line = self.series[key] = Series([0] * (len(self.bounds) + 1))
        line.counts[bisect_left(self.bounds, value)] += 1
        line.total += value
        line.least, line.most = min(line.least, value), max(line.most, value)


class Metrics:
    """All of them, since this process began to count."""

    def __init__(self) -> None:
        about = "Number of input and output tokens used."
        self.tokens = Histogram(names.TOKEN_USAGE, "{token}", about, TOKEN_BOUNDS)
        self.models = Histogram(names.MODEL_DURATION, "s", "GenAI operation duration.", MODEL_BOUNDS)
        self.tools = Histogram(names.TOOL_DURATION, "s", "Duration of what a tool does.", TOOL_BOUNDS)
        self.clients = Histogram(
            names.MCP_CLIENT_DURATION, "s", "Duration of MCP requests to servers behind.", TOOL_BOUNDS
        )
        self.servers = Histogram(
            names.MCP_SERVER_DURATION, "s", "Duration of MCP requests that were answered at once.", TOOL_BOUNDS
        )

    def __iter__(self) -> Iterator[Histogram]:
        """Those that have counted something."""
        every = (self.tokens, self.models, self.tools, self.clients, self.servers)
        return iter([each for each in every if each.series])

    def count(self, span: Span) -> None:
        """Count a finished span."""
        said = span.attributes
        took_s = (span.end_us - span.start_us) / SECOND_US
        if said.get(names.OPERATION) == names.CHAT:
            self.models.add(took_s, _chosen(said, *_OF_MODEL, names.ERROR_TYPE))
            for name, kind in _TOKENS_OF:
                count = said.get(name)
                if isinstance(count, int):
                    self.tokens.add(count, (*_chosen(said, *_OF_MODEL), (names.TOKEN_TYPE, kind)))
            return
        if said.get(names.OPERATION) != names.EXECUTE_TOOL:
            return
        if span.kind == "client":
            self.clients.add(took_s, _chosen(said, *_OF_REQUEST, names.ERROR_TYPE))
            return
        executed_s = said.get(names.EXECUTED)
        if isinstance(executed_s, float):
            self.tools.add(executed_s, _chosen(said, *_OF_TOOL, names.ERROR_TYPE))
        if span.kind == "server" and "interlock.approval.id" not in said:
            self.servers.add(took_s, _chosen(said, *_OF_REQUEST, names.ERROR_TYPE))


def _chosen(attributes: Attributes, *chosen: str) -> Key:
    return tuple((name, attributes[name]) for name in chosen if name in attributes)

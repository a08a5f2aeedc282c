"""A span: telemetry's view of a run or a part of one. It is made of events, and nothing goes by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Value = str | bool | int | float | tuple[str, ...]
"""What an attribute can be."""

Attributes = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened during a span.

    Attributes:
        name: What.
        at_us: When, microseconds UTC.
        attributes: More about it.
    """

    name: str
    at_us: int
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """Another span that this one has to do with and that is not above it.

    Attributes:
        trace_id, span_id: Which, in hexadecimal.
        why: `fallback`, `edit`, `undoes`, `run` or `parent`.
    """

    trace_id: str
    span_id: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One finished span.

    Attributes:
        trace_id, span_id: 32 and 16 hexadecimal digits, made of the ledger's ids: the same however often it is made.
        parent_id: The span above it; empty for none.
        state: `tracestate` of whoever's trace it belongs to.
        name: What it is called; no text of a model's is in it.
        kind: Which side of a request it is, if any.
        start_us, end_us: Microseconds UTC; the end is never before the start.
        attributes: By name, see `conventions.py`.
        moments, links: What happened meanwhile; what it has to do with.
        error: A stable code; empty where it did not fail.
        run_id: Of which run it is a part.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start_us: int
    end_us: int
    run_id: str
    state: str = ""
    kind: Literal["internal", "client", "server"] = "internal"
    attributes: Attributes = field(default_factory=dict)
    moments: tuple[Moment, ...] = ()
    links: tuple[Link, ...] = ()
    error: str = ""

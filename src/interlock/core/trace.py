"""W3C trace context: which trace of somebody else's a run or a call belongs to, and which ids our own spans have.

Ids are made from the ids of the ledger, so that whoever makes spans of the same events makes the same spans.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import NamedTuple

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
"""Names of the two: as headers of HTTP, and unprefixed in the `_meta` of a message (SEP-414)."""

STATE_MAX = 512
"""Characters of a `tracestate` that are handed on; a longer one is dropped."""

_VERSION_0 = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_LATER = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-[\x20-\x7e]{0,256})?")
_MEMBER = re.compile(
    r"[a-z0-9][a-z0-9_\-*/]{0,240}(?:@[a-z][a-z0-9_\-*/]{0,13})?=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_MEMBERS_MAX = 32


class TraceContext(NamedTuple):
    """Whose trace something belongs to, as a caller said it. Nothing is decided by it.

    Attributes:
        trace_id: 32 hexadecimal digits, not all zero.
        span_id: The caller's span, 16 hexadecimal digits, not all zero.
        state: What vendors keep in it, handed on as it came; empty for nothing.
    """

    trace_id: str
    span_id: str
    state: str = ""

    @property
    def parent(self) -> str:
        """As a `traceparent`; the caller's span is the parent, and it is said to be recorded."""
        return traceparent(self.trace_id, self.span_id)

    @property
    def body(self) -> dict[str, str]:
        """What an event keeps of it beside the trace id in its header."""
        return {"span": self.span_id} | ({"state": self.state} if self.state else {})


def trace_context(parent: object, state: object = "") -> TraceContext | None:
    """What a caller says of its trace; None where that is nothing, or is malformed. It never fails.

    Args:
        parent: A `traceparent`, of whatever type.
        state: A `tracestate`; one that is malformed is dropped alone.
    """
    if not isinstance(parent, str) or not 55 <= len(parent) <= 320:
        return None
    found = _VERSION_0.fullmatch(parent) or (None if parent.startswith("00") else _LATER.fullmatch(parent))
    if found is None or not found[1].strip("0") or not found[2].strip("0"):
        return None
    return TraceContext(found[1], found[2], _state(state))


def recorded_context(trace_id: str, said: object) -> TraceContext | None:
    """What an event keeps of it: the header's trace id, and `trace` of the body; None where it is none (any more)."""
    span = said.get("span") if isinstance(said, dict) else None
    if not trace_id or not isinstance(span, str):
        return None
    return trace_context(traceparent(trace_id, span), said.get("state", "") if isinstance(said, dict) else "")


def traceparent(trace_id: str, span_id: str, sampled: bool = True) -> str:
    """The header's text, version 00."""
    return f"00-{trace_id}-{span_id}-{'01' if sampled else '00'}"


def dialling(said: dict[str, str], run_id: str, call_id: str) -> dict[str, str]:
    """What a server of the Model Context Protocol is told of a call's trace: its span is below that of the request."""
    context = trace_context(said.get(TRACEPARENT))
    if context is None or context.span_id != call_span_id(run_id, call_id):
        return said
    flag = said[TRACEPARENT].endswith("1")
    return said | {TRACEPARENT: traceparent(context.trace_id, dial_span_id(run_id, call_id), flag)}


def run_trace_id(run_id: str) -> str:
    """The trace of a run that nobody gave one."""
    return sha256(b"interlock/trace/1" + _long(run_id)).hexdigest()[:32]


def span_id(run_id: str, *what: str) -> str:
    """The id of a span of a run: the same for the same part of it, whoever makes it and however often.

    Args:
        what: Which part: nothing for the run itself, `call` and its id, and so on.
    """
    return sha256(b"interlock/span/1" + b"".join(_long(part) for part in (run_id, *what))).hexdigest()[:16]


def call_span_id(run_id: str, call_id: str) -> str:
    """The span of a call."""
    return span_id(run_id, "call", call_id)


def dial_span_id(run_id: str, call_id: str) -> str:
    """The span of what a call asks of a server of the Model Context Protocol."""
    return span_id(run_id, "dial", call_id)


def sampled(run_id: str, share: float) -> bool:
    """Whether a run is one of those whose spans are exported: by its id, so that no caller has a say in it.

    Args:
        share: Which part of all runs, 0 to 1.
    """
    drawn = int.from_bytes(sha256(b"interlock/sample/1" + _long(run_id)).digest()[:7], "big")
    return drawn < share * (1 << 56)


def _long(text: str) -> bytes:
    said = text.encode("utf-8", "surrogatepass")
    return len(said).to_bytes(8, "big") + said


def _state(said: object) -> str:
    if not isinstance(said, str) or not said or len(said) > STATE_MAX:
        return ""
    members = [member for part in said.split(",") if (member := part.strip(" \t"))]
    names = {member.partition("=")[0] for member in members}
    whole = len(names) == len(members) <= _MEMBERS_MAX and all(_MEMBER.fullmatch(member) for member in members)
    return ",".join(members) if whole else ""

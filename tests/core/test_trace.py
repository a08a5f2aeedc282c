"""W3C trace context (D5): read strictly, never failing, and ids that are the ledger's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.trace import (
    STATE_MAX,
    TraceContext,
    call_span_id,
    dial_span_id,
    recorded_context,
    run_trace_id,
    sampled,
    span_id,
    trace_context,
    traceparent,
)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "said", [PARENT, f"00-{TRACE}-{SPAN}-00", f"cc-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01-what.the-future-has"]
)
def test_a_context_is_read(said: str) -> None:
    assert trace_context(said) == TraceContext(TRACE, SPAN)


@pytest.mark.parametrize(
    "said",
    [
        "", "00", None, 7, b"00", [PARENT], {"traceparent": PARENT},
        PARENT.upper(), PARENT + "-more", PARENT + " ", " " + PARENT, PARENT + "\n", PARENT[:-1],
        f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01.x", f"cc-{TRACE}-{SPAN}-01-\x00", f"00_{TRACE}_{SPAN}_01",
        f"cc-{TRACE}-{SPAN}-01-" + "x" * 400, "\u0660\u0660" + PARENT[2:],
    ],
)  # fmt: skip
def test_what_is_malformed_is_none(said: object) -> None:
    assert trace_context(said) is None


@given(
    st.one_of(st.text(), st.binary(), st.integers(), st.none(), st.lists(st.text()), st.from_regex(r"[0-9a-f-]{55}"))
)
def test_whatever_is_said_it_never_fails_and_gives_ids_that_can_be_written(said: object) -> None:
    for context in (trace_context(said, said), trace_context(PARENT, said), recorded_context(TRACE, said)):
        if context is not None:
            assert len(bytes.fromhex(context.trace_id)) == 16 and len(bytes.fromhex(context.span_id)) == 8
            assert context.state.isascii() and context.state.isprintable() and len(context.state) <= STATE_MAX


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8), st.booleans())
def test_what_is_written_is_read_again(trace: bytes, span: bytes, flag: bool) -> None:
    read = trace_context(traceparent(trace.hex(), span.hex(), flag))
    assert read == (TraceContext(trace.hex(), span.hex()) if any(trace) and any(span) else None)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        ("rojo=1 , congo=2,", "rojo=1,congo=2"), ("fw529a3039@dt=FfDg", "fw529a3039@dt=FfDg"),
        ("rojo=1,rojo=2", ""), ("Rojo=1", ""), ("rojo", ""), ("rojo=\x00", ""), ("rojo=é", ""), (7, ""), ("", ""),
        ("rojo=1\r\nx: y", ""), (",".join(f"k{n}=1" for n in range(33)), ""), ("k=" + "x" * STATE_MAX, ""),
    ],
)  # fmt: skip
def test_a_state_that_is_malformed_is_dropped_alone(said: object, kept: str) -> None:
    assert trace_context(PARENT, said) == TraceContext(TRACE, SPAN, kept)


def test_what_an_event_keeps_is_read_again() -> None:
    context = TraceContext(TRACE, SPAN, "rojo=1")
    assert recorded_context(TRACE, context.body) == context
    assert recorded_context(TRACE, TraceContext(TRACE, SPAN).body) == TraceContext(TRACE, SPAN)
    assert recorded_context("", context.body) is None
    assert recorded_context(TRACE, None) is None, "what was erased is of no trace"
    assert context.parent == PARENT


def test_ids_follow_from_the_ledgers_and_no_two_parts_have_the_same() -> None:
    assert run_trace_id("run_1") == run_trace_id("run_1") != run_trace_id("run_2")
    ids = {
        span_id("run_1"), span_id("run_2"), call_span_id("run_1", "call_1"), call_span_id("run_1", "call_2"),
        dial_span_id("run_1", "call_1"), span_id("run_1call", "call_1"), span_id("run_1", "callcall_1"),
    }  # fmt: skip
    assert len(ids) == 7 and all(trace_context(traceparent(TRACE, each)) for each in ids)


def test_the_part_of_runs_that_is_drawn_is_the_one_that_was_asked_for() -> None:
    drawn = sum(sampled(f"run_{number}", 0.25) for number in range(4000))
    assert 850 < drawn < 1150
    assert all(sampled(f"run_{number}", 1) and not sampled(f"run_{number}", 0) for number in range(1000))

"""Whatever the body of an event is, counting goes on: erased, of another release, mangled."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.alert_settings import AlertSettings
from interlock.core.event import Event, Fact, Kind
from interlock.telemetry.following import Telemetry
from interlock.telemetry.measures_buckets import DAY_US
from interlock.telemetry.measures_fold import UNKNOWN, Fold
from interlock.telemetry.measures_totals import Totals
from interlock.telemetry.otel_wire import Wire
from interlock.telemetry.spans import Spans
from interlock.telemetry.spans_call import View
from interlock.telemetry.spans_content import Content
from tests.planes import Far, staged

KEYS = (
    "after_loss", "agent", "arguments", "budgets", "cached", "cached_ms", "cached_tokens", "calls", "channel",
    "code", "decision", "driver", "dry_run", "effect", "facts", "final", "gate", "grant", "grant_id", "groups",
    "hasty", "id", "input_tokens", "micro_usd", "model", "name", "now_us", "outcome", "output_tokens", "parent",
    "principal", "proposed", "quorum", "reason", "reasoning_tokens", "reasons", "requested_us", "server",
    "spent", "stop", "text", "took_us", "tool", "tools", "undoes", "usage", "value", "verdict", "verify", "via",
    "viewed_ms", "why", "words",
)  # fmt: skip
"""What is read of a body, at any depth."""

LEAVES = st.none() | st.booleans() | st.integers(-(1 << 53), 1 << 53) | st.floats(allow_nan=False) | st.text(max_size=8)
JUNK = st.recursive(
    LEAVES,
    lambda some: st.lists(some, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), some),
    max_leaves=12,
)
BODIES = st.dictionaries(st.sampled_from(KEYS), JUNK, max_size=12)
FACTS = st.builds(
    Fact,
    kind=st.sampled_from(Kind),
    body=BODIES,
    call_id=st.sampled_from(["", "c1", "c2"]),
    principal_id=st.sampled_from(["", "ada"]),
    decision=st.sampled_from(["", "allow", "deny", "approve"]),
    outcome=st.sampled_from(["", "done", "held", "failed", "refused", "unknown", "withheld", "what"]),
    approval_id=st.sampled_from(["", "a1"]),
)


def event(fact: Fact, seq: int = 1, at_us: int = DAY_US) -> Event:
    return Event(fact, "default", "run-1", seq, at_us, b"", b"", b"", b"", b"")


@given(facts=st.lists(FACTS, max_size=12))
def test_no_body_of_any_kind_ends_the_fold_and_no_count_falls(facts: list[Fact]) -> None:
    fold, totals = Fold(), Totals()
    for seq, fact in enumerate(facts):
        counts = fold.counts(event(fact, seq))
        assert all(type(count) is int and count >= 0 for _, count in counts)
        assert len({key for key, _ in counts}) <= len(counts), "every key can be one of a dictionary"
        totals.add("default", counts)


@pytest.mark.parametrize("content", [None, Content(lambda value, _: value)], ids=["bare", "with content"])
@given(facts=st.lists(FACTS, max_size=12))
def test_no_body_of_any_kind_ends_the_export(content: Content | None, facts: list[Fact]) -> None:
    spans = Spans("run-1", View(known=lambda name: True, content=content))
    found = [span for seq, fact in enumerate(facts, 1) for span in spans.absorb(event(fact, seq))]
    Wire({"service.name": "desk"}, "1").spans(found)


@pytest.mark.parametrize("kind", Kind)
def test_of_every_kind_an_erased_body_is_passed_over(kind: Kind) -> None:
    fold = Fold()
    for outcome in ("", "done", "held"):
        fold.counts(event(Fact(kind, {}, call_id="c1", outcome=outcome)))


@pytest.mark.parametrize("facts", [{}, None, {"now_us": None}, {"now_us": "1"}, [], 7])
def test_what_can_be_counted_of_a_decision_without_its_moment_is(facts: object) -> None:
    body: dict[str, Any] = {"proposed": {"tool": "pay"}, "tool": {"name": "pay"}, "effect": "read", "facts": facts}
    counts = dict(Fold().counts(event(Fact(Kind.CALL_DECIDED, body, call_id="c1", decision="deny", outcome="refused"))))
    assert counts[("proposed", "pay", "", "read")] == 1
    assert counts[("decided", "deny", "")] == 1
    assert counts[("ended", "refused", "pay", "", "read", "", "")] == 1


def test_a_tool_without_a_name_is_one_that_nobody_knows() -> None:
    body = {"proposed": {}, "tool": {"version": "1"}}
    counts = Fold().counts(event(Fact(Kind.CALL_DECIDED, body, call_id="c1", outcome="done")))
    assert (("ended", "done", UNKNOWN, "", "", "", ""), 1) in counts


@pytest.mark.anyio
async def test_figures_and_alerts_go_on_after_a_mangled_event() -> None:
    async with staged(Far().tool("look")) as stage:
        telemetry = Telemetry(stage.plane.plane, AlertSettings())
        now_us = stage.clock.wall_us()
        mangled: list[tuple[int, Event]] = [
            (number, event(Fact(kind, body, call_id="c1", outcome="done"), number, now_us))
            for number, (kind, body) in enumerate((kind, body) for kind in Kind for body in ODD)
        ]
        await telemetry._count(mangled, telemetry._fold, None)
        sound = Fact(Kind.CALL_RESULT, {"took_us": 5}, call_id="c2", outcome="done")
        before = telemetry.measures.over("default", now_us - DAY_US, now_us + 1).answers.done
        await telemetry._count([(10_000, event(sound, 10_000, now_us))], telemetry._fold, None)
        assert telemetry.measures.over("default", now_us - DAY_US, now_us + 1).answers.done == before + 1
        assert await telemetry.exposition()
        await telemetry.look()


ODD: tuple[dict[str, Any], ...] = (
    dict.fromkeys(KEYS),
    dict.fromkeys(KEYS, 7),
    dict.fromkeys(KEYS, "text"),
    {key: [[]] for key in KEYS},
    {key: [{"name": {}}, 3] for key in KEYS},
    {key: {inner: [] for inner in KEYS} for key in KEYS},
    {key: dict.fromkeys(KEYS, -1) for key in KEYS},
)

"""Calls, their digests, and what is told of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.call import (
    Outcome,
    OutcomeKind,
    ToolCall,
    call_digest,
    outcome_from_json,
    outcome_to_json,
    refuse,
)
from interlock.core.canonical import canonical, parse_json
from interlock.core.principal import Principal
from interlock.core.problem import Problem
from interlock.core.proposal import proposal_digest
from interlock.core.tool import Effect
from tests.planes import Far

TOOL = Far().tool("pay", "irreversible")


def digest_of(**arguments: Any) -> str:
    return call_digest(TOOL, canonical(arguments))


def test_the_order_of_the_keys_does_not_change_a_call() -> None:
    """Spec approvals: key order, same digest."""
    one, other = parse_json('{"a":1,"b":2}'), parse_json('{"b":2,"a":1}')
    assert call_digest(TOOL, canonical(one)) == call_digest(TOOL, canonical(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [("Zoë", "Zoe\u0308"), ("a", "b"), ("a", "a\u200b"), (1, 1.0), (1, "1"), ("p\u0430ypal", "paypal")],
)
def test_a_change_of_one_byte_changes_the_call(one: Any, other: Any) -> None:
    """Spec approvals: arguments changed by one byte, NFC and NFD: other digest."""
    assert digest_of(to=one) != digest_of(to=other)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "pay2"},
        {"server": "other"},
        {"version": "2"},
        {"description": "Pays. And mails a copy to someone."},
        {"effect": Effect.READ},
        {"timeout_s": 31.0},
        {"input_schema": {"type": "object"}},
        {"claims": {"title": "Pay"}},
    ],
)
def test_the_same_arguments_for_another_definition_are_another_call(change: dict[str, Any]) -> None:
    """T7, T23: whatever of the definition changes, what was approved is void."""
    assert call_digest(replace(TOOL, **change), b"{}") != call_digest(TOOL, b"{}")


def test_a_new_body_is_the_same_definition() -> None:
    """Two processes that load one module agree on its tools."""

    async def body(arguments: dict[str, Any], context: object) -> object:
        return None

    assert replace(TOOL, body=body).digest == TOOL.digest


@given(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6), st.text(max_size=6))
@settings(max_examples=200)
def test_proposals_are_told_apart_by_tool_and_arguments(tool: str, text: str, other: str, other_text: str) -> None:
    same = (tool, text) == (other, other_text)
    assert (proposal_digest(tool, text) == proposal_digest(other, other_text)) == same


def test_an_object_and_its_text_are_different_proposals() -> None:
    assert proposal_digest("pay", {"n": 1}) != proposal_digest("pay", '{"n":1}')


@pytest.mark.parametrize("arguments", [{"n": 1}, '{"n":1}', b"\xff"])
def test_a_tool_name_that_is_no_unicode_has_a_digest(arguments: Any) -> None:
    """Defect 12: the worst proposal is still one that can be told from others and recorded."""
    assert proposal_digest("\ud800", arguments) != proposal_digest("\ud801", arguments)


TEXTS = st.text(max_size=8)
OUTCOMES = st.builds(
    Outcome,
    kind=st.sampled_from(OutcomeKind),
    call_id=TEXTS,
    tool=TEXTS,
    value=st.none() | st.integers() | st.dictionaries(TEXTS, st.integers(), max_size=2),
    code=TEXTS,
    message=TEXTS,
    next_step=TEXTS,
    problems=st.tuples() | st.tuples(st.builds(Problem, field=TEXTS, code=TEXTS, message=TEXTS, closest=TEXTS)),
    approval_id=TEXTS,
)


@given(OUTCOMES)
@settings(max_examples=150)
def test_an_outcome_survives_the_ledger(outcome: Outcome) -> None:
    """What a client gets that asks again is what was told the first time."""
    if outcome.done:
        outcome = Outcome(kind=outcome.kind, call_id=outcome.call_id, tool=outcome.tool, value=outcome.value)
    assert outcome_from_json(outcome_to_json(outcome), outcome.call_id, outcome.tool) == outcome


def test_only_held_and_unknown_are_not_the_end() -> None:
    closing = {kind for kind in OutcomeKind if Outcome(kind=kind, call_id="c", tool="t").closes}
    assert closing == set(OutcomeKind) - {OutcomeKind.HELD, OutcomeKind.UNKNOWN}


def test_a_refusal_has_a_text_for_the_model_and_another_for_the_audit() -> None:
    """Defect 66: what the audit is told stands in no outcome."""
    call = ToolCall(run_id="r", call_id="c", tool="pay", arguments={}, principal=Principal("ana"))
    stop = refuse(call, "authorize.denied", "this call is not allowed", audit={"rule": "no-big-payments"})
    assert stop.gate == "authorize"
    assert stop.outcome.kind is OutcomeKind.REFUSED
    assert "no-big-payments" not in repr(stop.outcome.as_json())


def test_an_outcome_reads_as_a_sentence() -> None:
    """What a person sees who prints one: kind, reason, what to repair, what to do."""
    problem = Problem(field="/n", code="type", message="must be an integer", closest=7)
    told = Outcome(kind=OutcomeKind.REFUSED, call_id="c", tool="t", code="validate.schema", message="not valid",
                   next_step="Correct it.", problems=(problem,))  # fmt: skip
    said = str(told)
    for part in ("refused", "validate.schema", "not valid", "/n must be an integer", "closest: 7", "Correct it."):
        assert part in said
    assert str(Outcome(kind=OutcomeKind.DONE, call_id="c", tool="t", value=[1])) == "done: [1]"


def test_tiers_are_ordered_from_the_least_to_the_most() -> None:
    assert [effect.value for effect in sorted(Effect, key=lambda effect: effect.rank)] == [
        "read", "reversible", "irreversible", "privileged"
    ]  # fmt: skip

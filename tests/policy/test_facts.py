"""The closed record: what a decision sees of a call, its run and the clock."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.call_state import CallState
from interlock.core.canonical import canonical
from interlock.core.principal import Principal
from interlock.core.provenance import ArgumentOrigin, Lack, Level, Provenance, Traced, provenance_from_json
from interlock.policy.facts import (
    Facts,
    Resource,
    Session,
    facts_of,
    forged,
    least_of,
    levels_of,
    record_of,
    server_resource,
    time_of,
)
from interlock.policy.schema import tool_facts
from tests.policy.makers import LOOK, MONDAY_NOON_US, REFUND, run, valid

KEYS = st.sampled_from(["a", "__entity", "__extn", "__expr", "_entity", '"__entity', "__entit", "__entityx", "é"])
VALUES = st.recursive(
    st.none() | st.text(max_size=3) | st.sampled_from(["__entity", '__entity":', '"__expr":']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def has_key(value: object, names: frozenset[str]) -> bool:
    if isinstance(value, dict):
        return not names.isdisjoint(value) or any(has_key(part, names) for part in value.values())
    return isinstance(value, list) and any(has_key(part, names) for part in value)


@given(VALUES)
def test_a_key_that_cedar_reads_as_its_own_is_found_at_any_depth_and_a_text_is_none(value: object) -> None:
    """Shown by 4: a forged entity."""
    found = forged(canonical(value))
    assert found or not has_key(value, frozenset({"__entity", "__extn", "__expr"}))
    # Found without such a key is only a key that ends in one after a quote.
    assert not found or has_key(value, frozenset({"__entity", "__extn", "__expr", '"__entity'}))


def test_the_session_does_not_count_the_call_that_is_decided() -> None:
    """A held call is decided again once approved; on the same history it must see the same facts."""
    state = run()
    state.started_us = MONDAY_NOON_US - 90_500_000
    state.words = "refund it"
    state.calls = {"call_0": CallState("call_0", "refund", "p", 1), "call_9": CallState("call_9", "look", "p", 2)}
    state.tool_calls, state.writes, state.refusals = {"refund": 1, "look": 1}, 1, 1
    call = valid(REFUND, {"amount": 5})
    before = facts_of(call, state, MONDAY_NOON_US).session
    state.calls["call_1"] = CallState("call_1", "refund", "p", 3, writes=True)
    state.tool_calls["refund"], state.writes = 2, 2
    assert facts_of(call, state, MONDAY_NOON_US).session == before == Session(2, 1, 1, 1, 90, True)


def test_a_run_that_is_not_started_or_starts_later_by_the_clock_has_no_age() -> None:
    state = run()
    assert facts_of(valid(LOOK), state, 5_000_000).session.age_s == 0
    state.started_us = 9_000_000
    assert facts_of(valid(LOOK), state, 5_000_000).session.age_s == 0


@pytest.mark.parametrize(
    ("now_us", "hour", "weekday"),
    [(0, 0, 4), (MONDAY_NOON_US, 12, 1), (MONDAY_NOON_US - 12 * 3_600_000_000 - 1, 23, 7)],
)
def test_hours_and_weekdays_are_of_utc(now_us: int, hour: int, weekday: int) -> None:
    assert time_of(now_us) == {"now": now_us, "hour": hour, "weekday": weekday}


def test_the_record_is_complete_but_for_the_arguments() -> None:
    """Defect 20: principal, tenant and resource are in the policy's input; the arguments stand beside the record."""
    facts = facts_of(valid(REFUND, {"amount": 5}), run(), 7, Resource("Property", "12", {"owner": "u1"}))
    record = record_of(facts, tool_facts(REFUND))
    assert record["principal"] == {"id": "u1", "tenant": "default", "kind": "user", "roles": ["clerk"]}
    assert record["tool"] == tool_facts(REFUND) and record["now_us"] == 7
    assert record["resource"] == {"type": "Property", "id": "12", "attributes": {"owner": "u1"}}
    assert set(record["session"]) == set(Session._fields)
    assert "arguments" not in record


COUNTS = st.integers(0, 2**53)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ROLES = st.frozensets(TEXT, max_size=3)


@given(st.builds(Session, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.booleans()), COUNTS, TEXT, TEXT, ROLES)
def test_the_record_reads_as_it_is_written(
    session: Session, now_us: int, who: str, value: str, roles: frozenset[str]
) -> None:
    """Fast beside plain: its text is put together by hand and is what `canonical` writes."""
    principal = Principal(who or "u", tenant=who or "t", roles=roles)
    facts = Facts(principal, REFUND, {}, b"{}", session, now_us, Resource(value, value, {value: [value, 1.5]}))
    record = record_of(facts, tool_facts(REFUND))
    assert record.text == canonical(dict(record)) == canonical(json.loads(record.text))


KNOWN = Provenance(arguments=(ArgumentOrigin("/to/zip~1x", "target", Level.THIRD, "r7"),), lacks=(Lack("target"),))


@given(COUNTS, st.booleans())
def test_the_record_says_where_a_call_comes_from_that_is_judged(now_us: int, profiled: bool) -> None:
    traced = Traced(lambda: KNOWN, profiled=profiled, judged=True)
    facts = Facts(Principal("u"), REFUND, {}, b"{}", Session(), now_us, server_resource("local"), traced)
    record = record_of(facts, tool_facts(REFUND))
    assert record.text == canonical(dict(record)) == canonical(json.loads(record.text))
    assert provenance_from_json(record["provenance"]) == KNOWN


def test_of_a_call_that_is_not_judged_nothing_is_worked_out_until_it_is_read() -> None:
    """P1: a plain read costs nothing for where it comes from; what was read stands in the record."""
    asked: list[int] = []

    def work() -> Provenance:
        asked.append(1)
        return KNOWN

    traced = Traced(work)
    facts = Facts(Principal("u"), REFUND, {}, b"{}", Session(), 0, server_resource("local"), traced)
    assert "provenance" not in record_of(facts, tool_facts(REFUND)) and traced.lacks == () and not asked
    assert levels_of(traced) == {"to": 1} and least_of(traced) == {"target": 1} and asked == [1]
    assert provenance_from_json(record_of(facts, tool_facts(REFUND))["provenance"]) == KNOWN
    assert traced.lacks == () and asked == [1], "nobody said what its arguments are for"


def test_an_argument_is_as_the_least_of_what_is_in_it() -> None:
    leaves = (("/to/0", Level.USER), ("/to/1", Level.THIRD), ("/a~1b", Level.SYSTEM))
    arguments = tuple(ArgumentOrigin(where, "target", level, "r2") for where, level in leaves)
    assert levels_of(Traced(lambda: Provenance(arguments=arguments))) == {"to": 1, "a/b": 6}

"""Holds join to the strictest."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.decision import Decision, Hold, Verdict

HOLDS = st.builds(
    Hold,
    groups=st.frozensets(st.sampled_from("abc"), min_size=1),
    quorum=st.integers(1, 4),
    expires_s=st.integers(1, 9),
    rules=st.tuples(st.sampled_from("xyz")),
)


@given(HOLDS, HOLDS)
@settings(max_examples=100)
def test_two_holds_together_ask_for_at_least_what_each_asks(one: Hold, other: Hold) -> None:
    both = one.join(other)
    for hold in (one, other):
        assert both.groups >= hold.groups
        assert both.quorum >= hold.quorum
        assert both.expires_s <= hold.expires_s
        assert set(both.rules) >= set(hold.rules)


@given(HOLDS, HOLDS, HOLDS)
@settings(max_examples=100)
def test_the_order_of_joining_changes_nothing_that_binds(a: Hold, b: Hold, c: Hold) -> None:
    def binds(hold: Hold) -> tuple[object, ...]:
        return hold.groups, hold.quorum, hold.expires_s

    assert binds(a.join(b)) == binds(b.join(a))
    assert binds(a.join(b).join(c)) == binds(a.join(b.join(c)))
    assert binds(a.join(a)) == binds(a)


@pytest.mark.parametrize("verdict", [Verdict.ALLOW, Verdict.DENY])
def test_only_a_decision_that_requires_approval_has_a_hold(verdict: Verdict) -> None:
    hold = Hold(groups=frozenset({"a"}))
    with pytest.raises(AssertionError):
        Decision(verdict=verdict, reasons=(), policy_digest="", hold=hold)
    with pytest.raises(AssertionError):
        Decision(verdict=Verdict.REQUIRE_APPROVAL, reasons=(), policy_digest="")

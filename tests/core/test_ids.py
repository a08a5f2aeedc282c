"""Identifiers: their shape, their order, and names of calls that cannot be confused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.ids import CountedIds, RandomIds, derived_call_id, fallback_call_id, named_call_id
from interlock.testing import FrozenClock

ID = re.compile(r"[a-z]{1,12}_[0-9a-z]{1,64}")
NAMES = st.text(max_size=12)


def test_random_ids_are_ids_and_differ_within_one_instant() -> None:
    new_id = RandomIds(FrozenClock())
    made = {new_id("run") for _ in range(1000)}
    assert len(made) == 1000
    assert all(ID.fullmatch(one) for one in made)


def test_ids_of_one_kind_sort_by_the_time_of_making() -> None:
    clock = FrozenClock()
    new_id = RandomIds(clock)
    made = []
    for _ in range(50):
        made.append(new_id("call"))
        clock.advance(0.001)
    assert made == sorted(made)


def test_counted_ids_count_for_each_kind() -> None:
    new_id = CountedIds()
    assert [new_id("run"), new_id("call"), new_id("run")] == ["run_1", "call_1", "run_2"]


@given(st.tuples(NAMES, NAMES), st.tuples(NAMES, NAMES))
@settings(max_examples=300)
def test_a_named_call_has_one_id_for_its_run_and_name(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Neither the run nor the name can borrow from the other: («ab», «c») is not («a», «bc»)."""
    assert (named_call_id(*one) == named_call_id(*other)) == (one == other)
    assert ID.fullmatch(named_call_id(*one))


def test_a_name_that_is_no_unicode_still_names_one_call() -> None:
    """T42: half a surrogate pair in a client's name is a name, not a crash."""
    assert named_call_id("run_1", "\ud800") != named_call_id("run_1", "\ud801")


@pytest.mark.parametrize("name", ["fallback/call_1", "fallback/5:run_1call_1", "retry/call_1", "5:run_1call_1"])
def test_no_name_of_a_client_gives_the_id_of_a_call_that_is_made_for_another(name: str) -> None:
    derived = {fallback_call_id("run_1", "call_1"), derived_call_id("run_1", "retry", "call_1")}
    assert len(derived) == 2 and all(map(ID.fullmatch, derived))
    assert named_call_id("run_1", name) not in derived

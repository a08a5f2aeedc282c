"""What an argument must be: each predicate by itself, all of them together, and patterns that nothing makes slow."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import DefinitionError
from interlock.evals.predicate import Pattern, Predicate, broken

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=3), part, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("predicate", "right", "wrong"),
    [
        (Predicate(equals=(7,)), [7, 7.0][:1], [8, "7", None, [7]]),
        (Predicate(equals=(None,)), [None], [0, False, ""]),
        (Predicate(equals=(True,)), [True], [1, "true"]),
        (Predicate(matches=Pattern("^a.c$")), ["abc"], ["abcd", "xabc", 7, None]),
        (Predicate(between=(1, 5)), [1, 5, 2.5], [0, 6, "3", True, None]),
        (Predicate(between=(None, 5)), [-100, 5], [6]),
        (Predicate(between=(1, None)), [1, 10**9], [0]),
        (Predicate(contains=("ak",)), ["leaks", ["a", "ak"]], ["LEAKS", ["leaks"], {"ak": 1}, 7]),
        (Predicate(contains=(7,)), [[1, 7]], [[1, "7"], "7", 7]),
    ],
)
def test_a_predicate_holds_of_what_it_says_and_of_nothing_else(
    predicate: Predicate, right: list[Any], wrong: list[Any]
) -> None:
    assert all(predicate.holds(value) for value in right)
    assert not any(predicate.holds(value) for value in wrong)


@given(JSON)
def test_every_value_equals_itself_and_no_list_of_itself(value: Any) -> None:
    assert Predicate(equals=(value,)).holds(value)
    assert not Predicate(equals=(value,)).holds([value])


@given(JSON)
def test_what_is_there_is_not_absent_whatever_it_is(value: Any) -> None:
    assert broken({"/a": Predicate(absent=True)}, {"a": value})
    assert not broken({"/b": Predicate(absent=True)}, {"a": value})


def test_all_that_a_predicate_says_must_hold() -> None:
    both = Predicate(matches=Pattern("^a"), contains=("c",))
    assert both.holds("abc")
    assert not both.holds("ab")
    assert not both.holds("bc")


def test_pointers_reach_into_objects_and_lists_and_the_empty_one_is_all() -> None:
    arguments = {"to": [{"name": "a/b"}], "a/b": 1}
    assert not broken({"/to/0/name": Predicate(equals=("a/b",)), "/a~1b": Predicate(equals=(1,))}, arguments)
    assert not broken({"": Predicate(equals=(arguments,))}, dict(reversed(arguments.items())))


def test_what_does_not_hold_is_said_with_the_place_and_what_is_there() -> None:
    [said] = broken({"/cents": Predicate(between=(1, 5))}, {"cents": 9})
    assert said == "/cents is from 1 to 5, and is 9"
    [said] = broken({"/cents": Predicate(equals=(1,))}, {})
    assert said == "/cents equals 1, and is not there"


def test_arguments_that_are_no_object_satisfy_nothing_but_absence() -> None:
    assert broken({"/a": Predicate(equals=(1,))}, None)
    assert not broken({"/a": Predicate(absent=True)}, None)


def test_a_pattern_that_could_be_slow_is_refused_or_linear() -> None:
    """An answer comes from a model: no text of it makes a suite hang."""
    with pytest.raises(DefinitionError):
        Pattern(r"(?=a)b")
    assert not Pattern(r"^(a+)+$").found("a" * 5000 + "!")

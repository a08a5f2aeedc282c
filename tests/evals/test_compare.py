"""A result against an earlier one: what was lost is named, intervals are paired and seeded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import BadInput
from interlock.evals.compare import KeptTrial, bootstrap, compare, load_baseline, mcnemar


def kept(*passed: int, **took: int) -> list[KeptTrial]:
    return [KeptTrial(passed=bool(each), **took) for each in passed]


def test_a_case_that_falls_or_rises_by_half_of_its_trials_is_lost_or_won() -> None:
    before = {"a": kept(1), "b": kept(0), "c": kept(1, 1, 1, 1), "d": kept(1, 1), "e": kept(1)}
    now = {"a": kept(0), "b": kept(1), "c": kept(1, 1, 1, 0), "d": kept(1, 0), "f": kept(1)}
    found = compare(before, now, seed=1)
    assert (found.lost, found.won, found.new, found.gone) == (("a", "d"), ("b",), ("f",), ("e",))


def test_a_change_has_the_interval_of_its_pairs_the_same_for_the_same_seed() -> None:
    pairs = [(1.0, 1.0)] * 30 + [(1.0, 0.0)] * 10
    found = bootstrap(pairs, seed=7)
    assert (found.before, found.now, found.change) == (1.0, 0.75, -0.25)
    assert found.low == pytest.approx(-0.375, abs=0.03)
    assert found.high == pytest.approx(-0.125, abs=0.03)
    assert found.worse
    assert found == bootstrap(pairs, seed=7)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
def test_nothing_changes_against_itself(pairs: list[tuple[float, float]]) -> None:
    found = bootstrap([(now, now) for _, now in pairs], seed=1)
    assert (found.change, found.low, found.high, found.worse) == (0, 0, 0, False)


@pytest.mark.parametrize(("lost", "won", "chance"), [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 0.0625), (9, 1, 22 / 1024)])
def test_mcnemars_chance_is_the_exact_binomials(lost: int, won: int, chance: float) -> None:
    assert mcnemar(lost, won) == pytest.approx(chance)
    assert mcnemar(won, lost) == pytest.approx(chance)


def test_what_a_trial_takes_is_compared_where_both_know_it() -> None:
    found = compare({"a": kept(1, tokens=100)}, {"a": kept(1, tokens=150, steps=2)}, seed=1)
    assert set(found.taken) == {"tokens"}
    assert found.taken["tokens"].change == 50


def test_without_a_case_in_common_nothing_is_compared() -> None:
    found = compare({"a": kept(1)}, {"b": kept(0)}, seed=1)
    assert (found.passed, found.lost, found.mcnemar) == (None, (), 1.0)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, "format"),
        ({"format": "interlock/eval/2", "suite": "desk", "cases": {}}, "format"),
        ({"format": "interlock/eval/1", "suite": "other", "cases": {}}, "of the suite 'other', not 'desk'"),
        ({"format": "interlock/eval/1", "suite": "desk", "cases": {"a": [{"passed": 1}]}}, "cases.a.0.passed"),
        ("nothing", "not JSON"),
    ],
)
def test_a_baseline_that_is_none_is_refused_with_its_file(tmp_path: Path, said: Any, told: str) -> None:
    file = tmp_path / "base.json"
    file.write_text(said if isinstance(said, str) else json.dumps(said), encoding="utf-8")
    with pytest.raises(BadInput) as found:
        load_baseline(file, "desk")
    assert str(file) in str(found.value)
    assert told in str(found.value)


def test_a_baseline_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--save"):
        load_baseline(tmp_path / "none.json", "desk")

"""How far a judge agrees with people: published figures, and no verdict is no agreement."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import BadInput
from interlock.evals.agreement import agreement, read_labelled
from interlock.evals.judge import Word

P, F, N = Word.PASS, Word.FAIL, Word.NONE
WORDS = st.tuples(st.sampled_from([P, F]), st.sampled_from([P, F, N]))


def read(both: int, only_person: int, only_judge: int, neither: int) -> list[tuple[Word, Word]]:
    return [(P, P)] * both + [(P, F)] * only_person + [(F, P)] * only_judge + [(F, F)] * neither


def test_agreement_and_kappa_are_the_published_ones() -> None:
    """A textbook's: 20, 5, 10 and 15 of 50 agree in 70 %, and kappa is 0.4."""
    found = agreement(read(20, 5, 10, 15))
    assert (found.same.part, found.same.whole) == (35, 50)
    assert found.kappa == pytest.approx(0.4)


def test_the_interval_of_kappa_is_what_drawing_again_gives() -> None:
    pairs = read(40, 8, 12, 40)
    low, high = agreement(pairs).kappa_interval or (0.0, 0.0)
    draw = Random(1)
    drawn = sorted(agreement(draw.choices(pairs, k=len(pairs))).kappa or 0.0 for _ in range(4000))
    assert low == pytest.approx(drawn[100], abs=0.03)
    assert high == pytest.approx(drawn[3899], abs=0.03)


def test_no_verdict_is_no_agreement_and_the_dangerous_mistake_is_counted() -> None:
    found = agreement([(P, P), (P, N), (F, N), (F, P), (F, F)])
    assert (found.same.part, found.same.whole) == (2, 5)
    assert (found.none.part, found.none.whole) == (2, 5)
    assert (found.wrongly_passed.part, found.wrongly_passed.whole) == (1, 3)
    rows = {(row["person"], row["judge"]): row["answers"] for row in found.as_json()["confusion"]}  # type: ignore
    assert rows == {
        ("pass", "pass"): 1, ("pass", "fail"): 0, ("pass", "none"): 1,
        ("fail", "pass"): 1, ("fail", "fail"): 1, ("fail", "none"): 1,
    }  # fmt: skip


def test_a_judge_that_always_says_the_same_agrees_by_chance_alone() -> None:
    assert agreement(read(30, 0, 10, 0)).kappa == pytest.approx(0.0)
    assert agreement(read(30, 0, 0, 0)).kappa is None
    assert agreement(read(30, 0, 0, 0)).kappa_interval is None


@given(st.lists(WORDS, min_size=1, max_size=60))
def test_kappa_lies_in_its_interval_and_all_of_it_from_minus_one_to_one(pairs: list[tuple[Word, Word]]) -> None:
    found = agreement(pairs)
    if found.kappa is not None and found.kappa_interval is not None:
        low, high = found.kappa_interval
        assert -1 <= low <= found.kappa + 1e-9
        assert found.kappa - 1e-9 <= high <= 1


LINE = {"question": "q", "answer": "a", "rubric": "r", "label": "pass"}


def test_a_line_of_labels_is_read() -> None:
    assert read_labelled(json.dumps(LINE)) == ("q", "a", "r", P)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([], "no object"),
        (LINE | {"score": 1}, "unknown key 'score'"),
        ({"question": "q"}, "answer: no text"),
        (LINE | {"label": "none"}, "label: neither pass nor fail"),
        (LINE | {"label": "PASS"}, "label: neither pass nor fail"),
    ],
)
def test_a_line_that_is_no_label_is_refused(said: object, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        read_labelled(json.dumps(said))

"""Personal data by patterns: a checksum decides where there is one, and a word beside a number where there is none."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.finding import Act
from interlock.screening.copier import Copier
from interlock.screening.handling import Handling
from interlock.screening.personal import KINDS, STOPS, luhn, mod97, personal_in
from interlock.screening.sieve import sieve_of
from proof.personal import CERTAIN, F1_MIN, KIND, measure, rows

DATA = [
    ("email", "Write to ana.rossi+x@mail.example.org.", "ana.rossi+x@mail.example.org"),
    ("card", "card 4454 7945 1139 0933 please", "4454 7945 1139 0933"),
    ("iban", "to GB29 NWBK 6016 1331 9268 19 today", "GB29 NWBK 6016 1331 9268 19"),
    ("iban", "to GB29NWBK60161331926819 to other banks", "GB29NWBK60161331926819"),
    ("ssn", "SSN: 460-89-9847", "460-89-9847"),
    ("ip", "from 172.61.42.192 and", "172.61.42.192"),
    ("ip", "from 6e40:4041:c617:e898:c11:40d2:c669:2eb4", "6e40:4041:c617:e898:c11:40d2:c669:2eb4"),
    ("phone", "Phone: 0688 843 79 56", "0688 843 79 56"),
    ("phone", "or +41 (0)85 806 98 67.", "+41 (0)85 806 98 67"),
    ("licence", "my driver's license number is F162823540116", "F162823540116"),
    ("birth", "She was born on 7/30/1964.", "7/30/1964"),
    ("age", "a 65-year-old male", "65"),
    ("address", "at 30 Apple Tree Road, Cupertino", "30 Apple Tree Road, Cupertino"),
    ("person", "Hello, Mrs. Barbara Yudina.", "Barbara Yudina"),
]


@pytest.mark.parametrize(("kind", "text", "value"), DATA)
def test_each_kind_is_found_where_it_stands(kind: str, text: str, value: str) -> None:
    assert [(span.what, text[span.start : span.end]) for span in personal_in(text)] == [(kind, value)]
    assert sieve_of(STOPS).stops(text)


def test_every_kind_has_an_example() -> None:
    assert {kind for kind, _, _ in DATA} == set(KINDS)


@pytest.mark.parametrize(
    "text",
    ["order 4454794511390934 shipped", "GB29NWBK60161331926818", "version 1.2.3.4.5", "127.0.0.1", "000-12-3456",
     "12:30:45", "2024-05-01", "12 of 14 rooms", "3,400 and 5 more", "room 12 at 14:30", "user@host", "a1b2c3d4e5f6"],
)  # fmt: skip
def test_what_only_looks_like_it_is_left(text: str) -> None:
    assert personal_in(text) == []


@given(st.integers(10**10, 10**18))
def test_of_ten_last_digits_luhn_takes_one(number: int) -> None:
    assert sum(luhn(f"{number}{last}") for last in range(10)) == 1


def test_an_iban_with_one_character_changed_is_none() -> None:
    good = "GB29NWBK60161331926819"
    assert mod97(good)
    assert not any(mod97(good[:at] + ("1" if good[at] != "1" else "2") + good[at + 1 :]) for at in range(4, len(good)))


@given(st.lists(st.sampled_from([*(text for _, text, _ in DATA), " ", "\n", "0", ":", "@", "12 "])))
def test_spans_are_apart_and_the_sieve_lets_nothing_by(parts: list[str]) -> None:
    text = "".join(parts)
    spans = personal_in(text)
    assert all(one.end <= other.start for one, other in pairwise(spans))
    if spans:
        assert sieve_of(STOPS).stops(text)


def test_it_is_redacted_only_where_that_is_asked() -> None:
    value = {"contact": "ana@mail.example.org"}
    text = '{"contact":"ana@mail.example.org"}'
    assert Copier(Handling()).copy(value, text).value == value
    told = Copier(Handling(personal=Act.REDACT)).copy(value, text)
    assert told.value == {"contact": "[redacted: personal.email]"}
    assert Copier(Handling(personal=Act.FLAG)).copy(value, text).value == value


@pytest.mark.parametrize(
    "text",
    [
        "1 " * 30_000,
        "a@" * 30_000,
        "12:" * 20_000,
        "Mr A " * 12_000,
        "phone " * 11_000,
        "1 Aa " * 13_000,
        "+1(" * 20_000,
    ],
)
def test_no_text_makes_the_search_slow(text: str) -> None:
    """T31."""
    began = time.process_time()
    personal_in(text)
    assert time.process_time() - began < 5


@pytest.mark.evidence
def test_what_is_a_pattern_by_its_nature_is_found_in_labelled_sentences(data_dir: Path) -> None:
    found = measure(rows(data_dir), personal_in, KIND)
    assert {kind: each.f1 for kind, each in found.items() if kind in CERTAIN and each.f1 < F1_MIN} == {}

"""The normal form of texts, and what is odd about them."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import BadInput
from interlock.grounding.normal import bare, normal, oddities


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  Hello \t\n World ", "hello world"),
        ("\uff26\uff35\uff2c\uff2c\u3000\uff57\uff49\uff44\uff54\uff48", "full width"),
        ("Stra\u00dfe", "strasse"),
        ("a\u200bb\u00adc\u2060d\ufeff", "abcd"),
        ("a\ufe0fb\U000e0100", "ab"),
        ("\U000e0041\U000e0042c", "c"),
        ("\u202eevil", "evil"),
        ("e\u0301", "\u00e9"),
        ("a\x00b\x1bc", "abc"),
        ("\u3164", ""),
        ("\ufb01le", "file"),
    ],
)
def test_a_text_has_one_normal_form(text: str, plain: str) -> None:
    assert normal(text) == plain


def test_case_is_kept_where_it_counts() -> None:
    assert normal(" AbC\u200b ", exact=True) == "AbC"


def test_half_of_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(BadInput):
        normal("a\ud800")


def test_no_format_character_of_unicode_stays() -> None:
    marks = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) == "Cf"]
    assert len(marks) > 150
    assert normal("a" + "".join(marks) + "\u00e9") == "a\u00e9"


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("plain text, 100 %", ()),
        ("caf\u00e9", ()),
        ("\u043c\u043e\u0441\u043a\u0432\u0430\u0449", ()),
        ("Hi \U0001f642 \u2764\ufe0f", ()),
        ("p\u0430ypal", ("confusable", "mixed_script")),
        ("\u0440\u0430\u0443", ("confusable",)),
        ("a\u200bb", ("invisible",)),
        ("tag\U000e0041", ("invisible",)),
        ("\u0436paypal", ("mixed_script",)),
    ],
)
def test_what_is_odd_is_named(text: str, flags: tuple[str, ...]) -> None:
    assert oddities(text) == flags


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_letters_and_digits_alone_have_no_space(text: str) -> None:
    assert all(mark.isalnum() for mark in bare(normal(text)))

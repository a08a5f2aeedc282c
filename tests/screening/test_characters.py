"""Characters that nobody sees: taken out of what is told, by nine classes; what writing needs stays."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.visible import one_line
from interlock.screening.characters import CLASSES, STOPS, seen
from interlock.screening.sieve import sieve_of

HIDDEN = {
    "escape": ("a\x1b[31mred\x1b[0m", "ared"),
    "control": ("ring\x07", "ring"),
    "bidi": ("pay\u202eyap", "payyap"),
    "zero_width": ("ig\u200bnore", "ignore"),
    "tag": ("hi" + "".join(chr(0xE0000 + ord(letter)) for letter in "run"), "hi"),
    "selector": ("a\ufe0f\ufe01\U000e0101", "a"),
    "blank": ("b\u3164c", "bc"),
    "private": ("p\ue000q", "pq"),
    "marks": ("e" + "\u0301" * 6, "e" + "\u0301" * 3),
}


@pytest.mark.parametrize("what", CLASSES)
def test_each_of_nine_classes_is_absent_from_what_is_told_and_counted(what: str) -> None:
    """T9: absent to the model, a flag for the ledger, and an escape wherever a person is shown the text."""
    text, told = HIDDEN[what]
    clean, counts = seen(text)
    assert clean == told
    assert set(counts) == {what}
    assert "\\" in one_line(text)


@pytest.mark.parametrize(
    "text",
    [
        "plain", "two\nlines\twith a tab", "windows\r\nlines", "Straße, Ελένη, Иван, 田中", "100 € ✓ ❤️ 1\ufe0f\u20e3",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "क्\u200dष", "ന്\u200d ", "שלום\u200f!", "עברית abc\u200f (1)",
        "שָּׁ֖", "葛\U000e0100城", "\u2139\ufe0f \u3030\ufe0f", "a\u00a0b\u2009c", "o\u0308\u0301\u0323",
    ],
)  # fmt: skip
def test_what_writing_needs_stays_as_it_is(text: str) -> None:
    assert seen(text) == (text, {})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a\u200f\u200e\u200f\u200eb", "ab"), ("א\u200f\u200e\u200f\u200e", "א\u200f"),
        ("ab\u061c\u200c\u061c\u200d", "ab"),
        ("葛\U000e0100\U000e0101\U000e0102", "葛\U000e0100"), ("क्\u200d\u200c\u200d\u200c", "क्\u200d"),
    ],
)  # fmt: skip
def test_a_row_of_what_writing_needs_one_of_carries_no_text(text: str, told: str) -> None:
    """T9: marks that are kept by the marks beside them would be bits."""
    assert seen(text)[0] == told


def test_a_terminal_string_that_is_not_ended_takes_nothing_with_it() -> None:
    assert seen("\x1b]0;title and all the rest")[0].endswith("title and all the rest")
    assert seen("\x1b]8;;http://a.example\x07link\x1b]8;;\x07")[0] == "link"


@pytest.mark.parametrize(
    "text", ["\x9d" * 65_536, "\x1b]" * 32_000, "\u200d" * 65_536, "e\u0301" * 32_000, "\x1b[0;" * 16_000]
)
def test_no_text_makes_the_search_slow(text: str) -> None:
    """T31."""
    began = time.process_time()
    seen(text)
    assert time.process_time() - began < 2  # the slowest takes a twentieth of it


def test_what_ends_a_line_without_being_seen_is_an_end_of_a_line() -> None:
    assert seen("a\rb\u2028c")[0] == "a\nb\nc"


@given(st.text())
def test_a_clean_text_is_clean_and_the_sieve_lets_nothing_by(text: str) -> None:
    clean, counts = seen(text)
    assert seen(clean) == (clean, {}) or counts  # what was taken out may have parted what is hidden only together
    assert (clean == text) == (not counts)
    if counts:
        assert sieve_of(STOPS).stops(text)

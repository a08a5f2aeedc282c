"""Secrets out of texts, values, bytes and pieces (T32): the forms, the borders, and what is left alone."""

from __future__ import annotations

import base64
import json
import re
import string
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.held import Holding
from interlock.core.scrub import HIDDEN, Scrub, Scrubber, forms_of, scrubbed

SECRET = 'k9/+"ü\\=' + "Zq7 v&x"
PEM = "-----BEGIN KEY-----\nMIIBVgIBADANBg\nkqhkiG9w0BAQ==\n-----END KEY-----"

FORMS: dict[str, Callable[[str], str]] = {
    "exact": str,
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64url": lambda s: base64.urlsafe_b64encode(s.encode()).decode().rstrip("="),
    "hex": lambda s: s.encode().hex(),
    "hex in capitals": lambda s: s.encode().hex().upper(),
    "url": lambda s: quote(s, safe=""),
    "url of a path": quote,
    "form": quote_plus,
    "url in a url": lambda s: quote(quote(s, safe=""), safe=""),
    "form in a url": lambda s: quote(quote_plus(s), safe=""),
    "json with capitals": lambda s: re.sub(r"\\u(....)", lambda f: "\\u" + f[1].upper(), json.dumps(s)[1:-1]),
    "python bytes": lambda s: repr(s.encode())[2:-1],
    "json": lambda s: json.dumps(s)[1:-1],
    "json in json": lambda s: json.dumps(json.dumps(s)[1:-1])[1:-1],
    "json of letters": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "python": lambda s: repr(s)[1:-1],
    "reversed": lambda s: s[::-1],
}


@pytest.mark.parametrize("secret", [SECRET, PEM, "sk_live_0123456789", "пароль-ключ-42", "12345678"])
@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_taken_out_in_each_form(form: str, secret: str) -> None:
    said = FORMS[form](secret)
    clean = Scrubber([secret]).text(f"before {said} after")
    assert clean == f"before {HIDDEN} after"
    assert scrubbed(f"before {said} after".encode(), [secret]) == f"before {HIDDEN} after".encode()


@pytest.mark.parametrize("before", range(6))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_within_something_longer_is_taken_out_of_its_base64(
    before: int, encode: Callable[[bytes], bytes]
) -> None:
    secret = "sk_live_0123456789abcdef"
    text = encode(b"u" * before + secret.encode() + b":rest of it").decode()
    clean = Scrubber([secret]).text(text)
    assert HIDDEN in clean
    padded = clean.replace(HIDDEN, "")
    assert len(padded) < len(text) - 24  # of 32 letters that stand for it alone


def test_each_line_of_a_secret_of_several_is_taken_out() -> None:
    scrubber = Scrubber([PEM])
    assert scrubber.text("a line: MIIBVgIBADANBg, another:  kqhkiG9w0BAQ==") == f"a line: {HIDDEN}, another:  {HIDDEN}"
    assert scrubber.text(PEM.replace("\n", "\r\n")) == HIDDEN


def test_keys_numbers_and_nested_texts_are_cleaned_and_the_rest_is_left() -> None:
    scrubber = Scrubber(["12345678"])
    value = {"a 12345678": [1, 12345678, 1.5, True, None, "x12345678y"], "b": {"c": ("12345678",)}}
    assert scrubber.value(value) == {
        f"a {HIDDEN}": [1, HIDDEN, 1.5, True, None, f"x{HIDDEN}y"], "b": {"c": (HIDDEN,)},
    }  # fmt: skip
    assert value["b"] == {"c": ("12345678",)}


def test_a_long_secret_costs_little_for_every_text_that_is_told() -> None:
    """T31: what may be the beginning of a secret of any length is looked for in each of them."""
    scrubber = Scrubber(["".join(string.ascii_letters[n * n % 51] for n in range(65_536))])
    began = time.process_time()
    scrubber.cut("So far the call has come. " * 2_000)
    assert time.process_time() - began < 0.5  # a thirtieth of it; comparing every length took three times as much


def test_a_secret_in_pieces_is_found_where_they_follow_each_other() -> None:
    scrubber = Scrubber(["sk_live_0123456789"])
    blocks = [
        {"type": "text", "text": "it is sk_li"},
        {"type": "text", "text": "ve_01234"},
        {"type": "text", "text": "56789!"},
    ]
    clean = scrubber.value({"content": blocks})
    assert [block["text"] for block in clean["content"]] == [f"it is {HIDDEN}", HIDDEN, f"{HIDDEN}!"]
    assert scrubber.value(list("sk_live_0123456789")) == [HIDDEN] * 18
    assert scrubber.value({"a": "sk_live_", "b": "0123456789"}) == {"a": HIDDEN, "b": HIDDEN}


def test_a_secret_in_pieces_told_one_after_the_other_is_told_in_none() -> None:
    pieces = Scrubber(["sk_live_0123456789"]).pieces()
    told = [pieces.next(text) for text in ("reading sk_live", "_01234", "56789 done", "and on")]
    assert told == [f"reading {HIDDEN}", HIDDEN, f"{HIDDEN} done", "and on"]
    assert Scrubber(["sk_live_0123456789"]).pieces().next("cut off at sk_live_01…") == f"cut off at {HIDDEN}"


def test_a_piece_of_twelve_characters_is_found_wherever_it_stands() -> None:
    scrubber = Scrubber(["sk_live_0123456789abcdef"])
    pieces = {"first sk_live_0123": "x", "then": ["other text", "456789abcdef", "6789abc"]}
    assert scrubber.value(pieces) == {f"first {HIDDEN}": "x", "then": ["other text", HIDDEN, "6789abc"]}


def test_a_text_that_was_cut_ends_in_no_beginning_of_a_secret() -> None:
    scrubber = Scrubber(["sk_live_0123456789abcdef"])
    assert scrubber.cut("the key sk_liv") == f"the key {HIDDEN}"
    assert scrubber.cut("the key sk") == "the key sk"


def test_secrets_that_overlap_leave_nothing() -> None:
    assert Scrubber(["abcdefgh", "efghijkl"]).text("-abcdefghijkl-") == f"-{HIDDEN}-"
    assert Scrubber(["abcdefgh"]).text("abcdefghabcdefgh") == HIDDEN


def test_a_value_within_itself_is_an_error() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="within itself"):
        Scrubber(["12345678"]).value(loop)


def test_no_repr_has_a_secret() -> None:
    scrubber = Scrubber(["sk_live_0123456789"])
    holding = Holding()
    with holding.by("call_1", scrubber):
        assert "sk_live" not in repr([scrubber, holding]) and holding.held_by("call_1") and bool(holding)
        assert holding.clean({"a": "sk_live_0123456789"}) == {"a": HIDDEN}
    assert not holding and holding.clean("sk_live_0123456789") == "sk_live_0123456789"


TEXT = st.text(string.ascii_letters + string.digits + '/+"\\ ü\n', max_size=30)


@given(
    secret=TEXT.filter(lambda text: len(text.strip()) >= 8),
    before=TEXT,
    after=TEXT,
    form=st.sampled_from(sorted(FORMS)),
)
def test_no_form_is_left_in_a_text(secret: str, before: str, after: str, form: str) -> None:
    clean = Scrubber([secret]).text(before + FORMS[form](secret) + after)
    assert not [each for each in forms_of(secret) if each in clean.replace(HIDDEN, "\0")]


@given(data=st.data(), secret=TEXT.filter(lambda text: len(text.strip()) >= 8), form=st.sampled_from(sorted(FORMS)))
def test_bytes_are_clean_wherever_they_are_cut(data: st.DataObject, secret: str, form: str) -> None:
    whole = f"ab{FORMS[form](secret)}cd".encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    scrub = Scrub([secret])
    clean = b"".join(scrub.more(whole[a:b]) for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)) + scrub.end()
    assert FORMS[form](secret).encode() not in clean and HIDDEN.encode() in clean


@given(secret=TEXT.filter(lambda text: len(text.strip()) >= 8), form=st.sampled_from(sorted(FORMS)), data=st.data())
def test_a_value_is_clean_wherever_a_secret_is_cut(secret: str, form: str, data: st.DataObject) -> None:
    text = FORMS[form](secret)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    clean = Scrubber([secret]).value({"content": [{"type": "text", "text": part} for part in parts]})
    left = "".join(block["text"] for block in clean["content"]).replace(HIDDEN, "")
    assert text not in left


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=15,
    )
)
def test_what_has_no_secret_comes_out_as_it_was(value: Any) -> None:
    assert Scrubber(["\x01a-secret-of-nobody\x02"]).value(value) == value

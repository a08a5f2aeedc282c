"""JSON strictly in, one spelling out, and digests whose fields cannot borrow from one another."""

from __future__ import annotations

import hmac
import json
import math
from collections import UserDict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.canonical import (
    LIMITS,
    JsonLimits,
    Written,
    at_pointer,
    canonical,
    check_json,
    compose,
    digest,
    framed,
    keyed,
    parse_json,
    pointer,
    reread,
)
from interlock.errors import BadInput

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64) + 1, 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
JSON = st.recursive(
    SCALARS, lambda deeper: st.lists(deeper, max_size=4) | st.dictionaries(TEXT, deeper, max_size=4), max_leaves=20
)


def refused(text: str | bytes, limits: JsonLimits = LIMITS) -> str:
    """The code that a text is refused with."""
    with pytest.raises(BadInput) as caught:
        parse_json(text, limits)
    return caught.value.code


# ------------------------------------------------------------------- the one spelling


@given(JSON)
@settings(max_examples=150)
def test_the_spelling_is_the_standard_librarys(value: Any) -> None:
    """ADR 0002: an offline verifier needs `json.dumps` with four arguments and nothing else."""
    written = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    assert canonical(value) == written.encode()


@given(JSON)
@settings(max_examples=150)
def test_reading_what_was_written_and_writing_it_again_changes_no_byte(value: Any) -> None:
    """T42: the checker and the tool read the same bytes the same way."""
    once = canonical(value)
    assert canonical(parse_json(once)) == once
    assert canonical(parse_json(json.dumps(value))) == once  # escapes, spaces and order make no difference


@given(JSON)
@settings(max_examples=150)
def test_what_was_written_reads_back_as_it_was(value: Any) -> None:
    assert canonical(reread(canonical(value))) == canonical(value)


@given(st.dictionaries(TEXT, JSON, max_size=5), st.dictionaries(TEXT, JSON, max_size=3))
@settings(max_examples=150)
def test_an_object_of_written_parts_reads_as_if_it_were_written_at_once(
    parts: dict[str, Any], part: dict[str, Any]
) -> None:
    """Fast beside plain: what is kept beside an object is what `canonical` writes of it, at any depth."""
    plain = {**parts, "part": part}
    whole = compose({**parts, "part": Written(part)})
    assert whole.text == canonical(whole) == canonical(dict(whole)) == canonical(plain)
    assert whole == plain
    assert canonical([whole, {"whole": whole}]) == canonical([plain, {"whole": plain}])


@pytest.mark.parametrize("part", [math.nan, {1}, "\ud800"])
def test_an_object_with_a_part_that_has_no_form_is_not_written(part: object) -> None:
    """T30: nothing gets into a text by way of a part."""
    with pytest.raises(BadInput):
        compose({"part": part})
    with pytest.raises(BadInput):
        Written({"part": part})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a":1,"b":2}', b'{ "b" : 2,\n"a" : 1 }'),
        (rb'"\u0061"', b'"a"'),
        (b"100.0", b"1e2"),
        (rb'"\/"', b'"/"'),
    ],
)
def test_two_spellings_of_one_value_have_one_canonical_form(one: bytes, other: bytes) -> None:
    """T42: key order, escapes and exponents are no difference that a digest could be split on."""
    assert canonical(parse_json(one)) == canonical(parse_json(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, "1"),
        (1, True),
        (0, False),
        (0.0, -0.0),
        (None, "null"),
        ("é", "e\u0301"),
        ([], {}),
        ("a", "a "),
        (2**53, 2**53 + 1),
    ],
)
def test_values_that_differ_have_forms_that_differ(one: Any, other: Any) -> None:
    """T42: among them NFC and NFD of one letter, and integers beyond what a double tells apart."""
    assert canonical(one) != canonical(other)


def test_a_mapping_that_is_no_dict_has_the_form_of_its_dict() -> None:
    assert canonical({"outer": UserDict({"b": 1, "a": 2})}) == b'{"outer":{"a":2,"b":1}}'


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {1, 2}, b"bytes", object(), {"a": {"b": math.nan}}])
def test_what_strict_json_cannot_say_has_no_form(value: Any) -> None:
    with pytest.raises(BadInput):
        canonical(value)


def test_a_lone_surrogate_has_no_form() -> None:
    with pytest.raises(BadInput) as caught:
        canonical({"name": "\ud800"})
    assert caught.value.code == "json.surrogate"


def test_a_value_that_holds_itself_has_no_form() -> None:
    round_about: list[Any] = []
    round_about.append(round_about)
    with pytest.raises(BadInput):
        canonical(round_about)


# ------------------------------------------------------------------------ strictly in


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"a":1,"a":2}', "json.duplicate_key"),
        (r'{"a":1,"\u0061":2}', "json.duplicate_key"),
        ('{"deep":{"a":1,"a":1}}', "json.duplicate_key"),
        ("NaN", "json.number"),
        ("[Infinity]", "json.number"),
        ("-Infinity", "json.number"),
        ("1e999", "json.number"),
        (r'"\ud800"', "json.surrogate"),
        (r'{"\udfff":1}', "json.surrogate"),
        (r'["fine", {"deep": "\ud83d"}]', "json.surrogate"),
        ('"\ud800"', "json.surrogate"),
        (b'"\xed\xa0\x80"', "json.utf8"),
        (b"\xff", "json.utf8"),
        ("", "json.syntax"),
        ("{", "json.syntax"),
        ("{'a':1}", "json.syntax"),
        ('{"a":1,}', "json.syntax"),
        ("{} {}", "json.syntax"),
        ("True", "json.syntax"),
        ("01", "json.syntax"),
        ('"\n"', "json.syntax"),
        ("\ufeff{}", "json.syntax"),
        ("__import__('os').system('true')", "json.syntax"),
    ],
)
def test_a_text_that_is_not_strict_json_is_refused(text: str | bytes, code: str) -> None:
    """Defect 1, T42: duplicate keys, NaN and infinities, lone surrogates, code."""
    assert refused(text) == code


def test_a_surrogate_pair_is_one_character() -> None:
    assert parse_json(r'"\ud83d\ude00"') == "😀"


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False), ("null", None)])
def test_the_three_words_of_json_are_no_python_names(text: str, value: object) -> None:
    """Defect 1: `eval` died of a NameError on legal JSON."""
    assert parse_json(text) is value


def test_an_integer_of_64_bits_is_exact_and_one_of_65_is_refused() -> None:
    """Defect 1: the 64-bit ids of real services pass, what a receiver could round does not."""
    assert parse_json(str(2**64 - 1)) == 2**64 - 1
    assert parse_json(str(-(2**64) + 1)) == -(2**64) + 1
    assert refused(str(2**64)) == "json.integer"
    assert refused(f'{{"id":{-(2**64)}}}') == "json.integer"


def test_a_number_of_many_digits_is_refused_before_it_is_read() -> None:
    """Defect 1, T30: reading a number of a million digits is quadratic."""
    assert refused("9" * 1_000_000) == "json.number"
    assert refused("0." + "9" * 1_000_000) == "json.number"
    assert refused("-" + "1" * 40) == "json.number"


def test_nesting_beyond_64_levels_is_refused_however_deep() -> None:
    """Defect 1, T30."""
    assert parse_json("[" * 64 + "1" + "]" * 64) is not None
    assert refused("[" * 65 + "1" + "]" * 65) == "json.depth"
    assert refused('{"a":' * 65 + "1" + "}" * 65) == "json.depth"
    assert refused("[" * 500_000) == "json.depth"
    assert refused('{"a":' * 100_000) == "json.depth"


def test_more_than_a_mebibyte_is_refused() -> None:
    """Defect 1, T30: counted in bytes, not in characters."""
    assert parse_json('"' + "x" * (LIMITS.bytes_max - 2) + '"') is not None
    assert refused('"' + "x" * (LIMITS.bytes_max - 1) + '"') == "json.too_large"
    assert refused('"' + "é" * (LIMITS.bytes_max // 2) + '"') == "json.too_large"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"a":1,"b":2}', "json.keys"),
        ('{"a":{"b":2,"c":3}}', "json.keys"),
        ("[1,2]", "json.items"),
        ('"abcd"', "json.string"),
        ('["abcd"]', "json.string"),
        ('{"a":"abcd"}', "json.string"),
        ('{"abcd":1}', "json.string"),
    ],
)
def test_each_limit_on_size_binds_at_every_depth(text: str, code: str) -> None:
    """T30."""
    assert refused(text, JsonLimits(keys_max=1, items_max=1, string_max=3)) == code


@given(st.text(max_size=40) | st.binary(max_size=40))
@settings(max_examples=300)
def test_any_text_is_read_or_refused_and_never_repeated(text: str | bytes) -> None:
    """Defect 66: a refusal says what is wrong and not what was sent."""
    try:
        canonical(parse_json(text))
    except BadInput as error:
        assert error.code.startswith("json.")
        shown = text if isinstance(text, str) else text.decode(errors="replace")
        assert len(shown) < 12 or shown not in str(error)


# ------------------------------------------------------------------- values that came as objects


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (math.nan, "json.number"),
        ({"a": math.inf}, "json.number"),
        ((1, 2), "json.type"),
        ({1: 2}, "json.type"),
        ({"a": {None: 1}}, "json.type"),
        ({"a": b"x"}, "json.type"),
        ({"a": 2**64}, "json.integer"),
        ({"a": "\ud800"}, "json.surrogate"),
        ({"\ud800": 1}, "json.surrogate"),
        ([["\udc00"]], "json.surrogate"),
    ],
)
def test_an_object_is_held_to_what_a_text_could_have_said(value: object, code: str) -> None:
    """Defects 1 and 7: NaN, bytes, keys that are no strings."""
    with pytest.raises(BadInput) as caught:
        check_json(value)
        canonical(value)
    assert caught.value.code == code


def test_a_value_that_shares_its_parts_is_refused_by_its_size_not_by_exhaustion() -> None:
    """T30: forty lists, each holding the one before twice, are 2^40 items once written out."""
    bomb: list[Any] = []
    for _ in range(40):
        bomb = [bomb, bomb]
    with pytest.raises(BadInput) as caught:
        check_json(bomb)
    assert caught.value.code == "json.too_large"


@given(JSON)
@settings(max_examples=100)
def test_every_json_value_passes_the_check(value: Any) -> None:
    check_json(value)


# --------------------------------------------------------------------------- digests


@given(st.lists(st.binary(max_size=4), max_size=4), st.lists(st.binary(max_size=4), max_size=4))
@settings(max_examples=300)
def test_different_fields_have_different_digests(one: list[bytes], other: list[bytes]) -> None:
    """T42: no field can borrow bytes from its neighbour, as plain concatenation would let it."""
    assert (framed("d", *one) == framed("d", *other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [((b"ab", b"c"), (b"a", b"bc")), ((b"a", b""), (b"a",)), ((b"", b"a"), (b"a", b"")), ((), (b"",))],
)
def test_a_border_between_fields_cannot_be_shifted(one: tuple[bytes, ...], other: tuple[bytes, ...]) -> None:
    assert digest("interlock/call/1", *one) != digest("interlock/call/1", *other)


def test_the_domain_keeps_digests_of_different_purposes_apart() -> None:
    assert digest("interlock/call/1", b"x") != digest("interlock/approval/1", b"x")


# -------------------------------------------------------------------------- pointers


@given(st.lists(TEXT | st.integers(0, 5), max_size=4))
@settings(max_examples=150)
def test_a_pointer_finds_what_its_path_names(path: list[str | int]) -> None:
    """RFC 6901, with `/` and `~` in keys."""
    whole: Any = "found"
    for part in reversed(path):
        whole = [*[None] * part, whole] if isinstance(part, int) else {part: whole}
    assert at_pointer(whole, pointer(path)) == "found"


@pytest.mark.parametrize("where", ["/none", "/list/9", "/list/-1", "/list/x", "/list/01", "/list/ 1", "/list/\u0661",
                                   "/text/0", "list", "text"])  # fmt: skip
def test_a_pointer_to_nothing_is_refused(where: str) -> None:
    """A pointer without its slash names nothing: it must not stand for the whole."""
    with pytest.raises(BadInput) as caught:
        at_pointer({"list": [1, 2], "text": "abc"}, where)
    assert caught.value.code == "json.pointer"


@given(st.binary(max_size=64), st.binary(max_size=200))
@settings(max_examples=150)
def test_a_keyed_hash_is_hmac(key: bytes, text: bytes) -> None:
    """T42, fast beside plain: an offline verifier needs `hmac.digest` and nothing else."""
    assert keyed(key, text) == hmac.digest(key, text, "sha256")


def test_a_key_that_is_longer_than_a_block_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        keyed(b"k" * 65, b"")

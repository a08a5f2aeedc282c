"""References to secrets: what is one, where they stand, and what stands in their place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.canonical import canonical
from interlock.core.secret import MARK, SECRET, check_allowed, filled, places_of, reference_of, standing
from interlock.errors import BadInput


@pytest.mark.parametrize(
    ("text", "scheme", "path", "field", "version", "name"),
    [
        ("env://PAY_KEY", "env", "PAY_KEY", "", 0, "env://PAY_KEY"),
        ("file:///run/secrets/pay", "file", "/run/secrets/pay", "", 0, "file:///run/secrets/pay"),
        ("file:///run/pay.json#key", "file", "/run/pay.json", "key", 0, "file:///run/pay.json#key"),
        ("vault://kv/team/pay#key", "vault", "kv/team/pay", "key", 0, "vault://kv/team/pay#key"),
        ("vault://kv/pay?version=3#key", "vault", "kv/pay", "key", 3, "vault://kv/pay#key"),
    ],
)
def test_a_reference_is_read(text: str, scheme: str, path: str, field: str, version: int, name: str) -> None:
    reference = reference_of(text)
    assert (reference.scheme, reference.path, reference.field, reference.version) == (scheme, path, field, version)
    assert reference.text == text and reference.name == name


@pytest.mark.parametrize(
    "text",
    [
        "", "PAY_KEY", "env:PAY", "env://", "env://1A", "env://A B", "env://A#b", "env://A\n", "ENV://A", "http://a/b",
        "file://run/a", "file:///", "file:///a/../b", "file:///a/./b", "file:///..", "file:///a//b", "file:///a%2fb",
        "file:///a\\b", "file:///a#", "file:///a#b#c", "file:///a?version=1", "file:///a\0", "file:///ä",
        "vault://kv/pay", "vault://kv#key", "vault:///pay#key", "vault://kv/../sys#key", "vault://kv/pay#key?version=3",
        "vault://kv/pay?version=0#key", "vault://kv/pay?version=x#key", "vault://kv/pay?v=1#key", 7, None, ["env://A"],
    ],
)  # fmt: skip
def test_what_is_no_reference_is_refused_without_being_repeated(text: object) -> None:
    with pytest.raises(BadInput) as refused:
        reference_of(text)
    assert "vault://mount/path" in str(refused.value)
    assert not isinstance(text, str) or len(text) < 9 or text not in str(refused.value)


@pytest.mark.parametrize(
    "name", ["env://PAY_*", "env://PAY", "file:///run/secrets/*", "vault://kv/pay#key", "vault://kv/*"]
)
def test_names_and_beginnings_of_names_can_be_allowed(name: str) -> None:
    check_allowed(name)


@pytest.mark.parametrize(
    "name", ["*", "env://*", "file:///*", "vault://*", "env:*", "vault://kv/pay?version=1#key", "a", "http://a*"]
)
def test_nothing_that_allows_everything_can_be_allowed(name: str) -> None:
    with pytest.raises(BadInput):
        check_allowed(name)


def test_references_are_found_where_they_stand() -> None:
    value = {"a": {SECRET: "env://A"}, "b": [{"c/d": {SECRET: 1, "x": {SECRET: "in"}}}], "e": SECRET}
    assert [where for where, _ in places_of(value)] == ["/a", "/b/0/c~1d"]


def test_what_comes_in_the_place_of_a_reference_is_not_looked_into() -> None:
    value = {"a": [{SECRET: "env://A"}, {"b": {SECRET: "env://A"}}]}
    assert standing(value) == {"a": ["env://A", {"b": "env://A"}]}
    secret = '{"$secret":"env://B"}'
    assert filled(value, {"env://A": secret}) == {"a": [secret, {"b": secret}]}
    assert value == {"a": [{SECRET: "env://A"}, {"b": {SECRET: "env://A"}}]}


_JSON = st.recursive(
    st.none() | st.integers() | st.text() | st.sampled_from([SECRET, '"$secret":', '{"$secret":"env://A"}']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just(SECRET), inner, max_size=3),
    max_leaves=12,
)


@given(_JSON)
def test_the_mark_stands_in_canonical_json_just_where_there_is_such_a_key(value: object) -> None:
    assert (MARK in canonical(value)) == any(True for _ in places_of(value))

"""What a grant says about arguments: a closed list of predicates, every leaf covered, nothing by accident."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.approvals.where import PREDICATES, Where, domain_of, where_of
from interlock.core.canonical import canonical
from interlock.errors import BadInput

# --------------------------------------------------------------------- each predicate


@pytest.mark.parametrize(
    ("predicate", "yes", "no"),
    [
        ({"equals": "cus_7"}, ["cus_7"], ["cus_70", "CUS_7", "cus_7 ", "cus_7\u200b", 7, None]),
        ({"equals": 1}, [1], [True, 1.0, "1", None, 2]),
        ({"equals": None}, [None], [False, 0, "", []]),
        ({"equals": ["a", "b"]}, [["a", "b"]], [["b", "a"], ["a"], ["a", "b", "c"], "a"]),
        ({"one_of": ["eur", "usd"]}, ["eur", "usd"], ["EUR", "gbp", "eurusd", ["eur"]]),
        ({"at_most": 5000}, [5000, 0, -1, 4999.99], [5001, 5000.000001, "5000", True, None, [5000]]),
        ({"at_least": 0.1}, [0.1, 0.11, 1], [0.09999999999999999, 0, True, "1"]),
        ({"at_most": 9007199254740992}, [9007199254740992], [9007199254740993]),
        ({"at_most": 1e23}, [10**23, 1e23], [10**23 + 1]),
        ({"prefix": "reports/2026"}, ["reports/2026", "reports/2026/may"], ["reports/2026-05", "reports/20261", "rep"]),
        ({"prefix": "INV-"}, ["INV-1", "INV-"], ["INV", "inv-1", "XINV-1"]),
        (
            {"prefix": "reports/"},
            ["reports/a"],
            ["reports/../secret", "reports/a/..", "reports/%2e%2e/x", "reports\\a", "reports/a\\b", "reports/a\x00"],
        ),
        (
            {"prefix": "https://shop.example"},
            ["https://shop.example", "https://shop.example/a?b=1"],
            ["https://shop.example.evil.net/", "https://shop.example:80@evil.net/", "https://shop.example-evil.net"],
        ),
        ({"prefix": "https:"}, ["https:"], ["https://evil.net/"]),
        ({"prefix": "a."}, ["a.b"], ["a..b", "a./../b"]),
        (
            {"domain": "shop.example"},
            ["ana@shop.example", "Ana.B+c@SHOP.example"],
            ["ana@shop.example.evil.net", "ana@evil.net", "ana@mail.shop.example", "shop.example", "@shop.example",
             "a@evil.net,b@shop.example", "a@evil.net b@shop.example", "x%evil.net@shop.example",
             "evil.net!x@shop.example", '"a b"@shop.example', "Ana <ana@shop.example>", "ana@shop.example\n",
             "ana@sh\u043ep.example", ["ana@shop.example"], 7],
        ),
    ],
)  # fmt: skip
def test_a_predicate_holds_for_exactly_these(predicate: dict[str, Any], yes: list[Any], no: list[Any]) -> None:
    where = where_of({"/a": predicate})
    assert [value for value in yes if not where.matches({"a": value})] == []
    assert [value for value in no if where.matches({"a": value})] == []


def test_a_missing_argument_satisfies_no_predicate_and_any_asks_nothing() -> None:
    for kind, operand in (("equals", None), ("at_most", 1), ("prefix", "a"), ("domain", "a.example")):
        assert not where_of({"/a": {kind: operand}}).matches({})
    assert where_of({"/a": {"any": True}}).matches({})
    assert where_of({}).matches({})


def test_an_argument_that_nobody_has_said_anything_about_is_not_granted() -> None:
    where = where_of({"/id": {"equals": 7}})
    assert where.matches({"id": 7})
    for more in ({"to": "x"}, {"note": None}, {"list": []}, {"object": {}}, {"": 1}):
        assert not where.matches({"id": 7, **more})
        assert where_of({"/id": {"equals": 7}, f"/{next(iter(more))}": {"any": True}}).matches({"id": 7, **more})


def test_parts_of_objects_and_lists_are_named_and_whole_ones_covered_by_one_pointer() -> None:
    arguments = {"to": [{"mail": "a@shop.example", "x/y~z": 1}], "n": 2}
    part = where_of({"/to/0/mail": {"domain": "shop.example"}, "/to/0/x~1y~0z": {"at_most": 1}, "/n": {"equals": 2}})
    assert part.matches(arguments)
    assert not part.matches({**arguments, "to": [*arguments["to"], {"mail": "b@shop.example"}]})  # type: ignore[misc]
    whole = where_of({"/to": {"any": True}, "/to/0/mail": {"domain": "shop.example"}, "/n": {"equals": 2}})
    assert whole.matches({**arguments, "to": [*arguments["to"], {"mail": "b@evil.net"}]})  # type: ignore[misc]
    assert not where_of({"/to/00/mail": {"any": True}, "/n": {"any": True}}).matches(arguments)


# ------------------------------------------------------------------- what is acceptable


@pytest.mark.parametrize(
    "said",
    [
        [], "x", {"": {"any": True}}, {"a": {"any": True}}, {"/a~2": {"any": True}}, {"/a": {}}, {"/a": 7},
        {"/a": {"matches": ".*"}}, {"/a": {"any": False}}, {"/a": {"any": 1}}, {"/a": {"any": True, "equals": 1}},
        {"/a": {"at_most": "5"}}, {"/a": {"at_most": True}}, {"/a": {"at_least": None}}, {"/a": {"one_of": []}},
        {"/a": {"one_of": "eur"}}, {"/a": {"one_of": list(range(51))}}, {"/a": {"prefix": ""}}, {"/a": {"prefix": 7}},
        {"/a": {"prefix": "https://"}}, {"/a": {"domain": "@shop.example"}}, {"/a": {"domain": "shop"}},
        {"/a": {"domain": "SHOP.example"}}, {"/a": {"domain": "shop.example\n"}}, {"/a": {"equals": "x" * 1001}},
        {"/a": {"at_most": float("nan")}}, {f"/a{n}": {"any": True} for n in range(65)},
    ],
)  # fmt: skip
def test_what_is_not_on_the_list_is_refused_when_it_is_issued(said: Any) -> None:
    with pytest.raises(BadInput):
        where_of(said)


# ------------------------------------------------------------------------------- laws

KEYS = st.sampled_from(["a", "b", "c/d", "e~f"])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from([0.5, 1.0, 2.5]),
    st.sampled_from(["", "a", "a/b", "a-", "a-b", "x@a.example", "x@b.example"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2), max_leaves=5
)
ARGUMENTS = st.dictionaries(KEYS, VALUES, max_size=3)
OPERANDS: dict[str, st.SearchStrategy[Any]] = {
    "equals": VALUES,
    "one_of": st.lists(VALUES, min_size=1, max_size=3),
    "at_most": st.integers(-5, 5),
    "at_least": st.sampled_from([-5, 0.5, 2]),
    "prefix": st.sampled_from(["a", "a-", "a/", "a/b"]),
    "domain": st.sampled_from(["a.example", "b.example"]),
}
PREDICATE = st.sampled_from(sorted(OPERANDS)).flatmap(lambda kind: OPERANDS[kind].map(lambda operand: {kind: operand}))
POINTERS = st.sampled_from(["/a", "/b", "/c~1d", "/e~0f", "/a/a", "/a/0", "/b/1"])
DOCUMENTS = st.dictionaries(POINTERS, PREDICATE | st.just({"any": True}), max_size=4)


@given(DOCUMENTS, ARGUMENTS)
def test_it_matches_only_what_satisfies_every_predicate_by_itself(
    said: dict[str, Any], arguments: dict[str, Any]
) -> None:
    if not where_of(said).matches(arguments):
        return
    rest = {f"/{key.replace('~', '~0').replace('/', '~1')}": {"any": True} for key in arguments}
    for where, predicate in said.items():
        assert where_of({**rest, where: predicate}).matches(arguments)


@given(DOCUMENTS, ARGUMENTS, st.data())
def test_narrowing_never_makes_it_match_more(
    said: dict[str, Any], arguments: dict[str, Any], data: st.DataObject
) -> None:
    """One predicate more on a part that is covered already, or a predicate in the place of `any`."""
    if not said:
        return
    where = data.draw(st.sampled_from(sorted(said)))
    more = data.draw(PREDICATE)
    old = {} if said[where] == {"any": True} else said[where]
    if old.keys() & more.keys():
        return
    narrower = where_of({**said, where: {**old, **more}})
    assert not narrower.matches(arguments) or where_of(said).matches(arguments)


@given(st.integers(-5, 5), st.integers(0, 5), SCALARS)
def test_a_lower_bound_a_shorter_list_and_a_longer_prefix_match_no_more(bound: int, less: int, value: Any) -> None:
    def matches(kind: str, operand: Any) -> bool:
        return where_of({"/a": {kind: operand}}).matches({"a": value})

    assert not matches("at_most", bound - less) or matches("at_most", bound)
    assert not matches("at_least", bound + less) or matches("at_least", bound)
    assert not matches("one_of", ["a"]) or matches("one_of", ["a", "a/b"])
    assert not matches("prefix", "a/b") or matches("prefix", "a")


@given(DOCUMENTS, ARGUMENTS)
def test_its_canonical_form_is_one_and_reads_back_as_the_same(said: dict[str, Any], arguments: dict[str, Any]) -> None:
    where = where_of(said)
    turned = where_of(dict(reversed(said.items())))
    assert where == turned == where_of(where.as_json())
    assert canonical(where.as_json()) == canonical(turned.as_json())
    assert where.matches(arguments) == where_of(where.as_json()).matches(arguments)


@given(st.permutations(["b", "a", "b", "c"]))
def test_a_list_of_values_is_a_set(values: list[str]) -> None:
    assert where_of({"/a": {"one_of": values}}) == where_of({"/a": {"one_of": ["a", "b", "c"]}})


@given(st.text(max_size=30), st.sampled_from(["a@b.example", "x@y.z.example"]))
def test_what_surrounds_an_address_makes_it_none(text: str, address: str) -> None:
    found = domain_of(text + address)
    assert found in ("", address.partition("@")[2])
    assert not found or (text + address).count("@") == 1


def test_every_predicate_is_tried_here() -> None:
    assert OPERANDS.keys() == PREDICATES.keys()
    assert isinstance(where_of({}), Where)

"""Grants proposed from past approvals: they cover what they claim, and nothing that anybody turned down."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock import Tool
from interlock.approvals.grant import ToolIdentity
from interlock.approvals.past import Past
from interlock.approvals.suggest import COVERS_MIN, answers, suggest
from tests.planes import Far

OPEN = {"type": "object", "additionalProperties": True}
PAY = Far().tool("pay", "irreversible", input_schema=OPEN)
MAIL = Far().tool("mail", "irreversible", input_schema=OPEN, roles={"body": "content", "cents": "amount"})


def past(number: int, arguments: dict[str, Any], status: str = "consumed", **options: Any) -> Past:
    given: dict[str, Any] = {
        "approval_id": f"appr_{number}", "tool": ToolIdentity.of(PAY), "effect": "irreversible", "subject": "ana",
        "arguments": arguments, "status": status, "requested_us": number,
    }  # fmt: skip
    return Past(**given | options)


def proposed(*asked: Past, tool: Tool = PAY) -> list[dict[str, Any]]:
    return [one.where.as_json() for one in suggest(asked, {ToolIdentity.of(tool): tool})]


def several(*arguments: dict[str, Any], **options: Any) -> list[Past]:
    return [past(number, each, **options) for number, each in enumerate(arguments)]


# ----------------------------------------------------------------- what it generalises


@pytest.mark.parametrize(
    ("values", "predicate"),
    [
        ([7, 7, 7], {"equals": 7}),
        (["b", "a", "b"], {"one_of": ["a", "b"]}),
        ([1, 2, 3, 4, 5], {"one_of": [1, 2, 3, 4, 5]}),
        ([100, 250, 9, 400, 4999, 777], {"at_least": 9, "at_most": 4999}),
        ([0.5, 1, 2, 3, 4, 5], {"at_least": 0.5, "at_most": 5}),
        ([f"{name}@Shop.example" for name in "abcdef"], {"domain": "shop.example"}),
        ([*[f"{name}@shop.example" for name in "abcde"], "f@evil.net"], {"any": True}),
        (["x" * 81, "b", "b"], {"any": True}),
        (["two\nlines", "b", "b"], {"any": True}),
        ([True, False, True], {"one_of": [False, True]}),
        ([None, None, None], {"equals": None}),
    ],
)
def test_an_argument_is_said_as_narrowly_as_what_was_approved(values: list[Any], predicate: dict[str, Any]) -> None:
    assert proposed(*several(*[{"a": value} for value in values])) == [{"/a": predicate}]


def test_the_largest_approved_is_the_bound_and_is_never_rounded() -> None:
    asked = [past(n, {"cents": cents}, tool=ToolIdentity.of(MAIL)) for n, cents in enumerate((4999, 120, 301))]
    assert proposed(*asked, tool=MAIL) == [{"/cents": {"at_least": 120, "at_most": 4999}}]


def test_free_text_is_left_open_and_named() -> None:
    asked = [
        past(n, {"to": "a@b.example", "body": f"hello {n}"}, tool=ToolIdentity.of(MAIL)) for n in range(3)
    ]  # fmt: skip
    [one] = suggest(asked, {ToolIdentity.of(MAIL): MAIL})
    assert one.where.as_json() == {"/body": {"any": True}, "/to": {"equals": "a@b.example"}}
    assert one.free == ("/body",)


def test_parts_of_objects_and_lists_are_said_one_by_one() -> None:
    asked = several(*[{"to": [{"mail": "a@b.example"}], "x/y": {}}] * 3)
    assert proposed(*asked) == [{"/to/0/mail": {"equals": "a@b.example"}, "/x~1y": {"equals": {}}}]


def test_whom_it_was_always_for_is_named_and_several_are_not() -> None:
    [one] = suggest(several(*[{"a": 1}] * 3), {ToolIdentity.of(PAY): PAY})
    assert one.subject == "ana"
    mixed = [*several(*[{"a": 1}] * 3), past(9, {"a": 1}, subject="ann")]
    [two] = suggest(mixed, {ToolIdentity.of(PAY): PAY})
    assert (two.subject, len(two.covers)) == ("", 4)


# ------------------------------------------------------------------ what it never does


def test_twice_may_be_chance() -> None:
    assert proposed(*several(*[{"a": 1}] * (COVERS_MIN - 1))) == []


@pytest.mark.parametrize("status", ["rejected", "edited", "responded", "expired"])
def test_what_somebody_turned_down_is_kept_out(status: str) -> None:
    approved = several(*[{"a": n} for n in (1, 2, 3, 4, 5, 9)])
    assert proposed(*approved) == [{"/a": {"at_least": 1, "at_most": 9}}]
    against = past(90, {"a": 6}, status)
    [narrow] = suggest([*approved, against], {ToolIdentity.of(PAY): PAY})
    assert narrow.where.as_json() == {"/a": {"one_of": [1, 2, 3, 4, 5, 9]}}
    assert narrow.near_misses == ("appr_90",)
    assert proposed(*approved, past(91, {"a": 9}, status)) == []


@pytest.mark.parametrize("status", ["pending", "withdrawn", "superseded"])
def test_what_nobody_decided_says_nothing(status: str) -> None:
    approved = several(*[{"a": 1}] * 3)
    assert len(proposed(*approved, past(90, {"a": 1}, status))) == 1
    assert proposed(*[replace(one, status=status) for one in approved]) == []


def test_nothing_is_proposed_for_a_privileged_tool_or_one_that_was_published_anew() -> None:
    asked = several(*[{"a": 1}] * 3)
    assert proposed(*[replace(one, effect="privileged") for one in asked]) == []
    assert proposed(*asked, tool=Far().tool("pay", "privileged", input_schema=OPEN)) == []
    assert proposed(*asked, tool=Far().tool("pay", "irreversible", input_schema=OPEN, description="New.")) == []


# --------------------------------------------------------------------------------- laws

VALUES = st.one_of(
    st.integers(-3, 9), st.booleans(), st.none(), st.sampled_from([0.5, 1.0]),
    st.sampled_from(["a", "b", "x@a.example", "y@a.example", "z@b.example", "w" * 90, "v" * 1001]),
    st.lists(st.integers(0, 2), max_size=2),
)  # fmt: skip
ASKED = st.lists(
    st.builds(
        past, st.integers(0, 10**6), st.dictionaries(st.sampled_from("abc"), VALUES, max_size=2),
        st.sampled_from(["consumed", "consumed", "approved", "rejected", "expired", "pending"]),
        subject=st.sampled_from(["ana", "ann"]),
    ),
    max_size=12, unique_by=lambda one: one.approval_id,
)  # fmt: skip


@settings(max_examples=300)
@given(ASKED)
def test_a_proposal_covers_what_it_claims_and_nothing_that_was_turned_down(asked: list[Past]) -> None:
    by_id = {one.approval_id: one for one in asked}
    for one in suggest(asked, {ToolIdentity.of(PAY): PAY}):
        assert len(one.covers) >= COVERS_MIN
        assert all(by_id[each].approved and answers(one.where, one.subject, by_id[each]) for each in one.covers)
        assert not [each for each in asked if each.turned_down and answers(one.where, one.subject, each)]
        assert all(by_id[each].turned_down for each in one.near_misses)


@given(ASKED, st.randoms())
def test_the_same_requests_propose_the_same_grants(asked: list[Past], random: Any) -> None:
    tools = {ToolIdentity.of(PAY): PAY}
    turned = list(asked)
    random.shuffle(turned)

    def said(requests: list[Past]) -> list[Any]:
        return [(one.where, one.subject, tuple(sorted(one.covers)), one.free) for one in suggest(requests, tools)]

    assert said(asked) == said(list(asked))
    assert sorted(map(repr, said(asked))) == sorted(map(repr, said(turned)))

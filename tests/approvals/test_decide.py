"""A person's answer: who may give it, to what, until when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from interlock import Answer, Principal
from interlock.approvals.decide import decide
from interlock.approvals.people import Standing
from interlock.core.approval import ApprovalState
from interlock.errors import BadInput, Conflict, InterlockError, NotEntitled

SHOWN, NONCE = "ab" * 32, "cd" * 16
NOW = 1_000
BOB = Principal("bob", roles=frozenset({"approver", "staff"}))


def asked(**changes: Any) -> ApprovalState:
    request = {"approval": SHOWN, "groups": ["approver"], "quorum": 1, "expires_us": 2_000, "subject": "ana"}
    request |= {"nonce": NONCE, "effect": "irreversible"}
    status = changes.pop("status", "pending")
    approvals = changes.pop("approvals", {})
    return ApprovalState("appr_1", "call_1", request | changes, status, approvals)


YES = Answer(decision="approve", digest=SHOWN, nonce=NONCE)
NO = replace(YES, decision="reject")


def refusal(state: ApprovalState, answer: Answer, person: Principal, now_us: int = NOW) -> tuple[type, str]:
    with pytest.raises(InterlockError) as caught:
        decide(state, answer, Standing(person), now_us)
    return type(caught.value), caught.value.code


def test_an_answer_that_counts_says_who_what_and_as_what() -> None:
    fact = decide(asked(), replace(YES, words="fine"), Standing(BOB), NOW)
    assert fact.principal_id == "bob"
    assert fact.approval_id == "appr_1"
    assert fact.body == {
        "decision": "approve", "approval": SHOWN, "nonce": NONCE, "roles": ["approver"], "words": "fine"
    }  # fmt: skip
    assert decide(asked(), NO, Standing(BOB), NOW).decision == "reject"


@pytest.mark.parametrize(
    "status", ["approved", "rejected", "edited", "responded", "expired", "withdrawn", "superseded", "consumed"]
)
@pytest.mark.parametrize("answer", [YES, NO])
def test_a_request_that_is_settled_is_decided_no_more(status: str, answer: Answer) -> None:
    """T23, spec approvals: replay of a consumed decision."""
    assert refusal(asked(status=status), answer, BOB) == (Conflict, "approval.settled")


@pytest.mark.parametrize(("now_us", "counts"), [(1_999, True), (2_000, False), (10**18, False), (0, True)])
def test_an_answer_counts_before_the_request_expires_and_not_at_that_moment(now_us: int, counts: bool) -> None:
    if counts:
        decide(asked(), YES, Standing(BOB), now_us)
    else:
        assert refusal(asked(), YES, BOB, now_us) == (Conflict, "approval.expired")


@pytest.mark.parametrize("digest", ["", "00" * 32, SHOWN.upper(), SHOWN[:-1], SHOWN + "0"])
def test_an_answer_to_another_digest_does_not_count(digest: str) -> None:
    """T23: what was shown is not what would run."""
    assert refusal(asked(), replace(YES, digest=digest), BOB) == (BadInput, "approval.digest")


@pytest.mark.parametrize(
    ("person", "code"),
    [
        (replace(BOB, kind="service"), "approval.service"),
        (replace(BOB, id="ana"), "approval.own_call"),
        (replace(BOB, roles=frozenset()), "approval.group"),
        (replace(BOB, roles=frozenset({"admin", "Approver", "approver "})), "approval.group"),
    ],
)
def test_who_may_not_decide(person: Principal, code: str) -> None:
    """T24: neither a service, nor the one on whose behalf it runs, nor somebody of another group."""
    for answer in (YES, NO):
        assert refusal(asked(), answer, person) == (NotEntitled, code)


def test_one_person_is_one_voice() -> None:
    """Spec approvals 2: a quorum of two is two people."""
    for answer in (YES, NO):
        assert refusal(asked(quorum=2, approvals={"bob": {}}), answer, BOB) == (NotEntitled, "approval.twice")


def test_words_have_a_bound() -> None:
    decide(asked(), replace(YES, words="x" * 2000), Standing(BOB), NOW)
    assert refusal(asked(), replace(YES, words="x" * 2001), BOB) == (BadInput, "approval.words")


def test_a_request_of_no_group_can_be_approved_by_nobody() -> None:
    """T20's rule: an empty list allows nobody."""
    assert refusal(asked(groups=[]), YES, BOB) == (NotEntitled, "approval.group")

"""What a run's values can come from, in order: kept by the fold, handed down, and answered for by people."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.core.entered import Door, Entered, handed_down
from interlock.core.event import Fact, Kind
from tests.core.test_run import STARTED, decided, events, folded, proposed, result

ASK = {"groups": ["approver"], "quorum": 1}


def asked(quorum: int = 1) -> list[Fact]:
    start = proposed("call_1")
    return [
        STARTED,
        start._replace(body={**start.body, **decided("call_1", "d1", "reversible").body}),
        Fact(Kind.APPROVAL_REQUESTED, {**ASK, "quorum": quorum}, "call_1", approval_id="appr_1"),
    ]


def said(who: str, *pointers: str, decision: str = "approve") -> Fact:
    body: dict[str, Any] = {"decision": decision, "roles": ["approver"]}
    if pointers:
        body["endorse"] = [{"tool": "pay", "pointer": pointer} for pointer in pointers]
    return Fact(Kind.APPROVAL_DECIDED, body, "call_1", principal_id=who, decision=decision, approval_id="appr_1")


def test_what_entered_stands_in_the_order_in_which_it_was_told() -> None:
    start = STARTED._replace(
        body={**STARTED.body, "words": "Pay 5.", "mandates": ["pay"], "task": {"call": "call_0", "text": "do"}}
    )
    calls = [start, proposed("call_1"), proposed("call_2", 2), result("call_2", "done")]
    more = [Fact(Kind.RUN_WORDS, {"text": "And 6."}), result("call_1", "done")]
    run = folded(events([*calls, *more]))
    found = [(each.door, each.call_id or each.said) for each in run.entered]
    assert found == [
        (Door.WORDS, "Pay 5."), (Door.TASK, "call_0"), (Door.MANDATE, "pay"), (Door.RESULT, "call_2"),
        (Door.WORDS, "And 6."), (Door.RESULT, "call_1"),
    ]  # fmt: skip


@pytest.mark.parametrize(("outcome", "brings"), [("refused", 0), ("failed", 1), ("withheld", 1), ("done", 1)])
def test_what_failed_may_have_said_something_and_what_was_refused_did_not_run(outcome: str, brings: int) -> None:
    assert len(folded(events([STARTED, proposed("call_1"), result("call_1", outcome)])).entered) == brings


def test_a_person_answers_for_a_value_with_the_approval_that_counts() -> None:
    run = folded(events([*asked(), said("bo", "/to")]))
    assert run.entered == [Entered(Door.ENDORSED, {"tool": "pay", "pointer": "/to"}, "call_1", "bo")]


def test_of_two_who_must_approve_both_answer_for_it() -> None:
    """An endorsement outlives its call: it needs as many people as the call did."""
    assert folded(events([*asked(2), said("bo", "/to")])).entered == []
    both = folded(events([*asked(2), said("bo", "/to", "/amount"), said("cy", "/to")]))
    assert [(each.said["pointer"], each.by) for each in both.entered] == [("/to", "bo, cy")]


def test_who_rejects_answers_for_nothing() -> None:
    assert folded(events([*asked(), said("bo", "/to", decision="reject")])).entered == []


def test_what_is_handed_down_is_mandates_and_endorsements() -> None:
    start = STARTED._replace(body={**STARTED.body, "words": "Pay.", "mandates": ["pay", "pay"]})
    run = folded(events([start, *asked()[1:], said("bo", "/to")]))
    down = handed_down(run.entered)
    assert down == {"mandates": ["pay"], "endorsed": [{"tool": "pay", "pointer": "/to", "by": "bo"}]}
    child = folded(events([STARTED._replace(body={**STARTED.body, **down})]))
    assert handed_down(child.entered) == down and handed_down([]) == {}

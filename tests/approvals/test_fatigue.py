"""The figures of fatigue: who is asked how often, and who says yes without reading."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.approvals.fatigue import figures
from interlock.approvals.grant import ToolIdentity
from interlock.approvals.past import Past, Said

SECOND = 1_000_000


def row(**options: Any) -> dict[str, Any]:
    given = {"effect": "irreversible", "dry_run": 0, "intent_us": 1, "approval_id": None, "grant_id": None}
    return given | options


def asked(*said: Said) -> Past:
    return Past(
        approval_id="appr_1", tool=ToolIdentity("local", "pay", ""), effect="irreversible", subject="ana", arguments={},
        status="consumed", requested_us=0, said=said,
    )  # fmt: skip


def of(approved: int, rejected: int, viewed_ms: int | None) -> bool:
    """Whether somebody who decided so is taken for tired."""
    said = [Said("bob", "approve", SECOND, viewed_ms)] * approved + [
        Said("bob", "reject", SECOND, viewed_ms)
    ] * rejected
    return bool(figures([], [asked(one) for one in said]).tired)


def test_holds_are_counted_against_calls_that_could_change_something() -> None:
    found = figures(
        [
            row(), row(), row(approval_id="appr_1", intent_us=None), row(approval_id="appr_2"), row(grant_id="grant_1"),
            row(effect="read"), row(effect=None, intent_us=None), row(intent_us=None), row(dry_run=1),
        ],
        [],
    )  # fmt: skip
    assert (found.calls, found.asked, found.granted, found.held) == (5, 2, 1, 3)


def test_each_approver_has_their_own_figures() -> None:
    found = figures(
        [],
        [
            asked(Said("bob", "approve", 4 * SECOND, 900), Said("cay", "approve", 60 * SECOND, None)),
            asked(Said("bob", "reject", 2 * SECOND, 1100)),
            asked(),
        ],
    )
    bob, cay = found.approvers
    assert (bob.person, bob.decisions, bob.approved, bob.viewed_ms, bob.took_us) == ("bob", 2, 1, 1000, 3 * SECOND)
    assert (cay.person, cay.viewed_ms, cay.took_us) == ("cay", None, 60 * SECOND)


@pytest.mark.parametrize(
    ("approved", "rejected", "viewed_ms", "tired"),
    [
        (50, 0, 2999, True), (49, 0, 2999, False), (50, 0, 3000, False), (50, 0, None, False),
        (98, 2, 100, False), (99, 1, 100, True), (49, 1, 100, False),
    ],
)  # fmt: skip
def test_the_alarm_is_for_more_than_98_percent_over_50_decisions_at_a_glance(
    approved: int, rejected: int, viewed_ms: int | None, tired: bool
) -> None:
    """Spec approvals 8: and the rate, the number and the view are all needed."""
    assert of(approved, rejected, viewed_ms) is tired


def test_no_calls_and_no_answers_are_no_alarm() -> None:
    found = figures([], [])
    assert (found.calls, found.held, found.approvers, found.tired) == (0, 0, (), ())

"""Racing approvers and workers in real processes, one of them killed: one effect (`make approvals` has 50 rounds)."""

from __future__ import annotations

from proof.approvals.storm import storm


def test_racing_approvers_and_workers_with_a_kill_among_them_come_to_one_effect() -> None:
    """Issue 4, Shown by 1: 100 racers on one ledger; T23, B10."""
    rounds = storm(2, seed=7)
    assert [wrong for _, wrong in rounds] == ["", ""]

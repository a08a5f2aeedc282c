"""A request for approval as a fold over its events: who has said what so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class ApprovalState:
    """What is known of one approval request.

    Attributes:
        approval_id, call_id: Which, and for which call.
        request: Body of `approval.requested`: digest, groups, quorum, expiry, tool, canonical arguments.
        status: `pending`, `approved`, `rejected`, `expired`, `withdrawn`, `superseded` or `consumed`.
        approvals: Bodies of the approving decisions so far, by approver.
        words: What the person said who rejected it.
    """

    approval_id: str
    call_id: str
    request: dict[str, Any]
    status: str = "pending"
    approvals: dict[str, dict[str, Any]] = field(default_factory=dict)
    words: str = ""

    def decide(self, who: str, body: dict[str, Any]) -> None:
        """Fold an answer in. Of two people who answer at the same moment, the first in the ledger counts."""
        if self.status != "pending":
            return
        if body["decision"] == "reject":
            self.status = "rejected"
            self.words = body.get("words", "")
            return
        self.approvals[who] = body
        if len(self.approvals) >= self.request.get("quorum", 1) and self._covered():
            self.status = "approved"

    def _covered(self) -> bool:
        """Whether every group that must approve has a member among those who did."""
        held = {role for body in self.approvals.values() for role in body["roles"]}
        return held.issuperset(self.request.get("groups", ()))

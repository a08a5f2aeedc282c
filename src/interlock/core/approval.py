"""A request for approval as a fold over its events: who has said what so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from interlock.core.event import Event, Kind

ENDS = {"reject": "rejected", "edit": "edited", "respond": "responded"}
"""What one person's answer alone makes of a request: every decision but `approve`, which needs the quorum."""

OVER = frozenset({*ENDS.values(), "expired", "withdrawn"})
"""Ends after which the call that asked will not run."""


@dataclass(slots=True)
class ApprovalState:
    """What is known of one approval request.

    Attributes:
        approval_id, call_id: Which, and for which call.
        request: Body of `approval.requested`: digest, groups, quorum, expiry, tool, canonical arguments.
        status: `pending`, `approved`, `rejected`, `edited`, `responded`, `expired`, `withdrawn`, `superseded` or
            `consumed`.
        approvals: Bodies of the approving decisions so far, by approver.
        ended_by: Who rejected, edited or responded; empty where nobody did.
        answer: Body of that decision: `words`, the edited `text`, or the `value` in the result's place.
    """

    approval_id: str
    call_id: str
    request: dict[str, Any]
    status: str = "pending"
    approvals: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended_by: str = ""
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """What the person said who ended it; empty for nothing."""
        said: str = self.answer.get("words", "")
        return said

    def decide(self, who: str, body: dict[str, Any]) -> None:
        """Fold an answer in. Of two people who answer at the same moment, the first in the ledger counts."""
        if self.status != "pending":
            return
        if end := ENDS.get(body["decision"]):
            self.status, self.ended_by, self.answer = end, who, body
            return
        if as_one(who, body, self.approvals):
            return
        self.approvals[who] = body
        if complete(self.approvals.values(), self.request):
            self.status = "approved"

    def end(self, status: str) -> None:
        """Fold in that it expired, was withdrawn, superseded or consumed. What was consumed stays so.

        A withdrawal counts while nobody has decided: one that comes a moment later has lost the race.
        """
        if self.status != "consumed" and (status != "withdrawn" or self.status == "pending"):
            self.status = status


class Requests(dict[str, ApprovalState]):
    """The approval requests of a run, by id.

    Attributes:
        pending: Ids of those that nobody has decided.
        asking: Calls whose request is about to be recorded.
    """

    __slots__ = ("asking", "pending")

    def __init__(self) -> None:
        super().__init__()
        self.pending: set[str] = set()
        self.asking: set[str] = set()

    def absorb(self, event: Event) -> bool:
        """Fold one event of an approval in; whether its request is approved by it.

        Of one whose payload was erased, what is left is what its header says.
        """
        fact = event.fact
        if fact.kind is Kind.APPROVAL_REQUESTED:
            self[fact.approval_id] = ApprovalState(fact.approval_id, fact.call_id, fact.body)
            self.pending.add(fact.approval_id)
            self.asking.discard(fact.call_id)
            return False
        asked = self[fact.approval_id]
        pended = asked.status == "pending"
        if fact.kind is not Kind.APPROVAL_DECIDED:
            asked.end(fact.kind.value.removeprefix("approval."))
        elif event.payload:
            asked.decide(fact.principal_id, fact.body)
        elif asked.status == "pending":
            asked.status = ENDS.get(fact.decision, "approved")
        if asked.status != "pending":
            self.pending.discard(asked.approval_id)
        return pended and asked.status == "approved"


def as_one(who: str, body: Mapping[str, Any], approvals: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether this voice counts already.

    By the same person, by one of a pair of whom one has lent the other a role, or by somebody who speaks in the place
    of the same lender alone.

    Args:
        body: Of the decision; `as_one_with` names the other ones of such pairs.
        approvals: Bodies of the decisions that count, by person.
    """
    others, lenders = body.get("as_one_with", ()), _spoken_for(body)
    return who in approvals or any(
        other in others or who in said.get("as_one_with", ()) or lenders & _spoken_for(said)
        for other, said in approvals.items()
    )


def _spoken_for(body: Mapping[str, Any]) -> set[str]:
    """Those in whose place alone somebody speaks; nobody where a role is their own."""
    lent: Mapping[str, str] = body.get("lent_by", {})
    return set(lent.values()) if lent.keys() >= set(body.get("roles", ())) else set()


def complete(approvals: Iterable[Mapping[str, Any]], request: Mapping[str, Any]) -> bool:
    """Whether these are a quorum, and every group that must approve has a member among them.

    Args:
        approvals: Bodies of the decisions, each with `roles`.
        request: With `groups` and `quorum`.
    """
    bodies = list(approvals)
    held = {role for body in bodies for role in body["roles"]}
    return len(bodies) >= (request.get("quorum") or 1) and held.issuperset(request.get("groups", ()))

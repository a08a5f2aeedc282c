"""How tired approvers are: holds per call, and how fast and how willingly each person says yes. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from interlock.approvals.past import Past, Said

ALARM_DECISIONS = 50
ALARM_APPROVED = 0.98
ALARM_VIEWED_MS = 3_000
"""The alarm (spec: approvals, 8): more than 98 % approved over at least 50 decisions, with a median view below 3 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approver:
    """What one person decided.

    Attributes:
        person: Principal id.
        decisions: How many answers.
        approved: How many of them approved as it was.
        viewed_ms: Median of the milliseconds that they looked; None where it is not known of any.
        took_us: Median of the microseconds from the request to their answer.
    """

    person: str
    decisions: int
    approved: int
    viewed_ms: int | None
    took_us: int

    @property
    def tired(self) -> bool:
        """Whether this looks like somebody who no longer reads."""
        return (
            self.decisions >= ALARM_DECISIONS
            and self.approved > ALARM_APPROVED * self.decisions
            and self.viewed_ms is not None
            and self.viewed_ms < ALARM_VIEWED_MS
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Approval in one tenant over some time.

    Attributes:
        calls: Consequential calls (everything but reads) that policy did not deny and that came as far as its holds.
        asked: How many of them people were asked about.
        granted: How many were held and released by a grant instead.
        approvers: Everybody who decided, the busiest first.
    """

    calls: int
    asked: int
    granted: int
    approvers: tuple[Approver, ...]

    @property
    def held(self) -> int:
        """Calls that policy held, whoever answered."""
        return self.asked + self.granted

    @property
    def tired(self) -> tuple[Approver, ...]:
        """Approvers that look as if they no longer read."""
        return tuple(one for one in self.approvers if one.tired)


def figures(calls: Sequence[dict[str, Any]], requests: Sequence[Past]) -> Figures:
    """The figures of a time.

    Args:
        calls: Its rows of `tool_call`.
        requests: Its requests for approval.
    """
    real = [row for row in calls if row["effect"] not in (None, "read") and not row["dry_run"]]
    passed = [row for row in real if row["intent_us"] is not None or row["approval_id"] is not None]
    answers: dict[str, list[tuple[Past, Said]]] = defaultdict(list)
    for past in requests:
        for said in past.said:
            answers[said.person].append((past, said))
    approvers = [_approver(person, given) for person, given in answers.items()]
    return Figures(
        calls=len(passed),
        asked=sum(row["approval_id"] is not None for row in passed),
        granted=sum(row["grant_id"] is not None for row in passed),
        approvers=tuple(sorted(approvers, key=lambda one: (-one.decisions, one.person))),
    )


def _approver(person: str, given: Sequence[tuple[Past, Said]]) -> Approver:
    viewed = [said.viewed_ms for _, said in given if said.viewed_ms is not None]
    return Approver(
        person=person,
        decisions=len(given),
        approved=sum(said.decision == "approve" for _, said in given),
        viewed_ms=int(median(viewed)) if viewed else None,
        took_us=int(median(max(0, said.at_us - past.requested_us) for past, said in given)),
    )

"""A person's answer to a request: checked against who they are and what they saw, then one fact."""

from __future__ import annotations

from dataclasses import dataclass

from interlock.core.approval import ApprovalState
from interlock.core.event import Fact, Kind
from interlock.core.principal import Principal
from interlock.errors import BadInput, Conflict, NotEntitled

_WORDS_MAX = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an authenticated person says about one request.

    Attributes:
        approve: True to approve, False to reject.
        digest: The approval digest that they were shown, hex: binds the answer to exactly those bytes.
        words: For the model where rejected; at most 2,000 characters.
    """

    approve: bool
    digest: str
    words: str = ""


def decide(asked: ApprovalState, answer: Answer, person: Principal, now_us: int) -> Fact:
    """The `approval.decided` fact of an answer that counts.

    Raises:
        NotEntitled: A service, the run's own subject, somebody in none of the groups, or a second answer
            of the same person.
        Conflict: The request is decided or expired already.
        BadInput: The digest is not this request's, or the words are too long.
    """
    request = asked.request
    if asked.status != "pending":
        raise Conflict(
            f"request {asked.approval_id} is {asked.status}", code="approval.settled", remedy="Read it again."
        )
    if now_us >= request["expires_us"]:
        raise Conflict(f"request {asked.approval_id} has expired", code="approval.expired")
    if answer.digest != request["approval"]:
        raise BadInput(
            "the digest is not the one of this request", code="approval.digest",
            remedy="Show the request again and decide on what it says now.",
        )  # fmt: skip
    if len(answer.words) > _WORDS_MAX:
        raise BadInput(f"words: more than {_WORDS_MAX} characters", code="approval.words", remedy="Say it shorter.")
    if person.kind != "user":
        raise NotEntitled(f"{person.id!r} is a service; only people decide", code="approval.service")
    if person.id == request["subject"]:
        raise NotEntitled(
            f"{person.id!r} is on whose behalf the call runs",
            code="approval.own_call",
            remedy="Ask somebody else to decide.",
        )
    roles = sorted(person.roles & set(request["groups"]))
    if not roles:
        raise NotEntitled(
            f"{person.id!r} is in none of the groups that may decide", code="approval.group",
            remedy=f"Ask a member of {', '.join(request['groups'])}.",
        )  # fmt: skip
    if person.id in asked.approvals:
        raise NotEntitled(
            f"{person.id!r} has approved already", code="approval.twice", remedy="The quorum needs somebody else."
        )
    verdict = "approve" if answer.approve else "reject"
    body = {"decision": verdict, "approval": answer.digest, "roles": roles}
    if answer.words:
        body["words"] = answer.words
    return Fact(
        Kind.APPROVAL_DECIDED, body, asked.call_id, 0, 0, person.id, decision=verdict, approval_id=asked.approval_id
    )

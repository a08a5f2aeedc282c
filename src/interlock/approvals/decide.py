"""A person's answer to a request: checked against who they are and what they saw, then one fact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from interlock.approvals.endorsing import endorsed
from interlock.approvals.people import Standing
from interlock.core.approval import ApprovalState, as_one
from interlock.core.canonical import Json
from interlock.core.event import Fact, Kind
from interlock.errors import BadInput, Conflict, NotEntitled

HASTY_MS = 2000
"""Milliseconds below which a look at a privileged call is recorded as hasty."""

_WORDS_MAX = 2000
_VIEWED_MAX_MS = 1 << 40

Said = Literal["approve", "reject", "edit", "respond"]
"""What a person may say to a request: a closed set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an authenticated person says about one request.

    Attributes:
        decision: `approve`; `reject`; `edit`: make the call with these arguments instead; `respond`: this value in the
            tool's place.
        digest: The approval digest that they were shown, hex: binds the answer to exactly those bytes.
        nonce: The request's nonce: binds it to this asking.
        words: For the model, where it is not approved; at most 2,000 characters.
        arguments: The whole arguments of an edit, JSON text or object.
        value: The value of a response, JSON.
        viewed_ms: Milliseconds for which they looked at the request; None where nobody knows.
        endorse: With an approval: pointers of arguments whose place of origin the person answers for until the run
            ends, or `tool` for a mandate; see `approvals/endorsing.py`.
    """

    decision: Said
    digest: str
    nonce: str
    words: str = ""
    arguments: str | bytes | Mapping[str, Any] | None = None
    value: Json = None
    viewed_ms: int | None = None
    endorse: tuple[str, ...] = ()


def settled(asked: ApprovalState) -> Conflict:
    """The refusal of an answer to a request that is not open any more: what became of it, and by whom."""
    if asked.status == "consumed":
        was, people = "approved, and its call has begun", sorted(asked.approvals)
    else:
        was, people = asked.status, sorted(asked.approvals) if asked.status == "approved" else [asked.ended_by]
    by = f", by {' and '.join(people)}" if any(people) else ""
    return Conflict(
        f"request {asked.approval_id} is settled: {was}{by}", code="approval.settled",
        remedy=f"See what came of it: `interlock calls show {asked.call_id}`.",
    )  # fmt: skip


def decide(asked: ApprovalState, answer: Answer, who: Standing, now_us: int) -> Fact:
    """The `approval.decided` fact of an answer that counts; what an edit or a response says is still to be added.

    Args:
        who: The person and what they may say today.

    Raises:
        NotEntitled: A service, the run's own subject, an editor of its arguments, somebody in none of the groups, or a
            second answer of the same person.
        Conflict: The request is decided or expired already.
        BadInput: The digest or the nonce is not this request's, the answer is none, or it endorses what is no argument.
    """
    request, person = asked.request, who.person
    if asked.status != "pending":
        raise settled(asked)
    if now_us >= request["expires_us"]:
        raise Conflict(f"request {asked.approval_id} has expired", code="approval.expired")
    _bound(request, answer)
    if person.kind != "user":
        raise NotEntitled(f"{person.id!r} is a service; only people decide", code="approval.service")
    excluded = {request["subject"], *request.get("editors", ())}
    if person.id in excluded:
        subject = person.id == request["subject"]
        raise NotEntitled(
            f"{person.id!r} is on whose behalf the call runs" if subject else f"{person.id!r} edited the arguments",
            code="approval.own_call" if subject else "approval.editor",
            remedy="Ask somebody else to decide.",
        )
    roles, lent = who.roles_for(request["groups"], excluded)
    if not roles:
        raise NotEntitled(
            f"{person.id!r} is in none of the groups that may decide", code="approval.group",
            remedy=f"Ask a member of {', '.join(request['groups'])}.",
        )  # fmt: skip
    body: dict[str, Json] = {
        "decision": answer.decision, "approval": answer.digest, "nonce": answer.nonce, "roles": list(roles)
    }  # fmt: skip
    if lent:
        body["lent_by"] = dict(lent)
    if others := who.as_one_with(request["groups"]):
        body["as_one_with"] = list(others)
    if as_one(person.id, body, asked.approvals):
        raise NotEntitled(
            f"{person.id!r} has approved already, or somebody with whom they count as one", code="approval.twice",
            remedy="The quorum needs somebody else.",
        )  # fmt: skip
    body |= _said(answer, request["effect"])
    if answer.endorse:
        body["endorse"] = endorsed(request, answer.endorse)
    return Fact(
        Kind.APPROVAL_DECIDED, body, asked.call_id, 0, 0, person.id, decision=answer.decision,
        approval_id=asked.approval_id,
    )  # fmt: skip


def _bound(request: Mapping[str, Any], answer: Answer) -> None:
    """Whether it is an answer to this request and to nothing else.

    Raises:
        BadInput: It is not.
    """
    if answer.decision not in get_args(Said):
        raise BadInput(
            f"decision: {answer.decision!r} is none", code="approval.decision",
            remedy=f"Say one of {', '.join(get_args(Said))}.",
        )  # fmt: skip
    digest_differs = answer.digest != request["approval"]
    if digest_differs or answer.nonce != request["nonce"]:
        raise BadInput(
            f"the {'digest' if digest_differs else 'nonce'} is not the one of this request",
            code="approval.digest" if digest_differs else "approval.nonce",
            remedy="Show the request again and decide on what it says now.",
        )
    if type(answer.words) is not str or len(answer.words) > _WORDS_MAX:
        raise BadInput(
            f"words: no text of at most {_WORDS_MAX} characters", code="approval.words", remedy="Say it shorter."
        )
    arguments = answer.arguments
    if (arguments is not None) != (answer.decision == "edit"):
        raise BadInput("arguments go with an edit, and only with it", code="approval.arguments")
    if arguments is not None and not isinstance(arguments, str | bytes | Mapping):
        raise BadInput("arguments: neither JSON text nor an object", code="approval.arguments")
    if answer.endorse and answer.decision != "approve":
        raise BadInput("an endorsement goes only with an approval", code="approval.endorse")
    if answer.value is not None and answer.decision != "respond":
        raise BadInput("a value goes only with a response", code="approval.value")
    viewed_ms = answer.viewed_ms
    if viewed_ms is not None and not (type(viewed_ms) is int and 0 <= viewed_ms < _VIEWED_MAX_MS):
        raise BadInput(f"viewed_ms: {viewed_ms!r} is no number of milliseconds", code="approval.viewed")


def _said(answer: Answer, effect: str) -> dict[str, Json]:
    """The words, and how long they looked, where that is known."""
    said: dict[str, Json] = {}
    if answer.words:
        said["words"] = answer.words
    if answer.viewed_ms is not None:
        said["viewed_ms"] = answer.viewed_ms
        if effect == "privileged" and answer.viewed_ms < HASTY_MS:
            said["hasty"] = True
    return said

"""Facts and events: what the ledger keeps.

A `Fact` is what a gate or a person has to say; an `Event` is a fact that stands in a chain, with the
bytes that were hashed. Shapes of the bodies: docs/reference/events.md.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple


class Kind(StrEnum):
    """Every kind of event. A kind is never renamed and its body only grows."""

    RUN_STARTED = "run.started"
    RUN_CLAIMED = "run.claimed"
    RUN_WAITING = "run.waiting"
    RUN_WORDS = "run.words"
    RUN_CANCELLED = "run.cancelled"
    RUN_FINISHED = "run.finished"
    TOOLS_OFFERED = "tools.offered"
    MESSAGE = "message"
    CALL_DECIDED = "call.decided"
    CALL_INTENT = "call.intent"
    CALL_RESULT = "call.result"
    CALL_UNKNOWN = "call.unknown"
    CALL_RECONCILED = "call.reconciled"
    CALL_SCREENED = "call.screened"
    CALL_COMPENSATED = "call.compensated"
    CALL_REPORTED = "call.reported"
    CALL_DEAD_LETTERED = "call.dead_lettered"
    APPROVAL_REQUESTED = "approval.requested"
    APPROVAL_DECIDED = "approval.decided"
    APPROVAL_EXPIRED = "approval.expired"
    APPROVAL_WITHDRAWN = "approval.withdrawn"
    APPROVAL_SUPERSEDED = "approval.superseded"
    APPROVAL_CONSUMED = "approval.consumed"
    GRANT_ISSUED = "grant.issued"
    GRANT_ENDORSED = "grant.endorsed"
    GRANT_REVOKED = "grant.revoked"
    APPROVAL_DELEGATED = "approval.delegated"
    APPROVAL_UNDELEGATED = "approval.undelegated"
    SESSION_OPENED = "session.opened"
    SESSION_ENDED = "session.ended"
    BUDGET_RESERVED = "budget.reserved"
    BUDGET_SETTLED = "budget.settled"
    ROLLOUT_SET = "rollout.set"
    ROLLOUT_ROLLED_BACK = "rollout.rolled_back"
    MEMORY_REMEMBERED = "memory.remembered"
    MEMORY_FORGOTTEN = "memory.forgotten"
    ALERT_RAISED = "alert.raised"
    ALERT_RESOLVED = "alert.resolved"
    EVAL_RECORDED = "eval.recorded"
    NOTICE_DELIVERED = "notice.delivered"
    NOTICE_FAILED = "notice.failed"
    TOOL_SEEN = "tool.seen"
    TOOL_MISSED = "tool.missed"
    TOOL_ACCEPTED = "tool.accepted"
    HEALTH = "health"
    FLAG = "flag"
    CONFIG = "config"
    RECOVERY = "recovery"
    OPERATOR = "operator"
    REDACT = "redact"
    KEY_ROTATED = "key.rotated"


NOTICES = "notices"
"""Chain of what people were told; whoever holds its claim tells them."""

ALERTS = "alerts"
"""Chain of what was out of the ordinary, from when to when."""

DEFINITIONS = "definitions"
"""Chain of what servers list and of what people accepted of it."""

HEALTH = "health"
"""Chain of what tools depend on, and whether it answered."""

CLOSING = frozenset({"done", "refused", "failed", "withheld"})
"""Header outcomes that end a call; one such event may stand for each call."""


_ALERTS = {Kind.ALERT_RAISED: "raised", Kind.ALERT_RESOLVED: "resolved"}
"""Kinds of which one may stand for each alert."""

_NUMBERED = {Kind.KEY_ROTATED: "key", Kind.RUN_WORDS: "words"}
"""Kinds of which one may stand in a chain for each number, with what that is called."""


class Fact(NamedTuple):
    """One fact, not yet in the ledger.

    Attributes:
        kind: What it says.
        body: Erasable payload, JSON. Names, addresses, arguments and their digests stand here, and in no
            header; what a table says of them goes with them.
        call_id, step, attempt: Where in the run; empty or 0 where it does not apply. What reserves and is no call
            has its own name in the place of a call's, a rollout, an alert, an eval and a session their ids, and what
            is remembered the key of its call. Of a key, `step` is its number; of a user's further words, and of the end
            that they put to a conversation, that of the model's turn that these follow, or of the event where no model
            is known.
        principal_id: Pseudonym of who is acting.
        tool_hash: Digest of the tool's definition.
        policy_hash: Digest of the policies.
        decision: Verdict, of a decision.
        outcome: Outcome kind, of an event that says one.
        approval_id: The approval that it is about.
        trace_id: W3C trace id, where the caller has one.
    """

    kind: Kind
    body: dict[str, Any]
    call_id: str = ""
    step: int = 0
    attempt: int = 0
    principal_id: str = ""
    tool_hash: str = ""
    policy_hash: str = ""
    decision: str = ""
    outcome: str = ""
    approval_id: str = ""
    trace_id: str = ""

    @property
    def closes(self) -> bool:
        """Whether it ends its call."""
        return self.outcome in CLOSING and self.kind is not Kind.CALL_COMPENSATED

    @property
    def unique(self) -> str:
        """What may stand once in a chain, as a key; empty for facts that may repeat."""
        if self.kind is Kind.CALL_COMPENSATED:
            return f"compensated/{self.call_id}/{self.attempt}/{self.outcome}"
        if self.outcome in CLOSING:
            return "closed/" + self.call_id
        if self.kind is Kind.CALL_REPORTED:
            return "reported/" + self.call_id
        if self.kind is Kind.RUN_STARTED:
            return "started"
        if self.kind in (Kind.CALL_INTENT, Kind.BUDGET_RESERVED):
            return "intent/" + self.call_id
        if self.kind is Kind.APPROVAL_CONSUMED:
            return "consumed/" + self.approval_id
        if self.kind is Kind.APPROVAL_DECIDED:
            return f"decided/{self.approval_id}/{self.principal_id}"
        if self.kind in (Kind.MEMORY_REMEMBERED, Kind.MEMORY_FORGOTTEN):
            return "memory/" + self.call_id
        if self.kind is Kind.ROLLOUT_ROLLED_BACK:
            return "rolled_back/" + self.call_id
        if self.kind is Kind.RUN_FINISHED and self.step:
            return f"words/{self.step}"  # by its user, who has said all: in the place of further words
        if (alert := _ALERTS.get(self.kind)) is not None:
            return f"{alert}/{self.call_id}"
        if (numbered := _NUMBERED.get(self.kind)) is not None:
            return f"{numbered}/{self.step}"
        if self.kind in (Kind.SESSION_OPENED, Kind.SESSION_ENDED) and self.call_id:
            return f"{self.kind.value}/{self.call_id}"
        if self.kind is Kind.OPERATOR and self.call_id:
            return f"retried/{self.call_id}/{self.attempt}"
        return ""


class Event(NamedTuple):
    """A fact in its chain.

    Attributes:
        fact: What it says; its body is empty where the payload was erased.
        tenant: Whose it is.
        chain: Run id, `deployment`, `tenant/<id>`, `evals/<tenant>`, `memory/<digest>`, `notices`, `alerts`,
            `definitions` or `health`.
        seq: 1, 2, 3, … within the chain.
        at_us: Store time, microseconds UTC. Order is by `seq`, never by this.
        prev_hash: Hash of the event before it; empty for the first.
        header: The exact bytes that were hashed.
        hash: SHA-256 over `prev_hash` and `header`, 32 bytes.
        salt: 32 random bytes that the payload's commitment is keyed with.
        payload: Canonical JSON of the body.
    """

    fact: Fact
    tenant: str
    chain: str
    seq: int
    at_us: int
    prev_hash: bytes
    header: bytes
    hash: bytes
    salt: bytes
    payload: bytes


def nothing_since(waiting: Event) -> bool:
    """Whether nothing was said between what a `run.waiting` was concluded from and itself: only then does it hold."""
    seen: int = waiting.fact.body.get("seen", waiting.seq - 1)
    return seen == waiting.seq - 1


class GuardChange(NamedTuple):
    """A change of a shared integer row, made in the transaction of the event that needs it, or refused.

    Attributes:
        name: Row name; begins with the tenant.
        add: Signed change.
        at_most: The row's value may not pass this after the change; None for no upper limit.
        at_least: Nor fall below this; None for no lower limit.
        refills: The row is a time in microseconds of store time, which catches up with it: `add` is how long one use
            takes to come back, `at_most` (never None then) how far ahead of now the row may be. See ledger/guards.py.
    """

    name: str
    add: int
    at_most: int | None = None
    at_least: int | None = 0
    refills: bool = False

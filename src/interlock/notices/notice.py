"""What people are told: that somebody waits for them, for what, until when, and where to go."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from interlock.core.canonical import digest
from interlock.core.principal import FIRST_TENANT, OPERATOR


class NoticeKind(StrEnum):
    """Why somebody is waited for."""

    REQUESTED = "approval.requested"
    MANY = "approvals.waiting"
    EXPIRES = "approval.expires"
    UNKNOWN = "call.unknown"
    DEAD = "call.dead_lettered"
    NOT_UNDONE = "call.not_undone"
    ALERT = "alert.raised"
    OVER = "alert.resolved"
    TEST = "test"


CHOSEN: Final = (
    NoticeKind.REQUESTED, NoticeKind.EXPIRES, NoticeKind.UNKNOWN, NoticeKind.DEAD, NoticeKind.NOT_UNDONE,
    NoticeKind.ALERT, NoticeKind.OVER,
)  # fmt: skip
"""Kinds that a channel can be set to. A summary goes wherever the requests go that it stands for."""

OF_CALLS: Final = (NoticeKind.UNKNOWN, NoticeKind.DEAD, NoticeKind.NOT_UNDONE)
"""Kinds that are about a call."""

OF_ALERTS: Final = (NoticeKind.ALERT, NoticeKind.OVER)
"""Kinds that are about an alert; the others are about an approval."""

OPERATORS: Final = (OPERATOR,)
"""Who may decide about a call that is unknown, was given up on or could not be undone."""

Key = tuple[NoticeKind, str, str]
"""Kind, run, and the approval, the call or the alert: what a notice is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to tell. No arguments, results or words of a user are in it.

    Attributes:
        kind: Why.
        ref: The approval, the call or the alert; of a summary, its oldest request.
        tenant, run_id: Whose, and which run.
        at_us: Since when, microseconds UTC.
        tool, effect, subject: What would run, what that does, and on whose behalf; empty where it is not known.
        groups: Roles that may decide.
        quorum: How many of them it takes.
        expires_us: Until when; None for ever.
        count: Things that it is about.
        says: What an alert says, one sentence; empty for the rest.
    """

    kind: NoticeKind
    ref: str
    tenant: str = FIRST_TENANT
    run_id: str = ""
    at_us: int = 0
    tool: str = ""
    effect: str = ""
    subject: str = ""
    groups: tuple[str, ...] = OPERATORS
    quorum: int = 1
    expires_us: int | None = None
    count: int = 1
    says: str = ""

    @property
    def key(self) -> Key:
        """What it is about, whichever channel it goes to."""
        return self.kind, self.run_id, self.ref

    def id_for(self, channel: str) -> str:
        """What this notice is called in a channel: the same for every try, in every process, after every crash.

        `ntc_` and 32 hexadecimal digits.
        """
        about = (part.encode() for part in (*self.key, channel))
        return "ntc_" + digest("interlock/notice/1", *about).hex()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Which notices a channel is for; empty means all.

    Attributes:
        kinds: Of these kinds.
        groups: That one of these roles may decide.
        tenants: Of these tenants.
    """

    kinds: frozenset[str] = frozenset(CHOSEN)
    groups: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()

    def wants(self, notice: Notice) -> bool:
        """Whether the channel is for this notice."""
        kind = NoticeKind.REQUESTED if notice.kind is NoticeKind.MANY else notice.kind
        return (
            kind in self.kinds
            and (not self.groups or not self.groups.isdisjoint(notice.groups))
            and (not self.tenants or notice.tenant in self.tenants)
        )

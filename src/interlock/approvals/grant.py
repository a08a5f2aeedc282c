"""A grant: a narrow standing permission by people, as the tenant's chain says it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from interlock.approvals.where import Where, where_of
from interlock.core.call import ValidCall
from interlock.core.canonical import Json
from interlock.core.clock import SECOND_US
from interlock.core.decision import Hold
from interlock.core.event import Event, Kind
from interlock.core.tool import Effect, Tool
from interlock.errors import BadInput

USES_MAX = 1_000
LIFE_MAX_US = 30 * 86_400 * SECOND_US
REASON_MAX = 2_000
LIVE_MAX = 200
"""Grants of one tenant that may be live at once."""

REVOKED = 1_000_000
"""What revoking adds to a grant's row: more than any number of uses, so that no intent after it finds one left."""


class ToolIdentity(NamedTuple):
    """The tool that a grant is for, as it was defined when the grant was issued.

    Attributes:
        server, name: Which.
        hash: Digest of the definition; published anew, a tool has another one, and the grant is for it no more.
    """

    server: str
    name: str
    hash: str

    @classmethod
    def of(cls, tool: Tool) -> ToolIdentity:
        """The identity of a tool as it is now."""
        return cls(tool.server, tool.name, tool.digest)


class Voice(NamedTuple):
    """One person behind a grant.

    Attributes:
        person: Principal id.
        groups: The approver groups that they were in when they spoke.
    """

    person: str
    groups: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantTerms:
    """What a person says who issues a grant.

    Attributes:
        tool: Name of the tool that it is for, as this plane has it now.
        where: For which arguments: pointers to predicates (`approvals/where.py`).
        uses: Calls that it releases, 1 to 1,000.
        lasts_s: Seconds that it holds, 1 to 30 days.
        reason: Why, 1 to 2,000 characters; stays in the ledger.
        subject: On whose behalf, a principal id; empty for anybody's.
        named: The giver's name of it, of which there is one for each giver; empty for none.
    """

    tool: str
    where: Mapping[str, Any]
    uses: int
    lasts_s: int
    reason: str
    subject: str = ""
    named: str = ""

    def __post_init__(self) -> None:
        where_of(self.where)
        if type(self.uses) is not int or not 1 <= self.uses <= USES_MAX:
            raise BadInput(f"uses: {self.uses}", code="grant.uses", remedy=f"Give 1 to {USES_MAX}.")
        if type(self.lasts_s) is not int or not 1 <= self.lasts_s * SECOND_US <= LIFE_MAX_US:
            raise BadInput(f"expires: in {self.lasts_s} s", code="grant.expires", remedy="Give 1 second to 30 days.")
        if type(self.reason) is not str or not 1 <= len(self.reason.strip()) <= REASON_MAX:
            raise BadInput(
                "reason: none, or too long", code="grant.reason", remedy=f"Give 1 to {REASON_MAX} characters."
            )
        if type(self.subject) is not str:
            raise BadInput("subject: no id", code="grant.subject", remedy="Give a principal's id, or nothing.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One grant as it stands. Uses taken stand in its guard row.

    Attributes:
        grant_id, tenant: Which, whose.
        tool: For which tool.
        where: For which arguments.
        subject: On whose behalf; empty for anybody's.
        uses: Calls that it releases at most.
        issued_us, expires_us: From when, until when; microseconds UTC.
        reason: Why.
        voices: Who gave it: the issuer first, then who endorsed it.
        revoked: Whether somebody took it back.
    """

    grant_id: str
    tenant: str
    tool: ToolIdentity
    where: Where
    subject: str
    uses: int
    issued_us: int
    expires_us: int
    reason: str
    voices: tuple[Voice, ...]
    revoked: bool = False

    @property
    def guard(self) -> str:
        """Name of the row that counts its uses."""
        return f"{self.tenant}/grant/{self.grant_id}"

    def live(self, now_us: int) -> bool:
        """Whether it holds at this time, uses aside."""
        return not self.revoked and now_us < self.expires_us

    def covers(self, valid: ValidCall) -> bool:
        """Whether it is about this call of its tool: subject, every argument. Never about a privileged one."""
        return (
            valid.tool.effect is not Effect.PRIVILEGED
            and self.subject in ("", valid.call.principal.id)
            and self.where.matches(valid.arguments)
        )

    def speakers(self, hold: Hold, excluded: frozenset[str], groups: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
        """The people whose voices answer a hold; nobody where together they are no quorum or miss a group.

        Args:
            excluded: Ids of those who may not decide about this call.
            groups: The groups that each person is in now, of those that they spoke for.
        """
        said = {
            voice.person: groups[voice.person] & hold.groups for voice in self.voices if voice.person not in excluded
        }
        by = tuple(person for person, held in said.items() if held)
        held = frozenset(group for groups_ in said.values() for group in groups_)
        return by if len(by) >= hold.quorum and held >= hold.groups else ()


@dataclass(frozen=True, slots=True)
class Granted:
    """All grants of one tenant, as a fold over its chain.

    Attributes:
        grants: By id, in the order of their issue.
        by_tool: Those that nobody revoked, by the tool that they are for; the one that ends first comes first.
    """

    grants: Mapping[str, Grant] = field(default_factory=dict)
    by_tool: Mapping[ToolIdentity, tuple[Grant, ...]] = field(default_factory=dict)

    def after(self, events: Iterable[Event], /) -> Granted:
        """These grants and what further events say. One that cannot be read grants nothing."""
        grants = dict(self.grants)
        touched = False
        for event in events:
            if (apply := _APPLY.get(event.fact.kind)) is not None:
                apply(grants, event)
                touched = True
        if not touched:
            return self
        by_tool: dict[ToolIdentity, tuple[Grant, ...]] = {}
        for grant in sorted(grants.values(), key=_end):
            if not grant.revoked:
                by_tool[grant.tool] = (*by_tool.get(grant.tool, ()), grant)
        return Granted(grants, by_tool)

    def live(self, now_us: int) -> list[Grant]:
        """The grants that hold at this time, uses aside."""
        return [grant for grant in self.grants.values() if grant.live(now_us)]


def _end(grant: Grant) -> tuple[int, str]:
    return grant.expires_us, grant.grant_id


def issued_body(grant: Grant) -> dict[str, Json]:
    """Body of the `grant.issued` event of a grant that one person gave."""
    body: dict[str, Any] = {
        "grant_id": grant.grant_id,
        "tool": {"server": grant.tool.server, "name": grant.tool.name, "hash": grant.tool.hash},
        "where": grant.where.as_json(),
        "uses": grant.uses,
        "expires_us": grant.expires_us,
        "reason": grant.reason,
        "groups": sorted(grant.voices[0].groups),
    }
    return body | {"subject": grant.subject} if grant.subject else body


def _issued(grants: dict[str, Grant], event: Event) -> None:
    body = event.fact.body
    try:
        grant = Grant(
            grant_id=body["grant_id"], tenant=event.tenant, tool=ToolIdentity(**body["tool"]),
            where=where_of(body["where"]), subject=body.get("subject", ""), uses=body["uses"], issued_us=event.at_us,
            expires_us=body["expires_us"], reason=body["reason"],
            voices=(Voice(event.fact.principal_id, frozenset(body["groups"])),),
        )  # fmt: skip
    except (BadInput, KeyError, TypeError):
        return  # written by a later version, or erased
    grants.setdefault(grant.grant_id, grant)


def _endorsed(grants: dict[str, Grant], event: Event) -> None:
    body = event.fact.body
    grant = grants.get(body.get("grant_id", ""))
    if grant is not None and event.fact.principal_id not in {voice.person for voice in grant.voices}:
        voice = Voice(event.fact.principal_id, frozenset(body["groups"]))
        grants[grant.grant_id] = replace(grant, voices=(*grant.voices, voice))


def _revoked(grants: dict[str, Grant], event: Event) -> None:
    grant = grants.get(event.fact.body.get("grant_id", ""))
    if grant is not None:
        grants[grant.grant_id] = replace(grant, revoked=True)


_APPLY = {Kind.GRANT_ISSUED: _issued, Kind.GRANT_ENDORSED: _endorsed, Kind.GRANT_REVOKED: _revoked}

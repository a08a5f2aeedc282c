"""Who may say yes today: what a person is now, and what others have lent them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from interlock.approvals.delegation import Delegations
from interlock.core.principal import Principal
from interlock.errors import InterlockError, StoreUnavailable


class People(Protocol):
    """Who has which roles now. Whoever authenticates people supplies one."""

    async def now(self, said: Principal) -> Principal | None:
        """The person as they are now; None for somebody who is not there (any more).

        Args:
            said: As they were authenticated a moment ago, or recorded when they answered.

        Raises:
            InterlockError: It cannot be found out; nobody is entitled then.
        """
        ...


class Recorded:
    """People as they were authenticated or recorded: where nothing else is known of them."""

    async def now(self, said: Principal) -> Principal | None:
        """The same person with the same roles."""
        return said


@dataclass(frozen=True, slots=True)
class Standing:
    """A person and what they may say at one moment.

    Attributes:
        person: With the roles of that moment.
        lent: Roles that others have lent them, by whom.
        lends: Roles that they have lent to others, by whom to.
    """

    person: Principal
    lent: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lends: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def roles_for(self, groups: Sequence[str], excluded: Collection[str] = ()) -> tuple[list[str], dict[str, str]]:
        """Those of the groups that they may speak for, and for those that are lent, by whom.

        Args:
            excluded: People who may not decide: what they have lent does not count either.
        """
        own = self.person.roles.intersection(groups)
        lent: dict[str, str] = {}
        for lender, roles in sorted(self.lent.items()):
            if lender not in excluded:
                lent |= {role: lender for role in roles.intersection(groups) - own if role not in lent}
        return sorted({*own, *lent}), dict(sorted(lent.items()))

    def as_one_with(self, groups: Sequence[str]) -> list[str]:
        """Those who have lent them one of these roles, or to whom they have: a pair never counts as two people."""
        pairs = (*self.lent.items(), *self.lends.items())
        return sorted({other for other, roles in pairs if roles.intersection(groups)})


class Entitlement:
    """Who is entitled to what, asked anew every time.

    Args:
        people: Who has which roles now.
        delegations: What is lent.
    """

    def __init__(self, people: People, delegations: Delegations) -> None:
        self.people = people
        self.delegations = delegations

    async def standing(self, said: Principal, now_us: int) -> Standing:
        """What somebody may say now.

        Args:
            said: As they were authenticated, or as they were recorded.
        """
        known = await self.delegations.lent(said.tenant)
        person = await self._now(said)
        lent = {}
        for lender, roles in known.to(said.id, now_us).items():
            still = await self._now(Principal(lender, said.tenant, roles))
            if still.kind == "user" and (held := roles & still.roles):
                lent[lender] = held
        return Standing(person, lent, known.by(said.id, now_us))

    async def _now(self, said: Principal) -> Principal:
        """The person with those of the roles that they still have."""
        try:
            found = await self.people.now(said)
        except Exception as error:  # whoever supplies it: whatever it raises, nobody is entitled, and the call waits
            why = error if isinstance(error, InterlockError) else type(error).__name__
            raise StoreUnavailable(f"who may approve cannot be found out: {why}", code="people.unavailable") from None
        if found is None:
            return replace(said, roles=frozenset())
        kind = "user" if found.kind == said.kind == "user" else "service"
        return replace(said, roles=said.roles & found.roles, kind=kind)

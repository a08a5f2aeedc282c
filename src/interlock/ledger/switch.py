"""The stop switch, what is rolled out, and which policy was loaded, as this process knows them.

Read again as soon as anybody has written, so that a stop or a rollback binds within one call, whoever set it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from interlock.core.event import Event, Fact, Kind
from interlock.core.principal import ADMIN, FIRST_TENANT, OPERATOR, Principal
from interlock.errors import NotEntitled
from interlock.ledger.known import Known
from interlock.ledger.loaded import Loaded
from interlock.ledger.store import DEPLOYMENT, Append, Store, tenant_chain
from interlock.policy.flags import Flags, Scope, flag_body
from interlock.registry.rollout import NO_ROLLOUTS, Rollouts


@dataclass(frozen=True, slots=True)
class Standing:
    """What people have switched, of one tenant.

    Attributes:
        flags: What is stopped.
        rollouts: Who has which versions of tools.
        loaded: Which policy was loaded last by a person's word.
    """

    flags: Flags
    rollouts: Rollouts
    loaded: Loaded = field(default_factory=Loaded)

    def after(self, events: Iterable[Event]) -> Standing:
        """This standing and what further events say."""
        events = list(events)
        return Standing(self.flags.after(events), self.rollouts.after(events), self.loaded.after(events))


_UNTOUCHED = Standing(Flags(), NO_ROLLOUTS)


class StopSwitch:
    """What is stopped and what is rolled out, by tenant."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Known[Standing]] = {}

    async def standing(self, tenant: str) -> Standing:
        """What holds now for a tenant; read from the ledger only where somebody has written since."""
        known = self._known.get(tenant)
        if known is None:
            known = self._known[tenant] = Known(self._store, (DEPLOYMENT, tenant_chain(tenant)), _UNTOUCHED)
        return await known.now()

    async def flags(self, tenant: str) -> Flags:
        """What is stopped now for a tenant."""
        return (await self.standing(tenant)).flags

    async def turn(self, scope: Scope, target: str, person: Principal, *, stop: bool, reason: str = "") -> None:
        """Stop or resume something; binds the next call of every process on this ledger.

        Everything and a whole tenant stand in the deployment's chain, the rest in the person's tenant's.

        Raises:
            NotEntitled: Neither operator nor admin; or it is not their tenant's to stop. Nothing changed.
            LedgerError: It could not be written, and nothing changed.
        """
        _entitled(scope, target, person)
        fact = Fact(Kind.FLAG, flag_body(scope, target, stop=stop, reason=reason), principal_id=person.id)
        await self.say(person.tenant, fact, everywhere=scope in (Scope.ALL, Scope.TENANT))

    async def say(self, tenant: str, fact: Fact, *, everywhere: bool = False) -> None:
        """Record what holds from now on, for a tenant or in the deployment's chain; it binds the next call here too.

        Raises:
            LedgerError: It could not be written, and nothing changed.
        """
        chain = DEPLOYMENT if everywhere else tenant_chain(tenant)
        events = await self._store.append(Append(chain, tenant, [fact]))
        for other, known in self._known.items():
            if everywhere or other == tenant:
                known.absorb(events)


def _entitled(scope: Scope, target: str, person: Principal) -> None:
    if not person.roles & {OPERATOR, ADMIN}:
        raise NotEntitled(
            f"{person.id!r} is neither {OPERATOR} nor {ADMIN}", code="switch.role", remedy="Ask somebody who is."
        )
    beyond = scope is Scope.ALL or (scope is Scope.TENANT and target != person.tenant)
    if beyond and person.tenant != FIRST_TENANT:
        raise NotEntitled(
            f"{person.id!r} is of the tenant {person.tenant!r}, which is not all there is", code="switch.tenant",
            remedy=f"Stop your own tenant, or ask somebody of the tenant {FIRST_TENANT!r}.",
        )  # fmt: skip

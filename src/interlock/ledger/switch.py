"""The stop switch as this process knows it.

Read again as soon as anybody has written, so that a stop binds within one call, whoever set it.
"""

from __future__ import annotations

from interlock.core.event import Fact, Kind
from interlock.core.principal import ADMIN, FIRST_TENANT, OPERATOR, Principal
from interlock.errors import NotEntitled
from interlock.ledger.known import Known
from interlock.ledger.store import DEPLOYMENT, Append, Store, tenant_chain
from interlock.policy.flags import Flags, Scope, flag_body


class StopSwitch:
    """What is stopped, by tenant."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Known[Flags]] = {}

    async def flags(self, tenant: str) -> Flags:
        """What is stopped now for a tenant; read from the ledger only where somebody has written since."""
        known = self._known.get(tenant)
        if known is None:
            known = self._known[tenant] = Known(self._store, (DEPLOYMENT, tenant_chain(tenant)), Flags())
        return await known.now()

    async def turn(self, scope: Scope, target: str, person: Principal, *, stop: bool, reason: str = "") -> None:
        """Stop or resume something; binds the next call of every process on this ledger.

        Everything and a whole tenant stand in the deployment's chain, the rest in the person's tenant's.

        Raises:
            NotEntitled: Neither operator nor admin; or it is not their tenant's to stop. Nothing changed.
            LedgerError: It could not be written, and nothing changed.
        """
        _entitled(scope, target, person)
        everywhere = scope in (Scope.ALL, Scope.TENANT)
        chain = DEPLOYMENT if everywhere else tenant_chain(person.tenant)
        fact = Fact(Kind.FLAG, flag_body(scope, target, stop=stop, reason=reason), principal_id=person.id)
        events = await self._store.append(Append(chain, person.tenant, [fact]))
        for tenant, known in self._known.items():
            if everywhere or tenant == person.tenant:
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

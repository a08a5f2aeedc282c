"""The stop switch as this process knows it.

Read again as soon as anybody has written, so that a stop binds within one call, whoever set it.
"""

from __future__ import annotations

from interlock.core.event import Event, Fact, Kind
from interlock.core.principal import ADMIN, FIRST_TENANT, OPERATOR, Principal
from interlock.errors import NotEntitled
from interlock.ledger.store import DEPLOYMENT, Append, Store, tenant_chain
from interlock.policy.flags import Flags, Scope, flag_body


class StopSwitch:
    """What is stopped, by tenant."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, _Known] = {}

    async def flags(self, tenant: str) -> Flags:
        """What is stopped now for a tenant; read from the ledger only where somebody has written since."""
        known = self._known.get(tenant)
        if known is None:
            known = self._known[tenant] = _Known()
        changes = self._store.changes()
        if changes != known.changes:
            for chain in (DEPLOYMENT, tenant_chain(tenant)):
                known.absorb(await self._store.read(chain, known.seen.get(chain, 0)))
            known.changes = changes
        return known.flags

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


class _Known:
    """One tenant's flags and how far they are read."""

    def __init__(self) -> None:
        self.flags = Flags()
        self.seen: dict[str, int] = {}
        self.changes = -1

    def absorb(self, events: list[Event]) -> None:
        """Fold in what follows; events out of line are left for the next reading."""
        following = [event for event in events if event.seq > self.seen.get(event.chain, 0)]
        if not following:
            return
        chain = following[0].chain
        if following[0].seq != self.seen.get(chain, 0) + 1:
            self.changes = -1
            return
        self.flags = self.flags.after(following)
        self.seen[chain] = following[-1].seq

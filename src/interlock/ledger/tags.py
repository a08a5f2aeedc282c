"""Cache tags: which results that were read earlier are out of date, because somebody has written since.

A write declares the tags that it puts out of date. Each of its tags has a row among the guards, which is raised
in the transaction of its intent, and in that of every outcome that it comes to (done, failed, unknown, settled): from
its intent on it may have changed the world, and what was read before its end may be what was before it. So every
process on the ledger finds out as soon as it looks, and it looks where somebody else has written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from interlock.core.event import Fact, GuardChange, Kind
from interlock.core.run import RunState
from interlock.errors import StoreUnavailable
from interlock.ledger.store import Store

_OUTCOMES = frozenset({Kind.CALL_RESULT, Kind.CALL_UNKNOWN, Kind.CALL_RECONCILED})


def outdated(facts: Iterable[Fact], run: RunState) -> tuple[str, ...]:
    """The tags that these facts of a run put out of date: those of each intent, and of each call that has one and ends.

    Told from the ledger alone, so that it holds whoever ends the call: its worker, a recovery, a person.
    """
    tags: set[str] = set()
    for fact in facts:
        kind = fact.kind
        if kind is Kind.CALL_INTENT:
            tags.update(fact.body.get("invalidates", ()))
        elif kind in _OUTCOMES and (call := run.calls.get(fact.call_id)) is not None:
            tags.update(call.invalidates)
    return tuple(sorted(tags)) if tags else ()


def raises(tenant: str, tags: Sequence[str]) -> tuple[GuardChange, ...]:
    """The changes that tell every process of the tenant's writes under these tags."""
    return tuple(GuardChange(_row(tenant, tag), 1) for tag in tags)


class Tags:
    """How often each tag was raised, as this process knows it: two equal readings have no write between them.

    The numbers are this process's own: one more whenever it raises a tag itself, and whenever the row is not what it
    was at the last look. They never come back to what they were, even where another process raised it too.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, _Known] = {}

    async def reading(self, tenant: str, tags: Sequence[str]) -> tuple[int, ...] | None:
        """The numbers of a tenant's tags now; None where they cannot be read, and then nothing is known to be current.

        The ledger is read only where somebody else has written since the last time.
        """
        if not tags:
            return ()
        known = self._known.get(tenant)
        if known is None:
            known = self._known[tenant] = _Known()
        try:
            changes = self._store.changes()
            if changes != known.changes:
                known.look(await self._store.guards(_row(tenant, "")))
                known.changes = changes
        except StoreUnavailable:
            return None
        return tuple(known.raised.get(_row(tenant, tag), 0) for tag in tags)

    def raised(self, tenant: str, tags: Iterable[str]) -> None:
        """This process has raised these tags, or has tried to."""
        known = self._known.get(tenant)
        if known is not None:
            for tag in tags:
                known.count(_row(tenant, tag))


class _Known:
    """One tenant's tags."""

    def __init__(self) -> None:
        self.changes = -1
        self.raised: dict[str, int] = {}
        self._rows: Mapping[str, int] = {}

    def look(self, rows: Mapping[str, int]) -> None:
        """What stands in the ledger; a row that is not what it was counts as raised, whichever way it went."""
        for name in {*rows, *self._rows}:
            if rows.get(name) != self._rows.get(name):
                self.count(name)
        self._rows = rows

    def count(self, name: str) -> None:
        self.raised[name] = self.raised.get(name, 0) + 1


def _row(tenant: str, tag: str) -> str:
    """The row of a tag; a tag has no slash, so that no two tenants share one, whatever they are called."""
    return f"{tenant}/cache/{tag}"

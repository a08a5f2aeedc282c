"""What a process knows of chains that every process may write to: a fold, read on only where somebody has written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, Self, TypeVar

from interlock.core.event import Event
from interlock.ledger.store import Store


class Fold(Protocol):
    """What events say, as a value: `policy.flags.Flags` is one."""

    def after(self, events: Iterable[Event], /) -> Self:
        """This fold and what further events say; kinds that it does not know are passed over."""
        ...


F = TypeVar("F", bound=Fold)


class Known(Generic[F]):
    """A fold over some chains and how far they are read, so that what anybody writes binds within one call.

    Args:
        store: Where the chains are.
        chains: Their names.
        fold: What is known of no event.
    """

    def __init__(self, store: Store, chains: Sequence[str], fold: F) -> None:
        self._store = store
        self._chains = tuple(chains)
        self._fold = fold
        self._seen: dict[str, int] = {}
        self._changes = -1

    async def now(self) -> F:
        """The fold, current; no reading at all where nobody has written since.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        changes = self._store.changes()
        if changes != self._changes:
            for chain in self._chains:
                self.absorb(await self._store.read(chain, self._seen.get(chain, 0)))
            self._changes = changes
        return self._fold

    def absorb(self, events: Sequence[Event]) -> None:
        """Fold in what this process wrote itself; events out of line are left for the next reading."""
        following = [event for event in events if event.seq > self._seen.get(event.chain, 0)]
        if not following:
            return
        chain = following[0].chain
        if following[0].seq != self._seen.get(chain, 0) + 1:
            self._changes = -1
            return
        self._fold = self._fold.after(following)
        self._seen[chain] = following[-1].seq

"""The events of one tenant's runs within a time, in the order of their commits, in bounded memory.

Each run is followed by somebody who knows what its chain said before: whoever follows a run that began earlier, or one
that was let go of meanwhile, is told of it from its start. On the way each chain is held against its own hashes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

from interlock.core.canonical import keyed
from interlock.core.event import Event, Kind
from interlock.ledger.store import Store

_PAGE: Final = 1000

FOLLOWED_MAX: Final = 4096
"""Runs that are followed at once; the one that said nothing for longest is let go of."""

_TELLING: Final = frozenset({Kind.RUN_STARTED, Kind.RUN_WORDS, Kind.CALL_DECIDED, Kind.CALL_REPORTED})
"""Kinds for which a run that is not followed is taken up."""

_OVER: Final = frozenset({Kind.RUN_FINISHED, Kind.RUN_CANCELLED})

Progress = Callable[[int, int], None]
"""Told how many events were looked at, and how many there are."""


def untold(done: int, whole: int) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which events.

    Attributes:
        tenant: Whose.
        since_us, until_us: From this moment on, and before that one, microseconds UTC; None for no bound.
        progress: Told how far it is.
        followed_max: Runs that are followed at once.
    """

    tenant: str
    since_us: int | None = None
    until_us: int | None = None
    progress: Progress = untold
    followed_max: int = FOLLOWED_MAX

    def has(self, at_us: int) -> bool:
        """Whether a moment is within."""
        return (self.since_us or 0) <= at_us and (self.until_us is None or at_us < self.until_us)


class Follower(Protocol):
    """Follows one run."""

    def take(self, event: Event, *, told: bool) -> None:
        """The next event of the run, from its first.

        Args:
            told: Whether it is within the window and was not told before; else it is what is to be known beforehand.
        """
        ...

    def end(self) -> None:
        """Nothing more comes, or nothing that matters."""
        ...


F = TypeVar("F", bound=Follower)


@dataclass(slots=True)
class _Chain(Generic[F]):
    """One followed run: its follower, and the end of its chain as far as that holds."""

    follower: F
    seq: int = 0
    hash: bytes = b""
    broken: bool = False


@dataclass(slots=True)
class Walked:
    """What was found on the way.

    Attributes:
        events: Events that were looked at.
        broken: Chain to the number of its first event that does not hold.
    """

    events: int = 0
    broken: dict[str, int] = field(default_factory=dict)


async def walk(store: Store, window: Window, follow: Callable[[str], F], broken: Callable[[Event], None]) -> Walked:
    """Let a follower of each run have its events.

    Args:
        follow: Makes the follower of a run.
        broken: Told each event of the window that stands where its chain does not hold any more, in a follower's place.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    walked, chains = Walked(), dict[str, _Chain[F]]()

    def take(chain: _Chain[F], event: Event, told: bool) -> None:
        if not chain.broken and not _holds(chain, event):
            chain.broken = True
            walked.broken.setdefault(event.chain, event.seq)
        if chain.broken:
            if told:
                broken(event)
            return
        chain.seq, chain.hash = event.seq, event.hash
        chain.follower.take(event, told=told)

    async for event in _events(store, window, walked):
        name = event.chain
        chain = chains.pop(name, None)
        if chain is None:
            kind = event.fact.kind
            if kind not in _TELLING and not (kind is Kind.RUN_CLAIMED and event.seq == 1):
                continue
            chain = _Chain(follow(name))
            if event.seq > 1:
                for earlier in await store.read(name):
                    if earlier.seq < event.seq:
                        take(chain, earlier, False)
        take(chain, event, window.has(event.at_us))
        if event.fact.kind in _OVER:
            chain.follower.end()
            continue
        chains[name] = chain  # the last one of whom something was heard
        if len(chains) > window.followed_max:
            chains.pop(next(iter(chains))).follower.end()
    for chain in chains.values():
        chain.follower.end()
    return walked


def _holds(chain: _Chain[F], event: Event) -> bool:
    """Whether an event follows the one before and its payload, where there is one, is what its header commits to."""
    if (event.seq, event.prev_hash) != (chain.seq + 1, chain.hash):
        return False
    return not event.payload or keyed(event.salt, event.payload).hex().encode() in event.header


async def _events(store: Store, window: Window, walked: Walked) -> AsyncIterator[Event]:
    """The tenant's events from the first one of the window on, to the last there is now, or of the window."""
    end = await _first(store, None)
    start = await _first(store, window.since_us) if window.since_us is not None else 1
    last = end - 1 if window.until_us is None else await _first(store, window.until_us) - 1
    after, whole = start - 1, max(0, last - start + 1)
    while after < last:
        page = await store.follow(after, min(_PAGE, last - after))
        if not page:
            break
        for after, event in page:
            walked.events += 1
            if event.tenant == window.tenant and after <= last:
                yield event
        window.progress(min(after - start + 1, whole), whole)
    window.progress(whole, whole)


async def _first(store: Store, at_us: int | None) -> int:
    """Position of the first event from a moment on, or the one behind the last.

    Found by halving: positions are in the order of commits, and times follow them unless a clock was set back.
    """

    async def reached(position: int) -> bool:
        found = await store.follow(position - 1, 1)
        return not found or (at_us is not None and found[0][1].at_us >= at_us)

    high = 1
    while not await reached(high):
        high *= 2
    low = high // 2 + 1 if high > 1 else 1
    while low < high:
        middle = (low + high) // 2
        if await reached(middle):
            high = middle
        else:
            low = middle + 1
    return low

"""What servers behind say by themselves of their lists and resources: who is told, and which resources are followed."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import anyio

Told = Callable[[str, str], None]
"""Told of a change: the protocol's method, and the URI of the resource where it is one's; must not wait."""

FOLLOWED_MAX: Final = 1024
"""Resources of one server that clients may follow at the same time; a further one is not followed."""

_SETTLE_S: Final = 5.0
"""Seconds that somebody who begins to follow a resource waits until its server was told."""


class Wanted:
    """The resources of one server that clients follow.

    Attributes:
        changed: Set when they are others; whoever follows them makes a new one first.
    """

    def __init__(self) -> None:
        self.changed = anyio.Event()
        self._counts: Counter[str] = Counter()
        self._settled = anyio.Event()

    @property
    def uris(self) -> frozenset[str]:
        """Which they are."""
        return frozenset(self._counts)

    def watch(self) -> tuple[anyio.Event, frozenset[str]]:
        """The event of their next change, and which they are now."""
        self.changed = anyio.Event()
        return self.changed, self.uris

    def settle(self) -> None:
        """The server was told of those that are followed now."""
        self._settled.set()

    async def add(self, uris: Collection[str]) -> list[str]:
        """Follow these, and wait a while until the server was told; those that there was room for."""
        taken = [uri for uri in uris if uri in self._counts or len(self._counts) < FOLLOWED_MAX]
        if any(uri not in self._counts for uri in taken):
            self._settled = anyio.Event()
            self.changed.set()
        self._counts.update(taken)
        with anyio.move_on_after(_SETTLE_S):
            await self._settled.wait()
        return taken

    def remove(self, uris: Collection[str]) -> None:
        """Follow these no longer, as often as they were added."""
        self._counts.subtract(uris)
        self._counts = +self._counts
        self.changed.set()


class News:
    """For the servers of one plane."""

    def __init__(self) -> None:
        self._told: list[Told] = []
        self._wanted: dict[str, Wanted] = {}

    def wanted(self, server: str) -> Wanted:
        """What is followed of a server."""
        return self._wanted.setdefault(server, Wanted())

    def tell(self, method: str, uri: str = "") -> None:
        """A server said that something changed."""
        for told in self._told:
            told(method, uri)

    @contextmanager
    def telling(self, told: Told) -> Iterator[None]:
        """Tell somebody for as long as the block lasts."""
        self._told.append(told)
        try:
            yield
        finally:
            self._told.remove(told)

    @asynccontextmanager
    async def following(self, server: str, uris: Collection[str]) -> AsyncIterator[None]:
        """Follow resources of a server for as long as the block lasts."""
        wanted = self.wanted(server)
        taken = await wanted.add(uris)
        try:
            yield
        finally:
            wanted.remove(taken)

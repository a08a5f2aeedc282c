"""Whose a request is, by what it came with: a key or a token in `Authorization`, or the cookie of a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from interlock.api.who import Who
from interlock.core.clock import Clock
from interlock.errors import NotEntitled
from interlock.key_ring import KeyRing

Approvers = Callable[[], frozenset[str]]
"""The groups that the policy in force lets approve anything, asked anew each time: a policy may be reloaded."""


class Admission(Protocol):
    """Says whose a request is."""

    async def bearer(self, authorization: str) -> Who:
        """Whose a key or token is.

        Args:
            authorization: The header as it came; empty for none.

        Raises:
            NotEntitled: Nobody's.
            InterlockError: It cannot be found out.
        """
        ...

    async def session(self, cookie: str) -> Who:
        """Whose session it is.

        Args:
            cookie: The `Cookie` header as it came; empty for none.

        Raises:
            NotEntitled: Nobody's, or it is over.
        """
        ...

    def csrf(self, who: Who) -> str:
        """What every form of a session bears, so that no other site's form passes for one of ours."""
        ...


class KeyBearers:
    """Bearers of the deployment's own keys; nobody has a session."""

    def __init__(self, ring: KeyRing, approvers: Approvers, clock: Clock) -> None:
        self._ring = ring
        self._approvers = approvers
        self._clock = clock

    async def bearer(self, authorization: str) -> Who:
        """See `Admission`."""
        scheme, _, text = authorization.partition(" ")
        key = await self._ring.find(text.strip() if scheme.lower() == "bearer" else "")
        return Who(
            principal=key.principal, scopes=key.scopes, by="key", since_us=self._clock.wall_us(),
            approvers=self._approvers(),
        )  # fmt: skip

    async def session(self, cookie: str) -> Who:
        """See `Admission`."""
        raise NotEntitled("nobody is signed in", code="session.missing", remedy="Sign in.")

    def csrf(self, who: Who) -> str:
        """See `Admission`: there are no sessions."""
        raise NotEntitled("nobody is signed in", code="session.missing", remedy="Sign in.")

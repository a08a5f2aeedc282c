"""Whose a request is, by what it came with: a key or a token in `Authorization`, or the cookie of a session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from interlock.api.sessions import Sessions, cookie_of, set_cookie
from interlock.api.who import Who
from interlock.core.clock import Clock
from interlock.gateway.admission import Admission as Programs

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


class Everybody:
    """Programs by their keys and tokens, people by their sessions.

    Args:
        programs: By keys, and by tokens that an issuer made for this API: those of another audience are nobody's here.
    """

    def __init__(self, programs: Programs, sessions: Sessions, approvers: Approvers, clock: Clock) -> None:
        self._programs = programs
        self._sessions = sessions
        self._approvers = approvers
        self._clock = clock

    async def bearer(self, authorization: str) -> Who:
        """See `Admission`. A key shows anew who its bearer is; of a token nobody knows how old it is."""
        key = await self._programs.admit(authorization)
        by_key = bool(key.id)
        return Who(
            principal=key.principal, scopes=key.scopes, by="key" if by_key else "token",
            since_us=self._clock.wall_us() if by_key else 0, approvers=self._approvers(),
        )  # fmt: skip

    async def session(self, cookie: str) -> Who:
        """See `Admission`."""
        session = await self._sessions.find(cookie_of(cookie))
        again = self._sessions.again(session)
        return replace(session.who(self._approvers()), renewed="" if again is None else set_cookie(again))

    def csrf(self, who: Who) -> str:
        """See `Admission`."""
        return self._sessions.csrf(who.session_id)

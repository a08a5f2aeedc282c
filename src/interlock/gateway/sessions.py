"""Whose each session of the older revisions is: nobody else comes in by its handle, nobody fills the house alone."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from interlock.core.principal import Principal
from interlock.errors import NotFound

OF_ONE_MAX: Final = 64
"""Sessions of one principal. Whoever opens another ends their own that has had no request for longest."""


class Sessions:
    """The sessions that were opened here, each with the principal who opened it."""

    def __init__(self, of_one: int = OF_ONE_MAX) -> None:
        self._of_one = of_one
        self._seen: dict[tuple[str, str], OrderedDict[str, None]] = {}

    def surplus(self, principal: Principal) -> str:
        """The session of this principal that has to end before another one is opened; empty for none."""
        mine = self._seen.get((principal.tenant, principal.id), OrderedDict())
        return next(iter(mine)) if len(mine) >= self._of_one else ""

    def opened(self, principal: Principal, session: str) -> None:
        """A session was opened by this principal."""
        self._seen.setdefault((principal.tenant, principal.id), OrderedDict())[session] = None

    def check(self, principal: Principal, session: str) -> None:
        """Refuse a handle that is not this principal's, with the words for one that does not exist.

        Raises:
            NotFound: It is not (`http.session`).
        """
        mine = self._seen.get((principal.tenant, principal.id), OrderedDict())
        if session not in mine:
            raise NotFound("no such session", code="http.session", remedy="Begin another one.")
        mine.move_to_end(session)

    def ended(self, principal: Principal, session: str) -> None:
        """A session is over."""
        mine = self._seen.get((principal.tenant, principal.id), OrderedDict())
        mine.pop(session, None)
        if not mine:
            self._seen.pop((principal.tenant, principal.id), None)

"""Which sessions of the older revisions follow which resources of the servers behind."""

from __future__ import annotations

from typing import Final

from interlock.errors import NotFound
from interlock.sources.news import News

SESSION_MAX: Final = 256
"""Resources that one session may follow."""


class Following:
    """One for each door's protocol."""

    def __init__(self, news: News) -> None:
        self._news = news
        self._sessions: dict[str, dict[str, str]] = {}

    async def add(self, session: str, server: str, uri: str) -> None:
        """Have a session follow a resource.

        Raises:
            NotFound: It follows too many, or the server's are too many.
        """
        mine = self._sessions.setdefault(session, {})
        if uri in mine:
            return
        if len(mine) >= SESSION_MAX or not await self._news.wanted(server).add((uri,)):
            raise NotFound(f"no more than {SESSION_MAX} resources can be followed", code="gateway.resource")
        mine[uri] = server

    def remove(self, session: str, uri: str) -> None:
        """Have it follow that one no longer."""
        if server := self._sessions.get(session, {}).pop(uri, ""):
            self._news.wanted(server).remove((uri,))

    def forget(self, session: str) -> None:
        """The session is over."""
        for uri, server in self._sessions.pop(session, {}).items():
            self._news.wanted(server).remove((uri,))

    def follows(self, session: str, uri: str) -> bool:
        """Whether a session follows a resource."""
        return uri in self._sessions.get(session, ())

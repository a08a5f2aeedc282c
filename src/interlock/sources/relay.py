"""What a server behind may ask of the client in front: nothing, but for what the operator allowed and a call carries.

A server asks while a call of somebody runs. Whoever made that call attaches a `Client` to it, which knows how to put
the question; where nobody did, or where it is not known which call a question belongs to, it is refused (T36).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from interlock.errors import NotEntitled
from interlock.sources.news import News

ASKED_BY: Final = {
    "sampling/createMessage": "sampling", "elicitation/create": "elicitation", "roots/list": "roots",
    "notifications/message": "logging", "notifications/elicitation/complete": "elicitation",
}  # fmt: skip
"""Method to what the operator must have allowed for it."""


class Way(StrEnum):
    """How a client is asked."""

    NOT = "not"
    DURING = "during"
    """While the call runs: the protocol's older revisions."""
    INSTEAD = "instead"
    """In the place of the call's result; it makes the request again, with the answers: the revision of 2026."""


class Client(Protocol):
    """Who is in front of a call: an MCP client, or a person at one."""

    @property
    def way(self) -> Way:
        """How it is asked."""
        ...

    @property
    def takes(self) -> Mapping[str, Any]:
        """What it said that it can answer: of `sampling`, `elicitation` and `roots`, each with its details."""
        ...

    @property
    def brought(self) -> Mapping[str, Any]:
        """What it came back with: `inputResponses`, and the `requestState` that the server gave; or neither."""
        ...

    def shown(self, server: str, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """A server's question as it is put to this client: with the name of the server.

        Raises:
            NotEntitled: It is not put.
        """
        ...

    async def ask(self, server: str, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put a server's question and return the answer. Show the name of the server with it: it is not ours.

        Args:
            server: The operator's name of the server.
            method: `sampling/createMessage`, `elicitation/create` or `roots/list`.
            params: The server's own words: data.

        Raises:
            NotEntitled: It is not put, or nobody will answer.
        """
        ...

    async def tell(self, server: str, method: str, params: Mapping[str, Any]) -> None:
        """Hand on what a server says, such as `notifications/message`. What cannot be handed on is dropped."""
        ...


class Nobody:
    """Nobody is in front: every question is refused, and what is said is dropped."""

    way: Way = Way.NOT
    takes: Mapping[str, Any] = MappingProxyType({})
    brought: Mapping[str, Any] = MappingProxyType({})

    def shown(self, server: str, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Refuse it."""
        raise NotEntitled(f"nobody is there for {server!r} to ask {method}", code="relay.nobody")

    async def ask(self, server: str, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Refuse it."""
        return self.shown(server, method, params)

    async def tell(self, server: str, method: str, params: Mapping[str, Any]) -> None:
        """Drop it."""


class Relay:
    """Which client is in front of which call.

    Attributes:
        news: What the servers say by themselves, for no call.
    """

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        self.news = News()

    @contextmanager
    def attach(self, call_id: str, client: Client) -> Iterator[None]:
        """Have a client answer for a call, for as long as the block lasts."""
        before = self._clients.get(call_id)
        self._clients[call_id] = client
        try:
            yield
        finally:
            if before is None:
                self._clients.pop(call_id, None)
            else:
                self._clients[call_id] = before

    def client_of(self, call_id: str) -> Client:
        """Who answers for a call; somebody who refuses everything where nobody was attached."""
        return self._clients.get(call_id, NOBODY)


NOBODY: Final = Nobody()


def check_question(server: str, allow: frozenset[str], method: str, params: Mapping[str, Any]) -> None:
    """Refuse a question that may not be put to anybody.

    Args:
        allow: What the operator allowed this server: `sampling`, `elicitation`, `roots`, `logging`.

    Raises:
        NotEntitled: The operator did not allow it, or it sends somebody to what is no web address.
    """
    needed = ASKED_BY.get(method)
    if needed is None or needed not in allow:
        raise NotEntitled(
            f"server {server!r} may not use {method}", code="relay.not_allowed",
            remedy=f'Put allow = ["{needed or method}"] under this server if it should.',
        )  # fmt: skip
    url = params.get("url")
    if url is not None and not is_web_address(url):
        raise NotEntitled(f"server {server!r} sends somebody to what is no web address", code="relay.url")


def is_web_address(url: object) -> bool:
    """Whether a text is a plain http(s) URL: no other scheme, no login in it, nothing invisible."""
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        return False

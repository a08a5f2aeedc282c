"""What a connection to a server goes by, and what it is to whoever uses it: without the SDK, which is an extra."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import anyio
from anyio.abc import TaskStatus

from interlock.core.tool import CallContext
from interlock.sources.mcp_tools import Profile

Key = tuple[str, str, bool]
"""Tenant and principal of a connection, both empty for a shared one; whether it is for clients of older revisions."""

SHARED: Final[Key] = ("", "", False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a connection goes by.

    Attributes:
        server: The operator's name of the server.
        allow: What it may ask of the client in front.
        start_s: Seconds until it must have answered who it is; the same again for each list.
        items_max: Entries that one list of it may have.
        alone: Whether a question belongs to the one call under way, because its transport does not say to which.
    """

    server: str
    allow: frozenset[str] = frozenset()
    start_s: float = 30.0
    items_max: int = 512
    alone: bool = False


class Connection(Protocol):
    """A connection to a server, as `mcp_session.Connection` is one; what stands here needs no SDK.

    Attributes:
        changed: Set when the server says that its tools changed, or when the connection ended.
        why: Why it is not open, in our words.
        odd: Of the list that was read last, the entries that are none: name to why.
    """

    changed: anyio.Event
    why: str
    odd: Mapping[str, str]

    @property
    def open(self) -> bool:
        """Whether calls can be made."""
        ...

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        ...

    @property
    def offers(self) -> frozenset[str]:
        """What the server says that it has, by the protocol's names: `tools`, `resources`, `prompts` and others."""
        ...

    @property
    def revision(self) -> str:
        """The revision of the protocol that was agreed on; empty before."""
        ...

    @property
    def stateless(self) -> bool:
        """Whether that revision has no sessions, so that a server can ask in the place of a result alone."""
        ...

    @property
    def errors(self) -> bytes:
        """What the server wrote to its standard error, the last of it."""
        ...

    async def keep(self, *, task_status: TaskStatus[None]) -> None:
        """Open it, say so, and keep it until it ends."""
        ...

    def close(self) -> None:
        """Have it end."""
        ...

    async def list(self, method: str, key: str) -> list[dict[str, Any]]:
        """Every entry of a list of the server."""
        ...

    async def call(self, name: str, arguments: Mapping[str, Any], context: CallContext) -> dict[str, Any]:
        """Call a tool."""
        ...

    async def request(self, method: str, params: Mapping[str, Any], call_id: str) -> dict[str, Any]:
        """Make another request on behalf of a call."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a server is reached by.

    Attributes:
        terms: What its connections go by.
        connect: Makes a connection for a principal, or the shared one; not open yet.
        profile: The operator's word on its tools.
        per_principal: Whether each principal has a connection of its own.
        older: Whether the call of an id is made for a client that is asked while it runs, as the older revisions do.
        relist_s: Seconds after which its tools are listed again in any case.
        ping_s: Seconds of silence after which it is asked whether it is there.
    """

    terms: Terms
    connect: Callable[[Key], Connection]
    profile: Profile
    per_principal: bool = False
    older: Callable[[str], bool] = lambda call_id: False
    relist_s: float = 300.0
    ping_s: float = 30.0

"""What a connection to a server goes by, and what it is to whoever uses it: without the SDK, which is an extra."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import anyio
from anyio.abc import TaskStatus

from interlock.core.tool import CallContext


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
    """

    changed: anyio.Event
    why: str

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

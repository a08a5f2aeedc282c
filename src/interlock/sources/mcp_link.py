"""A way to a server, whatever it leads over: two streams for the SDK's session, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import httpx2
from mcp.client._transport import ReadStream, WriteStream
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.message import SessionMessage
from mcp.shared.transport_context import TransportContext


@dataclass(slots=True, kw_only=True)
class Link:
    """A way to a server.

    Attributes:
        received, sending: What the session reads and writes.
        dispatcher: What correlates both, where it is another than the SDK's.
        errors: What the server wrote to its standard error, the last of it.
        told: It was sent a secret: nothing is kept any more of what it writes to its standard error.
        why: Why it ended, in our words; empty while it stands.
        ended: Set when nothing more comes of it.
    """

    received: ReadStream[SessionMessage | Exception]
    sending: WriteStream[SessionMessage]
    dispatcher: JSONRPCDispatcher[TransportContext] | None = None
    errors: bytearray = field(default_factory=bytearray)
    told: bool = False
    why: str = ""
    ended: anyio.Event = field(default_factory=anyio.Event)

    def end(self, why: str) -> None:
        """Note that it ended; the first word stands."""
        self.why = self.why or why
        self.ended.set()


@dataclass(slots=True)
class Trip:
    """What became of one request on its way, as far as its transport knows.

    Attributes:
        call_id: The call that it is made for; empty for none.
        takes: What the client in front of it can answer (`relay.Client.takes`); None where no client is meant.
        status: HTTP status of the answer; 0 where there is none, or no HTTP.
        retry_after_s: Seconds that the far end asked for; 0 where it did not.
        not_sent: Nothing left this process.
        lost: What went wrong after something had left; empty for nothing.
        answer: An answer that came already, for the SDK to read as that to its own request; None for none.
        odd: Entries of the list that was asked for which have not the protocol's form: name to why.
    """

    call_id: str = ""
    takes: Mapping[str, Any] | None = None
    status: int = 0
    retry_after_s: float = 0.0
    not_sent: bool = False
    lost: str = ""
    answer: httpx2.Response | None = None
    odd: dict[str, str] = field(default_factory=dict)


TRIP: Final[ContextVar[Trip | None]] = ContextVar("interlock_trip", default=None)
"""The request that is being made, seen by its transport and by what the server asks because of it."""

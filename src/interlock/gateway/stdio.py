"""The door over the standard streams of this process: one client, one conversation. A leaf of the extra `mcp`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Self, cast

import anyio
import anyio.to_thread

from interlock.errors import BadInput, MissingExtra
from interlock.gateway.caller import Caller
from interlock.gateway.door import Door
from interlock.gateway.message import MESSAGE_MAX, Message, read_message
from interlock.gateway.protocol import Protocol
from interlock.keys import Key

try:
    from mcp.client._transport import WriteStream
    from mcp.server.stdio import stdio_server
    from mcp.shared.message import SessionMessage
    from mcp_types import JSONRPCError, JSONRPCResponse
except ImportError:
    raise MissingExtra("the gateway needs an extra", remedy="Install `interlock[mcp]`.") from None

logger = logging.getLogger("interlock.gateway")

PROCESS = "stdio"


async def serve_stdio(door: Door, key: Key, stop: anyio.Event, drain_s: float) -> None:
    """Serve the client at the other end of the standard streams until it closes its end, or until `stop`.

    In either case what is being called then has `drain_s` seconds to end, and what was asked before the client closed
    its end has as long to be answered. While it serves, whatever else is written to the standard output goes to the
    error output.
    """
    caller = Caller(principal=key.principal, scopes=key.scopes, session=PROCESS, lasting=True)
    protocol = Protocol(door, lambda _: caller)
    asked = _Asked()
    lines = cast("anyio.AsyncFile[str]", _Lines(asked, partial(_last, asked, door, drain_s)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(_until, stop, door, drain_s, tasks.cancel_scope))
        async with stdio_server(stdin=lines) as (incoming, outgoing), outgoing, anyio.create_task_group() as beside:
            beside.start_soon(protocol.changes.watch, lambda: door.plane.plane.registry)
            await protocol.server.run(incoming, _Answers(outgoing, asked), protocol.options)
            beside.cancel_scope.cancel()
        tasks.cancel_scope.cancel()  # not before all that was answered is written


async def _until(stop: anyio.Event, door: Door, drain_s: float, serving: anyio.CancelScope) -> None:
    await stop.wait()
    await door.drained(drain_s)
    serving.cancel()


async def _last(asked: _Asked, door: Door, drain_s: float) -> None:
    """Wait until all is answered that was asked and no call is under way, at most so many seconds."""
    with anyio.move_on_after(drain_s):
        await asked.answered()
        await door.drained(drain_s)


class _Asked:
    """Requests that were read and are not answered yet. At the end of its input the SDK drops what it works at."""

    def __init__(self) -> None:
        self._open: set[str | int] = set()
        self._none = anyio.Event()

    def read(self, message: Message) -> None:
        """A message was read. What its client takes back, and a subscription, may never be answered."""
        if message.method == "notifications/cancelled":
            self.settle(message.params.get("requestId"))
        elif message.asked is not None and message.is_request and message.method != "subscriptions/listen":
            self._open.add(message.asked)

    def settle(self, request_id: object) -> None:
        """A request wants no answer any more."""
        if isinstance(request_id, str | int):
            self._open.discard(request_id)
        if not self._open:
            self._none.set()

    async def answered(self) -> None:
        """Wait until nothing is open."""
        while self._open:
            self._none = anyio.Event()
            await self._none.wait()


class _Answers:
    """What is sent to the client, of which is noted what it answers."""

    def __init__(self, outgoing: WriteStream[SessionMessage], asked: _Asked) -> None:
        self._outgoing = outgoing
        self._asked = asked

    async def send(self, item: SessionMessage, /) -> None:
        """Hand a message to whoever writes it."""
        await self._outgoing.send(item)
        if isinstance(item.message, JSONRPCResponse | JSONRPCError):
            self._asked.settle(item.message.id)

    async def aclose(self) -> None:
        """Nothing more is sent."""
        await self._outgoing.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class _Lines:
    """The lines of the standard input. Whoever stops waiting for one does not wait for it to come first.

    Args:
        asked: Is told what is read.
        last: Awaited before the end is told: what the end cuts off is let go on that long.
    """

    def __init__(self, asked: _Asked, last: Callable[[], Awaitable[None]]) -> None:
        self._asked = asked
        self._last = last

    def __aiter__(self) -> _Lines:
        return self

    async def __anext__(self) -> str:
        line = await anyio.to_thread.run_sync(_line, abandon_on_cancel=True)
        if not line:
            await self._last()
            raise StopAsyncIteration
        try:
            message = read_message(line)
        except BadInput as error:
            logger.warning("a line of the client is passed over: %s", error)
            return "\n"  # which the SDK passes over: nobody knows whom an answer would be for
        self._asked.read(message)
        return message.text.decode()


def _line() -> bytes:
    """The next line; of one that is too long no more than says so, though all of it is read."""
    line = sys.stdin.buffer.readline(MESSAGE_MAX + 2)
    rest = line
    while rest and not rest.endswith(b"\n") and len(line) > MESSAGE_MAX:
        rest = sys.stdin.buffer.readline(64 << 10)
    return line

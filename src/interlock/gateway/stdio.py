"""The door over the standard streams of this process: one client, one conversation. A leaf of the extra `mcp`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import cast

import anyio
import anyio.to_thread

from interlock.errors import BadInput, MissingExtra
from interlock.gateway.caller import Caller
from interlock.gateway.door import Door
from interlock.gateway.message import MESSAGE_MAX, read_message
from interlock.gateway.protocol import Protocol
from interlock.keys import Key

try:
    from mcp.server.stdio import stdio_server
except ImportError:
    raise MissingExtra("the gateway needs an extra", remedy="Install `interlock[mcp]`.") from None

logger = logging.getLogger("interlock.gateway")

PROCESS = "stdio"


async def serve_stdio(door: Door, key: Key, stop: anyio.Event, drain_s: float) -> None:
    """Serve the client at the other end of the standard streams until it closes its end, or until `stop`.

    In either case what is being called then has `drain_s` seconds to end. While it serves, whatever else is written to
    the standard output goes to the error output.
    """
    caller = Caller(principal=key.principal, scopes=key.scopes, session=PROCESS, lasting=True)
    protocol = Protocol(door, lambda _: caller)
    lines = cast("anyio.AsyncFile[str]", _Lines(partial(door.drained, drain_s)))
    async with anyio.create_task_group() as tasks, stdio_server(stdin=lines) as (incoming, outgoing):
        tasks.start_soon(protocol.changes.watch, lambda: door.plane.plane.registry)
        tasks.start_soon(partial(_until, stop, door, drain_s, tasks.cancel_scope))
        await protocol.server.run(incoming, outgoing, protocol.options)
        tasks.cancel_scope.cancel()


async def _until(stop: anyio.Event, door: Door, drain_s: float, serving: anyio.CancelScope) -> None:
    await stop.wait()
    await door.drained(drain_s)
    serving.cancel()


class _Lines:
    """The lines of the standard input. Whoever stops waiting for one does not wait for it to come first.

    Args:
        last: Awaited before the end is told: what the end cuts off is let go on that long.
    """

    def __init__(self, last: Callable[[], Awaitable[None]]) -> None:
        self._last = last

    def __aiter__(self) -> _Lines:
        return self

    async def __anext__(self) -> str:
        line = await anyio.to_thread.run_sync(_line, abandon_on_cancel=True)
        if not line:
            await self._last()
            raise StopAsyncIteration
        try:
            return read_message(line).text.decode()
        except BadInput as error:
            logger.warning("a line of the client is passed over: %s", error)
            return "\n"  # which the SDK passes over: nobody knows whom an answer would be for


def _line() -> bytes:
    """The next line; of one that is too long no more than says so, though all of it is read."""
    line = sys.stdin.buffer.readline(MESSAGE_MAX + 2)
    rest = line
    while rest and not rest.endswith(b"\n") and len(line) > MESSAGE_MAX:
        rest = sys.stdin.buffer.readline(64 << 10)
    return line

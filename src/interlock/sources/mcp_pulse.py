"""Whether a server that is left in peace is still there: asked by the protocol's ping, which costs it nothing."""

from __future__ import annotations

from typing import Final

import anyio

from interlock.errors import Rejected, ToolError, TryLater
from interlock.sources.mcp_connection import Connection, Plan

ANSWER_S: Final = 10.0
"""Seconds that a server which does nothing for us may take to answer a ping."""

SILENT: Final = "it did not answer a ping"


async def until_news(connection: Connection, plan: Plan) -> None:
    """Wait until the connection has news, is over, or is to be listed again. One that does not answer is closed.

    A server that works on a call of ours is not asked: many do one thing at a time, and to end the connection would
    leave that call unknown. Nor is one of a revision without sessions, which has no ping.
    """
    until = anyio.current_time() + plan.relist_s
    while not connection.changed.is_set() and (left := until - anyio.current_time()) > 0:
        with anyio.move_on_after(min(left, plan.ping_s)):
            await connection.changed.wait()
            return
        if not await _answers(connection):
            return connection.close()


async def _answers(connection: Connection) -> bool:
    if connection.busy or connection.stateless or not connection.open:
        return True
    with anyio.move_on_after(ANSWER_S):
        try:
            await connection.request("ping", {}, "")
        except (Rejected, TryLater):
            pass  # that it does not know the request is an answer
        except ToolError:
            return False
        return True
    return connection.busy  # a call that began meanwhile may be what it works on

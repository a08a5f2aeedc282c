"""Hears of a server what changed: by a stream that is kept open, or by subscriptions of the older revisions."""

from __future__ import annotations

import math
from typing import Any, Final

import anyio
from mcp.client.session import ClientSession
from mcp.client.subscriptions import SubscriptionLost, listen
from mcp.shared.exceptions import MCPError
from mcp_types import ServerCapabilities
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from interlock.core.tool import CallContext
from interlock.sources.news import Wanted

_PAUSE_S: Final = 0.5
_PAUSE_MAX_S: Final = 60.0
"""Seconds until a stream that broke off is opened again: the first time, and at most."""


async def keep_hearing(session: ClientSession, wanted: Wanted) -> None:
    """Have the server say what changes of its lists and of the resources that are wanted, until cancelled.

    What it says arrives at the session's message handler.
    """
    said = session.server_capabilities or ServerCapabilities()
    if (session.protocol_version or "") in MODERN_PROTOCOL_VERSIONS:
        await _listen(session, wanted, said)
    elif said.resources is not None and said.resources.subscribe:
        await _subscribe(session, wanted)


async def _listen(session: ClientSession, wanted: Wanted, said: ServerCapabilities) -> None:
    tools = bool(said.tools and said.tools.list_changed)
    prompts = bool(said.prompts and said.prompts.list_changed)
    resources = bool(said.resources and said.resources.list_changed)
    follows = bool(said.resources and said.resources.subscribe)
    pause_s = _PAUSE_S
    while True:
        changed, uris = wanted.watch()
        if not (tools or prompts or resources or (follows and uris)):
            await changed.wait()
            continue
        try:
            async with listen(
                session, tools_list_changed=tools, prompts_list_changed=prompts, resources_list_changed=resources,
                resource_subscriptions=sorted(uris) if follows else (),
            ) as stream, anyio.create_task_group() as tasks:  # fmt: skip
                wanted.settle()
                pause_s = _PAUSE_S

                async def until_others(changed: anyio.Event = changed) -> None:
                    await changed.wait()
                    tasks.cancel_scope.cancel()

                tasks.start_soon(until_others)
                async for _ in stream:
                    pass  # the message handler has it already
                tasks.cancel_scope.cancel()
        except* (MCPError, SubscriptionLost):
            pass
        if not changed.is_set():
            with anyio.move_on_after(pause_s):
                await changed.wait()
            pause_s = min(_PAUSE_MAX_S, pause_s * 2)


async def _subscribe(session: ClientSession, wanted: Wanted) -> None:
    told: set[str] = set()
    while True:
        changed, uris = wanted.watch()
        try:
            for uri in sorted(uris - told):
                await session.subscribe_resource(uri)
                told.add(uri)
            for uri in sorted(told - uris):
                await session.unsubscribe_resource(uri)
                told.discard(uri)
        except MCPError:
            told &= uris  # it is followed as far as the server allows
        wanted.settle()
        await changed.wait()


def progress_of(context: CallContext) -> Any:
    """Hands on how far a call is, by its server's word."""

    async def told(done: float, total: float | None, message: str | None) -> None:
        if math.isfinite(done):
            context.progress(done, total, message or "")

    return told

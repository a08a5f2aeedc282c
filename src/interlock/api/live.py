"""What happens, as it happens: the events of one tenant from a position on, as a stream of server-sent events.

An event's id is its position in the ledger, the same in every process: whichever worker a client comes back to goes on
behind the last one that it saw (threat T35: nothing of another tenant is ever in it).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import anyio

from interlock.api.paging import place_of
from interlock.api.site import Site
from interlock.api.who import Who
from interlock.core.event import Event, Kind
from interlock.errors import BadInput, MissingExtra, NotEntitled
from interlock.ledger.feed import Batch

try:
    from starlette.requests import HTTPConnection
    from starlette.responses import StreamingResponse
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

STILL_S: Final = 15.0
"""Seconds without an event after which a stream says that it is still there, and looks whether it still may be."""

Still = Callable[[], Awaitable[Who]]
"""Who listens, as they are now; raises `NotEntitled` once they are nobody."""


async def facts(
    site: Site, who: Who, after: int | None, run_id: str = "", still: Still | None = None, *, flags: bool = False
) -> AsyncIterator[Batch]:
    """The events of one's tenant, each with its position, as they were committed together.

    An empty batch comes every 15 seconds in which there was none.

    Args:
        after: Position of the last one that is known already; None for what is committed from now on.
        run_id: One run; empty for all.
        still: Asked every 15 seconds; the stream ends when they may see no more.
        flags: Of one run, whether to tell as well what is stopped and let go on.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    following = site.feed.follow(after)
    asked_s = site.clock.mono_s()
    while True:
        batch = None
        with anyio.move_on_after(STILL_S) as waited:
            batch = await anext(following, None)
        if still is not None and site.clock.mono_s() - asked_s >= STILL_S:
            asked_s = site.clock.mono_s()
            try:
                (await still()).require("see")
            except NotEntitled:
                return
        if batch is None:
            if not waited.cancelled_caught:
                return
            yield []
            continue
        mine = [
            (position, event) for position, event in batch
            if event.tenant == who.tenant
            and (run_id in ("", event.chain) or (flags and event.fact.kind is Kind.FLAG))
        ]  # fmt: skip
        if mine:
            yield mine


async def server_sent(found: AsyncIterator[Batch], said: Callable[[int, Event], str]) -> AsyncIterator[bytes]:
    """The same as the bytes of a stream of server-sent events, those of a batch as one piece.

    Args:
        said: The data of an event, on one line.
    """
    yield b"retry: 1000\n\n"
    async for batch in found:
        told = (f"id: {position}\nevent: fact\ndata: {said(position, event)}\n\n" for position, event in batch)
        yield "".join(told).encode() if batch else b": still here\n\n"


def streamed(body: AsyncIterator[bytes]) -> StreamingResponse:
    """The answer that such a stream is."""
    return StreamingResponse(body, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


def last_seen(connection: HTTPConnection) -> int | None:
    """Position of the last event that a client saw, by its `Last-Event-ID`; None for one that begins.

    Raises:
        BadInput: It is no position.
    """
    said = connection.headers.get("last-event-id", "")
    if not said:
        return None
    if (position := place_of(said)) is None:
        raise BadInput(
            "Last-Event-ID is no position", code="live.position", remedy="Send back an id that you were sent."
        )
    return position

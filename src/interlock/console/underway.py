"""Long work as a page that goes on while it is done: how far it is, line by line, and then what came of it.

It needs no script, no place where results wait, and no second request: whichever worker took it does it, and whoever
leaves the page ends it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from html import escape
from typing import Any, Final

import anyio
import anyio.from_thread

from interlock.console.view import View
from interlock.errors import InterlockError, MissingExtra

try:
    from starlette.requests import Request
    from starlette.responses import StreamingResponse
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

Tell = Callable[[int, int], None]
"""Told from a thread how much is done, and of how much; told again before anybody has listened, it is passed over."""

_HERE: Final = "<!--progress-->"
_WAITING: Final = 8
_LINES_MAX: Final = 50


def underway(
    view: View, request: Request, templates: tuple[str, str], work: Callable[[Tell], Awaitable[Mapping[str, Any]]]
) -> StreamingResponse:  # fmt: skip
    """The page of some work.

    Args:
        templates: Of the page, in which `progress` stands once, and of what is shown at its end, with `problem` and
            what the work returned.
        work: Does it, told how to say how far it is. An error of ours is shown at the end of the page.
    """
    before, _, after = view.text(request, templates[0], progress=_HERE).partition(escape(_HERE))

    async def parts() -> AsyncIterator[str]:
        yield before
        send, receive = anyio.create_memory_object_stream[tuple[int, int]](_WAITING)
        came: dict[str, Any] = {"problem": None}

        def offer(done: int, whole: int) -> None:
            if send.statistics().current_buffer_used < _WAITING:
                send.send_nowait((done, whole))

        async def doing() -> None:
            async with send:
                try:
                    came.update(await work(lambda done, whole: anyio.from_thread.run_sync(offer, done, whole)))
                except InterlockError as error:
                    came["problem"] = error

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(doing)
            async with receive:
                shown = 0.0
                async for done, whole in receive:
                    if whole and done / whole >= shown:
                        shown = done / whole + 1 / _LINES_MAX
                        yield f"<li>{done:,} of {whole:,} events</li>\n"
        yield view.text(request, templates[1], **came)
        yield after

    return StreamingResponse(parts(), media_type="text/html")

"""What happens in one's tenant, over server-sent events and over a WebSocket: heads of events, and no content.

What an event says in full stands at its run. A client that lost its connection says the last position that it saw and
goes on behind it, at whichever worker it comes to.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import anyio

from interlock.api.asking import AtSite, Seer
from interlock.api.live import STILL_S, facts, last_seen, server_sent, streamed
from interlock.core.canonical import Json
from interlock.core.clock import iso
from interlock.core.event import Event
from interlock.errors import InterlockError, MissingExtra
from interlock.ledger.feed import Batch

try:
    from fastapi import APIRouter, Query
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.websockets import WebSocket, WebSocketDisconnect
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

router = APIRouter(tags=["events"])

EVENTS: Final = "/api/v1/events"
"""Path of the stream."""

_ID_MAX: Final = 128
_POSITION_MAX: Final = (1 << 53) - 1
_EXAMPLE: Final = (
    "id: 41\nevent: fact\n"
    'data: {"position": 41, "run_id": "run_1", "seq": 3, "kind": "call.result", "outcome": "done"}\n\n'
)

RunId = Annotated[str, Query(max_length=_ID_MAX, description="One run; empty for all of the tenant.")]
After = Annotated[
    int | None,
    Query(ge=0, le=_POSITION_MAX, description="Position of the last event that is known, 0 for the first there is; "
                                              "what is committed from now on where left out."),
]  # fmt: skip


@router.get(
    EVENTS,
    summary="What happens, as server-sent events",
    response_class=Response,
    responses={200: {"description": "A stream without end.", "content": {"text/event-stream": {"example": _EXAMPLE}}}},
)
async def events(request: Request, site: AtSite, who: Seer, run_id: RunId = "", after: After = None) -> Response:
    """Each event's position is its id: an `EventSource` goes on by itself where it was cut off.

    `Last-Event-ID` wins over `after`. Every 15 seconds without an event a comment says that the stream is still there.
    """
    seen = last_seen(request)
    authorization = request.headers.get("authorization", "")
    found = facts(
        site, who, after if seen is None else seen, run_id, lambda: site.admission.bearer(authorization)
    )  # fmt: skip
    return streamed(server_sent(found, head_line))


@router.websocket("/api/v1/events/socket")
async def socket(websocket: WebSocket, site: AtSite, who: Seer, run_id: RunId = "", after: After = None) -> None:
    """The same over a WebSocket, a JSON object each; what a client sends is not read.

    Every 15 seconds without an event an object says `still`.
    """
    await websocket.accept()
    authorization = websocket.headers.get("authorization", "")
    found = facts(site, who, after, run_id, lambda: site.admission.bearer(authorization))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_until_gone, websocket, tasks.cancel_scope)
        await _send_all(websocket, found)
        tasks.cancel_scope.cancel()


async def _send_all(websocket: WebSocket, found: AsyncIterator[Batch]) -> None:
    try:
        async for batch in found:
            still: dict[str, Json] = {"still": True, "seconds": STILL_S}
            for said in [head(*each) for each in batch] or [still]:
                await websocket.send_json(said)
        await websocket.close(1008, "you may not listen any more")
    except InterlockError as error:
        await websocket.close(1011, error.code)
    except WebSocketDisconnect:
        return


async def _until_gone(websocket: WebSocket, scope: anyio.CancelScope) -> None:
    """Read and drop what the client sends, until it is gone."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass
    scope.cancel()


def head_line(position: int, event: Event) -> str:
    """The head on one line."""
    return json.dumps(head(position, event))


def head(position: int, event: Event) -> dict[str, Json]:
    """What an event is about, without its content; empty parts are left out."""
    fact = event.fact
    said: dict[str, Any] = {
        "position": position, "run_id": event.chain, "seq": event.seq, "at": iso(event.at_us), "kind": fact.kind.value,
    }  # fmt: skip
    parts = {"call_id": fact.call_id, "approval_id": fact.approval_id, "decision": fact.decision,
             "outcome": fact.outcome, "principal_id": fact.principal_id}  # fmt: skip
    return said | {name: value for name, value in parts.items() if value}

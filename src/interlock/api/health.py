"""Whether this process lives, and whether it can work: open to everybody, so each says one word."""

from __future__ import annotations

from interlock.api.asking import AtSite
from interlock.errors import LedgerError, MissingExtra

try:
    from fastapi import APIRouter
    from starlette.responses import PlainTextResponse
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

router = APIRouter(tags=["health"], default_response_class=PlainTextResponse)


@router.get("/healthz", summary="Whether the process lives")
async def healthz() -> PlainTextResponse:
    """`ok`, from any process that answers at all."""
    return PlainTextResponse("ok\n")


@router.get("/readyz", summary="Whether the process can work", responses={503: {"description": "It cannot now."}})
async def readyz(site: AtSite) -> PlainTextResponse:
    """`ready` where the ledger can be read and takes what happens, else `not ready`: no cause, everybody may ask.

    After a full disk, a disk fault or a file that was replaced, this process takes nothing more until it is started
    again, and is not ready until then.
    """
    try:
        await site.store.rows("run", limit=1)
        able = site.store.refusing() is None
    except LedgerError:
        able = False
    return PlainTextResponse("ready\n") if able else PlainTextResponse("not ready\n", status_code=503)

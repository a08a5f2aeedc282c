"""Whether this process lives, and whether it can work: open to everybody, so each says one word."""

from __future__ import annotations

from typing import Any, Final

from interlock.api.asking import AtSite
from interlock.errors import LedgerError, MissingExtra

try:
    from fastapi import APIRouter
    from starlette.responses import PlainTextResponse
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

router = APIRouter(tags=["health"], default_response_class=PlainTextResponse)


_NOT_NOW: Final[dict[str, Any]] = {
    "description": "It cannot now.", "content": {"text/plain": {"schema": {"type": "string"}}},
}  # fmt: skip


@router.get("/healthz", summary="Whether the process lives")
async def healthz() -> PlainTextResponse:
    """`ok`, from any process that answers at all."""
    return PlainTextResponse("ok\n")


@router.get("/readyz", summary="Whether the process can work", responses={503: _NOT_NOW})
async def readyz(site: AtSite) -> PlainTextResponse:
    """`ready` where the ledger takes what happens and the policy that was loaded last is in force, else `not ready`.

    No cause: everybody may ask. After a full disk, a disk fault or a file that was replaced, this process takes nothing
    more until it is started again, and is not ready until then.
    """
    try:
        await site.store.rows("run", limit=1)
        able = site.store.refusing() is None and not await site.plane.policy_problem()
    except LedgerError:
        able = False
    return PlainTextResponse("ready\n") if able else PlainTextResponse("not ready\n", status_code=503)

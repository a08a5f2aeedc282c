"""The stop switch over HTTP: what is stopped now, by whom it is stopped and resumed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from interlock.api.asking import AtSite, Operator, Seer
from interlock.api.etags import answer
from interlock.api.paging import Page, page_document
from interlock.api.run_documents import Told
from interlock.api.site import Site
from interlock.api.strict import Body, Strict
from interlock.api.who import Who
from interlock.core.principal import FIRST_TENANT
from interlock.errors import BadInput, MissingExtra
from interlock.policy.flags import Scope

try:
    from fastapi import APIRouter, Query
    from starlette.responses import Response
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

router = APIRouter(tags=["stops"], prefix="/api/v1/stops", route_class=Strict)

_NAME_MAX = 128
_REASON_MAX = 2000

Stopped = Annotated[
    Literal["tool", "server", "principal", "tenant", "all"], Field(description="What is stopped: `all` is everything.")
]
Target = Annotated[str, Field(max_length=_NAME_MAX, description="Its name; empty for `all`.")]


class Stop(Body):
    """What is stopped, and why."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"scope": "tool", "target": "refund", "reason": "the bank is down"}]}
    )

    scope: Stopped
    target: Target = ""
    reason: Annotated[str, Field(min_length=1, max_length=_REASON_MAX, description="Kept; whoever is stopped is not "
                                                                                  "told.")]  # fmt: skip


class Resuming(BaseModel):
    """Which stop is taken back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scope: Stopped
    target: Target = ""
    reason: Annotated[str, Field(max_length=_REASON_MAX)] = ""


class StopDocument(BaseModel):
    """Something that is stopped."""

    model_config = Told

    scope: Stopped
    target: str
    tenant: Annotated[str | None, Field(description="For which tenant's calls; null for every tenant's.")]
    reason: str


@router.get("", summary="List what is stopped", response_model=Page[StopDocument])
async def list_stops(site: AtSite, who: Seer) -> Response:
    """All that is stopped for calls of your tenant: a short list, on one page."""
    return answer(page_document(await _stops(site, who), None))


@router.post("", summary="Stop", response_model=Page[StopDocument])
async def stop(body: Stop, site: AtSite, who: Operator) -> Response:
    """Stop a tool, a server, a principal, a tenant, or everything.

    Each further call is refused, in every process on this ledger, until somebody resumes it. What runs already runs on.
    Stopping what is stopped keeps it so.

    Needs the role operator or admin; only people of the tenant `default` stop everything or another tenant.
    """
    scope = _scope(body.scope, body.target)
    await site.plane.stop(scope, body.target, who.principal, reason=body.reason)
    return answer(page_document(await _stops(site, who), None))


@router.delete("", summary="Resume", response_model=Page[StopDocument])
async def resume(site: AtSite, who: Operator, asked: Annotated[Resuming, Query()]) -> Response:
    """Take back exactly that stop; others stay. What is not stopped stays so. As `stop`, by whom."""
    scope = _scope(asked.scope, asked.target)
    await site.plane.resume(scope, asked.target, who.principal, reason=asked.reason)
    return answer(page_document(await _stops(site, who), None))


def _scope(scope: str, target: str) -> Scope:
    if bool(target) == (scope == Scope.ALL):
        raise BadInput(
            f"target: {target!r} of {scope!r}", code="http.target",
            remedy="Name what is stopped; everything has no name.",
        )  # fmt: skip
    return Scope(scope)


async def _stops(site: Site, who: Who) -> list[dict[str, Any]]:
    """What is stopped, as far as it is of this tenant: of others only those see it who may stop them."""
    flags = await site.plane.plane.switch.flags(who.tenant)
    return [
        {"scope": scope, "target": target, "tenant": tenant or None, "reason": reason}
        for (tenant, scope, target), reason in sorted(flags.stops.items())
        if scope != Scope.TENANT or target == who.tenant or who.tenant == FIRST_TENANT
    ]

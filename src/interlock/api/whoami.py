"""What one may do here, and what waits for somebody: the two things that a program or a person asks for first."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, Field

from interlock.api.asking import Anybody, AtSite, Seer
from interlock.api.etags import answer
from interlock.api.paging import Listed, Page, cursor_at, page_document, position_of
from interlock.api.run_documents import Time, Told
from interlock.api.strict import Strict
from interlock.api.who import Permission
from interlock.core.clock import iso
from interlock.errors import MissingExtra
from interlock.inbox import Item

try:
    from fastapi import APIRouter, Query
    from starlette.responses import Response
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

router = APIRouter(prefix="/api/v1", route_class=Strict)

_PERMISSIONS: Final[tuple[Permission, ...]] = get_args(Permission)


class Me(BaseModel):
    """Whose key or token it is, and what that opens."""

    model_config = Told

    id: str
    tenant: str
    kind: Literal["user", "service"]
    roles: list[str]
    scopes: Annotated[list[str], Field(description="What the key or token opens.")]
    by: Literal["key", "token", "session"]
    permissions: Annotated[list[str], Field(description="What roles and scopes together let them do.",
                                            examples=[["see", "propose"]])]  # fmt: skip
    groups: Annotated[list[str], Field(description="Approver groups of the policy in force that they are in.")]


class InboxItem(BaseModel):
    """One thing that waits for a person, or many that are alike."""

    model_config = Told

    kind: Literal["held", "unknown", "dead_letter", "not_undone", "stuck", "rolled_back"]
    tool: Annotated[str, Field(description="Empty where it differs within a summary.")]
    effect: str
    subject: str
    run_id: str
    ids: Annotated[list[str], Field(description="Approvals of what is held, runs that are stuck, else calls.")]
    since_at: Time
    until_at: Annotated[str | None, Field(description="When it expires.")]
    groups: Annotated[list[str], Field(description="Who may decide; empty for operators.")]
    why: Annotated[str, Field(description="`flood` or `equal` for a summary; empty for one thing.")]


@router.get("/me", summary="Who am I", tags=["me"], response_model=Me)
async def me(who: Anybody) -> Response:
    """Whose the key or token is that you came with, and what you may do by it."""
    person = who.principal
    return answer(
        {
            "id": person.id, "tenant": person.tenant, "kind": person.kind, "roles": sorted(person.roles),
            "scopes": sorted(who.scopes), "by": who.by,
            "permissions": [permission for permission in _PERMISSIONS if who.may(permission)],
            "groups": sorted(person.roles & who.approvers) if person.kind == "user" else [],
        }
    )  # fmt: skip


@router.get("/inbox", summary="What waits for a person", tags=["inbox"], response_model=Page[InboxItem])
async def inbox(site: AtSite, who: Seer, asked: Annotated[Listed, Query()]) -> Response:
    """Everything that waits for a person: the most dangerous first, then the oldest. A flood is one item.

    It is made anew for each page: what changed between two of them may be on both, or on none.
    """
    found = await site.plane.inbox(who.tenant)
    start = position_of(asked.cursor, "inbox", who.tenant) or 0
    end = start + asked.limit
    following = cursor_at(end, "inbox", who.tenant) if end < len(found) else None
    return answer(page_document([_document(item) for item in found[start:end]], following))


def _document(item: Item) -> dict[str, Any]:
    said = asdict(item)
    del said["command"]  # of the command line
    since_us, until_us = said.pop("since_us"), said.pop("until_us")
    return said | {
        "ids": list(item.ids), "groups": list(item.groups), "since_at": iso(since_us),
        "until_at": None if until_us is None else iso(until_us),
    }  # fmt: skip

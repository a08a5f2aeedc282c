"""Grants over HTTP: standing permissions, given, endorsed and taken back by people."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from interlock.api.asking import Anybody, AtSite, Decider, Seer
from interlock.api.document import problems, with_tag
from interlock.api.etags import IfMatch, IfNoneMatch, answer, document_answer, require
from interlock.api.idempotency import Key, replayed
from interlock.api.paging import Listed, Page, cursor_at, filters_of, page_document, position_of
from interlock.api.run_documents import Time, Told
from interlock.api.site import Site
from interlock.api.strict import Body, Strict
from interlock.api.who import Who
from interlock.approvals.grant import REASON_MAX, USES_MAX, GrantTerms
from interlock.core.ids import named_id
from interlock.errors import MissingExtra, NotFound
from interlock.granted import Counted, counted, grant_document

try:
    from fastapi import APIRouter, Query
    from starlette.responses import Response
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

router = APIRouter(tags=["grants"], prefix="/api/v1/grants", route_class=Strict)

_NAME_MAX = 128
_LASTS_MAX_S = 30 * 86_400


class ToolGranted(BaseModel):
    """The tool that a grant is for, as it was defined then; published anew, it is for it no more."""

    model_config = Told

    server: str
    name: str
    hash: str


class GivenBy(BaseModel):
    """One person behind a grant, with the approver groups that they spoke for."""

    model_config = Told

    person: str
    groups: list[str]


class GrantDocument(BaseModel):
    """A grant."""

    model_config = Told

    grant_id: str
    status: Literal["live", "expired", "revoked", "used up"]
    tool: ToolGranted
    where: Annotated[dict[str, Any], Field(description="Pointers of arguments to what must hold of them.")]
    subject: Annotated[str | None, Field(description="On whose behalf; null for anybody's.")]
    uses: int
    used: int
    reason: str
    given_by: list[GivenBy]
    issued_at: Time
    expires_at: Time


class Issue(Body):
    """What is granted: calls of one tool with these arguments, so often, until then."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "tool": "refund", "where": {"/order_id": {"equals": 7}, "/cents": {"at_most": 5000}}, "uses": 5,
                    "lasts_s": 604800, "reason": "spring campaign",
                }
            ]
        }
    )  # fmt: skip

    tool: Annotated[str, Field(min_length=1, max_length=_NAME_MAX)]
    where: Annotated[
        dict[str, Any], Field(description="Every argument must be covered; a pointer covers all below it.")
    ]
    uses: Annotated[int, Field(ge=1, le=USES_MAX)]
    lasts_s: Annotated[int, Field(ge=1, le=_LASTS_MAX_S, description="Seconds from now.")]
    reason: Annotated[str, Field(min_length=1, max_length=REASON_MAX, description="Stays in the ledger: name nobody.")]
    subject: Annotated[str, Field(max_length=_NAME_MAX, description="On whose behalf; empty for anybody's.")] = ""


class GrantFilter(Listed):
    """Which grants."""

    status: Literal["live", "expired", "revoked", "used up"] | None = None
    tool: Annotated[str | None, Field(max_length=_NAME_MAX)] = None


class Revoking(BaseModel):
    """Why a grant is taken back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=REASON_MAX, description="Stays in the ledger.")]


@router.get("", summary="List grants", response_model=Page[GrantDocument])
async def list_grants(site: AtSite, who: Seer, asked: Annotated[GrantFilter, Query()]) -> Response:
    """Grants of the tenant, the newest first, those that are over among them."""
    scope = {"tenant": who.tenant} | filters_of(asked)
    every = await counted(who.tenant, site.store)
    before = position_of(asked.cursor, "grants", scope)
    below = min(len(every) if before is None else before, len(every))
    items: list[dict[str, Any]] = []
    for place in range(below - 1, -1, -1):
        document = grant_document(every[place], site.now_us)
        fits = asked.status in (None, document["status"]) and asked.tool in (None, document["tool"]["name"])
        if fits and len(items) == asked.limit:
            return answer(page_document(items, cursor_at(place + 1, "grants", scope)))
        items += [document] if fits else []
    return answer(page_document(items, None))


@router.get("/{grant_id}", summary="Read a grant", response_model=GrantDocument, responses=with_tag())
async def read(grant_id: str, site: AtSite, who: Seer, if_none_match: IfNoneMatch = None) -> Response:
    """One grant as it stands now."""
    return document_answer(await _document(site, who, grant_id), if_none_match)


@router.post(
    "", summary="Give a grant", status_code=201, response_model=GrantDocument,
    responses={200: {"model": GrantDocument, "description": "It was given by this key before: as it is now."},
               **problems(404, 409)},
)  # fmt: skip
async def issue(body: Issue, site: AtSite, who: Decider, key: Key = None) -> Response:
    """Give a standing permission, as a person in an approver group.

    It answers holds of calls that are proposed from now on, in a quorum's place, and never one of a privileged call.
    """
    terms = GrantTerms(
        tool=body.tool, where=body.where, uses=body.uses, lasts_s=body.lasts_s, reason=body.reason,
        subject=body.subject, named=f"api/{key}" if key else "",
    )  # fmt: skip
    known = await site.plane.plane.approvals.grants.of(who.tenant)
    before = bool(key) and named_id("grant", who.tenant, who.principal.id, terms.named) in known.grants
    grant = await site.plane.issue_grant(terms, who.principal)
    head = {"location": f"{router.prefix}/{grant.grant_id}", **replayed(before)}
    document = await _document(site, who, grant.grant_id)
    return document_answer(document, status=200 if before else 201, headers=head)


@router.post(
    "/{grant_id}/endorse", summary="Endorse a grant", response_model=GrantDocument, responses=problems(409, 412)
)
async def endorse(grant_id: str, site: AtSite, who: Decider, if_match: IfMatch = None, key: Key = None) -> Response:
    """Add your voice to a grant, for rules that need several people. By a key, asking again adds it once."""
    document = await _document(site, who, grant_id)
    again = key is not None and any(voice["person"] == who.principal.id for voice in document["given_by"])
    if not again:
        require(if_match, document)
        await site.plane.endorse_grant(grant_id, who.principal)
    return document_answer(await _document(site, who, grant_id), headers=replayed(again))


@router.delete(
    "/{grant_id}", summary="Revoke a grant", status_code=200, response_model=GrantDocument, responses=problems(409, 412)
)
async def revoke(
    grant_id: str, site: AtSite, who: Anybody, asked: Annotated[Revoking, Query()], if_match: IfMatch = None,
    key: Key = None,
) -> Response:  # fmt: skip
    """Take a grant back: no call that begins after this counts on it, in any process.

    For whoever gave it, members of the groups behind it, operators and administrators. By a key, asking again
    revokes it once.
    """
    who.require("decide" if who.may("decide") else "operate")
    document = await _document(site, who, grant_id)
    rows = await site.store.rows("grant", {"tenant": who.tenant, "grant_id": grant_id}, 1)
    again = key is not None and any(row["revoked_by"] == who.principal.id for row in rows)
    if not again:
        require(if_match, document)
        await site.plane.revoke_grant(grant_id, who.principal, reason=asked.reason)
    return document_answer(await _document(site, who, grant_id), headers=replayed(again))


async def _document(site: Site, who: Who, grant_id: str) -> dict[str, Any]:
    found: Counted | None = next(
        (one for one in await counted(who.tenant, site.store) if one.grant.grant_id == grant_id), None
    )
    if found is None:
        raise NotFound(f"no grant {grant_id!r}", code="grant.not_found", remedy="See `interlock grants list`.")
    return grant_document(found, site.now_us)

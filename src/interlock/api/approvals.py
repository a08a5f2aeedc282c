"""Approvals over HTTP: what waits for people, shown in full, and a person's answer to it."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from interlock.api.asking import Anybody, AtSite, Decider
from interlock.api.document import problems, with_tag
from interlock.api.etags import IfMatch, IfNoneMatch, answer, document_answer, require
from interlock.api.idempotency import Key, replayed
from interlock.api.paging import Listed, Page, cursor_at, filters_of, page_document, position_of
from interlock.api.reach import only_own
from interlock.api.run_documents import Subject, Time, Told
from interlock.api.sessions import reauthenticated
from interlock.api.site import Site
from interlock.api.strict import Body, Strict
from interlock.api.who import Who
from interlock.approvals.decide import Answer
from interlock.approvals.endorsing import endorsed
from interlock.asked import asked_of, request_document
from interlock.core.approval import ApprovalState
from interlock.core.canonical import canonical, parse_json
from interlock.core.tool import Effect
from interlock.errors import BadInput, MissingExtra, NotEntitled, NotFound
from interlock.ledger.plain import plain

try:
    from fastapi import APIRouter, Query
    from starlette.responses import Response
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

router = APIRouter(tags=["approvals"], prefix="/api/v1/approvals", route_class=Strict)

LOOKED_AT_MAX: Final = 2000
"""Requests that are looked at for one page of those that a group, or whoever asks, may decide."""

_NAME_MAX: Final = 128
_TEXT_MAX: Final = 2000
_DIGEST: Final = 64

Status = Literal[
    "pending", "approved", "rejected", "edited", "responded", "expired", "withdrawn", "superseded", "consumed"
]


class Approver(BaseModel):
    """Somebody who approved, with the groups that they spoke for."""

    model_config = ConfigDict(frozen=True)

    id: str
    roles: list[str]


class ApprovalBrief(BaseModel):
    """A request in a list, and what whoever it runs for is told of it."""

    model_config = Told

    approval_id: str
    run_id: str
    call_id: str
    subject: Annotated[str | None, Field(description="On whose behalf the call runs: they decide about none of it.")]
    tool: str | None
    effect: str | None
    groups: Annotated[list[str], Field(description="Who may decide: people in one of them.")]
    quorum: int | None
    status: Status
    approvers: list[Approver]
    decided_by: str | None
    requested_at: Time | None
    expires_at: Time | None
    decided_at: Time | None


class ToolShown(BaseModel):
    """The tool that would run, as it was defined when the request was made."""

    model_config = Told

    server: str
    name: str
    hash: str


class ApprovalDocument(BaseModel):
    """A request in full: exactly what would run, for whom, from where its values come, and by what it is answered."""

    model_config = Told

    approval_id: str
    status: Status
    run_id: str
    call_id: str
    tool: ToolShown
    effect: str
    arguments: dict[str, Any]
    text: Annotated[str, Field(description="The arguments as they would be sent: what an approval binds.")]
    groups: list[str]
    quorum: int
    rules: list[str]
    subject: Subject
    words: Annotated[str | None, Field(description="The user's own words; null where they were not seen.")]
    verify: Annotated[dict[str, Any] | None, Field(description="What a second reader said.")]
    origins: Annotated[dict[str, Any] | None, Field(description="Where each value comes from.")]
    digest: Annotated[str, Field(description="Of the request: send it back with a decision.")]
    call_digest: str
    nonce: Annotated[str, Field(description="Of this asking: send it back with a decision.")]
    approved_by: list[str]
    ended_by: str
    words_of_answer: str
    editors: Annotated[list[str], Field(description="People who wrote the arguments, and may not approve them.")]
    instead_of: str | None
    difference: Annotated[list[dict[str, Any]], Field(description="To the request that it follows.")]
    requested_at: Time
    expires_at: Time


class Decision(Body):
    """A person's answer to one request, to exactly what they were shown."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"decision": "approve", "digest": "9f86d081…", "nonce": "5feceb66…", "viewed_ms": 8200},
                {"decision": "reject", "digest": "9f86d081…", "nonce": "5feceb66…", "words": "refund the other one"},
            ]
        }
    )

    decision: Literal["approve", "reject", "edit", "respond"]
    digest: Annotated[str, Field(max_length=_DIGEST, description="`digest` of the request as it was shown.")]
    nonce: Annotated[str, Field(max_length=_NAME_MAX, description="`nonce` of the request as it was shown.")]
    words: Annotated[str, Field(max_length=_TEXT_MAX, description="For the model and the record.")] = ""
    arguments: Annotated[
        dict[str, Any] | str | None,
        Field(description="Of an edit: all of them, in the place of those that were shown."),
    ] = None
    value: Annotated[Any, Field(description="Of a response: what the tool would have returned.")] = None
    viewed_ms: Annotated[int | None, Field(ge=0, lt=1 << 40, description="How long it was looked at.")] = None
    endorse: list[Annotated[str, Field(max_length=1024)]] = Field(
        default_factory=list, max_length=64,
        description="With an approval: pointers of arguments whose place of origin you answer for until the run ends.",
    )  # fmt: skip


class Withdraw(Body):
    """Why a request is taken back."""

    reason: Annotated[str, Field(max_length=_TEXT_MAX)] = ""


class ApprovalFilter(Listed):
    """Which requests."""

    status: Annotated[Status | None, Field(description="`pending` are those that wait for somebody.")] = None
    effect: Literal["read", "reversible", "irreversible", "privileged"] | None = None
    tool: Annotated[str | None, Field(max_length=_NAME_MAX)] = None
    run_id: Annotated[str | None, Field(max_length=_NAME_MAX)] = None
    subject: Annotated[str | None, Field(max_length=_NAME_MAX)] = None
    group: Annotated[str | None, Field(max_length=_NAME_MAX, description="Which its members may decide.")] = None
    mine: Annotated[bool, Field(description="That you may decide, as you are now, without what others lent you.")] = (
        False
    )


@router.get("", summary="List approval requests", response_model=Page[ApprovalBrief])
async def list_approvals(site: AtSite, who: Anybody, asked: Annotated[ApprovalFilter, Query()]) -> Response:
    """Requests, the newest first: all of your tenant, or those of your own calls where you may see no others.

    With `group` or `mine`, a page may have fewer items than its limit, or none, and be followed by another.
    """
    filters = filters_of(asked)
    scope = {"tenant": who.tenant} | filters
    where = {"tenant": who.tenant} | {name: said for name, said in filters.items() if name not in ("group", "mine")}
    if only_own(who):
        if asked.subject not in (None, who.principal.id):
            return answer(page_document([], None))
        where["subject"] = scope["subject"] = who.principal.id
    if asked.mine:
        scope["mine"] = [who.principal.id, sorted(who.principal.roles)]
    before = position_of(asked.cursor, "approvals", scope)
    found: list[dict[str, Any]] = []
    looked_at = 0
    while True:
        page = await site.store.page("approval", where, limit=asked.limit - len(found), before=before)
        found += [row for row in page.rows if _wanted(row, asked, who)]
        before, looked_at = page.before, looked_at + len(page.rows)
        if before is None or len(found) == asked.limit or looked_at >= LOOKED_AT_MAX:
            break
    following = None if before is None else cursor_at(before, "approvals", scope)
    return answer(page_document([brief(row) for row in found], following))


@router.get(
    "/{approval_id}", summary="Read an approval request", response_model=ApprovalDocument | ApprovalBrief,
    responses=with_tag(),
)  # fmt: skip
async def read(approval_id: str, site: AtSite, who: Anybody, if_none_match: IfNoneMatch = None) -> Response:
    """One request as it is now: in full for those who may see it, in short for whoever its call runs for."""
    return document_answer(await _document(site, who, approval_id), if_none_match)


@router.post("/{approval_id}/decision", summary="Decide", response_model=ApprovalDocument, responses=problems(409, 412))
async def decide(
    approval_id: str, body: Decision, site: AtSite, who: Decider, if_match: IfMatch = None, key: Key = None
) -> Response:  # fmt: skip
    """Answer one request, as a person in one of its groups; never about a call of your own.

    `approve`: exactly what was shown, once. `reject`: one ends it. `edit`: a call with other arguments is made in its
    place and passes every gate. `respond`: this value, and nothing runs. The digest binds the answer to what was
    shown. The call goes on by itself, where its tool is; read it to learn what came of it. A key that opens tools
    decides nothing, whosever it is. Asking again by an `Idempotency-Key`, in the same words, gets what was recorded.
    """
    state = await site.plane.approval(approval_id, who.tenant)
    again = key is not None and _said(state, body, who)
    if not again:
        if if_match is not None:
            require(if_match, await _document(site, who, approval_id))
        if body.decision != "reject" and state.request.get("effect") == Effect.PRIVILEGED:
            _fresh(site, who)
        said = Answer(
            decision=body.decision, digest=body.digest, nonce=body.nonce, words=body.words, arguments=body.arguments,
            value=body.value, viewed_ms=body.viewed_ms, endorse=tuple(body.endorse),
        )  # fmt: skip
        await site.plane.answer(approval_id, said, who.principal)
    return document_answer(await _document(site, who, approval_id), headers=replayed(again))


@router.post(
    "/{approval_id}/withdraw", summary="Withdraw a request", response_model=ApprovalDocument | ApprovalBrief,
    responses=problems(409, 412),
)  # fmt: skip
async def withdraw(
    approval_id: str, body: Withdraw, site: AtSite, who: Anybody, if_match: IfMatch = None, key: Key = None
) -> Response:  # fmt: skip
    """Take back a request that nobody has decided: for whoever its call runs for, and for operators."""
    document = await _document(site, who, approval_id)
    own = _subject(document) == who.principal.id and who.may("propose")
    who.require("propose" if own else "operate")
    [row] = await site.store.rows("approval", {"approval_id": approval_id, "tenant": who.tenant})
    again = key is not None and (row["status"], row["decided_by"]) == ("withdrawn", who.principal.id)
    if not again:
        require(if_match, document)
        await site.plane.withdraw(approval_id, who.principal, reason=body.reason)
    return document_answer(await _document(site, who, approval_id), headers=replayed(again))


def _fresh(site: Site, who: Who) -> None:
    """Refuse to let something privileged pass by who showed too long ago who they are, as the console does.

    A key shows it with each request. Of a token nobody knows how long ago its bearer signed in.

    Raises:
        NotEntitled: They did.
    """
    if not reauthenticated(who, site.now_us, site.settings.console.privileged_reauth_minutes * 60):
        raise NotEntitled(
            "what you came with does not say that you showed lately who you are, as something privileged asks",
            code="auth.again", remedy="Decide in the console, or with a key of yours.",
        )  # fmt: skip


def brief(row: dict[str, Any]) -> dict[str, Any]:
    """A request in a list, from its row."""
    return plain(
        row, "approval_id", "run_id", "call_id", "subject", "tool", "effect", "groups", "quorum", "status", "approvers",
        "decided_by", "requested_us", "expires_us", "decided_us",
    )  # fmt: skip


async def _document(site: Site, who: Who, approval_id: str) -> dict[str, Any]:
    """A request as whoever asks may see it.

    Raises:
        NotFound: There is none of this tenant, or it is about nothing of theirs and they may see no other.
    """
    if only_own(who):
        rows = await site.store.rows("approval", {"approval_id": approval_id, "tenant": who.tenant})
        if not rows or rows[0]["subject"] != who.principal.id:
            raise NotFound(
                f"no approval request {approval_id!r}", code="approval.not_found",
                remedy="See `interlock approvals list`.",
            )  # fmt: skip
        return brief(rows[0])
    asked = await asked_of(site.store, approval_id=approval_id, tenant=who.tenant)
    return request_document(asked) | {"nonce": asked.state.request["nonce"]}


def _subject(document: dict[str, Any]) -> str | None:
    said = document["subject"]
    found: str | None = said["id"] if isinstance(said, dict) else said
    return found


def _wanted(row: dict[str, Any], asked: ApprovalFilter, who: Who) -> bool:
    groups = json.loads(row["groups"] or "[]")
    if asked.group is not None and asked.group not in groups:
        return False
    person = who.principal
    return not asked.mine or (
        person.kind == "user" and row["subject"] != person.id and not person.roles.isdisjoint(groups)
    )


def _said(state: ApprovalState, body: Decision, who: Who) -> bool:
    """Whether this person has given exactly this answer before, and it stands."""
    person = who.principal.id
    said = state.approvals.get(person) if body.decision == "approve" else None
    if body.decision != "approve" and state.ended_by == person:
        said = state.answer
    if said is None or (said["decision"], said["approval"]) != (body.decision, body.digest):
        return False
    if said["nonce"] != body.nonce or said.get("words", "") != body.words:
        return False
    if body.decision == "approve":
        return bool(endorsed(state.request, body.endorse) == said.get("endorse", []))
    if body.decision == "edit":
        return bool(_text(body.arguments) == said["text"].encode())
    return body.decision == "reject" or canonical(body.value) == canonical(said.get("value"))


def _text(arguments: dict[str, Any] | str | None) -> bytes:
    try:
        return canonical(parse_json(arguments) if isinstance(arguments, str) else arguments)
    except BadInput:
        return b""

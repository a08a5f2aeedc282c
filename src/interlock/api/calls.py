"""Calls over HTTP: proposed on the one path, alone or together, rehearsed, read, settled and proposed again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from interlock.api.asking import Anybody, AtSite, OfTrace, Operator, Proposer
from interlock.api.call_documents import CallBrief, CallDocument, Outcome, call_brief, call_document
from interlock.api.document import Responses, problems, with_tag
from interlock.api.etags import IfMatch, IfNoneMatch, answer, document_answer, require
from interlock.api.idempotency import KEY_MAX, Key, replayed, reused
from interlock.api.paging import Listed, Page, filters_of, page_document, rows_of
from interlock.api.reach import call_of, no_call, only_own, row_of_call, run_of
from interlock.api.site import Site
from interlock.api.strict import Body, Strict
from interlock.api.who import Who
from interlock.core.call import Outcome as Told
from interlock.core.call import OutcomeKind
from interlock.core.call_state import CallState
from interlock.core.ids import named_call_id
from interlock.core.message import Proposal
from interlock.core.run import RunState
from interlock.errors import BadInput, Conflict, MissingExtra
from interlock.runs import Run, in_batch

try:
    from fastapi import APIRouter, Query
    from pydantic import BaseModel
    from starlette.responses import Response
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

router = APIRouter(tags=["calls"], prefix="/api/v1", route_class=Strict)

BATCH_MAX: Final = 64
"""Calls that may be proposed together."""

_NAME_MAX: Final = 128
_TEXT_MAX: Final = 2000
_REUSED: Final = "recall.name_reused"

Arguments = Annotated[
    dict[str, Any] | str,
    Field(description="An object; or its JSON text as a model wrote it, which the path reads, and refuses on record "
                      "where it is none."),
]  # fmt: skip


class Propose(Body):
    """One call, as it was proposed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"tool": "refund", "arguments": {"payment_id": 7}},
                {"tool": "refund", "arguments": '{"payment_id": 7}'},
            ]
        }
    )

    tool: Annotated[str, Field(max_length=_NAME_MAX)]
    arguments: Arguments = Field(default_factory=dict)
    name: Annotated[
        str | None,
        Field(min_length=1, max_length=KEY_MAX, description="Your name of the call, in the place of an "
                                                            "`Idempotency-Key`; with one, it must be the same."),
    ] = None  # fmt: skip


class Proposed(Body):
    """One call of a batch."""

    tool: Annotated[str, Field(max_length=_NAME_MAX)]
    arguments: Arguments = Field(default_factory=dict)
    id: Annotated[str, Field(max_length=_NAME_MAX, description="What later ones refer to it by.")] = ""


class Batch(Body):
    """Calls that were proposed together."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "calls": [
                        {"id": "found", "tool": "find_payment", "arguments": {"order": 7}},
                        {"tool": "refund", "arguments": {"payment_id": {"$result": "found", "pointer": "/id"}}},
                    ]
                }
            ]
        }
    )

    calls: Annotated[list[Proposed], Field(min_length=1, max_length=BATCH_MAX)]


class Outcomes(BaseModel):
    """What became of each call of a batch, in its order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcomes: list[Outcome]


class Settle(Body):
    """A person's word on a call of which nobody knew whether it took effect."""

    outcome: Annotated[Literal["done", "failed"], Field(description="It took effect, or it did not.")]
    note: Annotated[str, Field(min_length=1, max_length=_TEXT_MAX, description="How you know; kept for the audit.")]


class Retry(Body):
    """Why a call that was given up on is proposed again."""

    reason: Annotated[str, Field(min_length=1, max_length=_TEXT_MAX)]


class CallFilter(Listed):
    """Which calls."""

    run_id: Annotated[str | None, Field(max_length=_NAME_MAX)] = None
    tool: Annotated[str | None, Field(max_length=_NAME_MAX)] = None
    status: Literal["proposed", "held", "intent", "unknown", "closed"] | None = None
    outcome: Literal["done", "refused", "held", "failed", "withheld", "unknown"] | None = None
    effect: Literal["read", "reversible", "irreversible", "privileged"] | None = None
    principal_id: Annotated[str | None, Field(max_length=_NAME_MAX)] = None


_HELD: Final[Responses] = {202: {"model": Outcome, "description": "Held: `Location` is the request that it waits for."}}


@router.post(
    "/runs/{run_id}/calls", summary="Propose a call", response_model=Outcome, responses={**_HELD, **problems(409)}
)
async def propose(
    run_id: str, body: Propose, site: AtSite, who: Proposer, trace: OfTrace, key: Key = None
) -> Response:  # fmt: skip
    """Propose a call in a run of yours. It passes every gate; a refusal is an outcome, and no error.

    Of one that is held, ask again by the same key to learn what became of it, or read it. Asking twice by a key runs
    once; a call without one is never the same as another. With a `traceparent` its span is below yours, and linked to
    the run's.
    """
    name = _name_of(body, key)
    async with _own(site, who, run_id) as run:
        told = await run.call(body.tool, body.arguments, name=name, **trace)
    return _proposed(told, name, key)


@router.post("/runs/{run_id}/calls/dry-run", summary="Rehearse a call", response_model=Outcome,
             responses={**_HELD, **problems(409)})  # fmt: skip
async def rehearse(
    run_id: str, body: Propose, site: AtSite, who: Proposer, trace: OfTrace, key: Key = None
) -> Response:  # fmt: skip
    """Validate and decide a call, and execute nothing. The code of one that would run begins with `rehearsal.`.

    It is recorded, as a rehearsal; the entity that the call is about is looked up, as it is for the call itself.
    """
    name = _name_of(body, key)
    async with _own(site, who, run_id) as run:
        told = await run.call(body.tool, body.arguments, name=name, dry_run=True, **trace)
    return _proposed(told, name, key)


@router.post(
    "/runs/{run_id}/batches", summary="Propose calls together", response_model=Outcomes, responses=problems(409)
)
async def propose_together(
    run_id: str, body: Batch, site: AtSite, who: Proposer, trace: OfTrace, key: Key = None
) -> Response:  # fmt: skip
    """Propose up to 64 calls together: all are decided before any runs; reads run together, writes in order.

    `{"$result": id, "pointer": "/path"}` in the arguments stands for a part of the result of an earlier one. The
    answer has an outcome for each, also for those that are held.
    """
    name = f"batch/{len(body.calls)}/{key}" if key else ""
    proposals = [Proposal(each.tool, each.arguments, each.id) for each in body.calls]
    async with _own(site, who, run_id) as run:
        if key:
            _one_length(await run_of(site, who, run_id), len(body.calls), key)
        outcomes = await run.calls(proposals, name=name, **trace)
    if key and any(told.code == _REUSED for told in outcomes):
        raise reused("batch")
    again = bool(key) and all(told.repeated for told in outcomes)
    return answer({"outcomes": [told.as_json() for told in outcomes]}, headers=replayed(again))


@router.get("/runs/{run_id}/calls/{call_id}", summary="Read a call", response_model=CallDocument, responses=with_tag())
async def read(
    run_id: str, call_id: str, site: AtSite, who: Anybody, if_none_match: IfNoneMatch = None
) -> Response:  # fmt: skip
    """One call as it is now, with its outcome as it was last told."""
    run, call = await call_of(site, who, run_id, call_id)
    return document_answer(await _document(site, run, call), if_none_match)


@router.get("/calls", summary="List calls", response_model=Page[CallBrief])
async def list_calls(site: AtSite, who: Anybody, asked: Annotated[CallFilter, Query()]) -> Response:
    """Calls, the newest first: all of your tenant, or your own where you may see no others.

    `status=unknown` are those that somebody has to settle.
    """
    where = {"tenant": who.tenant} | filters_of(asked)
    if only_own(who):
        where["principal_id"] = who.principal.id
        if asked.principal_id not in (None, who.principal.id):
            return answer(page_document([], None))
    rows, following = await rows_of(site.store, "tool_call", where, asked, "calls", where)
    return answer(page_document([call_brief(row) for row in rows], following))


@router.post(
    "/calls/{call_id}/settle", summary="Settle an unknown call", response_model=CallDocument,
    responses=problems(409, 412),
)  # fmt: skip
async def settle(
    call_id: str, body: Settle, site: AtSite, who: Operator, if_match: IfMatch = None, key: Key = None
) -> Response:  # fmt: skip
    """Say what became of a call that may or may not have taken effect, once you have looked at its far end.

    Needs the role operator. Asking again by a key, in the same words, gets what was recorded.
    """
    run, call = await _found(site, who, call_id)
    again = key is not None and _settled(call) == (who.principal.id, body.outcome, body.note)
    if not again:
        if if_match is not None:
            require(if_match, await _document(site, run, call))
        await site.plane.settle(call_id, body.outcome, who.principal, note=body.note)
    run, call = await _found(site, who, call_id)
    return document_answer(await _document(site, run, call), headers=replayed(again))


@router.post(
    "/calls/{call_id}/retry", summary="Propose a call again that was given up on", response_model=Outcome,
    responses={**_HELD, **problems(409, 412)},
)  # fmt: skip
async def retry(call_id: str, body: Retry, site: AtSite, who: Operator, if_match: IfMatch = None) -> Response:
    """Have a call made again that was given up on: a new call in a run of its own, through every gate.

    Needs the role operator. Asking twice tells what became of the first; once that came to nothing too, there is a
    new one: send `If-Match` to be sure of what you saw.
    """
    run, call = await _found(site, who, call_id)
    if if_match is not None:
        require(if_match, await _document(site, run, call))
    return _told(await site.plane.retry(call_id, who.principal, reason=body.reason))


def _name_of(body: Propose, key: str | None) -> str:
    """The client's name of a call; empty for none.

    Raises:
        BadInput: It has two.
    """
    if key is not None and body.name not in (None, key):
        raise BadInput(
            "name: another than the Idempotency-Key", code="http.key", remedy="Give one of them, or both the same."
        )
    return key or body.name or ""


def _proposed(told: Told, name: str, key: str | None) -> Response:
    """What became of a call that was proposed by this name.

    Raises:
        Conflict: The key that is its name belongs to another call.
    """
    if key is not None and told.code == _REUSED:
        raise reused("call")
    return _told(told, replayed(bool(name) and told.repeated))


def _told(told: Told, headers: Mapping[str, str] | None = None) -> Response:
    """An outcome as it is answered: 202 for one that waits, with where."""
    if told.kind is not OutcomeKind.HELD:
        return answer(told.as_json(), headers=headers)
    where = {"location": f"{router.prefix}/approvals/{told.approval_id}"} if told.approval_id else {}
    return answer(told.as_json(), status=202, headers={**where, **(headers or {})})


@asynccontextmanager
async def _own(site: Site, who: Who, run_id: str) -> AsyncIterator[Run]:
    """A run of theirs, to propose in; one of somebody else is refused in the words that fit what they may see."""
    state = await run_of(site, who, run_id)
    if state.principal is None or state.principal.id != who.principal.id:
        raise Conflict(f"run {run_id} is not yours", code="run.not_yours", remedy="Whoever it runs for works in it.")
    async with site.runs.run(who.principal, run_id) as run:
        yield run


def _one_length(run: RunState, length: int, key: str) -> None:
    """Refuse a key that a batch of another length has.

    Raises:
        Conflict: It has.
    """
    for other in range(1, BATCH_MAX + 1):
        first = named_call_id(run.run_id, in_batch(f"batch/{other}/{key}", 1))
        if other != length and first in run.calls:
            raise reused("batch")


def _settled(call: CallState) -> tuple[str, str, str] | None:
    """Who settled a call, how and by what note; None where no person did, or that was erased."""
    said = json.loads(call.told) if call.told else {}
    return (said["by"], said["outcome"]["outcome"], said["note"]) if said.get("how") == "person" else None


async def _found(site: Site, who: Who, call_id: str) -> tuple[RunState, CallState]:
    row = await row_of_call(site, who, call_id)
    return await call_of(site, who, row["run_id"], call_id)


async def _document(site: Site, run: RunState, call: CallState) -> dict[str, Any]:
    rows = await site.store.rows("tool_call", {"run_id": run.run_id, "call_id": call.call_id}, 1)
    if not rows:
        raise no_call(call.call_id)
    return call_document(rows[0], call)

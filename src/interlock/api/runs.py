"""Runs over HTTP: started, listed, read, gone on with, and ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import anyio
from pydantic import ConfigDict, Field

from interlock.agent.run import WORDS_MAX
from interlock.api.asking import Anybody, AtSite, OfTrace, Proposer, Seer, Traced
from interlock.api.document import problems, with_tag
from interlock.api.etags import IfMatch, IfNoneMatch, answer, document_answer, require
from interlock.api.idempotency import Key, replayed, reused
from interlock.api.paging import Listed, Page, cursor_at, filters_of, page_document, position_of, rows_of
from interlock.api.reach import is_own, only_own, require_words, row_of_run, run_of
from interlock.api.run_documents import EventDocument, RunBrief, RunDocument, event_document, run_brief, run_document
from interlock.api.site import Site
from interlock.api.strict import Body, Strict
from interlock.api.who import Who
from interlock.closing import cancel_run, resume_run
from interlock.core.event import Event, Kind
from interlock.core.ids import named_id
from interlock.core.run import RunState
from interlock.errors import Conflict, MissingExtra
from interlock.starting import Starting

try:
    from fastapi import APIRouter, Query
    from starlette.responses import Response
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

router = APIRouter(tags=["runs"], prefix="/api/v1/runs", route_class=Strict)

WAIT_S_MAX: Final = 30.0
"""Seconds for which a reader of events may wait for the next one."""

_NAME_MAX: Final = 128
_REASON_MAX: Final = 2000

Tag = Annotated[str, Field(min_length=1, max_length=_NAME_MAX)]
Reason = Annotated[str, Field(min_length=1, max_length=_REASON_MAX, description="Why; kept for the audit.")]


class StartRun(Body):
    """What a run is started with. It runs on behalf of whoever starts it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"words": "refund order 7"},
                {"agent": "desk", "words": "where is my order?", "budget": {"calls": 50}},
            ]
        }
    )

    agent: Annotated[Tag | None, Field(description="The agent that drives it; none for calls that you make.")] = None
    conversation: Annotated[bool, Field(description="Of an agent: an answer does not end it.")] = False
    words: Annotated[
        str | None, Field(min_length=1, max_length=WORDS_MAX, description="The user's own words, as they were said. "
                                                                        "Needs the scope `attest:words`."),
    ] = None  # fmt: skip
    mandates: list[Tag] = Field(
        default_factory=list, max_length=64,
        description="Tools that the user asked for. Needs the scope `attest:words`.",
    )  # fmt: skip
    budget: dict[Tag, Annotated[int, Field(ge=0, lt=1 << 53)]] = Field(
        default_factory=dict, max_length=16, description="What it may use at most, by unit."
    )
    parent: Annotated[Tag | None, Field(description="An open run of yours that it is started for.")] = None


class CancelRun(Body):
    """Why a run ends here and now."""

    reason: Reason


class ResumeRun(Body):
    """What is due is done; with a reason, what failed of a saga is tried again."""

    reason: Annotated[str, Field(max_length=_REASON_MAX)] = ""


class Say(Body):
    """What the user says next in a conversation that has answered."""

    words: Annotated[str, Field(min_length=1, max_length=WORDS_MAX)]


class RunFilter(Listed):
    """Which runs."""

    status: Literal["open", "finished", "cancelled"] | None = None
    driver: Annotated[str | None, Field(max_length=_NAME_MAX)] = None
    principal_id: Annotated[str | None, Field(max_length=_NAME_MAX)] = None


class EventFilter(Listed):
    """Which events, from the first on."""

    wait_s: Annotated[
        float, Field(ge=0, le=WAIT_S_MAX, description="Seconds to wait for the next one where there is none yet.")
    ] = 0.0


@router.post(
    "", summary="Start a run", status_code=201, response_model=RunDocument,
    responses={200: {"model": RunDocument, "description": "It was started by this key before: as it is now."},
               **problems(404, 409)},
)  # fmt: skip
async def start(body: StartRun, site: AtSite, who: Proposer, trace: OfTrace, key: Key = None) -> Response:
    """Start a run: of calls that you make, until you `finish` it; or of an agent, which goes on by itself.

    Nothing runs yet of the first kind: propose calls in it. Words and mandates say what the user wants, so only a key
    that may say it may give them. With a `traceparent` its spans are below yours; a run that your key started before
    keeps the trace that it began with.
    """
    if body.words is not None:
        require_words(who, "words")
    if body.mandates:
        require_words(who, "mandates")
    name = f"api/{key}" if key else ""
    before = bool(name) and bool(await site.store.rows("run", {"run_id": _named(who, name)}, 1))
    run_id = await _begin(site, who, body, name, trace)
    document = await _document(site, who.tenant, run_id)
    head = {"location": f"{router.prefix}/{run_id}", **replayed(before)}
    return document_answer(document, status=200 if before else 201, headers=head)


@router.get("", summary="List runs", response_model=Page[RunBrief])
async def list_runs(site: AtSite, who: Anybody, asked: Annotated[RunFilter, Query()]) -> Response:
    """Runs, the newest first: all of your tenant, or your own where you may see no others."""
    filters = filters_of(asked)
    where = {"tenant": who.tenant} | filters
    if only_own(who):
        where["principal_id"] = who.principal.id
        if asked.principal_id not in (None, who.principal.id):
            return answer(page_document([], None))
    rows, following = await rows_of(site.store, "run", where, asked, "runs", where)
    return answer(page_document([run_brief(row) for row in rows], following))


@router.get("/{run_id}", summary="Read a run", response_model=RunDocument, responses=with_tag())
async def read(run_id: str, site: AtSite, who: Anybody, if_none_match: IfNoneMatch = None) -> Response:
    """One run as it is now."""
    await run_of(site, who, run_id)
    return document_answer(await _document(site, who.tenant, run_id), if_none_match)


@router.get("/{run_id}/events", summary="Read the events of a run", response_model=Page[EventDocument])
async def events(run_id: str, site: AtSite, who: Seer, asked: Annotated[EventFilter, Query()]) -> Response:
    """The run's events in order. `next` is there as long as more may come: ask with it again, and `wait_s`, to follow.

    What a run says is anybody's who may see the runs of the tenant: arguments and results stand in it.
    """
    row = await row_of_run(site, who, run_id)
    after = position_of(asked.cursor, "events", who.tenant, run_id) or 0
    found = await _after(site, row, after, asked)
    shown = found[: asked.limit]
    at = shown[-1].seq if shown else after
    more = len(found) > len(shown) or row["status"] == "open"
    following = cursor_at(at, "events", who.tenant, run_id) if more else None
    return answer(page_document([event_document(event) for event in shown], following))


@router.post(
    "/{run_id}/resume", summary="Do what is due in a run", status_code=200, response_model=RunDocument,
    responses=problems(409, 412),
)  # fmt: skip
async def resume(run_id: str, body: ResumeRun, site: AtSite, who: Anybody, if_match: IfMatch = None) -> Response:
    """Go on with a run now, as an engine would by itself. Asking twice does what is due once.

    With a `reason`, what failed of a saga is tried again, by an operator's word. Where another worker has the run it
    goes on there, and the answer is the run as it is.
    """
    await _may_end(site, who, run_id, if_match)
    plane = site.plane
    await resume_run(plane.plane, plane.claim, run_id, who.principal, body.reason)
    return document_answer(await _document(site, who.tenant, run_id))


@router.post(
    "/{run_id}/cancel", summary="Cancel a run", status_code=200, response_model=RunDocument,
    responses=problems(409, 412),
)  # fmt: skip
async def cancel(run_id: str, body: CancelRun, site: AtSite, who: Anybody, if_match: IfMatch = None) -> Response:
    """End a run here and now, and all that it started. What waits falls; what is under way is recorded when it ends.

    Of a saga, what was done is undone. For whoever it runs for, and for operators. Asking twice cancels once.
    """
    await _may_end(site, who, run_id, if_match)
    plane = site.plane
    run = await cancel_run(plane.plane, plane.claim, run_id, who.principal, body.reason)
    assert run.status != "open" or run.called_off, "it is cancelled, or a saga that is called off"
    return document_answer(await _document(site, who.tenant, run_id))


@router.post(
    "/{run_id}/finish",
    summary="Finish a run",
    status_code=200,
    response_model=RunDocument,
    responses=problems(409, 412),
)
async def finish(run_id: str, site: AtSite, who: Proposer, if_match: IfMatch = None) -> Response:
    """End a run of yours in which nothing waits, or a conversation that has answered. Asking twice ends it once."""
    run = await _own(site, who, run_id, if_match)
    if run.status == "open":
        if run.transcript is not None:
            async with site.plane.agent(run.transcript.agent, who.principal, run_id=run_id) as conversation:
                await conversation.finish()
        else:
            async with site.runs.run(who.principal, run_id) as calls:
                await calls.finish()
    return document_answer(await _document(site, who.tenant, run_id))


@router.post(
    "/{run_id}/say", summary="Say more in a conversation", status_code=200, response_model=RunDocument,
    responses=problems(409, 412),
)  # fmt: skip
async def say(
    run_id: str, body: Say, site: AtSite, who: Proposer, if_match: IfMatch = None, key: Key = None
) -> Response:  # fmt: skip
    """Go on with a conversation of yours that has answered, by its user's next words; the agent goes on by itself.

    Needs the scope `attest:words`. Asking again by the same key says it once.
    """
    require_words(who, "words")
    run = await _own(site, who, run_id, None)
    before = await _said(site, run_id, key)
    if before is None:
        if if_match is not None:
            require(if_match, await _document(site, who.tenant, run_id))
        if run.transcript is None:
            raise Conflict(f"run {run_id} is no conversation", code="run.not_listening", remedy="Propose calls in it.")
        async with site.plane.agent(run.transcript.agent, who.principal, run_id=run_id) as conversation:
            await conversation.say(body.words, name=key or "")
        site.plane.wake()
    elif before != body.words:
        raise reused("words")
    return document_answer(await _document(site, who.tenant, run_id), headers=replayed(before is not None))


async def _begin(site: Site, who: Who, body: StartRun, name: str, trace: Traced) -> str:
    """The id of the run: new, or the one that has this name. It is claimed by nobody when this returns."""
    given: Starting = {
        "words": body.words,
        "budget": body.budget,
        "mandates": tuple(body.mandates),
        "named": name,
        "keep": body.agent is None,
        "trace": trace["trace"],
        "tracestate": trace["tracestate"],
    }
    if body.parent is not None:
        given["parent"] = body.parent
    if body.agent is None:
        opened: Any = site.plane.run(who.principal, **given)
    else:
        opened = (site.plane.conversation if body.conversation else site.plane.agent)(
            body.agent, who.principal, **given
        )
    async with opened as run:
        run_id: str = run.run_id
    if body.agent is not None:
        site.plane.wake()
    return run_id


def _named(who: Who, name: str) -> str:
    return named_id("run", who.tenant, who.principal.id, name)


async def _document(site: Site, tenant: str, run_id: str) -> dict[str, Any]:
    conversation = await site.plane.plane.ledger.conversation(run_id, tenant)
    await conversation.refresh()
    [row] = await site.store.rows("run", {"run_id": run_id, "tenant": tenant}, 1)
    return run_document(row, conversation.state)


async def _own(site: Site, who: Who, run_id: str, if_match: str | None) -> RunState:
    """A run of their own.

    Raises:
        NotFound: There is none here.
        Conflict: It is somebody else's, which they may see; or it has changed since they saw it.
    """
    run = await run_of(site, who, run_id)
    if not is_own(who, run):
        raise Conflict(f"run {run_id} is not yours", code="run.not_yours", remedy="Whoever it runs for works in it.")
    if if_match is not None:
        require(if_match, await _document(site, who.tenant, run_id))
    return run


async def _may_end(site: Site, who: Who, run_id: str, if_match: str | None) -> None:
    """Refuse whoever may neither work in a run nor operate; see `closing.py` for the rest."""
    run = await run_of(site, who, run_id)
    who.require("propose" if is_own(who, run) and who.may("propose") else "operate")
    if if_match is not None:
        require(if_match, await _document(site, who.tenant, run_id))


async def _after(site: Site, row: Mapping[str, Any], after: int, asked: EventFilter) -> list[Event]:
    """Events of a run behind a number, one more than a page has; where there is none yet, it may wait for some."""
    position = site.store.position()  # before they are read: what is committed meanwhile is told by the feed
    found = await site.store.read(row["run_id"], after, asked.limit + 1)
    if found or not asked.wait_s or row["status"] != "open":
        return found
    with anyio.move_on_after(asked.wait_s):
        async for batch in site.feed.follow(position):
            if any(event.chain == row["run_id"] for _, event in batch):
                break
    return await site.store.read(row["run_id"], after, asked.limit + 1)


async def _said(site: Site, run_id: str, key: str | None) -> str | None:
    """What was said in a conversation by this key; None for nothing."""
    if key is None:
        return None
    facts = [event.fact for event in await site.store.read(run_id)]
    return next((fact.body.get("text", "") for fact in facts
                 if fact.kind is Kind.RUN_WORDS and fact.body.get("name") == key), None)  # fmt: skip

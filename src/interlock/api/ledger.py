"""The ledger over HTTP: how far it is sealed, whether it holds, proofs, bundles, erasing, and the audit's questions."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final, Literal

import anyio.to_thread
from pydantic import BaseModel, ConfigDict, Field

from interlock.api.asking import Administrator, AtSite, InTurn, Operator, Seer
from interlock.api.bundle import KEY as LOG_KEY
from interlock.api.bundle import MEDIA, NAMED_MAX, download, kept_ledger, runs_named, runs_started
from interlock.api.document import problems
from interlock.api.etags import answer
from interlock.api.idempotency import Key, replayed
from interlock.api.paging import Listed, Page, filters_of, page_document, rows_of
from interlock.api.reach import looks_at_ledger, row_of_run
from interlock.api.run_documents import Time, Told
from interlock.api.site import Site
from interlock.api.strict import Body, Strict
from interlock.compose import open_sinks, own_key
from interlock.core.canonical import Json
from interlock.core.clock import iso
from interlock.core.times import moment, period
from interlock.errors import BadInput, Conflict, MissingExtra
from interlock.ledger.audit import Question, asked_where
from interlock.ledger.checkpoint import compare
from interlock.ledger.findings import Found
from interlock.ledger.findings import Report as Findings
from interlock.ledger.pages import during
from interlock.ledger.plain import plain
from interlock.ledger.proofs import inclusion
from interlock.ledger.redact import REASON_MAX, redact, redactable
from interlock.ledger.sinks import Sink
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.sqlite_log import Log
from interlock.ledger.verify import Scope, verify

try:
    from fastapi import APIRouter, Path, Query
    from starlette.responses import Response, StreamingResponse
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

router = APIRouter(tags=["ledger"], prefix="/api/v1", route_class=Strict)

EVENTS_MAX: Final = 50_000
"""Events of a ledger that is verified while a request waits; a few seconds' work."""

_SEQS_MAX: Final = 10_000
_TIME_MAX: Final = 40
_ID_MAX: Final = 128

View = Literal[
    "run", "step", "tool_call", "authz_decision", "tool_result", "compensation_action", "approval", "notice", "eval"
]
Cell = Annotated[str | None, Field(max_length=_ID_MAX)]
RunId = Annotated[str, Field(min_length=1, max_length=_ID_MAX)]


class Sent(BaseModel):
    """Where checkpoints are sent, and what that place says of this ledger."""

    model_config = Told

    sink: str
    standing: Annotated[str, Field(description="`rollback` and `fork` refuse all writes.", examples=["current"])]
    size: Annotated[int | None, Field(description="Events that its newest checkpoint is over; null for none.")]
    why: Annotated[str, Field(description="What is wrong; empty where nothing is.")]


class LedgerDocument(BaseModel):
    """How far the ledger is sealed."""

    model_config = Told

    kept: Annotated[bool, Field(description="Whether it outlives the process; where not, nothing is sealed.")]
    events: int
    sealed: Annotated[int, Field(description="Events that the newest checkpoint is over.")]
    sealed_at: Time | None
    checkpoints: int
    newest: Annotated[str | None, Field(description="The newest checkpoint, a signed note.")]
    sinks: list[Sent]
    missing: Annotated[str, Field(description="Why it cannot be sealed now; empty where it can.")]


class Wrong(BaseModel):
    """One thing that is wrong."""

    model_config = Told

    finding: str
    what: str
    position: Annotated[int, Field(description="Of the event that it is about; 0 for none.")]
    chain: str
    seq: int


class Verified(BaseModel):
    """What a verification found."""

    model_config = Told

    ok: bool
    finding: Annotated[str | None, Field(description="The kind of the first thing that is wrong.")]
    findings: Annotated[dict[str, int], Field(description="How often each kind was found.")]
    found: Annotated[list[Wrong], Field(description="What is wrong; at most 1000.")]
    events: int
    verified: Annotated[list[int], Field(description="Positions of the first and the last event that were looked at.")]
    sealed: int
    checkpoints: int
    anchored: Annotated[int, Field(description="Events that the newest sound head outside the ledger is over.")]
    unanchored_tail: Annotated[int, Field(description="Events after that: nobody outside could tell what became of "
                                                      "them.")]  # fmt: skip
    key: Annotated[str, Field(description="The public key that signs now; empty for none.")]
    vouched: Annotated[bool, Field(description="Whether anybody outside the ledger vouches for its keys.")]
    restores: int
    notes: list[str]


class Proof(BaseModel):
    """That an event is in the log (RFC 6962), for whoever has the log's key."""

    model_config = Told

    event: Annotated[str, Field(examples=["run_0194f3a2b1c4/3"])]
    index: int
    leaf: str
    to: Annotated[int, Field(description="Events that the checkpoint is over.")]
    proof: list[str]
    checkpoint: str


class Wanted(Body):
    """Which runs go into a bundle: either those that are named, or those that started in a time."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"runs": ["run_0194f3a2b1c4"]}, {"since": "7d", "until": "1d"}]}
    )

    runs: list[RunId] = Field(default_factory=list, max_length=NAMED_MAX)
    since: Annotated[
        str | None, Field(max_length=_TIME_MAX, description="Runs that started from then on: `7d`, `12h`, or RFC 3339.")
    ] = None
    until: Annotated[str | None, Field(max_length=_TIME_MAX, description="With `since`: and before then.")] = None


class Redact(Body):
    """What a run is to say no more."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"run_id": "run_0194f3a2b1c4", "seqs": [4, 5], "reason": "request 112"}]}
    )

    run_id: RunId
    seqs: Annotated[
        list[Annotated[int, Field(ge=1, lt=1 << 53)]] | None,
        Field(min_length=1, max_length=_SEQS_MAX, description="Numbers of its events; all of them where left out."),
    ] = None
    reason: Annotated[
        str, Field(min_length=1, max_length=REASON_MAX, description="Why; it stays for ever, so name nobody.")
    ]
    sure: Annotated[bool, Field(description="Erase for good; without it you are told what would go.")] = False


class Needed(BaseModel):
    """An event that something needs still."""

    model_config = Told

    seq: int
    why: str


class Redaction(BaseModel):
    """What an erasure came to, or would come to."""

    model_config = Told

    run_id: str
    erased: Annotated[bool, Field(description="Whether it is done.")]
    seqs: Annotated[list[int], Field(description="Events that lose, or lost, what they say; headers and proofs stay.")]
    kept: Annotated[
        list[Needed], Field(description="What is needed still: while there is one, nothing of it is erased.")
    ]


class AuditFilter(Listed):
    """Which rows. A column that a view has not is refused."""

    run_id: Cell = None
    call_id: Cell = None
    principal_id: Cell = None
    tool: Cell = None
    status: Cell = None
    outcome: Cell = None
    code: Cell = None
    decision: Cell = None
    effect: Cell = None
    since: Annotated[str | None, Field(max_length=_TIME_MAX, description="From then on: `7d`, `12h`, or RFC 3339.")] = (
        None
    )
    until: Annotated[str | None, Field(max_length=_TIME_MAX, description="Before then.")] = None


@router.get("/ledger", summary="How far the ledger is sealed", response_model=LedgerDocument)
async def state(site: AtSite, who: Operator) -> Response:
    """The newest checkpoint, and what each place says that checkpoints are sent to. For operators of `default`."""
    looks_at_ledger(who)
    if not isinstance(site.store, SqliteStore):
        said: dict[str, Any] = {"events": site.store.position(), "sealed": 0, "sealed_at": None, "checkpoints": 0,
                                "newest": None, "sinks": []}  # fmt: skip
        return answer({"kept": False, **said, "missing": "This ledger is in memory."})
    sinks = await sinks_of(site)
    _, missing = await anyio.to_thread.run_sync(own_key, site.settings.signing_key)
    return answer({"kept": True, **await site.store.log(partial(_state, sinks)), "missing": missing})


@router.post(
    "/ledger/verify", summary="Verify the ledger", response_model=Verified, responses=problems(409),
)  # fmt: skip
async def verified(site: AtSite, who: Operator, heavy: InTurn) -> Response:
    """Whether the ledger is what was written: every event, chain, payload, checkpoint, key, table and page.

    Reads only; one at a time in each process. A large ledger is verified by `interlock ledger verify`. For operators of
    `default`.
    """
    looks_at_ledger(who)
    store = kept_ledger(site)
    if (events := store.position()) > EVENTS_MAX:
        raise Conflict(
            f"the ledger has {events:,} events, and a request waits for {EVENTS_MAX:,} at most", code="ledger.large",
            remedy="Run `interlock ledger verify`.",
        )  # fmt: skip
    sinks = await sinks_of(site)
    keys, missing = await anyio.to_thread.run_sync(own_key, site.settings.signing_key)
    found = await heavy.done(partial(verify, store.path, sinks, Scope(keys=keys)))
    return answer(_findings(found, missing))


@router.get(
    "/ledger/proofs/{run_id}/{seq}", summary="Prove that an event is in the ledger", response_model=Proof,
    responses=problems(409),
)  # fmt: skip
async def proof(run_id: str, seq: Annotated[int, Path(ge=1, lt=1 << 53)], site: AtSite, who: Seer) -> Response:
    """The path from an event of your tenant to the newest checkpoint; `interlock ledger prove` says how to check it."""
    await row_of_run(site, who, run_id)
    return answer(await kept_ledger(site).log(lambda log: inclusion(log, run_id, seq)))


@router.post(
    "/ledger/export", summary="Take runs as evidence", response_class=StreamingResponse,
    responses={
        200: {
            "description": "The bundle, by the name of `evidence.jsonl`.",
            "content": {MEDIA: {"schema": {"type": "string"}}},
            "headers": {
                LOG_KEY: {"description": "The public key to check it with.", "schema": {"type": "string"}},
                "repr-digest": {"description": "SHA-256 of the file (RFC 9530).", "schema": {"type": "string"}},
            },
        },
        **problems(404, 409),
    },
)  # fmt: skip
async def exported(body: Wanted, site: AtSite, who: Operator) -> Response:
    """Whole runs of your tenant as a bundle that anybody can check without Interlock, as `interlock ledger export`.

    It has all that they say in clear. What is not sealed yet is sealed first. At most 64 MiB and 10,000 runs: larger
    ones are refused with 409, and exported by the command. Nothing of it stays on the server.
    """
    if bool(body.runs) == (body.since is not None) or (body.runs and body.until is not None):
        raise BadInput("which runs", code="archive.which", remedy="Name them in `runs`, or give a time with `since`.")
    if body.since is None:
        return await download(site, who, await runs_named(site, who, body.runs))
    between_us = period(body.since, body.until, site.now_us)
    return await download(site, who, await runs_started(site, who, between_us))


@router.post("/ledger/redact", summary="Erase what a run says", response_model=Redaction, responses=problems(404, 409))
async def redacted(body: Redact, site: AtSite, who: Administrator, key: Key = None) -> Response:
    """Erase for good what a run of your tenant says, or some of its events; without `sure`, say what would go.

    Headers stay, with hashes, times and pseudonyms, so that every proof still holds; who had it done and why stays as
    well. What an open call or run needs is not erased: then nothing is. Backups and bundles keep what they have. Needs
    the role admin. By a key, asking again, in the same words, gets what was erased.
    """
    await row_of_run(site, who, body.run_id)
    found = await redactable(site.store, body.run_id, body.seqs, who.principal)
    if not body.sure:
        kept: list[Json] = [{"seq": each.seq, "why": each.why} for each in found.kept]
        return answer({"run_id": body.run_id, "erased": False, "seqs": list(found.gone), "kept": kept})
    gone = [] if key is None or found.gone else found.said(body.reason, who.principal)
    again = bool(gone)
    if not again:
        gone = await redact(site.store, body.run_id, body.seqs, body.reason, who.principal)
    return answer({"run_id": body.run_id, "erased": True, "seqs": gone, "kept": []}, headers=replayed(again))


@router.get("/audit/{view}", summary="Ask the ledger", tags=["audit"], response_model=Page[dict[str, Any]])
async def audit(view: View, site: AtSite, who: Seer, asked: Annotated[AuditFilter, Query()]) -> Response:
    """Rows of one view of your tenant, the newest first, as `interlock audit` has them."""
    filters, now_us = filters_of(asked), site.now_us
    times = [None if (said := filters.get(name)) is None else moment(said, now_us) for name in ("since", "until")]
    columns = {name: value for name, value in filters.items() if name not in ("since", "until")}
    question = Question(view=view, where=columns, since_us=times[0], until_us=times[1])
    where = {**asked_where(question), "tenant": who.tenant, **during(view, *times)}
    rows, following = await rows_of(site.store, view, where, asked, "audit", view, who.tenant, filters)
    return answer(page_document([plain(row) for row in rows], following))


async def sinks_of(site: Site) -> list[Sink]:
    """Where checkpoints are sent; nowhere where sealing is off."""
    return await anyio.to_thread.run_sync(open_sinks, site.settings) if site.settings.seal.on else []


def _state(sinks: list[Sink], log: Log) -> dict[str, Any]:
    newest = log.newest
    return {
        "events": log.events, "checkpoints": log.count, "sealed": 0 if newest is None else newest.size,
        "sealed_at": None if newest is None else iso(newest.at_us), "newest": None if newest is None else newest.note,
        "sinks": [
            {"sink": each.sink, "standing": each.standing.value, "why": each.why,
             "size": None if each.newest is None else each.newest.size}
            for each in compare(log, sinks)
        ],
    }  # fmt: skip


def _findings(found: Findings, missing: str) -> dict[str, Any]:
    return {
        "ok": found.ok, "finding": None if found.finding is None else found.finding.value,
        "findings": {kind.value: found.counts[kind] for kind in found.findings},
        "found": [_wrong(one) for one in found.found], "events": found.events, "verified": list(found.verified),
        "sealed": found.sealed, "checkpoints": found.checkpoints, "anchored": found.anchored,
        "unanchored_tail": found.unanchored_tail, "key": found.key, "vouched": found.vouched,
        "restores": found.restores, "notes": [*found.notes, *([missing] if missing else [])],
    }  # fmt: skip


def _wrong(found: Found) -> dict[str, Any]:
    return {"finding": found.finding.value, "what": found.what, "position": found.pos, "chain": found.chain,
            "seq": found.seq}  # fmt: skip

"""Evals over HTTP: what came of suites of golden cases, and a suite held against recorded runs.

Nothing is played here: no agent, no model and no judge, and a suite in a body names no file and no command.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, Final, Literal

import anyio
from pydantic import BaseModel, ConfigDict, Field

from interlock.api.asking import AtSite, InTurn, Operator, Seer
from interlock.api.bundle import kept_ledger
from interlock.api.document import problems, with_tag
from interlock.api.etags import IfNoneMatch, answer, document_answer
from interlock.api.ledger import Proof
from interlock.api.paging import Listed, Page, filters_of, page_document, rows_of
from interlock.api.run_documents import Time, Told
from interlock.api.strict import Body, Strict
from interlock.core.clock import iso
from interlock.core.times import moment
from interlock.errors import Conflict, MissingExtra
from interlock.evals.evaluate import Result, evaluate_recorded
from interlock.evals.evidence import evidence, refusals
from interlock.evals.recorded import begun_since, recorded_runs
from interlock.evals.suite import Suite
from interlock.evals.suite_file import ExpectFile, NeedFile, PriceFile, suite_of
from interlock.evals.trial import Trial
from interlock.ledger.evaluated import CASES_MAX, Evaluated, KeptEval, find_eval, keep_eval
from interlock.ledger.plain import plain
from interlock.ledger.proofs import inclusion
from interlock.ledger.store import Store
from interlock.verification.calibrate import Share

try:
    from fastapi import APIRouter, Path, Query
    from starlette.responses import Response
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

router = APIRouter(tags=["evals"], prefix="/api/v1/evals", route_class=Strict)

RUNS_MAX: Final = 2_000
"""Recorded runs that a suite is held against while a request waits; some seconds' work."""

TRIALS_MAX: Final = 5_000
"""Times that a run is held against a case for one request."""

_ID_MAX: Final = 128
_NAME_MAX: Final = 200
_TIME_MAX: Final = 40
_WORDS_MAX: Final = 262_144
_MISSED_MAX: Final = 100
_FAILURES_MAX: Final = 20
_FAILURE_MAX: Final = 500

How = Literal["played", "recorded"]
Spread = Annotated[
    dict[str, dict[str, int | None]], Field(description="Of a trial: `p50`, `p95`, `sum`, and `of` how many.")
]


EvalId = Annotated[str, Path(max_length=_ID_MAX)]


class EvalBrief(BaseModel):
    """A result in a list."""

    model_config = Told

    eval_id: str
    suite: Annotated[str, Field(description="What the suite calls itself.")]
    suite_digest: Annotated[str, Field(description="SHA-256 of what it says: another suite has another.")]
    how: Annotated[How, Field(description="Its cases were played, or recorded runs were read.")]
    cases: int
    trials: int
    passed: Annotated[int, Field(description="Trials of which everything was as it must be.")]
    met: Annotated[bool, Field(description="Whether that is what the suite needs.")]
    principal_id: Annotated[str, Field(description="Who had it kept.")]
    at: Time


class CaseDocument(BaseModel):
    """What came of one case."""

    model_config = Told

    name: str
    trials: int
    passed: int
    failed: Annotated[dict[str, int], Field(description="What was not as it must be, to in how many trials.")]
    runs: Annotated[list[str], Field(description="Recorded runs that did not pass; at most 10.")]
    taken: Annotated[dict[str, int | None], Field(description="What all trials took; null where nobody knows.")]


class SuiteOutcome(BaseModel):
    """What came of a suite."""

    model_config = Told

    suite: str
    suite_digest: str
    how: How
    since: Annotated[str | None, Field(description="Of recorded runs, those since then; null for all.")]
    trials: int
    passed: int
    rate: Annotated[float | None, Field(description="Part of the trials that passed, 0 to 1; null of none.")]
    low: Annotated[float, Field(description="Where the rate is with 95 % confidence (Wilson): from here.")]
    high: Annotated[float, Field(description="To here.")]
    pass_rate: Annotated[float, Field(description="Part of the trials that must pass.")]
    lost: Annotated[
        list[str] | None, Field(description="Cases lost against a baseline; null where it was held against none.")
    ]
    met: bool
    shares: Annotated[dict[str, list[int]], Field(description="Figure to part and whole.")]
    taken: Spread
    agents: list[str]
    models: list[str]
    policies: Annotated[list[str], Field(description="Digests of the policies that decided the trials' calls.")]
    cases: list[CaseDocument]


class EvalDocument(SuiteOutcome):
    """A result as the ledger has it: no words of a run stand in it."""

    eval_id: str
    principal_id: Annotated[str, Field(description="Who had it kept.")]
    at: Time
    event: Annotated[str, Field(description="Which event of the ledger it is.", examples=["evals/default/3"])]


class RecordedCase(Body):
    """A case, and the recorded runs that it is about: the one named, or every one that began with the words."""

    name: Annotated[str, Field(min_length=1, max_length=_NAME_MAX)]
    words: Annotated[
        str, Field(max_length=_WORDS_MAX, description="What the user said; may be left out with `run`.")
    ] = ""
    run: Annotated[str, Field(max_length=100, description="Id of one run.")] = ""
    expect: Annotated[ExpectFile, Field(description="What must be so; see how to evaluate agents.")] = Field(
        default_factory=ExpectFile
    )


class RecordedSuite(Body):
    """A suite that is held against recorded runs, as `runs:` of a suite's file."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "suite": "what production did", "since": "7d",
                    "cases": [
                        {"name": "order status", "words": "Where is my order?",
                         "expect": {"tools": {"exactly": ["get_order"]}}},
                        {"name": "the one of Tuesday", "run": "run_0194f3a2b1c4",
                         "expect": {"forbidden": ["refund_order"]}},
                    ],
                }
            ]
        }
    )  # fmt: skip

    suite: Annotated[str, Field(min_length=1, max_length=_NAME_MAX)]
    since: Annotated[str, Field(max_length=_TIME_MAX, description="Runs from then on: `7d`, `12h`, or RFC 3339.")] = (
        "7d"
    )
    cases: Annotated[list[RecordedCase], Field(min_length=1, max_length=CASES_MAX)]
    need: NeedFile = Field(default_factory=NeedFile)
    price: Annotated[PriceFile | None, Field(description="Of the models; null for what budgets were charged.")] = None
    record: Annotated[bool, Field(description="Keep the result in the ledger.")] = False


class Missed(BaseModel):
    """A trial that did not pass."""

    model_config = Told

    case: str
    run_id: Annotated[str | None, Field(description="Null where there is no such run.")]
    failures: Annotated[
        list[str],
        Field(description="What is not as it must be, at most 20, each cut after 500 characters; words of the run may "
                          "stand there."),
    ]  # fmt: skip


class Evaluation(BaseModel):
    """What came of holding a suite against recorded runs."""

    model_config = Told

    outcome: SuiteOutcome
    refusals: Annotated[list[str], Field(description="Why it is not what the suite needs; empty where it is.")]
    missed: Annotated[list[Missed], Field(description="Trials that did not pass, the first 100 of them.")]
    kept: Annotated[EvalDocument | None, Field(description="What the ledger has of it; null for nothing.")]


class EvalFilter(Listed):
    """Which results."""

    suite: Annotated[str | None, Field(max_length=_NAME_MAX)] = None
    how: How | None = None


@router.get("", summary="List evals", response_model=Page[EvalBrief])
async def list_evals(site: AtSite, who: Seer, asked: Annotated[EvalFilter, Query()]) -> Response:
    """Kept results of the tenant, the newest first."""
    filters = filters_of(asked)
    rows, following = await rows_of(
        site.store, "eval", {**filters, "tenant": who.tenant}, asked, "evals", who.tenant, filters
    )
    return answer(page_document([_brief(row) for row in rows], following))


@router.get("/{eval_id}", summary="Read an eval", response_model=EvalDocument, responses=with_tag())
async def read(eval_id: EvalId, site: AtSite, who: Seer, if_none_match: IfNoneMatch = None) -> Response:
    """One kept result, case by case; it does not change."""
    return document_answer(_kept(await find_eval(site.store, who.tenant, eval_id)), if_none_match)


@router.get("/{eval_id}/proof", summary="Prove an eval", response_model=Proof, responses=problems(409))
async def proof(eval_id: EvalId, site: AtSite, who: Seer) -> Response:
    """The path from its event to the newest checkpoint; `interlock ledger prove` says how to check it."""
    kept = await find_eval(site.store, who.tenant, eval_id)
    return answer(await kept_ledger(site).log(lambda log: inclusion(log, kept.chain, kept.seq)))


@router.post(
    "", summary="Hold a suite against recorded runs", response_model=Evaluation, responses=problems(409)
)  # fmt: skip
async def evaluated(body: RecordedSuite, site: AtSite, who: Operator, heavy: InTurn) -> Response:
    """Hold golden cases against recorded runs of your tenant, as `interlock eval run` does where a suite says `runs`.

    Nothing is played or dialled; one at a time in each process, over at most 2,000 runs and 5,000 trials. With `record`
    the result is kept, each time anew: asking twice keeps two.
    """
    suite, since_us = _suite(body), moment(body.since, site.now_us)
    result = await heavy.done(partial(_evaluate, site.store, suite, who.tenant, since_us))
    said = evidence(result, since_us=since_us)
    kept = await keep_eval(site.store, site.new_id("eval"), who.principal, said) if body.record else None
    return answer(
        {
            "outcome": _outcome(said), "refusals": refusals(result, None),
            "missed": [_missed(trial) for trial in result.trials if not trial.passed][:_MISSED_MAX],
            "kept": None if kept is None else _kept(kept),
        }
    )  # fmt: skip


def _suite(body: RecordedSuite) -> Suite:
    """The suite as its file would have it, so that the same one has the same digest.

    Raises:
        BadInput: It is none.
    """
    said = body.model_dump(exclude_unset=True, exclude={"since", "record"})
    return suite_of({**said, "runs": {"since": body.since}}, "body")


def _evaluate(store: Store, suite: Suite, tenant: str, since_us: int) -> Result:
    """Blocks, with a loop of its own: for a thread.

    Raises:
        Conflict: There are too many runs.
        LedgerError: The ledger cannot be read.
    """

    async def hold() -> Result:
        if await store.count("run", begun_since(tenant, since_us), RUNS_MAX) > RUNS_MAX:
            raise _too_many(f"more than {RUNS_MAX:,} runs since then")
        runs = await recorded_runs(store, suite, tenant, since_us)
        if sum(map(len, runs.values())) > TRIALS_MAX:
            raise _too_many(f"more than {TRIALS_MAX:,} times that a run is held against a case")
        return await evaluate_recorded(suite, runs, None, _unheard)

    return anyio.run(hold)


def _too_many(what: str) -> Conflict:
    remedy = "Say a later `since`, or use `interlock eval run`."
    return Conflict(f"{what}, and a request does not wait for that", code="eval.runs", remedy=remedy)


async def _unheard(trial: Trial) -> None:
    """Nobody is told before all of it is over."""


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    said = plain(row)
    del said["tenant"], said["seq"]
    return {**said, "met": bool(said["met"])}


def _missed(trial: Trial) -> dict[str, Any]:
    run_id = None if trial.run is None else trial.run.run_id
    failures = [failure[:_FAILURE_MAX] for failure in trial.failures[:_FAILURES_MAX]]
    return {"case": trial.case, "run_id": run_id, "failures": failures}


def _kept(kept: KeptEval) -> dict[str, Any]:
    return {
        **_outcome(kept.said), "eval_id": kept.eval_id, "principal_id": kept.principal_id, "at": iso(kept.at_us),
        "event": f"{kept.chain}/{kept.seq}",
    }  # fmt: skip


def _outcome(said: Evaluated) -> dict[str, Any]:
    share = Share(said.passed, said.trials)
    low, high = share.interval
    return {
        "suite": said.suite, "suite_digest": said.suite_digest, "how": said.how,
        "since": iso(said.since_us) if said.since_us else None, "trials": said.trials, "passed": said.passed,
        "rate": share.value, "low": low, "high": high, "pass_rate": said.pass_rate, "lost": said.lost,
        "met": said.met, "shares": said.shares, "taken": said.taken, "agents": said.agents, "models": said.models,
        "policies": said.policies, "cases": [asdict(case) for case in said.cases],
    }  # fmt: skip

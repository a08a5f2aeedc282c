"""The policy over HTTP: what is in force, why it decides a call so, and what a change would have decided otherwise.

A changed policy comes as text and is tried; it comes into force by the operator's files alone, which `reload` reads:
no route takes a path (threat T22).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Final, Literal

import anyio
import anyio.to_thread
from pydantic import BaseModel, ConfigDict, Field

from interlock.agent.run import WORDS_MAX
from interlock.api.asking import AtSite, Operator, Seer
from interlock.api.call_documents import Outcome
from interlock.api.calls import Arguments
from interlock.api.document import problems, with_tag
from interlock.api.etags import IfNoneMatch, answer, document_answer
from interlock.api.heavy import InTurn
from interlock.api.run_documents import Told
from interlock.api.site import Site
from interlock.api.strict import Body, Strict
from interlock.api.tools import runs_deployment
from interlock.core.call import Stop, ToolCall
from interlock.core.principal import Principal
from interlock.core.times import moment
from interlock.core.tool import Tool
from interlock.errors import MissingExtra
from interlock.evals.again import Again, Known
from interlock.evals.backtest import Backtest, Candidates, backtest
from interlock.evals.walk import Window
from interlock.grounding.grounding import Asking, imagined
from interlock.ledger.store import Store
from interlock.policy.cedar import Policy
from interlock.policy.explain import explain
from interlock.policy.facts import Facts, Session, server_resource, shown
from interlock.policy.rules import Rule, Source
from interlock.registry.validate import validate

try:
    from fastapi import APIRouter
    from starlette.responses import Response
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

router = APIRouter(tags=["policy"], prefix="/api/v1/policy", route_class=Strict)

NAME: Final = "sent.cedar"
"""What a text is called where it is wrong."""

TEXT_MAX: Final = 200_000
"""Characters of a policy that is tried."""

_NAME_MAX: Final = 128
_TIME_MAX: Final = 40
_EXAMPLES: Final = 5

Text = Annotated[str, Field(max_length=TEXT_MAX, description="The whole policy, in Cedar.")]
Name = Annotated[str, Field(min_length=1, max_length=_NAME_MAX)]


class RuleDocument(BaseModel):
    """One rule."""

    model_config = Told

    rule: Annotated[str, Field(description="Its `@id`, else file and line.")]
    place: Annotated[str, Field(examples=["rules.cedar:12"])]
    effect: Literal["permit", "forbid"]
    approvers: Annotated[list[str], Field(description="Groups that may release what it forbids; empty for nobody.")]
    quorum: int
    expires_s: Annotated[int | None, Field(description="Seconds that a request stays open; null for the tier's time.")]
    verify: Annotated[bool, Field(description="A second model must agree as well.")]
    text: str


class PolicyDocument(BaseModel):
    """The policy in force."""

    model_config = Told

    digest: Annotated[str, Field(description="Of its text, and of what it can see of the tools.")]
    mode: Annotated[str, Field(description="Whether its decisions bind.", examples=["enforce", "evaluate_only"])]
    shadow: Annotated[str | None, Field(description="Digest of a candidate that is asked as well and only recorded.")]
    rules: list[RuleDocument]
    untyped: Annotated[
        dict[str, list[dict[str, str]]],
        Field(description="Tool to the parts of its arguments that no rule can see, and why."),
    ]


class Candidate(Body):
    """A policy that is looked at."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "permit (principal, action, resource);"}]})

    text: Text


class Checked(BaseModel):
    """A policy that loads."""

    model_config = Told

    digest: str
    rules: list[RuleDocument]


class Imagined(Body):
    """A call that somebody thinks of."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"tool": "refund", "arguments": {"payment_id": 7}, "principal": "ana", "roles": ["support"]}]
        }
    )

    tool: Annotated[str, Field(max_length=_NAME_MAX)]
    arguments: Arguments = Field(default_factory=dict)
    principal: Annotated[str, Field(min_length=1, max_length=_NAME_MAX, description="On whose behalf, of your tenant.")]
    roles: list[Name] = Field(default_factory=list, max_length=64)
    kind: Literal["user", "service"] = "user"
    words: Annotated[str | None, Field(max_length=WORDS_MAX, description="What the user said; null for not seen.")] = (
        None
    )
    read: list[Annotated[str, Field(max_length=WORDS_MAX)]] = Field(
        default_factory=list, max_length=16, description="Texts by others that the run has read."
    )
    mandates: list[Name] = Field(default_factory=list, max_length=64, description="Tools that were asked for.")


class Explained(BaseModel):
    """Why a call would be decided so."""

    model_config = Told

    stopped: Annotated[Outcome | None, Field(description="Why policy would not be asked; null where it would.")]
    explanation: Annotated[
        dict[str, Any] | None,
        Field(description="The decision, every rule that concerns the tool with its parts that do not hold, and every "
                          "fact that they could read; null where policy would not be asked."),
    ]  # fmt: skip


class Backtested(Body):
    """A changed policy, and the calls that it is asked about."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "permit (principal, action, resource);", "since": "7d"}]}
    )

    text: Text
    since: Annotated[str, Field(max_length=_TIME_MAX, description="Calls from then on: `7d`, `12h`, or RFC 3339.")] = (
        "7d"
    )
    until: Annotated[str | None, Field(max_length=_TIME_MAX, description="Calls before then.")] = None


class Loaded(BaseModel):
    """What is in force now."""

    model_config = Told

    digest: str


@router.get("", summary="Read the policy in force", response_model=PolicyDocument, responses=with_tag())
async def read(site: AtSite, who: Seer, if_none_match: IfNoneMatch = None) -> Response:
    """Every rule as it is written, in the order of the files; the same for every tenant."""
    policy = in_force(site)
    said = {
        "digest": policy.digest, "mode": policy.mode.value,
        "shadow": policy.shadow.digest if policy.shadow is not None else None,
        "rules": [_rule(rule) for rule in policy.rules],
        "untyped": {tool: [gap._asdict() for gap in gaps] for tool, gaps in policy.untyped().items()},
    }  # fmt: skip
    return document_answer(said, if_none_match)


@router.post("/check", summary="Check a policy", response_model=Checked)
async def check(body: Candidate, site: AtSite, who: Seer, heavy: InTurn) -> Response:
    """Whether a policy parses and fits the tools: 422 says where it does not. Nothing of it comes into force."""
    policy = await heavy.done(partial(Policy, [Source(NAME, body.text)], site.plane.plane.registry.tools))
    return answer({"digest": policy.digest, "rules": [_rule(rule) for rule in policy.rules]})


@router.post("/explain", summary="Explain a call", response_model=Explained)
async def explained(body: Imagined, site: AtSite, who: Seer, heavy: InTurn) -> Response:
    """Which rules would decide a call, which nearly would, and what they could read.

    Nothing runs, nothing is looked up and nothing is recorded: the resource is the tool's server, and the run is new.
    """
    return answer(await heavy.done(partial(_explain, site, body, who.tenant)))


@router.post("/backtest", summary="Try a changed policy on recorded calls", response_model=dict[str, Any])
async def backtested(body: Backtested, site: AtSite, who: Operator, heavy: InTurn) -> Response:
    """What a changed policy would have decided otherwise of your tenant's recorded calls.

    As `interlock policy backtest`: each call is asked about on the facts of then. Nothing is dialled, run or written;
    one at a time in each process.
    """
    now_us = site.now_us
    window = Window(
        tenant=who.tenant, since_us=moment(body.since, now_us),
        until_us=None if body.until is None else moment(body.until, now_us),
    )  # fmt: skip
    tools = site.plane.plane.registry.tools
    found = await heavy.done(partial(_in_a_loop_of_its_own, site.store, body.text, tools, window))
    return answer({"tenant": who.tenant, **found.tally.as_json(), "broken": found.walked.broken,
                   "events": found.walked.events})  # fmt: skip


@router.post("/reload", summary="Load the policy again", response_model=Loaded, responses=problems(422))
async def reload(site: AtSite, who: Operator) -> Response:
    """Read the operator's files again and put them in force for every call of this process from now on.

    What does not load leaves the one in force. Asking twice loads twice, to the same end. For operators of the tenant
    `default`.
    """
    runs_deployment(who, "the policy is loaded", "policies.reload")
    return answer({"digest": await anyio.to_thread.run_sync(site.plane.reload_policy)})


def in_force(site: Site) -> Policy:
    """The policy of rules that decides now."""
    policy = site.plane.plane.policy
    assert isinstance(policy, Policy), "a plane that settings describe has a policy of rules"
    return policy


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "rule": rule.rule_id, "place": rule.place, "effect": "permit" if rule.permits else "forbid",
        "approvers": sorted(rule.approvers), "quorum": rule.quorum, "expires_s": rule.expires_s, "verify": rule.verify,
        "text": rule.text,
    }  # fmt: skip


def _explain(site: Site, body: Imagined, tenant: str) -> dict[str, Any]:
    plane, now_us = site.plane.plane, site.now_us
    run = imagined(body.words, body.read, body.mandates)
    call = ToolCall(
        run_id=run.run_id, call_id="call_explain", tool=body.tool, arguments=body.arguments,
        principal=Principal(body.principal, tenant, frozenset(body.roles), body.kind),
    )  # fmt: skip
    trace = partial(plane.grounding.trace, Asking(run, lambda call: None, now_us))
    valid = validate(call, plane.registry, trace=trace)
    if isinstance(valid, Stop):
        return {"stopped": valid.outcome.as_json(), "explanation": None}
    tool = valid.tool
    facts = Facts(
        valid.call.principal, tool, shown(valid), valid.text, Session(), now_us, server_resource(tool.server),
        valid.traced,
    )  # fmt: skip
    return {"stopped": None, "explanation": explain(in_force(site), facts).as_json()}


def _in_a_loop_of_its_own(store: Store, text: str, tools: Sequence[Tool], window: Window) -> Backtest:
    policy = Policy([Source(NAME, text)], tools)

    async def ask() -> Backtest:
        known = Known(tools)
        await known.read(store)
        return await backtest(store, window, Candidates(new=Again(policy, known)), _EXAMPLES)

    return anyio.run(ask)

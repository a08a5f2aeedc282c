"""The policy over HTTP: what is in force, why it decides a call so, and what a change would have decided otherwise.

A changed policy comes as text and is tried; it comes into force by the operator's files alone, which `reload` reads:
no route takes a path (threat T22).
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from interlock.agent.run import WORDS_MAX
from interlock.api.asking import AtSite, InTurn, Operator, Seer
from interlock.api.call_documents import Outcome
from interlock.api.calls import Arguments
from interlock.api.document import problems, with_tag
from interlock.api.etags import IfNoneMatch, answer, document_answer
from interlock.api.reach import loads_policy
from interlock.api.run_documents import Told
from interlock.api.site import Site
from interlock.api.strict import Body, Strict
from interlock.api.trying import TEXT_MAX, explain_call, in_force, try_policy
from interlock.core.call import Stop
from interlock.core.principal import Principal
from interlock.core.times import moment
from interlock.errors import MissingExtra
from interlock.evals.walk import Window
from interlock.grounding.grounding import imagined
from interlock.policy.cedar import Policy
from interlock.policy.rules import Rule, Source

try:
    from fastapi import APIRouter
    from starlette.responses import Response
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

router = APIRouter(tags=["policy"], prefix="/api/v1/policy", route_class=Strict)

NAME: Final = "sent.cedar"
"""What a text is called where it is wrong."""

_NAME_MAX: Final = 128
_TIME_MAX: Final = 40

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
    """The policy in force in the process that answers."""

    model_config = Told

    behind: Annotated[
        str | None, Field(description="Why it is not the one that was loaded last, and decides on all the same.")
    ]
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
    problem = await site.plane.policy_problem()
    policy = in_force(site)
    said = {
        "behind": problem or None, "digest": policy.digest, "mode": policy.mode.value,
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
    found = await heavy.done(partial(try_policy, site.store, Source(NAME, body.text), tools, window))
    return answer({"tenant": who.tenant, **found.tally.as_json(), "broken": found.walked.broken,
                   "events": found.walked.events})  # fmt: skip


@router.post("/reload", summary="Load the policy again", response_model=Loaded, responses=problems(422))
async def reload(site: AtSite, who: Operator) -> Response:
    """Read the operator's files again and put them in force for every call from now on, of every process.

    What does not load leaves the one in force. Each other process reads its own files before its next call; where they
    are not exactly what was loaded here it decides by the one before, is not ready, and says so in `behind`. Asking
    twice loads twice, to the same end. For operators of the tenant `default`.
    """
    loads_policy(who)
    return answer({"digest": await site.plane.reload_policy(who.principal)})


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "rule": rule.rule_id, "place": rule.place, "effect": "permit" if rule.permits else "forbid",
        "approvers": sorted(rule.approvers), "quorum": rule.quorum, "expires_s": rule.expires_s, "verify": rule.verify,
        "text": rule.text,
    }  # fmt: skip


def _explain(site: Site, body: Imagined, tenant: str) -> dict[str, Any]:
    principal = Principal(body.principal, tenant, frozenset(body.roles), body.kind)
    run = imagined(body.words, body.read, body.mandates)
    found = explain_call(site, run, body.tool, body.arguments, principal)
    if isinstance(found, Stop):
        return {"stopped": found.outcome.as_json(), "explanation": None}
    return {"stopped": None, "explanation": found.as_json()}

"""The tools over HTTP: what can be called, in which versions, and what servers changed of them since it was reviewed.

A tool is named, looked at, accepted and rolled out here; none can be made, and no server: what a deployment runs stands
in the operator's settings alone (threat T19).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from interlock.api.asking import AtSite, Operator, Seer
from interlock.api.document import problems, with_tag
from interlock.api.etags import IfNoneMatch, answer, document_answer
from interlock.api.idempotency import Key, replayed
from interlock.api.paging import Page, page_document
from interlock.api.reach import accepts_definitions
from interlock.api.run_documents import Time, Told
from interlock.api.site import Site
from interlock.api.strict import Body, Strict
from interlock.api.who import Who
from interlock.core.clock import iso
from interlock.core.event import DEFINITIONS, Kind
from interlock.core.tool import Tool
from interlock.errors import Conflict, MissingExtra, NotFound
from interlock.ledger.definitions import Definitions
from interlock.registry.cost import tool_tokens
from interlock.registry.difference import Difference
from interlock.registry.lint import lint
from interlock.registry.lint_tool import score
from interlock.rollouts import REASON_MAX, VersionState
from interlock.routing import FIND

try:
    from fastapi import APIRouter
    from starlette.responses import Response
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

router = APIRouter(tags=["tools"], prefix="/api/v1", route_class=Strict)

_NAME_MAX: Final = 200
_DIGEST_MAX: Final = 64

Reason = Annotated[str, Field(min_length=1, max_length=REASON_MAX, description="Why; kept for the audit.")]


class ToolBrief(BaseModel):
    """A tool in the catalogue. Its texts are its server's words."""

    model_config = Told

    name: str
    server: str
    version: Annotated[str, Field(description="That everybody has by default.")]
    versions: Annotated[list[str], Field(description="All of them.")]
    effect: Annotated[str, Field(examples=["irreversible"])]
    category: str
    description: str
    digest: Annotated[str, Field(description="Of its definition, SHA-256 in hex.")]
    score: Annotated[int, Field(ge=0, le=100, description="On the checklist of `interlock tools lint`.")]
    tokens: Annotated[int, Field(description="That a model reads of it in every request, about.")]
    state: Annotated[str, Field(description="Why it is withheld or left alone now; empty where it is not.")]


class Rollout(BaseModel):
    """What a person last said of a version."""

    model_config = Told

    rollout_id: str
    percent: int
    tolerated: Annotated[float, Field(description="Percent of its calls that may fail.")]
    state: Annotated[str, Field(examples=["live", "off", "rolled_back"])]
    by: str
    reason: str
    at: Time


class Version(BaseModel):
    """How one version of a tool stands."""

    model_config = Told

    tool: str
    version: str
    digest: str
    share: Annotated[int, Field(description="Of a hundred principals that get no newer one, how many get it.")]
    said: Annotated[Rollout | None, Field(description="null where nobody said anything.")]
    figures: Annotated[dict[str, int], Field(description="What came of its calls, and of the others', since then.")]
    left_over: Annotated[bool, Field(description="The older version, which the others had, is gone: they have none.")]


class ToolDocument(ToolBrief):
    """A tool."""

    definition: Annotated[dict[str, Any], Field(description="The whole of it: schemas, effect, and what it declares.")]
    findings: Annotated[list[dict[str, Any]], Field(description="Of `interlock tools lint`.")]
    lacks: Annotated[list[str], Field(description="Items of the checklist that it fails.")]
    rollouts: Annotated[list[Version], Field(description="Empty where there is one version, of which nobody spoke.")]


class Drift(BaseModel):
    """What became of one tool of a server since it was reviewed. It waits for a person."""

    model_config = Told

    change: Literal["added", "removed", "renamed", "changed", "returned"]
    server: str
    name: str
    was: Annotated[str, Field(description="Its former name; empty where it was not renamed.")]
    digest: Annotated[str, Field(description="Of the definition as it is now; empty where it is gone.")]
    aspects: Annotated[list[str], Field(description="What kinds of change there are, the one to look at first first.")]
    fields: Annotated[list[str], Field(description="Parts of the definition that differ.")]
    flips: Annotated[list[str], Field(description="What changed about its risk.")]
    signs: Annotated[list[str], Field(description="What in its texts speaks to the model, and did not before.")]
    lines: Annotated[list[str], Field(description="The whole difference, a line for each value.")]


class Accept(Body):
    """Which change is accepted: exactly the one that was shown."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"server": "crm", "name": "refund", "digest": "0" * 64, "reason": "reviewed with its owner"}]
        }
    )

    server: Annotated[str, Field(max_length=_NAME_MAX)]
    name: Annotated[str, Field(max_length=_NAME_MAX)]
    digest: Annotated[str, Field(max_length=_DIGEST_MAX, description="As it was shown; empty for one that is gone.")]
    reason: Reason


class RollOut(Body):
    """Who gets a version."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"version": "2", "percent": 10, "reason": "first tenth", "tolerated": 2.0}]}
    )

    version: Annotated[str, Field(max_length=_NAME_MAX)]
    percent: Annotated[int, Field(ge=0, le=100, description="How many of a hundred principals get it.")]
    reason: Reason
    tolerated: Annotated[
        float | None,
        Field(ge=0, lt=100, description="Percent of its calls that may fail before it is taken back; what was said "
                                        "before, or 5, where left out."),
    ] = None  # fmt: skip


@router.get("/tools", summary="List the tools", response_model=Page[ToolBrief])
async def list_tools(site: AtSite, who: Seer) -> Response:
    """Every tool of the deployment by name, on one page; what is withheld is among them."""
    return answer(page_document([_brief(site, versions) for versions in by_name(site).values()], None))


@router.get("/tools/{name}", summary="Read a tool", response_model=ToolDocument, responses=with_tag())
async def read(name: str, site: AtSite, who: Seer, if_none_match: IfNoneMatch = None) -> Response:
    """One tool with its definition, what the checklist finds, and how its versions stand for your tenant."""
    versions = _named(site, name)
    tool = versions[0]
    said = {
        **_brief(site, versions),
        "definition": tool.definition(),
        "findings": [each.as_json() for each in lint([tool])],
        "lacks": list(score(tool).failed),
        "rollouts": [_version(each) for each in await site.plane.rollouts(who.tenant) if each.tool.name == name],
    }
    return document_answer(said, if_none_match)


@router.post("/tools/{name}/rollout", summary="Roll a version out", response_model=Version, responses=problems(409))
async def roll_out(name: str, body: RollOut, site: AtSite, who: Operator, key: Key = None) -> Response:
    """Give a version to so many of a hundred principals of your tenant, from the next call of every process on.

    With a key, what stands already by the same word of yours is answered with it, and its figures go on.
    """
    _named(site, name)
    for each in await site.plane.rollouts(who.tenant) if key is not None else ():
        if (each.tool.name, each.tool.version) == (name, body.version) and _is_said(each, body, who):
            return answer(_version(each), headers=replayed(True))
    state = await site.plane.roll_out(
        name, body.version, body.percent, who.principal, reason=body.reason, tolerated=body.tolerated
    )
    return answer(_version(state))


@router.get("/drift", summary="What servers changed of their tools", tags=["drift"], response_model=Page[Drift])
async def drift(site: AtSite, who: Seer) -> Response:
    """What is not as it was reviewed and waits for a person: what to look at first first, on one page."""
    waiting = await Definitions(site.store).waiting()
    return answer(page_document([_difference(each) for each in waiting], None))


@router.post(
    "/drift/accept", summary="Accept a change of a tool", tags=["drift"], response_model=Page[Drift],
    responses=problems(409),
)  # fmt: skip
async def accept(body: Accept, site: AtSite, who: Operator, key: Key = None) -> Response:
    """Accept what became of a tool, exactly as it was shown; it binds the next call of every process.

    Answers with what waits still. Refused with 409 where another definition waits by now. With a key, asking again for
    what you have accepted in the same words is answered as before. For operators of the tenant `default`.
    """
    accepts_definitions(who)
    definitions = Definitions(site.store)
    again = False
    try:
        await definitions.accept_shown((body.server, body.name, body.digest), who.principal, body.reason)
    except Conflict:
        again = key is not None and await _accepted_before(site, body, who)
        if not again:
            raise
    waiting = await definitions.waiting()
    return answer(page_document([_difference(each) for each in waiting], None), headers=replayed(again))


def by_name(site: Site) -> dict[str, list[Tool]]:
    """The tools of a site: name to its versions, that which everybody has first; without the one that finds others."""
    found: dict[str, list[Tool]] = {}
    for tool in sorted(site.plane.plane.registry.tools, key=lambda each: each.name):
        if tool.name != FIND:
            found.setdefault(tool.name, []).append(tool)
    return found


def _named(site: Site, name: str) -> list[Tool]:
    if name not in (found := by_name(site)):
        raise NotFound(f"no tool {name!r} here", code="tools.unknown", remedy="See the list of tools.")
    return found[name]


def _brief(site: Site, versions: list[Tool]) -> dict[str, Any]:
    tool = versions[0]
    withheld, degraded = site.plane.plane.registry.withheld, site.plane.degraded
    return {
        "name": tool.name, "server": tool.server, "version": tool.version,
        "versions": [each.version for each in versions], "effect": tool.effect.value, "category": tool.category,
        "description": tool.description, "digest": tool.digest, "score": score(tool).points,
        "tokens": tool_tokens(tool), "state": withheld.get(tool.name, "") or degraded.get(tool.name, ""),
    }  # fmt: skip


def _version(state: VersionState) -> dict[str, Any]:
    said = state.said
    return {
        "tool": state.tool.name, "version": state.tool.version, "digest": state.tool.digest, "share": state.share,
        "said": None if said is None else {
            "rollout_id": said.rollout_id, "percent": said.percent, "tolerated": said.tolerated, "state": said.state,
            "by": said.by, "reason": said.reason, "at": iso(said.at_us),
        },
        "figures": state.figures.as_json(), "left_over": state.left_over,
    }  # fmt: skip


def _is_said(state: VersionState, body: RollOut, who: Who) -> bool:
    said = state.said
    return (
        said is not None
        and said.state != "rolled_back"
        and (said.by, said.percent, said.reason) == (who.principal.id, body.percent, body.reason.strip())
        and body.tolerated in (None, said.tolerated)
    )


def _difference(each: Difference) -> dict[str, Any]:
    said = {"was": "", "digest": "", "aspects": [], "fields": [], "flips": [], "signs": [], "lines": []}
    return said | each.as_json()


async def _accepted_before(site: Site, body: Accept, who: Who) -> bool:
    """Whether the newest word on the tool is theirs, of this definition, in these words."""
    newest = next(_words(await site.store.read(DEFINITIONS), body.server, body.name), None)
    return newest is not None and (newest.tool_hash, newest.principal_id, newest.body.get("reason")) == (
        body.digest, who.principal.id, body.reason,
    )  # fmt: skip


def _words(events: list[Any], server: str, name: str) -> Iterator[Any]:
    """What was accepted of a tool, the newest first."""
    for event in reversed(events):
        fact = event.fact
        if fact.kind is Kind.TOOL_ACCEPTED and (fact.body.get("server"), fact.body.get("name")) == (server, name):
            yield fact

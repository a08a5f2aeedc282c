"""Figures over HTTP: what happened in a time, what is used of budgets and rates, what is out of the ordinary."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, Final, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from interlock.api.asking import AtSite, Seer
from interlock.api.etags import answer
from interlock.api.paging import Page, page_document
from interlock.api.run_documents import Time, Told
from interlock.api.strict import Strict
from interlock.core.clock import SECOND_US, iso
from interlock.core.principal import ADMIN, FIRST_TENANT, OPERATOR
from interlock.core.times import moment
from interlock.errors import BadInput, MissingExtra
from interlock.ledger.alerted import Alert
from interlock.limits.use import BudgetUse, budgets_used, rates_used
from interlock.telemetry.measures_overview import Overview
from interlock.telemetry.prometheus import CONTENT_TYPE

try:
    from fastapi import APIRouter, Query
    from starlette.responses import PlainTextResponse, Response
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

router = APIRouter(prefix="/api/v1", route_class=Strict)
metrics_router = APIRouter(tags=["metrics"], route_class=Strict)

_DAY_US: Final = 24 * 3600 * SECOND_US
_TIME_MAX: Final = 40
_SERIES: Final = 'interlock_calls_total{tenant="default",tool="refund",outcome="held"} 3\n'


class BudgetUsed(BaseModel):
    """One row of a budget."""

    model_config = Told

    name: Annotated[str, Field(description="Empty for a run's own.")]
    unit: str
    whose: Annotated[dict[str, str], Field(description="What it is kept for, beside the tenant.")]
    most: int
    reserved: Annotated[int, Field(description="Held for what is on its way or unknown.")]
    spent: int
    anew_us: Annotated[int | None, Field(description="When it begins anew, microseconds UTC; null for never.")]


class RateUsed(BaseModel):
    """One row of a rate."""

    model_config = Told

    name: str
    whose: dict[str, str]
    calls: int
    per_s: float
    burst: int
    free: Annotated[int, Field(description="Calls that it would take now.")]


class Used(BaseModel):
    """What is used of budgets and rates now."""

    model_config = Told

    budgets: list[BudgetUsed]
    rates: Annotated[list[RateUsed], Field(description="Those that anybody has used.")]


class AlertDocument(BaseModel):
    """Something that is out of the ordinary now."""

    model_config = Told

    alert_id: str
    rule: Annotated[str, Field(examples=["errors", "burst", "new_tools", "budget", "stuck", "held", "fatigue"])]
    subject: Annotated[str, Field(description="What it is about; empty for the whole tenant.")]
    says: Annotated[str, Field(description="For a person.")]
    figures: dict[str, Any]
    run_id: Annotated[str, Field(description="The run that it is about, or the first of several; empty for none.")]
    raised_at: Time


class Span(BaseModel):
    """Which time: the last day where nothing is said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: Annotated[str | None, Field(max_length=_TIME_MAX, description="From then on: `7d`, `12h`, or RFC 3339.")] = (
        None
    )
    until: Annotated[str | None, Field(max_length=_TIME_MAX, description="Before then; now where left out.")] = None


def _overview_model() -> type[BaseModel]:
    """The document of an overview: its own parts, with a budget as an object, and the two sums."""
    hints = get_type_hints(Overview)
    parts: dict[str, Any] = {each.name: (hints[each.name], ...) for each in fields(Overview)}
    parts |= {"budgets": (list[BudgetUsed], ...), "tokens": (int, ...), "micro_usd": (int, ...)}
    made: type[BaseModel] = create_model(
        "OverviewDocument", __doc__="What happened in a tenant within a time.", **parts
    )
    return made


OverviewDocument = _overview_model()


@router.get("/overview", summary="What happened in a time", tags=["figures"], response_model=OverviewDocument)
async def overview(site: AtSite, who: Seer, asked: Annotated[Span, Query()]) -> Response:
    """Calls, answers, times, tokens, money, tools, errors, holds and more of your tenant, at most 91 days of it."""
    now_us = site.now_us
    until_us = now_us if asked.until is None else moment(asked.until, now_us)
    since_us = until_us - _DAY_US if asked.since is None else moment(asked.since, now_us)
    if not 0 <= since_us < until_us <= now_us + _DAY_US:
        raise BadInput(
            "since, until: no time of which anything is known", code="overview.range",
            remedy="Ask for a time that begins before it ends, and ends by now.",
        )  # fmt: skip
    return answer(site.measures.over(who.tenant, since_us, until_us).as_json())


@router.get("/budgets", summary="What is used of budgets and rates", tags=["figures"], response_model=Used)
async def budgets(site: AtSite, who: Seer) -> Response:
    """Every budget and rate of your tenant that is in force, as it stands now, and every open run's own budget."""
    asked = site.store, site.plane.plane.limits.quotas, who.tenant, site.now_us
    return answer(
        {
            "budgets": [_budget(use) for use in await budgets_used(*asked)],
            "rates": [use.as_json() for use in await rates_used(*asked)],
        }
    )


@router.get("/alerts", summary="What is out of the ordinary now", tags=["figures"], response_model=Page[AlertDocument])
async def alerts(site: AtSite, who: Seer) -> Response:
    """Alerts of your tenant that stand, the newest first, on one page."""
    return answer(page_document([_alert(each) for each in await site.telemetry.alerts.standing(who.tenant)], None))


@metrics_router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=PlainTextResponse,
    responses={200: {"description": "The text format of Prometheus.", "content": {"text/plain": {"example": _SERIES}}}},
)
async def metrics(site: AtSite, who: Seer) -> Response:
    """Counts since the process began, and how things stand; with a key of the scope `read`.

    Of your tenant; operators and admins of the tenant `default` get every tenant's, and what is the deployment's.
    """
    everything = who.tenant == FIRST_TENANT and who.principal.roles & {OPERATOR, ADMIN}
    told = await site.telemetry.exposition(None if everything else frozenset({who.tenant}))
    return Response(told, media_type=CONTENT_TYPE)


def _budget(use: BudgetUse) -> dict[str, Any]:
    return {**use._asdict(), "whose": dict(use.whose)}


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "alert_id": alert.alert_id, "rule": alert.about.rule, "subject": alert.about.subject, "says": alert.says,
        "figures": dict(alert.figures), "run_id": alert.run_id, "raised_at": iso(alert.raised_us),
    }  # fmt: skip

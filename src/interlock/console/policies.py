"""The policy in force: its rules with what they decided lately, why it decides a call as it does, and its reloading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import anyio.to_thread

from interlock.api.asking import who_of
from interlock.api.reach import loads_policy
from interlock.api.trying import explain_call, in_force
from interlock.console.forms import Form
from interlock.console.view import View
from interlock.core.call import Stop
from interlock.core.clock import SECOND_US
from interlock.core.principal import FIRST_TENANT, Principal
from interlock.errors import BadInput, InterlockError, MissingExtra
from interlock.grounding.grounding import imagined
from interlock.policy.cedar import Policy
from interlock.policy.explain import Explanation
from interlock.policy.rules import Rule

try:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute, Route
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

_WEEK_US: Final = 7 * 24 * 3600 * SECOND_US
_ARGUMENTS_MAX: Final = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One rule.

    Attributes:
        rule: The rule.
        says: `permits`, `forbids`, or for whom it holds.
        reaches: Names of the tools that it can concern.
        decided: Decisions of the last 7 days that it determined.
    """

    rule: Rule
    says: str
    reaches: tuple[str, ...]
    decided: int


def routes(view: View) -> Sequence[BaseRoute]:
    """The pages of the policy."""
    site = view.site

    async def rules(request: Request, code: int = 200, problem: InterlockError | None = None) -> Response:
        who = who_of(request)
        who.require("see")
        behind = await site.plane.policy_problem()
        policy = in_force(site)
        return view.page(
            request, "policies.html", code, policy=policy, lines=_lines(view, policy, who.tenant), problem=problem,
            untyped=policy.untyped(), may_reload=who.may("operate") and who.tenant == FIRST_TENANT,
            shadow=site.settings.shadow, behind=behind, live="",
        )  # fmt: skip

    async def page(request: Request) -> Response:
        return await rules(request)

    async def reload(request: Request) -> Response:
        who = who_of(request)
        who.require("operate")
        loads_policy(who)
        try:
            await site.plane.reload_policy(who.principal)
        except InterlockError as error:  # the one in force stays
            return await rules(request, 422, error)
        return await rules(request)

    async def asked(request: Request) -> Response:
        who_of(request).require("see")
        return view.page(request, "explain.html", **_blank(view))

    async def explained(request: Request) -> Response:
        who = who_of(request)
        who.require("see")
        form = Form(request)
        said = {name: form.raw(name, _ARGUMENTS_MAX) for name in ("tool", "arguments", "principal", "roles", "words")}
        answer = _blank(view) | {"said": said}
        try:
            answer |= await anyio.to_thread.run_sync(_explain, view, said, who.tenant)
        except InterlockError as error:
            answer["problem"] = error
        return view.page(request, "explain.html", 422 if answer["problem"] else 200, **answer)

    return [
        Route("/policies", page),
        Route("/policies", reload, methods=["POST"]),
        Route("/policies/explain", asked),
        Route("/policies/explain", explained, methods=["POST"]),
    ]


def _lines(view: View, policy: Policy, tenant: str) -> list[Line]:
    now_us = view.site.now_us
    decided: dict[str, int] = {}
    for each in view.site.measures.over(tenant, now_us - _WEEK_US, now_us).decisions:
        name = each.reason.removeprefix("rule:")
        decided[name] = decided.get(name, 0) + each.count
    tools = view.site.plane.plane.registry.tools
    concerned = {tool.name: {rule.rule_id for rule in policy.concerning(tool)} for tool in tools}
    return [
        Line(
            rule=rule, says=_says(rule), decided=decided.get(rule.rule_id, 0),
            reaches=tuple(name for name, found in concerned.items() if rule.rule_id in found),
        )
        for rule in policy.rules
    ]  # fmt: skip


def _says(rule: Rule) -> str:
    if rule.permits:
        return "permits"
    return f"holds for {', '.join(sorted(rule.approvers))}" if rule.holds else "forbids"


def _blank(view: View) -> dict[str, Any]:
    tools = sorted({tool.name for tool in view.site.plane.plane.registry.tools})
    said = {"tool": "", "arguments": "{}", "principal": "", "roles": "", "words": ""}
    return {"tools": tools, "said": said, "found": None, "stop": None, "problem": None}


def _explain(view: View, said: Mapping[str, str], tenant: str) -> dict[str, Explanation | Stop]:
    """Why a call that somebody thinks of would be decided so. Nothing runs, nothing is looked up or recorded."""
    name = said["principal"].strip()
    if not name:
        raise BadInput("principal: nobody is named", code="form.field", remedy="Say on whose behalf it would be made.")
    roles = frozenset(said["roles"].replace(",", " ").split())
    run = imagined(said["words"] or None, (), ())
    found = explain_call(view.site, run, said["tool"], said["arguments"], Principal(name, tenant, roles))
    return {"stop": found} if isinstance(found, Stop) else {"found": found}

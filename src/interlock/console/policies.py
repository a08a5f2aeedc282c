"""The policy in force: its rules with what they decided lately, why it decides a call as it does, and its reloading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import anyio.to_thread

from interlock.api.asking import who_of
from interlock.console.forms import Form
from interlock.console.view import View
from interlock.core.call import Stop, ToolCall
from interlock.core.clock import SECOND_US
from interlock.core.principal import FIRST_TENANT, Principal
from interlock.errors import BadInput, InterlockError, MissingExtra, NotEntitled
from interlock.grounding.grounding import Asking, imagined
from interlock.policy.cedar import Policy
from interlock.policy.explain import Explanation, explain
from interlock.policy.facts import Facts, Session, server_resource, shown
from interlock.policy.rules import Rule
from interlock.registry.validate import validate

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

    def rules(request: Request, code: int = 200, problem: InterlockError | None = None) -> Response:
        who = who_of(request)
        who.require("see")
        policy = in_force(view)
        return view.page(
            request, "policies.html", code, policy=policy, lines=_lines(view, policy, who.tenant), problem=problem,
            untyped=policy.untyped(), may_reload=who.may("operate") and who.tenant == FIRST_TENANT,
            shadow=site.settings.shadow, live="",
        )  # fmt: skip

    async def page(request: Request) -> Response:
        return rules(request)

    async def reload(request: Request) -> Response:
        who = who_of(request)
        who.require("operate")
        if who.tenant != FIRST_TENANT:
            raise NotEntitled(
                "the policy is loaded by those who run the deployment", code="policies.reload",
                remedy=f"Ask an operator of the tenant {FIRST_TENANT!r}.",
            )  # fmt: skip
        try:
            await anyio.to_thread.run_sync(site.plane.reload_policy)
        except InterlockError as error:  # the one in force stays
            return rules(request, 422, error)
        return rules(request)

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


def in_force(view: View) -> Policy:
    """The policy of rules that decides now."""
    policy = view.site.plane.plane.policy
    assert isinstance(policy, Policy), "a plane that settings describe has a policy of rules"
    return policy


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
    roles = frozenset(role for role in said["roles"].replace(",", " ").split() if role)
    plane, now_us = view.site.plane.plane, view.site.now_us
    run = imagined(said["words"] or None, (), ())
    call = ToolCall(
        run_id=run.run_id, call_id="call_explain", tool=said["tool"], arguments=said["arguments"],
        principal=Principal(name, tenant, roles),
    )  # fmt: skip
    trace = partial(plane.grounding.trace, Asking(run, lambda call: None, now_us))
    valid = validate(call, plane.registry, trace=trace)
    if isinstance(valid, Stop):
        return {"stop": valid}
    tool = valid.tool
    facts = Facts(
        valid.call.principal, tool, shown(valid), valid.text, Session(), now_us, server_resource(tool.server),
        valid.traced,
    )  # fmt: skip
    return {"found": explain(in_force(view), facts)}

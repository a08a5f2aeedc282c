"""What is no longer as it was when a request was made: any difference voids what was answered to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.approvals.people import Entitlement
from interlock.approvals.request import approval_digest
from interlock.core.approval import ApprovalState
from interlock.core.call import ValidCall, VerifiedCall
from interlock.core.canonical import Json
from interlock.core.clock import SECOND_US
from interlock.core.decision import REVIEW, UNSURE, Hold
from interlock.core.principal import Principal

Difference = list[dict[str, Json]]
"""Each with `what`, `was` and `now`: in the event that ends the request, and in the request that follows it."""


async def difference(verified: VerifiedCall, asked: ApprovalState, who: Entitlement, now_us: int) -> Difference:
    """What changed since the request: the call, what releases it, and who approved it. Empty where all stands.

    Raises:
        StoreUnavailable: Who is entitled cannot be found out.
    """
    found = _of_call(verified.limited.allowed.valid, asked.request)
    if verified.hold is not None:
        found += _of_hold(verified.hold, asked.request)
        found += _of_origins(verified.limited.allowed.valid, asked.request)
        if asked.status == "approved":
            found += await _of_approvers(asked, verified.limited.allowed.valid.call.principal.tenant, who, now_us)
    return found


def _of_call(valid: ValidCall, request: Mapping[str, Any]) -> Difference:
    """Whether it is exactly the call that was shown: tool definition, arguments, subject, effect, times."""
    tool, shown = valid.tool, request["tool"]
    found = _differ(
        ("tool", f"{shown['server']}/{shown['name']}", f"{tool.server}/{tool.name}"),
        ("definition", shown["hash"], tool.digest),
        ("effect", request["effect"], tool.effect.value),
        ("arguments", request["text"], valid.text.decode()),
    )
    return found or _differ(
        ("digest", request["approval"], approval_digest(valid, request)),
        ("call digest", request["digest"], valid.digest),
    )


def _of_hold(hold: Hold, request: Mapping[str, Any]) -> Difference:
    """Whether what was asked for is what is asked for today, or more: of no fewer people, for no longer."""
    found: Difference = []
    if more := hold.groups - set(request["groups"]):
        found += _differ(("groups", list(request["groups"]), sorted(more | set(request["groups"]))))
    if hold.quorum > request["quorum"]:
        found += _differ(("quorum", request["quorum"], hold.quorum))
    before = request.get("verify", {})
    doubts = {REVIEW, UNSURE}.intersection(hold.rules)
    if hold.in_person and "doubt" not in before and not doubts <= set(request["rules"]):  # they did not know of it
        found += _differ(("verify", before.get("verdict"), "in doubt"))
    open_s = (request["expires_us"] - request["requested_us"]) // SECOND_US
    if hold.expires_s < open_s:
        found += _differ(("expires_s", open_s, hold.expires_s))
    return found


def _of_origins(valid: ValidCall, request: Mapping[str, Any]) -> Difference:
    """Whether more lacks of where its values come from than was shown: the run may have read something since."""
    if not valid.traced.lacks:
        return []
    shown = {(each["code"], each.get("pointer", "")) for each in request.get("origins", {}).get("lacks", ())}
    more = {(lack.code, lack.pointer) for lack in valid.traced.provenance.lacks} - shown
    return _differ(("origins", _said(shown), _said(shown | more))) if more else []


def _said(lacks: set[tuple[str, str]]) -> list[Json]:
    return [" ".join(filter(None, lack)) for lack in sorted(lacks)]


async def _of_approvers(asked: ApprovalState, tenant: str, who: Entitlement, now_us: int) -> Difference:
    """Whether everybody who approved may still speak for the groups that they spoke for."""
    found: Difference = []
    excluded = {asked.request["subject"], *asked.request.get("editors", ())}
    for person_id, body in asked.approvals.items():
        lent = body.get("lent_by", {})
        said = Principal(person_id, tenant, frozenset(role for role in body["roles"] if role not in lent))
        standing = await who.standing(said, now_us)
        roles, by = standing.roles_for(body["roles"], excluded) if standing.person.kind == "user" else ([], {})
        still: list[Json] = [role for role in roles if role not in by or role in lent]  # what was their own still is
        found += _differ((f"approver {person_id}", sorted(body["roles"]), still))
    return found


def _differ(*pairs: tuple[str, Json, Json]) -> Difference:
    return [{"what": what, "was": was, "now": now} for what, was, now in pairs if was != now]

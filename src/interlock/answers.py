"""What people say about calls: answers to requests, their withdrawal, lent roles, what became of an unknown one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from interlock.approvals.decide import Answer, decide, settled
from interlock.approvals.delegation import Delegation, delegated, undelegated
from interlock.core.approval import ApprovalState
from interlock.core.call import Outcome, OutcomeKind, Stop, ToolCall, ValidCall, outcome_to_json
from interlock.core.canonical import Json
from interlock.core.clock import SECOND_US
from interlock.core.event import Fact, GuardChange, Kind
from interlock.core.principal import OPERATOR, Principal
from interlock.core.tool import Tool
from interlock.errors import BadInput, Conflict, DuplicateFact, GuardRefused, NotEntitled, NotFound
from interlock.ledger.conversation import Conversation
from interlock.ledger.store import Claim
from interlock.pipeline import Plane
from interlock.registry.validate import validate
from interlock.runs import advance
from interlock.screening.screen import screen_value

_REASON_MAX = 2000
_MINUTE_US = 60 * SECOND_US


async def approval(plane: Plane, approval_id: str, tenant: str) -> ApprovalState:
    """An approval request as it stands now, with everything that would run.

    Raises:
        NotFound: No such request of this tenant.
    """
    return (await _asked(plane, approval_id, tenant))[1]


async def answer(plane: Plane, approval_id: str, said: Answer, person: Principal) -> ApprovalState:
    """Record a person's answer to an approval request. The call goes on when its run is advanced, not here.

    Returns:
        The request as it stands now.

    Raises:
        NotFound: No such request in the person's tenant.
        NotEntitled, Conflict, BadInput: The answer does not count; see `approvals.decide`. Of an edit, `BadInput` names
            what is wrong with the arguments, and of a response, with the value.
    """
    conversation, asked = await _asked(plane, approval_id, person.tenant)
    now_us = plane.approvals.clock.wall_us()
    fact = decide(asked, said, await plane.approvals.entitlement.standing(person, now_us), now_us)
    if said.decision == "edit":
        valid = _edited(plane, conversation, asked, said)
        fact.body.update(text=valid.text.decode(), digest=valid.digest)
    elif said.decision == "respond":
        fact.body["value"] = _value(plane, conversation, asked, said)
    try:
        await conversation.append_outside([fact], _paced(plane, person))
    except DuplicateFact:
        raise NotEntitled(f"{person.id!r} has answered already", code="approval.twice") from None
    except GuardRefused as refused:
        wait_s = -(-refused.wait_us // SECOND_US)
        raise Conflict(
            f"{person.id!r} has given more than {plane.approvals.per_minute_max} answers in a minute",
            code="approval.rate",
            remedy=f"Look at the next one for {wait_s} s.",
        ) from None
    if person.id != asked.ended_by and person.id not in asked.approvals:
        raise settled(asked)
    return asked


async def withdraw(plane: Plane, approval_id: str, person: Principal, reason: str) -> ApprovalState:
    """Take back a request that nobody has decided: its call is refused when its run is advanced.

    Raises:
        NotEntitled: Neither the one on whose behalf the call runs nor an operator.
        Conflict: It is decided already.
        NotFound: No such request in the person's tenant.
    """
    conversation, asked = await _asked(plane, approval_id, person.tenant)
    operator = person.kind == "user" and OPERATOR in person.roles
    if person.id != asked.request["subject"] and not operator:
        raise NotEntitled(
            f"{person.id!r} may not withdraw it", code="withdraw.role",
            remedy="Ask the one on whose behalf the call runs, or an operator.",
        )  # fmt: skip
    if len(reason) > _REASON_MAX:
        raise BadInput(f"reason: more than {_REASON_MAX} characters", code="withdraw.reason", remedy="Say it shorter.")
    if waits := asked.status == "pending":
        body = {"by": person.id, "reason": reason}
        fact = Fact(
            Kind.APPROVAL_WITHDRAWN, body, asked.call_id, 0, 0, person.id, approval_id=approval_id
        )  # fmt: skip
        await conversation.append_outside([fact])
    if not waits or asked.status != "withdrawn":
        raise settled(asked)
    return asked


async def delegate(
    plane: Plane, lender: Principal, to: str, groups: Collection[str], hours: float, reason: str
) -> None:  # fmt: skip
    """Lend roles of one's own to somebody else for approving, until it ends or is taken back.

    Raises:
        NotEntitled, BadInput: See `approvals.delegation.delegated`.
    """
    now_us = plane.approvals.clock.wall_us()
    standing = await plane.approvals.entitlement.standing(lender, now_us)
    fact = delegated(standing.person, to, groups, hours * 3600, now_us, reason)
    await plane.approvals.entitlement.delegations.record(lender.tenant, fact)


async def undelegate(plane: Plane, lender: Principal, to: str) -> None:
    """Take back what one has lent to somebody.

    Raises:
        NotFound: Nothing is lent to them.
    """
    lent = await delegations(plane, lender.tenant)
    if not any((each.lender, each.borrower) == (lender.id, to) for each in lent):
        raise NotFound(f"{lender.id!r} has lent nothing to {to!r}", code="delegation.not_found")
    fact = undelegated(lender, to)
    await plane.approvals.entitlement.delegations.record(lender.tenant, fact)


async def delegations(plane: Plane, tenant: str) -> list[Delegation]:
    """What is lent within a tenant now."""
    lent = await plane.approvals.entitlement.delegations.lent(tenant)
    return lent.standing(plane.approvals.clock.wall_us())


def _paced(plane: Plane, person: Principal) -> tuple[GuardChange, ...]:
    """The row that says how fast one person decides: it refills, so that nobody clicks through a pile."""
    name = f"{person.tenant}/decisions/{person.id}"
    each_us = _MINUTE_US // plane.approvals.per_minute_max
    return (GuardChange(name, each_us, at_most=_MINUTE_US, refills=True),)


def _edited(plane: Plane, conversation: Conversation, asked: ApprovalState, said: Answer) -> ValidCall:
    """The edit as a valid call; what is wrong with it is told to whoever edits, and nothing is recorded.

    Raises:
        BadInput: The arguments are not valid, or nothing is changed.
    """
    _tool(plane, asked)
    assert said.arguments is not None, "an edit has arguments"
    call = replace(_call(conversation, asked, said.arguments), sent=True)  # as the version that is shown, or not at all
    valid = validate(call, plane.registry)
    if isinstance(valid, Stop):
        problems = "; ".join(str(problem) for problem in valid.outcome.problems)
        raise BadInput(
            f"the edited arguments are not valid: {problems or valid.outcome.message}", code="approval.edit",
            remedy="Mend them and edit again; nothing was recorded.",
        )  # fmt: skip
    if valid.digest == asked.request["digest"]:
        raise BadInput("the edit changes nothing", code="approval.edit", remedy="Approve it as it is, or change it.")
    return valid


def _value(plane: Plane, conversation: Conversation, asked: ApprovalState, said: Answer) -> Json:
    """The value of a response as it is told.

    Raises:
        BadInput: The tool could not have returned it.
    """
    tool = _tool(plane, asked)
    fit = screen_value(_call(conversation, asked, "{}"), tool, said.value, plane.screens)
    if isinstance(fit, Stop):
        raise BadInput(
            f"value: {fit.outcome.message}", code="approval.value", remedy="Give what the tool would have returned."
        )
    value: Json = fit.value
    return value


def _call(conversation: Conversation, asked: ApprovalState, arguments: str | bytes | Mapping[str, Any]) -> ToolCall:
    subject = conversation.state.principal
    assert subject is not None, "a run that has calls was started"
    return ToolCall(
        run_id=conversation.state.run_id, call_id=asked.call_id, tool=asked.request["tool"]["name"],
        arguments=arguments, principal=subject, version=conversation.state.calls[asked.call_id].version,
    )  # fmt: skip


def _tool(plane: Plane, asked: ApprovalState) -> Tool:
    """The tool of a request, as it was when it asked.

    Raises:
        NotFound: It is not here.
        Conflict: It is another one by now.
    """
    shown = asked.request["tool"]
    versions = plane.registry.versions(shown["name"])
    known = next((each for each in versions if each.tool.digest == shown["hash"]), None)
    if not versions:
        raise NotFound(
            f"there is no tool {shown['name']!r} here", code="approval.tool", remedy="Answer where its tool is."
        )
    if known is None:
        raise Conflict(
            f"the tool {shown['name']!r} has changed since",
            code="approval.tool_changed",
            remedy="Reject or approve it.",
        )
    return known.tool


async def settle(
    plane: Plane, claim: Claim, call_id: str, outcome: str, person: Principal, note: str
) -> Outcome:  # fmt: skip
    """A person's word on what became of an unknown call; its run is finished where nothing else of it is left.

    Args:
        outcome: `done` or `failed`.
        note: How they know; kept for the audit.

    Raises:
        NotEntitled: Not a person with the role `operator`.
        Conflict: The call is not unknown (any more).
        NotFound: No such call of the person's tenant.
    """
    if outcome not in ("done", "failed"):
        raise BadInput(f"outcome: {outcome!r}", code="settle.outcome", remedy="Say 'done' or 'failed'.")
    if person.kind != "user" or OPERATOR not in person.roles:
        raise NotEntitled(f"{person.id!r} has not the role {OPERATOR!r}", code="settle.role", remedy="Ask an operator.")
    rows = await plane.ledger.store.rows("tool_call", {"call_id": call_id, "tenant": person.tenant})
    if not rows:
        raise NotFound(f"no call {call_id!r}", code="call.not_found", remedy="See `interlock calls unknown`.")
    conversation = await plane.ledger.conversation(rows[0]["run_id"], person.tenant)
    await conversation.refresh()
    call = conversation.state.calls[call_id]
    if call.status != "unknown":
        raise Conflict(f"call {call_id} is {call.status}, not unknown", code="settle.not_unknown")
    told = Outcome(
        kind=OutcomeKind(outcome), call_id=call_id, tool=call.tool,
        code="" if outcome == "done" else "settled",
        message="" if outcome == "done" else "a person found that this call took no effect",
    )  # fmt: skip
    body = {"outcome": outcome_to_json(told), "by": person.id, "how": "person", "note": note}
    fact = Fact(Kind.CALL_RECONCILED, body, call_id, call.step, 0, person.id, outcome=outcome)
    try:
        await conversation.append_outside([fact])
    except DuplicateFact:
        raise Conflict(f"call {call_id} was settled a moment ago", code="settle.not_unknown") from None
    await advance(plane, claim, conversation.state.run_id, person.tenant)
    return told


async def _asked(plane: Plane, approval_id: str, tenant: str) -> tuple[Conversation, ApprovalState]:
    rows = await plane.ledger.store.rows("approval", {"approval_id": approval_id, "tenant": tenant})
    if not rows:
        raise NotFound(
            f"no approval request {approval_id!r}", code="approval.not_found", remedy="See `interlock approvals list`."
        )
    conversation = await plane.ledger.conversation(rows[0]["run_id"], tenant)
    await conversation.refresh()
    asked = conversation.state.approvals[approval_id]
    if not asked.request:
        raise NotFound(f"what request {approval_id!r} asked was erased", code="approval.erased")
    return conversation, asked

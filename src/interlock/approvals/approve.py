"""The gate `approve`: is every hold of this decision answered?"""

from __future__ import annotations

from dataclasses import replace

from interlock.approvals.request import Approvals, approval_digest, request
from interlock.approvals.undo import undoes
from interlock.core.approval import ApprovalState
from interlock.core.call import ApprovedCall, Outcome, OutcomeKind, Stop, ToolCall, VerifiedCall, refuse
from interlock.core.clock import SECOND_US
from interlock.core.decision import Hold
from interlock.core.event import Fact, Kind
from interlock.core.run import RunState


async def approve(verified: VerifiedCall, approvals: Approvals, run: RunState, step: int) -> ApprovedCall | Stop:
    """Pass a call that nothing holds, or whose hold is answered for exactly these bytes and still in time.

    A hold that nobody was asked about may be answered by a grant instead; a request that waits is answered by people
    alone. Any other held call stops here: as `held` with a new request, or refused by the answer it got. A rehearsal
    ends here as well, whatever the answer.
    """
    call = verified.limited.allowed.valid.call
    known = run.calls.get(call.call_id)
    asked = run.approvals.get(known.approval_id) if known is not None else None
    if asked is not None and not call.dry_run:
        return _answered(verified, asked, approvals, step)
    if call.parent_id and (undone := undoes(verified, run)):
        return ApprovedCall(verified, "", undoes=undone)
    grant = None
    if verified.hold is not None:
        grant = await approvals.grants.answer(verified, known, lambda: _ask(verified, approvals, run, step))
    if call.dry_run:
        return _rehearsed(call, verified.hold is not None and grant is None)
    if verified.hold is None or grant is not None:
        return ApprovedCall(verified, "", grant)
    return _ask(verified, approvals, run, step)


def _ask(verified: VerifiedCall, approvals: Approvals, run: RunState, step: int) -> Stop:
    """Hold a call that nobody was asked about yet."""
    call = verified.limited.allowed.valid.call
    if sum(approval.status == "pending" for approval in run.approvals.values()) >= approvals.pending_max:
        return refuse(
            call, "approve.too_many_held", f"{approvals.pending_max} calls of this run wait for approval already",
            next_step="Wait until they are decided.",
        )  # fmt: skip
    return _hold(verified, approvals, step)


def _answered(verified: VerifiedCall, asked: ApprovalState, approvals: Approvals, step: int) -> ApprovedCall | Stop:
    """A call that asked before: what the answer means on today's facts."""
    valid = verified.limited.allowed.valid
    call = valid.call
    expired = approvals.clock.wall_us() >= asked.request["expires_us"]
    if asked.status == "rejected":
        words = asked.words or "no reason was given"
        return refuse(
            call, "approve.rejected", f"a person rejected this call: {words}",
            next_step="Do not repeat it unchanged.", audit={"approval": asked.approval_id},
        )  # fmt: skip
    if asked.status in ("expired", "withdrawn") or (expired and asked.status in ("pending", "approved")):
        over = () if asked.status in ("expired", "withdrawn") else (_end(Kind.APPROVAL_EXPIRED, asked, call, step),)
        stop = refuse(
            call, "approve.expired", "nobody approved this call in time",
            next_step="Propose it again if it is still wanted.", audit={"approval": asked.approval_id},
        )  # fmt: skip
        return replace(stop, facts=over)
    if not _same(verified, asked) or not _covers(verified.hold, asked):
        return _hold(verified, approvals, step, instead_of=asked)
    if asked.status in ("approved", "consumed"):  # consumed: its intent stands, its worker was lost, it is taken up
        return ApprovedCall(verified, asked.approval_id)
    return _told_held(call, asked.approval_id, ())


def _same(verified: VerifiedCall, asked: ApprovalState) -> bool:
    """Whether the request is about exactly this call: tool definition, arguments, subject, effect, times."""
    valid = verified.limited.allowed.valid
    request = asked.request
    return bool(approval_digest(valid, request) == request["approval"] and valid.digest == request["digest"])


def _covers(hold: Hold | None, asked: ApprovalState) -> bool:
    """Whether what was asked for is still what is asked for today, or more: of no fewer people, for no longer."""
    if hold is None:
        return True
    request = asked.request
    open_us = request["expires_us"] - request["requested_us"]
    return (
        hold.groups <= set(request["groups"])
        and hold.quorum <= request["quorum"]
        and hold.expires_s * SECOND_US >= open_us
    )


def _hold(
    verified: VerifiedCall, approvals: Approvals, step: int, instead_of: ApprovalState | None = None
) -> Stop:  # fmt: skip
    call = verified.limited.allowed.valid.call
    if verified.hold is None:
        assert instead_of is not None, "a call that nothing holds does not ask"
        stop = refuse(
            call, "approve.superseded", "the call that was approved is not the call that would run now",
            next_step="Propose it again.", audit={"approval": instead_of.approval_id},
        )  # fmt: skip
        return replace(stop, facts=(_end(Kind.APPROVAL_SUPERSEDED, instead_of, call, step),))
    asked = request(verified, approvals, step)
    facts: tuple[Fact, ...] = (asked,)
    if instead_of is not None:
        facts = (_end(Kind.APPROVAL_SUPERSEDED, instead_of, call, step), asked)
    return _told_held(call, asked.approval_id, facts)


def _end(kind: Kind, asked: ApprovalState, call: ToolCall, step: int) -> Fact:
    return Fact(kind, {}, call.call_id, step, 0, call.principal.id, approval_id=asked.approval_id)


def _told_held(call: ToolCall, approval_id: str, facts: tuple[Fact, ...]) -> Stop:
    outcome = Outcome(
        kind=OutcomeKind.HELD, call_id=call.call_id, tool=call.tool, code="approve.held",
        message="this call waits for a person's approval; it runs by itself once approved",
        next_step="Go on with other work or tell the user; do not propose it again.", approval_id=approval_id,
    )  # fmt: skip
    return Stop(gate="approve", outcome=outcome, audit={}, facts=facts)


def _rehearsed(call: ToolCall, held: bool) -> Stop:
    """The end of a dry run: everything was checked and decided, nothing ran."""
    if held:
        return refuse(call, "rehearsal.would_hold", "dry run: this call would wait for a person's approval")
    return refuse(call, "rehearsal.would_run", "dry run: this call would run")

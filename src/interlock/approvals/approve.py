"""The gate `approve`: is every hold of this decision answered?"""

from __future__ import annotations

from dataclasses import replace

from interlock.approvals.recheck import Difference, difference
from interlock.approvals.request import Approvals, request
from interlock.core.approval import ApprovalState
from interlock.core.call import ApprovedCall, Outcome, OutcomeKind, Stop, ToolCall, VerifiedCall, refuse
from interlock.core.canonical import Json
from interlock.core.event import Fact, Kind
from interlock.core.lacking import origin_problems
from interlock.core.run import RunState
from interlock.ledger.recall import answered, unanswered
from interlock.registry.undoing import undoes


async def approve(verified: VerifiedCall, approvals: Approvals, run: RunState, step: int) -> ApprovedCall | Stop:
    """Pass a call that nothing holds, or whose hold is answered for exactly these bytes and still in time.

    A hold that nobody was asked about may be answered by a grant instead, unless it is a second reader's doubt; a
    request that waits is answered by people alone. Any other held call stops here: as `held` with a new request, or
    refused by the answer it got. A rehearsal ends here as well, whatever the answer.

    Raises:
        StoreUnavailable: Who is entitled to approve cannot be found out; the call goes on waiting.
    """
    valid = verified.limited.allowed.valid
    call = valid.call
    known = run.calls.get(call.call_id)
    asked = run.approvals.get(known.approval_id) if known is not None else None
    if asked is not None and not call.dry_run:
        return await _asked_before(verified, asked, approvals, step)
    in_person = verified.hold is not None and verified.hold.in_person
    if call.parent_id and not (in_person or call.dry_run) and (undone := undoes(valid, run)):
        return ApprovedCall(verified, "", undoes=undone)
    asks_or_writes = verified.hold is not None or valid.tool.writes
    if known is None and asks_or_writes and not call.dry_run and _paused(call, approvals, run):
        return refuse(
            call, "approve.paused", "too many calls of this run wait for a person's approval; until people have "
            "decided, nothing is done but reading", next_step="Wait until they are decided, or tell the user.",
            audit={"pending": len(run.approvals.pending)},
        )  # fmt: skip
    grant = None
    if verified.hold is not None and not in_person:
        grant = await approvals.grants.answer(verified, known, lambda: _ask(verified, approvals, run, step))
    if call.dry_run:
        return _rehearsed(call, verified.hold is not None and grant is None)
    if verified.hold is None or grant is not None:
        return ApprovedCall(verified, "", grant)
    return _ask(verified, approvals, run, step)


def _ask(verified: VerifiedCall, approvals: Approvals, run: RunState, step: int) -> Stop:
    """Hold a call that nobody was asked about yet."""
    call = verified.limited.allowed.valid.call
    run.approvals.asking.add(call.call_id)
    asks = request(verified, approvals, step, {})
    return _told_held(verified, asks.approval_id, (asks,))


def _paused(call: ToolCall, approvals: Approvals, run: RunState) -> bool:
    """Whether the run floods people with questions. What a person made of one of them is no further question."""
    return len(run.approvals.pending) + len(run.approvals.asking) > approvals.pending_max and not call.edited_by


async def _asked_before(
    verified: VerifiedCall, asked: ApprovalState, approvals: Approvals, step: int
) -> ApprovedCall | Stop:  # fmt: skip
    """A call that asked before: what the answer means on today's facts."""
    call = verified.limited.allowed.valid.call
    if (end := answered(call, asked)) is not None:
        return end
    now_us = approvals.clock.wall_us()
    if now_us >= asked.request["expires_us"] and asked.status in ("pending", "approved"):
        return replace(unanswered(call, asked), facts=(_end(Kind.APPROVAL_EXPIRED, asked, call, step, {}),))
    if changed := await difference(verified, asked, approvals.entitlement, now_us):
        return _superseded(verified, asked, approvals, step, changed)
    if asked.status in ("approved", "consumed"):  # consumed: its intent stands, its worker was lost, it is taken up
        return ApprovedCall(verified, asked.approval_id)
    return _told_held(verified, asked.approval_id, ())


def _superseded(
    verified: VerifiedCall, asked: ApprovalState, approvals: Approvals, step: int, changed: Difference
) -> Stop:  # fmt: skip
    """The request is void, and people are asked again with what changed; or nobody is, where nothing holds it now."""
    call = verified.limited.allowed.valid.call
    over = _end(Kind.APPROVAL_SUPERSEDED, asked, call, step, {"difference": changed})
    if verified.hold is None:
        stop = refuse(
            call, "approve.superseded", "the call that was approved is not the call that would run now",
            next_step="Propose it again.", audit={"approval": asked.approval_id},
        )  # fmt: skip
        return replace(stop, facts=(over,))
    asks = request(verified, approvals, step, {"instead_of": asked.approval_id, "difference": changed})
    return _told_held(verified, asks.approval_id, (over, asks))


def _end(kind: Kind, asked: ApprovalState, call: ToolCall, step: int, body: dict[str, Json]) -> Fact:
    return Fact(kind, body, call.call_id, step, 0, call.principal.id, approval_id=asked.approval_id)


def _told_held(verified: VerifiedCall, approval_id: str, facts: tuple[Fact, ...]) -> Stop:
    valid = verified.limited.allowed.valid
    call = valid.call
    problems = origin_problems(valid.traced.provenance) if valid.traced.lacks else ()
    outcome = Outcome(
        kind=OutcomeKind.HELD, call_id=call.call_id, tool=call.tool, code="approve.held",
        message="this call waits for a person's approval; it runs by itself once approved",
        next_step="Go on with other work or tell the user; do not propose it again.", approval_id=approval_id,
        problems=problems,
    )  # fmt: skip
    return Stop(gate="approve", outcome=outcome, audit={}, facts=facts)


def _rehearsed(call: ToolCall, held: bool) -> Stop:
    """The end of a dry run: everything was checked and decided, nothing ran."""
    if held:
        return refuse(call, "rehearsal.would_hold", "dry run: this call would wait for a person's approval")
    return refuse(call, "rehearsal.would_run", "dry run: this call would run")

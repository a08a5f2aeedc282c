"""The gate `execute`: the intent first, then the attempts, and no second effect."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from interlock.core.call import ApprovedCall, Outcome, OutcomeKind, RawResult, Stop, call_digest
from interlock.core.charge import written
from interlock.core.clock import SECOND_US
from interlock.core.event import Fact, Kind
from interlock.core.tool import Body
from interlock.core.undo import undo_of
from interlock.errors import DuplicateFact, GuardRefused
from interlock.execution.answer import Answer
from interlock.execution.attempt import Failure, context_of
from interlock.execution.attempts import attempts
from interlock.execution.bulkhead import Full
from interlock.execution.executor import Executor
from interlock.execution.idempotency import idempotency_key
from interlock.execution.reconcile import FarEnd
from interlock.execution.secrets import sending
from interlock.execution.together import Alone, Paid, Seat
from interlock.ledger.record import Entry
from interlock.ledger.refused import refused_by_limit

RECOVERIES_MAX = 8
"""Workers that may be lost over one call before it is left to a person (fault K40)."""


async def execute(
    approved: ApprovedCall, executor: Executor, entry: Entry, far_end: FarEnd, seat: Seat
) -> RawResult | Stop:  # fmt: skip
    """Run an approved call: commit its intent if anything leaves, then try until an answer or the end of its attempts.

    A call whose intent stands already, because its worker was lost, goes on from there. A read may have its answer
    from the cache, from an equal one on its way, or together with others (`seat`).

    Raises:
        LedgerError: The intent could not be written, and nothing left.
    """
    valid = approved.valid
    tool = valid.tool
    assert call_digest(tool, valid.text) == valid.digest, "what runs must be what was decided"
    key = idempotency_key(executor.deployment_key, valid)
    trace = executor.tracing.of(entry.run, valid.call)
    context = context_of(valid, key, entry.spent, executor.listeners, trace)
    started_s, mark = executor.clock.mono_s(), ""

    async def run(body: Body) -> Answer | Stop:
        nonlocal started_s, mark
        try:
            async with executor.bulkhead.room(tool, valid.call):
                if not entry.lost and (stop := _left_alone(approved, executor)):
                    return stop
                if valid.secrets:
                    made = await sending(approved, body, executor, entry, far_end.registry)
                    if isinstance(made, Stop):
                        return made
                    body, mark = made
                stop = await _begin(approved, key, executor, entry, far_end, mark)
                if stop is not None:
                    return stop
                started_s = executor.clock.mono_s()
                return await attempts(valid, context, executor, far_end, entry.lost, body)
        except Full:  # a lost call was sent once, whatever becomes of it now
            return Answer(Failure("full", maybe_done=tool.writes and entry.lost > 0), entry.lost)

    if valid.secrets:  # what several calls are run by together is given the arguments of all of them
        seat.leave()
        seat = Alone()
    if not entry.lost:
        seat = Paid(seat, partial(_reserve, approved, executor, entry))
    answer = await executor.reads.answer(approved, context, entry.tags, seat, run)
    if isinstance(answer, Stop):
        return answer
    took_us = int((executor.clock.mono_s() - started_s) * SECOND_US)
    if isinstance(answer.value, Failure):
        return replace(_failed(approved, answer), took_us=took_us if answer.tries > entry.lost else None)
    executor.reach("result.returned")
    asked = answer.said.call_id if answer.said is not None else ""
    return RawResult(approved, answer.value, answer.tries, took_us, asked, answer.source)


def _left_alone(approved: ApprovedCall, executor: Executor) -> Stop | None:
    """Why the tool is not called just now."""
    tool = approved.valid.tool
    if executor.breakers.shut(tool):
        return _failed(approved, Answer(Failure("open", maybe_done=False), 0))
    if down := executor.health.objection(tool):
        return _failed(approved, Answer(Failure("down", maybe_done=False, error=f"{down} does not answer"), 0))
    return None


async def _begin(
    approved: ApprovedCall, key: str, executor: Executor, entry: Entry, far_end: FarEnd, mark: str
) -> Stop | None:  # fmt: skip
    """Make durable that an effect may leave now; why it may not where something objects.

    Args:
        mark: Of the secrets that it leaves with; empty for none.
    """
    valid = approved.valid
    tool = valid.tool
    if entry.lost:
        return await _take_up(approved, executor, entry)
    if not tool.needs_intent and not approved.released:
        return None
    executor.reach("intent.before")
    try:
        intent = _intent(approved, key, executor, far_end)
        if mark:
            intent["secrets"] = {"references": [use.reference.text for use in valid.secrets], "mark": mark}
        await entry.intend(approved, intent)
    except GuardRefused as refused:
        if approved.grant is not None and refused.guard == approved.grant.guard.name:
            return approved.grant.otherwise()
        return refused_by_limit(valid.call, approved.charges, refused)
    except DuplicateFact:
        return await entry.overtaken()
    executor.reach("intent.committed")
    return None


async def _reserve(approved: ApprovedCall, executor: Executor, entry: Entry) -> Stop | None:
    """Reserve what a read without an intent costs, before it is dialled; why it may not be where a limit objects."""
    if not approved.guards:
        return None
    executor.reach("intent.before")
    try:
        await entry.reserve(approved)
    except GuardRefused as refused:
        return refused_by_limit(approved.valid.call, approved.charges, refused)
    except DuplicateFact:
        return await entry.overtaken()
    executor.reach("intent.committed")
    return None


async def _take_up(approved: ApprovedCall, executor: Executor, entry: Entry) -> Stop | None:
    """Go on with a call whose worker was lost after its intent, where that is for a program to do."""
    valid = approved.valid
    if entry.lost > RECOVERIES_MAX:
        return _quarantined(approved, entry.lost)
    if valid.digest != entry.bound:  # the tool was changed since: what would be sent is not what was decided
        return _unknown(approved, Failure("lost", maybe_done=True), {"digest": valid.digest, "bound": entry.bound})
    how = valid.tool.after_loss
    if how != "person":  # else nothing is sent, and there is nobody to ask
        executor.reach("recovery.before")
        await entry.recover(approved, {"do": how, "why": "worker lost"})
        executor.reach("recovery.committed")
    return None


def _intent(approved: ApprovedCall, key: str, executor: Executor, far_end: FarEnd) -> dict[str, Any]:
    valid = approved.valid
    tool = valid.tool
    deadline_us = executor.clock.wall_us() + int(tool.timeout_s * SECOND_US)
    intent: dict[str, Any] = {
        "key": key, "digest": valid.digest, "effect": tool.effect.value, "deadline_us": deadline_us,
        "after_loss": tool.after_loss,
    }  # fmt: skip
    if approved.charges:
        intent["reserved"] = written(approved.charges)
    if approved.grant is not None:
        intent["grant_id"] = approved.grant.grant_id
    if tool.compensate:
        found = far_end.registry.find(tool.compensate)
        undo = undo_of(
            tool.compensate, "" if found is None else found.tool.digest, tool.compensate_with, valid.arguments
        )
        intent |= {"compensate": undo.tool, "compensate_with": undo.as_json()}
    if tool.starts:
        intent["starts"] = tool.starts
    if tool.invalidates:
        intent["invalidates"] = list(tool.invalidates)
    return intent


_FAILED = {
    "rejected": "the tool answered that it did not do this",
    "busy": "the tool answered that it cannot do this now",
    "timeout": "the tool did not answer in time",
    "unavailable": "the tool could not be reached; nothing was sent",
    "open": "the tool failed too often just now and is left alone for a while; nothing was sent",
    "down": "what the tool depends on does not answer just now; nothing was sent",
    "full": "too many calls of this tool are under way; nothing was sent",
}
"""What a model is told of each kind of failure."""


def _failed(approved: ApprovedCall, answer: Answer) -> Stop:
    """No answer: failed where nothing can have happened, unknown where something may have."""
    failure: Failure = answer.value
    audit: dict[str, Any] = {"kind": failure.kind, "error": failure.error, "attempts": answer.tries}
    audit |= answer.source
    if answer.said is not None:
        audit["asked"] = {"call_id": answer.said.call_id, "done": answer.said.done}
    if failure.maybe_done:
        return _unknown(approved, failure, audit)
    tool, call = approved.valid.tool, approved.valid.call
    said = f": {failure.said}" if failure.said else ""
    fallback = tool.fallback if failure.kind != "rejected" else ""
    instead = f"{fallback} is tried in its place." if fallback else "Try another way or tell the user."
    outcome = Outcome(
        kind=OutcomeKind.FAILED, call_id=call.call_id, tool=call.tool, code=f"execute.{failure.kind}",
        message=_FAILED.get(failure.kind, "the tool failed") + said, next_step=f"Nothing was changed. {instead}",
        fallback=fallback, value=failure.answer,
    )  # fmt: skip
    given_up = tool.writes and answer.tries > 0 and failure.passing and not fallback
    facts = (_dead_letter(approved, outcome.code, answer.tries),) if given_up else ()
    return Stop(gate="execute", outcome=outcome, audit=audit, facts=facts)


def _unknown(approved: ApprovedCall, failure: Failure, audit: dict[str, Any]) -> Stop:
    call = approved.valid.call
    lost = failure.kind == "lost"
    what = "did not answer in time" if failure.kind == "timeout" else "failed"
    who = "the worker was lost while it ran this call" if lost else f"the tool {what}"
    outcome = Outcome(
        kind=OutcomeKind.UNKNOWN, call_id=call.call_id, tool=call.tool,
        code="execute.lost" if lost else "execute.unknown",
        message=f"{who}, and whether it took effect is not known",
        next_step="Do not repeat it. It must be settled first; tell the user that its effect is not known.",
    )  # fmt: skip
    return Stop(gate="execute", outcome=outcome, audit=audit)


def _quarantined(approved: ApprovedCall, lost: int) -> Stop:
    """Every worker that ran this call was lost: it is left to a person, so that the others' work goes on."""
    call = approved.valid.call
    outcome = Outcome(
        kind=OutcomeKind.UNKNOWN, call_id=call.call_id, tool=call.tool, code="execute.quarantined",
        message=f"{lost} workers were lost while they ran this call; whether it took effect is not known",
        next_step="Do not repeat it. It must be settled first; tell the user that its effect is not known.",
    )  # fmt: skip
    facts = (_dead_letter(approved, outcome.code, lost),)
    return Stop(gate="execute", outcome=outcome, audit={"lost": lost}, facts=facts)


def _dead_letter(approved: ApprovedCall, code: str, tries: int) -> Fact:
    """The note for a person that an effect which was wanted did not come about."""
    call = approved.valid.call
    body = {"code": code, "attempts": tries}
    return Fact(Kind.CALL_DEAD_LETTERED, body, call.call_id, 0, tries, call.principal.id, approved.valid.tool.digest)

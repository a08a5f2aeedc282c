"""The gate `execute`: the intent first, then the attempts, and no second effect."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import anyio

from interlock.core.call import ApprovedCall, Outcome, OutcomeKind, RawResult, Stop, call_digest, refuse
from interlock.core.canonical import reread
from interlock.core.clock import SECOND_US, Clock
from interlock.core.points import Points, pass_by
from interlock.core.tool import CallContext, Tool
from interlock.errors import DuplicateFact, GuardRefused
from interlock.execution.attempt import Failure, attempt
from interlock.execution.idempotency import idempotency_key
from interlock.ledger.record import Entry

BACKOFF_S = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before the second, third, … attempt, each ± 20 % (REQUIREMENTS B11)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """What running needs.

    Attributes:
        deployment_key: Secret of this deployment, 32 bytes: idempotency keys are made with it.
        clock: For durations and deadlines.
        slots: Calls that may run at once in this process (spec: 256); with `fast_acquire`, because a checkpoint
            costs a turn of the event loop.
        pause: Waits that many seconds between attempts.
        jitter: A number from -1 to 1.
        reach: Told the name of each crash point as it is passed.
    """

    deployment_key: bytes = field(repr=False)
    clock: Clock
    slots: anyio.Semaphore
    pause: Callable[[float], Awaitable[None]] = anyio.sleep
    jitter: Callable[[], float] = lambda: random.uniform(-1, 1)  # spreads retries, guards nothing
    reach: Points = pass_by


async def execute(approved: ApprovedCall, executor: Executor, entry: Entry) -> RawResult | Stop:
    """Run an approved call: commit its intent if anything leaves, then try until an answer or the end of its attempts.

    Raises:
        LedgerError: The intent could not be written, and nothing left.
    """
    valid = approved.valid
    tool = valid.tool
    assert call_digest(tool, valid.text) == valid.digest, "what runs must be what was decided"
    async with executor.slots:
        key = idempotency_key(executor.deployment_key, valid)
        if tool.needs_intent or approved.approval_id:
            executor.reach("intent.before")
            try:
                await entry.intend(approved, _intent(tool, valid.digest, key, executor))
            except GuardRefused as refused:
                return refuse(valid.call, "execute.limit", "a limit was reached", audit={"guard": refused.guard})
            except DuplicateFact:
                return await entry.overtaken()
            executor.reach("intent.committed")
        started_s = executor.clock.mono_s()
        answer, tries = await _attempts(approved, executor, key)
    if isinstance(answer, Failure):
        return _failed(approved, answer, tries)
    executor.reach("result.returned")
    return RawResult(approved, answer, tries, int((executor.clock.mono_s() - started_s) * SECOND_US))


async def _attempts(approved: ApprovedCall, executor: Executor, key: str) -> tuple[Any | Failure, int]:
    valid = approved.valid
    tool, call = valid.tool, valid.call
    context = CallContext(
        run_id=call.run_id, call_id=call.call_id, attempt=1, idempotency_key=key,
        principal_id=call.principal.id, tenant=call.principal.tenant, deadline_s=tool.timeout_s,
    )  # fmt: skip
    maybe_done = False
    while True:
        executor.reach("attempt.before")
        answer = await attempt(tool, reread(valid.text), context)
        executor.reach("attempt.after")
        number = context.attempt
        if not isinstance(answer, Failure):
            return answer, number
        maybe_done = maybe_done or answer.maybe_done
        if number >= tool.attempts_max or not answer.worth_retrying(tool):
            return replace(answer, maybe_done=maybe_done), number
        await executor.pause(BACKOFF_S[min(number, 5) - 1] * (1 + 0.2 * executor.jitter()))
        context = replace(context, attempt=number + 1)


def _intent(tool: Tool, digest: str, key: str, executor: Executor) -> dict[str, Any]:
    deadline_us = executor.clock.wall_us() + int(tool.timeout_s * SECOND_US)
    intent: dict[str, Any] = {"key": key, "digest": digest, "effect": tool.effect.value, "deadline_us": deadline_us}
    if tool.compensate:
        intent["compensate"] = tool.compensate
    if tool.invalidates:
        intent["invalidates"] = list(tool.invalidates)
    return intent


def _failed(approved: ApprovedCall, failure: Failure, tries: int) -> Stop:
    """No answer: failed where nothing can have happened, unknown where something may have."""
    audit: dict[str, Any] = {"kind": failure.kind, "error": failure.error, "attempts": tries}
    if failure.maybe_done:
        what = "did not answer in time" if failure.kind == "timeout" else "failed"
        return _unknown(approved, f"the tool {what}, and whether it took effect is not known", audit)
    call = approved.valid.call
    said = f": {failure.said}" if failure.said else ""
    message = {
        "rejected": f"the tool answered that it did not do this{said}",
        "timeout": "the tool did not answer in time",
        "unavailable": "the tool could not be reached; nothing was sent",
    }.get(failure.kind, "the tool failed")
    outcome = Outcome(
        kind=OutcomeKind.FAILED, call_id=call.call_id, tool=call.tool, code=f"execute.{failure.kind}", message=message,
        next_step="Nothing was changed. Try another way or tell the user.",
    )  # fmt: skip
    return Stop(gate="execute", outcome=outcome, audit=audit)


def _unknown(approved: ApprovedCall, message: str, audit: dict[str, Any]) -> Stop:
    call = approved.valid.call
    outcome = Outcome(
        kind=OutcomeKind.UNKNOWN, call_id=call.call_id, tool=call.tool, code="execute.unknown", message=message,
        next_step="Do not repeat it. It must be settled first; tell the user that its effect is not known.",
    )  # fmt: skip
    return Stop(gate="execute", outcome=outcome, audit=audit)

"""The tries of one call: what DESIGN.md section 3 allows after each that failed, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from interlock.core.call import ValidCall
from interlock.core.canonical import reread
from interlock.core.tool import CallContext
from interlock.execution.attempt import Failure, attempt
from interlock.execution.breaker import CUT
from interlock.execution.executor import Executor
from interlock.execution.reconcile import FarEnd, Said, reconcile
from interlock.execution.retry import pause_s


class Answer(NamedTuple):
    """How it ended.

    Attributes:
        value: What the tool returned, or the last `Failure`.
        tries: How many tries were made, those of lost workers included.
        said: What the far end said last, where it was asked; None where it was not.
    """

    value: Any
    tries: int
    said: Said | None = None


async def attempts(valid: ValidCall, key: str, executor: Executor, far_end: FarEnd, lost: int) -> Answer:
    """Try until there is an answer, or no other try is allowed.

    Args:
        key: The idempotency key, the same for every try.
        far_end: Whom to ask what became of a try.
        lost: Tries of workers that are gone, 0 on the first run: each counts as maybe sent.
    """
    tool, call = valid.tool, valid.call
    context = CallContext(
        run_id=call.run_id, call_id=call.call_id, attempt=lost + 1, idempotency_key=key,
        principal_id=call.principal.id, tenant=call.principal.tenant, deadline_s=tool.timeout_s,
    )  # fmt: skip
    failure = Failure("lost", maybe_done=tool.writes, error="the worker was lost") if lost else None
    tries, left = lost, max(1, tool.attempts_max - lost)
    said: Said | None = None
    while True:
        if failure is not None:
            may = left > 0 and failure.passing
            if failure.maybe_done and not (may and tool.repeatable):
                said = await _ask(valid, key, executor, far_end)
                if said is None or said.done is None:
                    return Answer(failure, tries, said)
                if said.done:
                    return Answer(said.result, tries, said)
                failure = replace(failure, maybe_done=False)
            if not may:
                return Answer(failure, tries, said)
            if failure.kind != "lost":
                executor.reach("attempt.paused")
                await executor.pause(pause_s(failure, tries, executor.jitter()))
                context = replace(context, attempt=tries + 1)
        tries, left = tries + 1, left - 1
        answer = await _try(valid, context, executor)
        if not isinstance(answer, Failure):
            return Answer(answer, tries)
        failure = answer if failure is None or not failure.maybe_done else replace(answer, maybe_done=True)


async def _ask(valid: ValidCall, key: str, executor: Executor, far_end: FarEnd) -> Said | None:
    """What the far end says of the call, where its tool declares how to ask."""
    if not valid.tool.reconcile:
        return None
    executor.reach("ask.before")
    said = await reconcile(valid, key, far_end)
    executor.reach("ask.after")
    return said


async def _try(valid: ValidCall, context: CallContext, executor: Executor) -> Any | Failure:
    """One try, if the breaker lets it through."""
    tool, breakers = valid.tool, executor.breakers
    if not breakers.admit(tool):
        return Failure("open", maybe_done=False)
    executor.reach("attempt.before")
    answer: Any = CUT
    try:
        answer = await attempt(tool, reread(valid.text), context)
    finally:
        breakers.over(tool, answer)
    executor.reach("attempt.after")
    return answer

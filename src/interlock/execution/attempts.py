"""The tries of one call: what DESIGN.md section 3 allows after each that failed, and nothing else."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from interlock.core.call import ValidCall
from interlock.core.canonical import reread
from interlock.core.clock import SECOND_US
from interlock.core.tool import Body, CallContext
from interlock.execution.answer import Answer
from interlock.execution.attempt import Failure, attempt
from interlock.execution.breaker import CUT
from interlock.execution.executor import Executor
from interlock.execution.reconcile import FarEnd, Said, reconcile
from interlock.execution.retry import pause_s


async def attempts(
    valid: ValidCall, context: CallContext, executor: Executor, far_end: FarEnd, lost: int, body: Body
) -> Answer:  # fmt: skip
    """Try until there is an answer, or no other try is allowed.

    Args:
        body: What is run: the tool's own, or one that does it for several calls.
        context: What the first try may know of the call; the others differ in their number alone.
        far_end: Whom to ask what became of a try.
        lost: Tries of workers that are gone, 0 on the first run: each counts as maybe sent.
    """
    tool = valid.tool
    key = context.idempotency_key
    if lost:
        context = replace(context, attempt=lost + 1)
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
        answer = await _try(valid, context, executor, body)
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


async def _try(valid: ValidCall, context: CallContext, executor: Executor, body: Body) -> Any | Failure:
    """One try, if the breaker lets it through."""
    tool, breakers = valid.tool, executor.breakers
    if not breakers.admit(tool):
        return Failure("open", maybe_done=False)
    executor.reach("attempt.before")
    answer: Any = CUT
    began_s = executor.clock.mono_s()
    try:
        answer = await attempt(tool, reread(valid.text), context, body)
    finally:
        breakers.over(tool, answer)
        took_us = round((executor.clock.mono_s() - began_s) * SECOND_US)  # else 0.25 s counts as 251 ms, now and then
        took_ms = math.ceil(took_us / 1000)
        context.spent["ms"] = context.spent.get("ms", 0) + took_ms
    executor.reach("attempt.after")
    return answer

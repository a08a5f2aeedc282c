"""Loops and parallel explosions: the same call over and over, and too many calls at once.

An equal call is a repeat as long as nothing comes of it. What counts as something: another answer than the last time;
or a change by the run since then, unless a change before was looked at already and the answer had stayed the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from interlock.core.call import Stop, ValidCall, refuse
from interlock.core.canonical import Json
from interlock.core.repeats import Alike
from interlock.core.run import RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class Loops:
    """How often a run may make calls that are alike, and how many at once; the next one is refused.

    Attributes:
        vain_max: Equal calls in a row that were answered the same.
        alike_max: Equal calls, whatever they were answered; not counted are reads whose answer had changed by itself,
            without a change by the run: that is waiting.
        near_max: Calls in a row that differ in free text or paging only and were answered the same. A write that took
            effect is none of them.
        turn_max: Calls that are proposed together.
    """

    vain_max: int = 3
    alike_max: int = 4
    near_max: int = 5
    turn_max: int = 16


def loop(valid: ValidCall, loops: Loops, run: RunState) -> Stop | None:
    """Refuse a call of which nothing will come that had not come of its likes, or one too many of its turn.

    What is made for another call (a look-up, a fallback, a person's edit) and a rehearsal are no repeats; nor are the
    steps of a saga or a graph, which its definition makes; a model's plan is an agent's own.
    """
    call = valid.call
    if call.place > loops.turn_max:
        return refuse(
            call, "limit.fan_out", f"{loops.turn_max} calls of this turn were taken, and this one was beyond them",
            next_step="Look at their outcomes first, then make what is still needed in a later turn.",
            audit={"place": call.place},
        )  # fmt: skip
    if call.parent_id or call.dry_run or (run.driver in ("saga", "graph") and not run.task):
        return None
    equal, near = run.under_way.repeats.equal.get(valid.digest), run.under_way.repeats.near.get(valid.outline)
    if equal is not None:
        ahead = equal.ahead(call.call_id)
        if equal.same + ahead >= loops.vain_max and _in_vain(equal, valid, run):
            return _refused(valid, run, equal, equal.same + ahead, "this exact call")
        if equal.answered + ahead >= loops.alike_max:
            return _refused(valid, run, equal, equal.answered + ahead, "this exact call")
    if near is not None:
        ahead = near.ahead(call.call_id)
        if near.same + ahead >= loops.near_max and _in_vain(near, valid, run):
            return _refused(valid, run, near, near.same + ahead, "this call, in other words or for another page,")
    return None


def _in_vain(alike: Alike, valid: ValidCall, run: RunState) -> bool:
    """Whether there is no reason to expect another answer now."""
    changed = run.under_way.repeats.changes > alike.seen
    return not changed or alike.vain or (alike.stopped and valid.tool.writes)


def _refused(valid: ValidCall, run: RunState, alike: Alike, times: int, which: str) -> Stop:
    last = run.calls.get(alike.last)
    outcome = last.outcome if last is not None else None
    message = f"{which} was made {times} times in this run"
    step = "Try another way, or answer with what you have."
    if outcome is not None:
        message += f", and nothing new came of it; the last one, {outcome.call_id}, was {outcome.kind.value}"
        message += f": {outcome.message}" if outcome.message else ""
        if outcome.done:
            step = f"Use the result of {outcome.call_id}, or answer with what you have."
    audit: dict[str, Json] = {"alike": times, "last": alike.last}
    return refuse(valid.call, "limit.loop", message, next_step=step, audit=audit)

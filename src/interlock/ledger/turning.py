"""The point of no return of a saga: it is not passed once somebody has called the saga off.

Whoever drives the saga may have read its run before that word came. So the word is counted in a row, and the intent of
a pivot is written only where the row says that nobody has spoken. Told from the facts and the run's fold alone, so that
it holds for whatever makes the call: a step, a fallback, a person's edit, the answer to a hold.
"""

from __future__ import annotations

from collections.abc import Iterable

from interlock.core.call import OutcomeKind
from interlock.core.event import Fact, GuardChange, Kind
from interlock.core.ids import named_call_id
from interlock.core.run import RunState, speaker

_TOOK = (OutcomeKind.DONE, OutcomeKind.WITHHELD, OutcomeKind.UNKNOWN)


def turning(facts: Iterable[Fact], run: RunState) -> tuple[GuardChange, ...]:
    """What these facts of a saga's run ask of that row, or say in it."""
    if run.driver != "saga":
        return ()
    row = called_off(run.tenant, run.run_id)
    parents: dict[str, str] = {}
    changes: list[GuardChange] = []
    for fact in facts:
        if fact.kind is Kind.OPERATOR and fact.body.get("act") == "saga.cancel":
            changes.append(GuardChange(row, 1))
        elif fact.kind is Kind.CALL_DECIDED and "proposed" in fact.body:
            parents[fact.call_id] = fact.body["proposed"].get("parent", "")
        elif fact.kind is Kind.CALL_INTENT and _passes(fact.call_id, parents, run):
            changes.append(GuardChange(row, 0, at_most=0))
    return tuple(changes)


def called_off(tenant: str, run_id: str) -> str:
    """The row that counts how often a saga was called off."""
    return f"{tenant}/called-off/{run_id}"


def _passes(call_id: str, parents: dict[str, str], run: RunState) -> bool:
    """Whether the saga passes its point of no return with this call: its pivot, or what is made for it."""
    pivot = next((step["id"] for step in run.course["saga"]["steps"] if "pivot" in step), None)
    if pivot is None:
        return False
    first = named_call_id(run.run_id, f"step/{pivot}")
    while call_id not in ("", first):
        known = run.calls.get(call_id)
        call_id = parents.get(call_id, "") if known is None else known.parent_id
    return call_id == first and _kind(run, first) not in _TOOK  # else it is what undoes it


def _kind(run: RunState, call_id: str) -> OutcomeKind | None:
    call = speaker(run, call_id)
    return None if call is None or call.outcome is None else call.outcome.kind

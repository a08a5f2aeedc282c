"""How a run that another one's call started is over: its report to that call, then its end.

In this order, so that whoever is killed in between leaves a run that ends again, and a report that stands once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from interlock.core.call import Outcome, OutcomeKind, outcome_to_json
from interlock.core.call_state import CallState
from interlock.core.event import Fact, Kind
from interlock.core.provenance import Level
from interlock.core.run import RunState
from interlock.errors import DuplicateFact
from interlock.ledger.conversation import Conversation
from interlock.pipeline import Plane
from interlock.screening.screen import screen_aside

THIRD = Level.THIRD.word
"""What models are told of whatever a run says to another one: a third party's, however it came to say it."""

ORPHANED = "its starter is over"
"""Why a run is cancelled that has nobody to answer to."""


async def finish(plane: Plane, conversation: Conversation, end: str, value: Any = None, *, done: bool) -> None:
    """End a run for this reason; where a call started it, tell that call first.

    Args:
        value: What came of it, as data for whoever reads it; told only where it is `done`.
        done: Whether it did what it was started for.
    """
    await report(plane, conversation.state, end, value, done=done)
    await conversation.finish(end)


async def report(plane: Plane, run: RunState, end: str, value: Any = None, *, done: bool) -> None:
    """Tell the call that started a run what came of it; nothing for a run that nobody started, or for nobody."""
    if not run.task:
        return
    parent = await plane.ledger.conversation(run.parent, run.tenant)
    await parent.refresh()
    call = parent.state.calls[run.task["call"]]
    if parent.state.status != "open" or _given_up(call):
        return
    copy = screen_aside(value, plane.screens, call.tool)  # its model may hand on what nobody should be told
    told = Outcome(
        kind=OutcomeKind.DONE, call_id=call.call_id, tool=call.tool, value=copy.value, screened=copy.findings
    ) if done else Outcome(
        kind=OutcomeKind.FAILED, call_id=call.call_id, tool=call.tool, code="delegate.no_answer",
        message=f"{who(run)} came to no answer: {end}",
        next_step="Do without it, ask for something smaller, or say that it is not done.",
    )  # fmt: skip
    body: Mapping[str, Any] = {
        "outcome": outcome_to_json(told), "by": who(run), "run": run.run_id, "end": end,
        "origin": THIRD, **label(plane, run),
    }  # fmt: skip
    try:
        await parent.append_outside([Fact(Kind.CALL_REPORTED, dict(body), call.call_id, call.step)])
    except DuplicateFact:
        await parent.read_tail()


def label(plane: Plane, run: RunState) -> dict[str, Any]:
    """What goes with whatever a run says to another one: as far trusted as what the run has read (T39).

    A model said it, so it is nobody's own words; where the run has read text by others, it may be theirs.
    """
    index = plane.grounding.index(plane.asking(run))
    level = Level.THIRD if index.saw_third else Level.MODEL
    return {"level": level.word, "private": index.saw_private}


async def orphaned(plane: Plane, run: RunState) -> bool:
    """Whether the run that started this one was cancelled or given up: then this one has nobody to answer to.

    Nor has it where its starter was told that it is not done: that starting it failed (it took too long, and was done
    all the same), or that it was cancelled, by somebody who was lost before they said so here. A run that its caller
    holds is over when it is left, and what it started goes on.
    """
    if not run.task:
        return False
    parent = await plane.ledger.conversation(run.parent, run.tenant)
    await parent.refresh()
    call = parent.state.calls.get(run.task["call"])
    if call is not None and (_given_up(call) or _cancelled(call)):
        return True
    if parent.state.status != "finished" or parent.state.driver == "calls":
        return parent.state.status == "cancelled"
    return call is None or not call.reported


def _given_up(call: CallState) -> bool:
    """Whether the call that started a run was told that it failed at that."""
    return call.status == "closed" and not call.child and not call.reported


def _cancelled(call: CallState) -> bool:
    """Whether a run that was started was reported as cancelled, or as nobody knows what: the report was erased."""
    return call.reported and (not call.told or json.loads(call.told)["end"] == "cancelled")


def who(run: RunState) -> str:
    """What a run is called by those that it reports to."""
    if run.transcript is not None:
        return run.transcript.agent
    return str(run.course["graph"]["name"]) if "graph" in run.course else run.driver


def cancelled(run: RunState, by: str, reason: str) -> list[Fact]:
    """The facts that end a run here and now: its own, and of each request that it waits for."""
    body = {"by": by, "reason": reason}
    return [Fact(Kind.RUN_CANCELLED, body, principal_id=by)] + [
        Fact(Kind.APPROVAL_WITHDRAWN, body, call.call_id, 0, 0, by, approval_id=call.approval_id)
        for call in run.calls.values()
        if call.status == "held" and run.approvals[call.approval_id].status == "pending"
    ]

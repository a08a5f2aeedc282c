"""A run as a fold over its events: what has happened so far, kept incrementally."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from interlock.core.approval import Requests
from interlock.core.call import DONE
from interlock.core.call_state import CallState, proposed_call
from interlock.core.charge import Reserved, reserved_by
from interlock.core.entered import Door, Entered, answered_for, at_start
from interlock.core.event import CLOSING, Event, Kind, nothing_since
from interlock.core.ids import child_run_id, fallback_call_id
from interlock.core.principal import Principal
from interlock.core.trace import TraceContext, recorded_context, run_trace_id
from interlock.core.transcript import Transcript, Words, begun
from interlock.core.under_way import UnderWay
from interlock.core.undo import undo_from

VAIN_MAX = 5
"""Workers that may be lost over a run one after the other before anything comes of its next call."""

DEPTH_MAX = 3
"""Runs below each other that a run may start where nothing else is said."""

SETTLED_WITHIN_S = 600
"""Seconds within which what reserves and is no call is settled; open longer, it was lost, and is charged in full."""


@dataclass(slots=True)
class RunState:
    """The fold. Only `absorb` changes what is stored here of the ledger; `seq` says how far it has read.

    Attributes:
        run_id, tenant: Which run, whose.
        seq: Number of the last event absorbed; 0 for a run that is not started.
        principal: On whose behalf, with the roles of when they last spoke; None before the start.
        words: The user's own words, all of a conversation's; None where they are not seen.
        course: What its driver goes by, of a saga or a graph: its definition (`saga`, `graph`) and what it was given
            (`input`).
        named: Digest of what it was started with, of a run that its caller named; empty for one without a name.
        kept: Whoever started it says when it is over: nothing left to do does not end it.
        parent: The run that it was started for; empty for none.
        trace: Whose trace it belongs to, its caller's or that of the run that started it; None where it has its own.
        entered: What has entered it from outside its model, in order.
        task: What it was started for by another run's call: `call`, `from`, `how`, `text`, `given`, `data`; empty where
            it was not.
        tools: Names of the tools that it may call; None for all that there are.
        authority: The same, with those that the runs may call which it starts, and which these start.
        depth_left: How deep runs may still be started below it.
        reports: How many of those that it started have reported.
        turn: How often a person had what failed tried again.
        called_off: Who asked that what was done be undone; empty for nobody.
        driver: What says which calls it makes: `calls` (whoever holds it), `saga` or `agent`.
        transcript: What its agent has said; None where no agent drives it.
        waits: What drives it has said that it waits for somebody; nobody has claimed the run since.
        status: `open`, `finished` or `cancelled`.
        reason: Why it is over; empty before.
        epoch: Number of the newest claim; 0 for none.
        calls, approvals: By id, in the order of the ledger.
        under_way: Which of its calls are, and which were alike.
        tool_calls: Tool name to how many calls of it were proposed.
        done: Names of the tools of which a call was done.
        described: Digests of the tool definitions that a decision of this run describes.
        writes, refusals: How many calls with effects were proposed to run; how many were refused.
        vain: Claims made to advance the run since anything last came of one: workers lost before they did anything.
        budgets: What the run may use, its own and that of every run above it: guard row, unit, most.
        reservations: What has a part of a budget and is no call, by its name: since when, and what.
    """

    run_id: str
    tenant: str
    seq: int = 0
    started_us: int = 0
    principal: Principal | None = None
    words: str | None = None
    driver: str = "calls"
    course: dict[str, Any] = field(default_factory=dict)
    named: str = ""
    kept: bool = False
    parent: str = ""
    trace: TraceContext | None = None
    task: dict[str, Any] = field(default_factory=dict)
    entered: list[Entered] = field(default_factory=list)
    tools: frozenset[str] | None = None
    authority: frozenset[str] | None = None
    depth_left: int = DEPTH_MAX
    reports: int = 0
    turn: int = 0
    called_off: str = ""
    waits: bool = False
    transcript: Transcript | None = None
    status: str = "open"
    reason: str = ""
    epoch: int = 0
    calls: dict[str, CallState] = field(default_factory=dict)
    approvals: Requests = field(default_factory=Requests)
    under_way: UnderWay = field(default_factory=UnderWay)
    tool_calls: dict[str, int] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    described: set[str] = field(default_factory=set)
    writes: int = 0
    refusals: int = 0
    vain: int = 0
    budgets: tuple[tuple[str, str, int], ...] = ()
    reservations: dict[str, tuple[int, tuple[Reserved, ...]]] = field(default_factory=dict)

    def absorb(self, events: Iterable[Event]) -> None:
        """Fold further events in; those absorbed already are passed over.

        The events must follow `seq` without a gap; a gap is a bug of the reader.
        """
        for event in events:
            seq = event.seq
            if seq <= self.seq:
                continue
            assert seq == self.seq + 1, f"run {self.run_id}: event {seq} after {self.seq}"
            self.seq = seq
            apply = (_APPLY if event.payload else _ERASED).get(event.fact.kind)
            if apply is not None:
                apply(self, event)
            if self.vain and self._moves(event):
                self.vain = 0

    @property
    def trace_id(self) -> str:
        """The trace that its spans are of."""
        return run_trace_id(self.run_id) if self.trace is None else self.trace.trace_id

    def _moves(self, event: Event) -> bool:
        """Whether something came of a call: a claim is no move, nor is what was read on behalf of a call."""
        call = self.calls.get(event.fact.call_id)
        return event.fact.kind is not Kind.RUN_CLAIMED and (call is None or not call.parent_id)


def speaker(run: RunState, call_id: str) -> CallState | None:
    """The call whose outcome is the answer to this one: itself, or the last in its place; None for none yet."""
    call = run.calls.get(call_id)
    while (
        call is not None
        and not call.told.startswith(DONE)
        and (b'"fallback":' in call.told or b'"instead":' in call.told)  # seldom, and read only then
    ):
        told = call.outcome
        assert told is not None, "it was told something"
        if told.instead:
            call = run.calls.get(told.instead)
        elif told.fallback:
            call = run.calls.get(fallback_call_id(run.run_id, call.call_id))
        else:
            break
    return call


def _run_started(run: RunState, event: Event) -> None:
    body = event.fact.body
    who = body["principal"]
    run.principal = Principal(who["id"], who["tenant"], frozenset(who["roles"]), who["kind"])
    run.tenant = event.tenant
    run.words = body.get("words")
    run.driver = body["driver"]
    run.course = {name: body[name] for name in ("saga", "graph", "input") if name in body}
    run.parent, run.task = body.get("parent", ""), body.get("task", {})
    run.trace = recorded_context(event.fact.trace_id, body.get("trace"))
    run.named, run.kept = body.get("named", ""), body.get("kept", False)
    run.tools, run.authority = _names(body.get("tools")), _names(body.get("authority", body.get("tools")))
    run.depth_left = body.get("depth_left", DEPTH_MAX)
    if "agent" in body:
        run.transcript = begun(body, run.tools)
    run.entered += at_start(body, event.fact.principal_id)
    run.started_us = event.at_us
    run.budgets = tuple((row, unit, most) for row, unit, most in body.get("budgets", ()))


def _names(said: list[str] | None) -> frozenset[str] | None:
    return None if said is None else frozenset(said)


def _run_claimed(run: RunState, event: Event) -> None:
    body = event.fact.body
    run.epoch = body["epoch"]
    run.vain += body.get("why") == "advance"
    run.waits = False


def _run_waiting(run: RunState, event: Event) -> None:
    run.waits = nothing_since(event)


def _run_words(run: RunState, event: Event) -> None:
    """Its user goes on with the conversation, with the roles of now; what limits how it answers is counted anew."""
    text = event.fact.body.get("text", "")
    if run.transcript is not None:
        run.transcript.words.append(Words(event.fact.step, text))
    run.entered.append(Entered(Door.WORDS, text))
    run.words = text if run.words is None else f"{run.words}\n\n{text}"
    if run.principal is not None and "roles" in event.fact.body:
        run.principal = replace(run.principal, roles=frozenset(event.fact.body["roles"]))
    run.waits = False
    run.under_way.begin_anew(len(run.calls))


def _message(run: RunState, event: Event) -> None:
    if run.transcript is not None:
        run.transcript.absorb(run.run_id, event.fact.body, partial(_last_told, run))
        run.transcript.seqs.append(event.seq)


def _tools_offered(run: RunState, event: Event) -> None:
    if run.transcript is not None:
        run.transcript.offered = tuple(event.fact.body["tools"])


def _last_told(run: RunState, call_id: str) -> bytes:
    call = speaker(run, call_id)
    return b"" if call is None else call.told


def _run_finished(run: RunState, event: Event) -> None:
    run.status, run.reason = "finished", event.fact.body.get("reason", "")


def _run_cancelled(run: RunState, event: Event) -> None:
    run.status, run.reason = "cancelled", event.fact.body.get("reason", "")


def _call_decided(run: RunState, event: Event) -> None:
    fact = event.fact
    body = fact.body
    call = run.calls.get(fact.call_id)
    if call is None:
        call = run.calls[fact.call_id] = proposed_call(fact.call_id, fact.step, body)
        if fact.trace_id:
            call.trace = recorded_context(fact.trace_id, body.get("trace"))
        run.tool_calls[call.tool] = run.tool_calls.get(call.tool, 0) + 1
    if (verdict := body.get("verify")) is not None:
        call.verdict = {**verdict, "policy": fact.policy_hash}
    if "tool" in body.get("facts", ()):
        run.described.add(fact.tool_hash)
    if found := body.get("digest"):
        if found != call.digest:  # new, or asked again after its tool was changed: then it is open as what it is now
            if call.digest:
                run.under_way.forget(call.call_id, call.digest, call.outline)
            writes = body["effect"] != "read"
            run.writes += writes - call.writes
            call.digest, call.outline, call.writes = found, body.get("outline", ""), writes
        call.version, call.decided = body["tool"]["version"], event.payload
        run.under_way.note_valid(call.call_id, found, call.outline, writes=call.writes, counted=call.counted)
    if fact.outcome:
        _tell(run, call, event)


def _call_intent(run: RunState, event: Event) -> None:
    call = run.calls[event.fact.call_id]
    call.status = "intent"
    call.invalidates = tuple(event.fact.body.get("invalidates", ()))
    call.after_loss = event.fact.body.get("after_loss", "")
    call.grant_id = event.fact.body.get("grant_id", "")
    call.undo = undo_from(event.fact.body)
    run.entered.append(Entered(Door.SENT, None, call.call_id))
    call.reserved = reserved_by(event.fact.body)
    if starts := event.fact.body.get("starts", ""):
        call.starts, call.child = starts, child_run_id(run.run_id, call.call_id)


def _budget_reserved(run: RunState, event: Event) -> None:
    """By a read that is dialled from here on, and so is made again where its worker is lost; or by what is no call."""
    name, reserved = event.fact.call_id, reserved_by(event.fact.body)
    if (call := run.calls.get(name)) is None:
        run.reservations[name] = (event.at_us, reserved)
    else:
        call.status, call.after_loss, call.reserved = "intent", "again", reserved


def _budget_settled(run: RunState, event: Event) -> None:
    run.reservations.pop(event.fact.call_id, None)


def _recovery(run: RunState, event: Event) -> None:
    if (call := run.calls.get(event.fact.call_id)) is not None:
        call.recoveries += 1


def _call_told(run: RunState, event: Event) -> None:
    _tell(run, run.calls[event.fact.call_id], event)


def _call_settled(run: RunState, event: Event) -> None:
    run.waits = False
    _call_told(run, event)


def _tell(run: RunState, call: CallState, event: Event) -> None:
    if call.status == "closed":
        return  # a late word (the result was written, but its writer could not know) does not reopen a call
    kind = event.fact.outcome
    if not call.reported:  # else what it started was quicker than its own record
        call.told, call.told_at = event.payload, event.seq
    if kind not in CLOSING:
        call.status = kind
        return
    call.status, call.reserved = "closed", ()
    if kind != "done" and not call.reported:
        call.child = ""
    if kind == "refused":
        run.refusals += 1
    else:  # of what failed its tool may have said why
        run.entered.append(Entered(Door.RESULT, event.payload, call.call_id))
    if kind == "done":
        run.done.add(call.tool)
    run.under_way.forget_open(call.call_id, call.digest)
    if call.digest and event.payload:
        run.under_way.repeats.end(call, kind, event.fact.body, lambda other: run.calls[other].told)


def _call_reported(run: RunState, event: Event) -> None:
    """What a call started is over, and what came of it is the call's outcome."""
    run.reports += 1
    run.waits = False
    call = run.calls.get(event.fact.call_id)
    if call is not None and (call.child or call.status != "closed"):  # else it was told that this failed
        call.told, call.told_at, call.reported = event.payload, event.seq, True
        run.entered.append(Entered(Door.REPORT, event.payload, call.call_id))


def _call_compensated(run: RunState, event: Event) -> None:
    if (call := run.calls.get(event.fact.call_id)) is not None:
        call.undone, call.undone_turn = event.fact.outcome, event.fact.attempt


def _operator(run: RunState, event: Event) -> None:
    run.waits = False
    act = event.fact.body.get("act")
    if act == "saga.resume":
        run.turn += 1
    elif act == "saga.cancel":
        run.called_off = event.fact.principal_id


def _approval(run: RunState, event: Event) -> None:
    if run.approvals.absorb(event):
        run.entered += answered_for(run.approvals[event.fact.approval_id])
    if event.fact.kind is Kind.APPROVAL_REQUESTED:
        run.calls[event.fact.call_id].approval_id = event.fact.approval_id


_APPLY: dict[Kind, Callable[[RunState, Event], None]] = {
    Kind.RUN_STARTED: _run_started,
    Kind.RUN_CLAIMED: _run_claimed,
    Kind.RUN_WAITING: _run_waiting,
    Kind.RUN_WORDS: _run_words,
    Kind.TOOLS_OFFERED: _tools_offered,
    Kind.MESSAGE: _message,
    Kind.RUN_FINISHED: _run_finished,
    Kind.RUN_CANCELLED: _run_cancelled,
    Kind.CALL_DECIDED: _call_decided,
    Kind.CALL_INTENT: _call_intent,
    Kind.CALL_RESULT: _call_told,
    Kind.CALL_UNKNOWN: _call_told,
    Kind.CALL_RECONCILED: _call_settled,
    Kind.CALL_COMPENSATED: _call_compensated,
    Kind.CALL_REPORTED: _call_reported,
    Kind.RECOVERY: _recovery,
    Kind.BUDGET_RESERVED: _budget_reserved,
    Kind.BUDGET_SETTLED: _budget_settled,
    Kind.OPERATOR: _operator,
    Kind.APPROVAL_REQUESTED: _approval,
    Kind.APPROVAL_DECIDED: _approval,
    Kind.APPROVAL_EXPIRED: _approval,
    Kind.APPROVAL_WITHDRAWN: _approval,
    Kind.APPROVAL_SUPERSEDED: _approval,
    Kind.APPROVAL_CONSUMED: _approval,
}


# What is left of an event whose payload was erased: what its header says. Only what is over is erased.


def _started_erased(run: RunState, event: Event) -> None:
    run.principal = Principal(event.fact.principal_id or "erased", event.tenant)
    run.tenant = event.tenant
    run.started_us = event.at_us


def _call_erased(run: RunState, event: Event) -> None:
    fact = event.fact
    call = run.calls.setdefault(fact.call_id, CallState(fact.call_id, "", "", fact.step))
    if fact.outcome:
        _tell(run, call, event)


_ERASED: dict[Kind, Callable[[RunState, Event], None]] = {
    **_APPLY,
    Kind.RUN_STARTED: _started_erased,
    Kind.CALL_DECIDED: _call_erased,
}

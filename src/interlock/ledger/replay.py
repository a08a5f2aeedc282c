"""A run again, step by step, from its record alone: nothing is dialled, decided or written.

On the way the record is checked: that every event follows and matches its own bytes, and that what it says
can follow what was said before (an effect only after it was allowed, an end only once).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interlock.core.call_state import CallState, proposed_tool
from interlock.core.canonical import Json
from interlock.core.clock import iso
from interlock.core.event import Event, Kind
from interlock.core.run import RunState
from interlock.ledger.chain import first_bad
from interlock.ledger.decided import Decided


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened; an event that says several (a decision says what each gate found) is several.

    Attributes:
        seq: Number of the event.
        at_us: When, store time.
        kind: The event's kind.
        gate: The gate that it is about, where it is about one.
        call_id: Which call; empty where none.
        who: Principal id of who acted; empty where the program did.
        text: What happened, one sentence.
        detail: The parts of the event that say so.
        status: How the call, or else the run, stands after the event; empty where it cannot be known.
        problem: What is wrong with the record here; empty where nothing is.
    """

    seq: int
    at_us: int
    kind: str
    gate: str = ""
    call_id: str = ""
    who: str = ""
    text: str
    detail: Mapping[str, Json]
    status: str = ""
    problem: str = ""

    def as_json(self) -> dict[str, Json]:
        """The step with its empty parts left out."""
        said: dict[str, Json] = {"seq": self.seq, "at": iso(self.at_us), "kind": self.kind}
        for name in ("gate", "call_id", "who", "text", "status", "problem"):
            if value := getattr(self, name):
                said[name] = value
        if self.detail:
            said["detail"] = dict(self.detail)
        return said


def replay(events: Sequence[Event]) -> Iterator[Step]:
    """The steps of one run, from its chain's events, read from the start.

    A step with a `problem` is the last one: what follows it proves nothing. Where a payload was erased, the
    rest is told without `status` and its order is not checked: what it follows from is gone.
    """
    if not events:
        return
    bad = first_bad(events)
    record, decided, whole = _Record(events[0]), Decided(), True
    for number, event in enumerate(events, 1):
        if number == bad:
            why = "it does not follow what is before it, or does not match its hash"
            yield _step(event, ("", "The record was changed here.", {}), problem=why)
            return
        if not event.payload:
            whole = False
            yield _step(event, ("", "The content of this event was erased.", {}))
            continue
        if whole and (problem := record.objects(event)):
            yield _step(event, ("", "The record contradicts itself here.", {}), problem=problem)
            return
        status = record.take(event) if whole else ""
        if (facts := decided.facts(event)) is not None:
            event = event._replace(fact=event.fact._replace(body=event.fact.body | {"facts": facts}))
        for said in _TOLD.get(event.fact.kind, _other)(event):
            yield _step(event, said, status)


_Said = tuple[str, str, Mapping[str, Json]]
"""Gate, sentence, and the parts of the event behind it."""


def _step(event: Event, said: _Said, status: str = "", problem: str = "") -> Step:
    gate, text, detail = said
    fact = event.fact
    return Step(
        seq=event.seq, at_us=event.at_us, kind=fact.kind.value, gate=gate, call_id=fact.call_id,
        who=fact.principal_id, text=text, detail=detail, status=status, problem=problem,
    )  # fmt: skip


class _Record:
    """What was said so far, and what may follow it."""

    def __init__(self, first: Event) -> None:
        self._run = RunState(first.chain, first.tenant)
        self._decided: dict[str, Event] = {}

    def take(self, event: Event) -> str:
        """Fold the event in; how its call, or else the run, stands now."""
        fact = event.fact
        self._run.absorb([event])
        if fact.kind is Kind.CALL_DECIDED:
            self._decided[fact.call_id] = event
        call = self._run.calls.get(fact.call_id)
        return self._run.status if call is None else call.status

    def objects(self, event: Event) -> str:
        """Why this event cannot come here; empty where it can."""
        run, fact = self._run, event.fact
        if fact.kind is Kind.RUN_STARTED:
            return "the run starts a second time" if run.principal is not None else ""
        if run.principal is None:
            return "" if fact.kind is Kind.RUN_CLAIMED else "it comes before the run's start"
        call = run.calls.get(fact.call_id)
        if fact.kind is Kind.CALL_DECIDED and "proposed" in fact.body:
            return "the call is proposed a second time" if call is not None else ""
        if fact.call_id and call is None:
            return "it is about a call that was not proposed"
        if fact.approval_id and fact.kind is not Kind.APPROVAL_REQUESTED:
            return self._objects_to_answer(event)
        return "" if call is None else self._objects_to_call(call, event)

    def _objects_to_answer(self, event: Event) -> str:
        asked = self._run.approvals.get(event.fact.approval_id)
        if asked is None:
            return "it is about an approval that was not requested"
        if event.fact.kind is Kind.APPROVAL_CONSUMED and asked.status != "approved":
            return f"it uses an approval that is {asked.status}"
        return ""

    def _objects_to_call(self, call: CallState, event: Event) -> str:
        kind, outcome = event.fact.kind, event.fact.outcome
        if call.status == "closed" and kind in _MOVING:
            return "the call was closed before"
        if kind is Kind.CALL_RECONCILED and call.status not in ("intent", "unknown"):
            return f"a call is settled that is {call.status}"
        if kind is Kind.CALL_INTENT or (kind is Kind.CALL_RESULT and outcome == "done"):
            uses = event.fact.body.get("grant_id", "") if kind is Kind.CALL_INTENT else call.grant_id
            return self._not_let_pass(call, uses)
        return ""

    def _not_let_pass(self, call: CallState, uses: str) -> str:
        """Why this call may not have run; empty where policy allowed it or its hold was answered.

        Args:
            uses: The grant that its intent counts a use of. Whether there is such a grant, the tenant's chain says.
        """
        decided = self._decided.get(call.call_id)
        if decided is None or not decided.fact.decision:
            return "it ran though no gate let it pass"
        verdict = decided.fact.decision
        asked = self._run.approvals.get(call.approval_id)
        answered = verdict == "require_approval" and asked is not None and asked.status == "consumed"
        answered = answered or decided.fact.body.get("undoes") in self._run.calls
        grant = decided.fact.body.get("grant") or {}
        answered = answered or (verdict == "require_approval" and bool(uses) and grant.get("grant_id") == uses)
        binds = decided.fact.body["decision"]["mode"] == "enforce"
        return f"it ran though policy said {verdict}" if binds and verdict != "allow" and not answered else ""


_MOVING = frozenset({Kind.CALL_DECIDED, Kind.CALL_INTENT, Kind.CALL_RESULT, Kind.CALL_UNKNOWN, Kind.CALL_RECONCILED})
"""Kinds that move a call on: none may come after its end."""


# What each event says, in sentences.


def _run_started(event: Event) -> Iterator[_Said]:
    body = event.fact.body
    principal = body["principal"]
    roles = ", ".join(principal["roles"]) or "no role"
    yield (
        "",
        f"The run starts for {principal['id']} ({roles}), driven by {body['driver']}.",
        {"principal": principal, "words": body.get("words")},
    )


def _run_claimed(event: Event) -> Iterator[_Said]:
    body = event.fact.body
    yield "", f"{body['worker']} claims the run, epoch {body['epoch']}.", {}


def _run_waiting(event: Event) -> Iterator[_Said]:
    body = event.fact.body
    yield "", f"The run waits for {', '.join(body['for']) or 'somebody'}.", {}


def _words(event: Event) -> Iterator[_Said]:
    yield "", "The user says more.", dict(event.fact.body)


def _offered(event: Event) -> Iterator[_Said]:
    yield "", f"The model is offered {', '.join(event.fact.body['tools']) or 'no tool'}.", {}


def _message(event: Event) -> Iterator[_Said]:
    body = event.fact.body
    calls = ", ".join(call["tool"] for call in body.get("calls", ()))
    what = f"proposes {calls}" if calls else "answers"
    yield "", f"{body.get('model', 'the model')} {what}.", dict(body)


def _run_ended(event: Event) -> Iterator[_Said]:
    body = event.fact.body
    how = event.fact.kind.value.removeprefix("run.")
    reason = body.get("reason")
    yield "", f"The run is {how}{f': {reason}' if reason else ''}.", {}


def _proposed(body: Mapping[str, Any]) -> _Said:
    said = body["proposed"]
    arguments: dict[str, Json] = {name: said[name] for name in ("arguments", "arguments_text") if name in said}
    named = f", named {said['name']!r} by its client" if "name" in said else ""
    rehearsal = ", as a dry run" if "dry_run" in said else ""
    return "", f"{proposed_tool(body)} is proposed{named}{rehearsal}.", arguments or {"arguments": body["arguments"]}


def _decided(event: Event) -> Iterator[_Said]:
    body = event.fact.body
    if "proposed" in body:
        yield _proposed(body)
    stop = body.get("stop")
    if tool := body.get("tool"):
        text = f"It is a valid call of {tool['name']} {tool['version']} on {tool['server']}, effect {body['effect']}."
        yield "validate", text, {"tool": tool, "digest": body.get("digest"), "arguments": body.get("arguments")}
    if decision := body.get("decision"):
        reasons = ", ".join(decision["reasons"]) or "no reason"
        mode = " (not enforced)" if decision.get("mode") == "evaluate_only" else ""
        verdict = decision["verdict"].replace("_", " ")
        yield (
            "authorize",
            f"Policy says {verdict}{mode}: {reasons}.",
            {"decision": {**decision, "policy": event.fact.policy_hash}, "facts": body.get("facts")},
        )
    if limits := body.get("limit"):
        yield "limit", f"It counts against {', '.join(limits)}.", {"limit": limits}
    if "verify" in body:
        said = body["verify"]
        doubt = f"; that is not enough ({said['doubt']}), and people are asked" if "doubt" in said else ""
        yield "verify", f"A second reader says {said['verdict']}{doubt}.", {"verify": said}
    if approval_id := body.get("approval_id"):
        yield "approve", f"Approval {approval_id} lets it pass.", {"approval_id": approval_id}
    if grant := body.get("grant"):
        yield "approve", f"Released by grant {grant['grant_id']} of {', '.join(grant['by'])}.", {"grant": grant}
    if undone := body.get("undoes"):
        yield "approve", f"It undoes {undone}, which answers any hold.", {"undoes": undone}
    if stop is not None:
        yield stop["gate"], f"It stops here: {_told(body)}", {"outcome": body["outcome"], "audit": stop.get("audit")}


def _intent(event: Event) -> Iterator[_Said]:
    yield "execute", "Its intent is committed; from here on an effect may leave.", {"key": event.fact.body.get("key")}


def _came_out(event: Event) -> Iterator[_Said]:
    body = event.fact.body
    took = f" It took {body['took_us'] / 1000:.1f} ms." if "took_us" in body else ""
    if cached := body.get("cached"):
        took = f" Nothing was dialled: {cached['call_id']} had got it {cached['age_ms'] / 1000:.1f} s before."
    settled = ""
    if event.fact.kind is Kind.CALL_RECONCILED:
        settled = f"Settled by {body.get('by')} ({body.get('how')}): "
    stop = body.get("stop")
    gate = stop["gate"] if stop else "execute"
    yield (
        gate,
        f"{settled}{_told(body)}{took}",
        {name: body[name] for name in ("outcome", "stop", "note", "cached", "together") if name in body},
    )


def _told(body: Mapping[str, Any]) -> str:
    told = body["outcome"]
    if told["outcome"] == "done":
        return "done."
    return f"{told['outcome']}, {told['code']}: {told['message'].rstrip('.')}."


def _requested(event: Event) -> Iterator[_Said]:
    body = event.fact.body
    people = "one person" if body["quorum"] == 1 else f"{body['quorum']} people"
    text = f"Approval {event.fact.approval_id} is asked for: {people} of {', '.join(body['groups'])}."
    yield "approve", text, {name: body.get(name) for name in ("approval", "rules", "expires_us")}


def _answered(event: Event) -> Iterator[_Said]:
    body = event.fact.body
    words = f": {body['words']!r}" if body.get("words") else ""
    text = f"{event.fact.principal_id} {_VERBS[body['decision']]} {event.fact.approval_id}{words}."
    yield "approve", text, {name: body[name] for name in ("roles", "text", "value") if name in body}


_VERBS = {"approve": "approves", "reject": "rejects", "edit": "edits", "respond": "answers in the tool's place on"}


def _approval_over(event: Event) -> Iterator[_Said]:
    how = event.fact.kind.value.removeprefix("approval.")
    yield "approve", f"Approval {event.fact.approval_id} is {how}.", dict(event.fact.body)


def _compensated(event: Event) -> Iterator[_Said]:
    body = event.fact.body
    how = "undone" if event.fact.outcome == "done" else f"not undone, {body.get('code')}"
    yield "", f"{event.fact.call_id} is {how}.", dict(body)


def _reported(event: Event) -> Iterator[_Said]:
    body = event.fact.body
    yield "", f"{body['by']} reports to {event.fact.call_id}: {body['end']}.", dict(body)


def _redacted(event: Event) -> Iterator[_Said]:
    body = event.fact.body
    which = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in body["events"])
    yield "", f"{body['approver']} has the content of event {which} erased: {body['reason']}.", dict(body)


def _other(event: Event) -> Iterator[_Said]:
    yield "", f"{event.fact.kind.value}.", event.fact.body


_TOLD: dict[Kind, Callable[[Event], Iterator[_Said]]] = {
    Kind.RUN_STARTED: _run_started,
    Kind.RUN_CLAIMED: _run_claimed,
    Kind.RUN_WAITING: _run_waiting,
    Kind.RUN_WORDS: _words,
    Kind.TOOLS_OFFERED: _offered,
    Kind.MESSAGE: _message,
    Kind.RUN_FINISHED: _run_ended,
    Kind.RUN_CANCELLED: _run_ended,
    Kind.CALL_DECIDED: _decided,
    Kind.CALL_INTENT: _intent,
    Kind.CALL_RESULT: _came_out,
    Kind.CALL_UNKNOWN: _came_out,
    Kind.CALL_RECONCILED: _came_out,
    Kind.APPROVAL_REQUESTED: _requested,
    Kind.APPROVAL_DECIDED: _answered,
    Kind.APPROVAL_EXPIRED: _approval_over,
    Kind.APPROVAL_WITHDRAWN: _approval_over,
    Kind.APPROVAL_SUPERSEDED: _approval_over,
    Kind.APPROVAL_CONSUMED: _approval_over,
    Kind.CALL_COMPENSATED: _compensated,
    Kind.CALL_REPORTED: _reported,
    Kind.REDACT: _redacted,
}

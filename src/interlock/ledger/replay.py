"""A run again, step by step, from its record alone: nothing is dialled, decided or written.

On the way the record is checked: that every event follows and matches its own bytes, and that what it says
can follow what was said before (an effect only after it was allowed, an end only once).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from interlock.core.call_state import CallState
from interlock.core.canonical import Json
from interlock.core.clock import iso
from interlock.core.event import Event, Kind
from interlock.core.run import RunState
from interlock.ledger.chain import first_bad
from interlock.ledger.decided import Decided
from interlock.ledger.sentences import ERASED, Sentence, sentences


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
            yield _step(event, Sentence("", "The record was changed here.", {}), problem=why)
            return
        if not event.payload:
            whole = False
            yield _step(event, ERASED)
            continue
        if whole and (problem := record.objects(event)):
            yield _step(event, Sentence("", "The record contradicts itself here.", {}), problem=problem)
            return
        status = record.take(event) if whole else ""
        if (facts := decided.facts(event)) is not None:
            event = event._replace(fact=event.fact._replace(body=event.fact.body | {"facts": facts}))
        for said in sentences(event):
            yield _step(event, said, status)


def _step(event: Event, said: Sentence, status: str = "", problem: str = "") -> Step:
    fact = event.fact
    return Step(
        seq=event.seq, at_us=event.at_us, kind=fact.kind.value, gate=said.gate, call_id=fact.call_id,
        who=fact.principal_id, text=said.text, detail=said.detail, status=status, problem=problem,
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
            return "" if fact.kind in _METERS else "it is about a call that was not proposed"
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


_METERS = frozenset({Kind.BUDGET_RESERVED, Kind.BUDGET_SETTLED})
"""Kinds that may be about what is no call: a model's turn reserves and settles what it costs under an id of its own."""

_MOVING = frozenset({Kind.CALL_DECIDED, Kind.CALL_INTENT, Kind.CALL_RESULT, Kind.CALL_UNKNOWN, Kind.CALL_RECONCILED})
"""Kinds that move a call on: none may come after its end."""

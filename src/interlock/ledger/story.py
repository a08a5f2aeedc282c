"""A run as it went: what its model said, each call with what every gate found, waits, and what people did.

Read from events alone, whichever stretch of them: a call that began before it is told from where the stretch begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from interlock.core.call_state import proposed_tool
from interlock.core.event import CLOSING, Event, Kind
from interlock.core.transcript import turn_call_id
from interlock.ledger.decided import Decided
from interlock.ledger.sentences import sentences
from interlock.ledger.story_entries import Call, Entry, Hold, Note, Proposed, Said, Turn


class Story:
    """Entries in the order in which they began, from the events of one stretch of one run.

    Args:
        run_id: The run.
        turns: Turns of the model before this stretch.

    Attributes:
        entries: What happened.
        calls: The calls among it, by id.
    """

    def __init__(self, run_id: str, turns: int = 0) -> None:
        self.run_id = run_id
        self.entries: list[Entry] = []
        self.calls: dict[str, Call] = {}
        self._turns = turns
        self._decided = Decided()

    def absorb(self, events: Iterable[Event]) -> Story:
        """Take further events in, in their order."""
        for event in events:
            kind = event.fact.kind
            facts = self._decided.facts(event)
            if kind in _SILENT:
                continue
            if kind is Kind.MESSAGE:
                self._turn(event)
            elif event.fact.call_id and (kind in _OF_CALLS or event.fact.call_id in self.calls):
                self._call(event, facts)
            elif kind not in _METERS:
                self._note(event)
        return self

    def _note(self, event: Event) -> None:
        fact = event.fact
        text: str | None = " ".join(said.text for said in sentences(event))
        if fact.kind is Kind.RUN_STARTED:
            text = fact.body.get("words") or None
        elif fact.kind is Kind.RUN_WORDS:
            text = fact.body.get("text")
        self.entries.append(Note(fact.kind.value, event.seq, event.at_us, text, fact.principal_id, fact.body))

    def _turn(self, event: Event) -> None:
        body = event.fact.body
        self._turns += 1
        usage = body.get("usage", {})
        calls = tuple(
            Proposed(
                turn_call_id(self.run_id, self._turns, place), said["tool"],
                said["arguments_text"] if "arguments_text" in said else said["arguments"], said.get("confidence"),
            )
            for place, said in enumerate(body.get("calls", ()), 1)
        )  # fmt: skip
        self.entries.append(Turn(
            self._turns, event.seq, event.at_us, body.get("model", ""), body.get("text", ""), calls,
            body.get("finish", ""), body.get("final", False), usage.get("input_tokens"), usage.get("output_tokens"),
            usage.get("cached_tokens"), usage.get("reasoning_tokens"), body.get("micro_usd"), body.get("took_us"),
            not event.payload,
        ))  # fmt: skip

    def _call(self, event: Event, facts: Mapping[str, Any] | None) -> None:
        fact = event.fact
        call = self.calls.get(fact.call_id)
        if call is None:
            proposed = fact.kind is Kind.CALL_DECIDED and "proposed" in fact.body
            tool = proposed_tool(fact.body) if proposed else ""
            call = Call(fact.call_id, tool, fact.step, event.seq, event.at_us, partial=not proposed)
            call.partial = not proposed and bool(event.payload)
            self.calls[fact.call_id] = call
            self.entries.append(call)
        call.seqs.append(event.seq)
        call.said += (Said(event.seq, event.at_us, said.gate, said.text) for said in sentences(event))
        call.erased |= not event.payload
        if (change := _CHANGES.get(fact.kind)) is not None:
            change(call, event)
        if facts is not None:
            call.facts = facts
        if fact.outcome and fact.kind is not Kind.CALL_COMPENSATED and call.ended_us is None:
            call.told, call.outcome = fact.body, fact.outcome
            if fact.outcome in CLOSING:
                call.ended_us = event.at_us


def _decided(call: Call, event: Event) -> None:
    fact = event.fact
    body = fact.body
    proposed = body.get("proposed") or call.decided.get("proposed") or {}
    call.decided = {**body, "proposed": proposed}
    call.parent_id = proposed.get("parent", call.parent_id)
    call.undoes = body.get("undoes", call.undoes)
    call.policy_hash, call.tool_hash = fact.policy_hash, fact.tool_hash
    if not call.tool and body.get("tool"):
        call.tool = body["tool"]["name"]


def _intended(call: Call, event: Event) -> None:
    call.intent, call.intent_us = event.fact.body, event.at_us


def _reserved(call: Call, event: Event) -> None:
    call.intent_us = event.at_us


def _came_out(call: Call, event: Event) -> None:
    call.attempts = event.fact.attempt or call.attempts


def _reported(call: Call, event: Event) -> None:
    call.child = event.fact.body.get("run", "")
    call.told, call.outcome = event.fact.body, (event.fact.body.get("outcome") or {}).get("outcome", call.outcome)


def _requested(call: Call, event: Event) -> None:
    body = event.fact.body
    groups = tuple(body.get("groups", ()))
    call.holds.append(Hold(event.fact.approval_id, event.at_us, quorum=body.get("quorum", 1), groups=groups))


def _answered(call: Call, event: Event) -> None:
    """One voice: an approval ends the wait once there are as many as it needs, anything else at once."""
    fact = event.fact
    how = fact.body.get("decision", fact.decision)
    for hold in _open(call, fact.approval_id):
        hold.by.append(fact.principal_id)
        if how != "approve" or len(hold.by) >= hold.quorum:
            hold.to_us, hold.how = event.at_us, how


def _hold_over(call: Call, event: Event) -> None:
    for hold in _open(call, event.fact.approval_id):
        hold.to_us, hold.how = event.at_us, event.fact.kind.value.removeprefix("approval.")


def _open(call: Call, approval_id: str) -> list[Hold]:
    return [hold for hold in call.holds if hold.approval_id == approval_id and hold.to_us is None]


def _recovered(call: Call, event: Event) -> None:
    call.recoveries += 1


def _compensated(call: Call, event: Event) -> None:
    call.undone = event.fact.outcome


_CHANGES: Final[Mapping[Kind, Callable[[Call, Event], None]]] = {
    Kind.CALL_DECIDED: _decided,
    Kind.CALL_INTENT: _intended,
    Kind.BUDGET_RESERVED: _reserved,
    Kind.CALL_RESULT: _came_out,
    Kind.CALL_UNKNOWN: _came_out,
    Kind.CALL_RECONCILED: _came_out,
    Kind.CALL_REPORTED: _reported,
    Kind.CALL_COMPENSATED: _compensated,
    Kind.RECOVERY: _recovered,
    Kind.APPROVAL_REQUESTED: _requested,
    Kind.APPROVAL_DECIDED: _answered,
    Kind.APPROVAL_EXPIRED: _hold_over,
    Kind.APPROVAL_WITHDRAWN: _hold_over,
    Kind.APPROVAL_SUPERSEDED: _hold_over,
    Kind.APPROVAL_CONSUMED: _hold_over,
}

_OF_CALLS: Final = frozenset(_CHANGES) - {Kind.BUDGET_RESERVED} | {Kind.CALL_SCREENED, Kind.CALL_DEAD_LETTERED}
"""Kinds that are about a call, whether its proposal is in this stretch or not."""

_METERS: Final = frozenset({Kind.BUDGET_RESERVED, Kind.BUDGET_SETTLED})
"""What models' turns reserve and settle: the turns say what they cost."""

_SILENT: Final = frozenset({Kind.TOOLS_OFFERED, Kind.RUN_CLAIMED})
"""Kinds that say nothing to somebody who reads what happened; the replay has them."""

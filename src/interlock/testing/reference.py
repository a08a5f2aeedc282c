"""What a run may do, as a small state machine: follows the ledger and the far end, and objects.

It knows nothing of how the path works. It sees the facts that became durable, the effects that were really
taken and what callers were told, each at its moment, and raises `Divergence` at the first that is not allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from interlock.core.event import CLOSING, Event, Kind
from interlock.testing.far_end import Effect


class Divergence(AssertionError):
    """Something happened that the reference does not allow; from a simulator, with the seed and the last steps."""

    def __init__(self, what: str) -> None:
        super().__init__(what)


class Promise(NamedTuple):
    """What a tool says of itself, as far as it decides what may happen.

    Attributes:
        intent: Something leaves by it, so that an intent comes first.
        writes: It takes an effect.
        once: Its effect is never taken twice; all but those that are only idempotent.
        asks: It is settled by asking the far end, which holds only where one worker asks at a time.
        settles: What was lost is settled without a person: keyed, idempotent, reconcilable, or an outward read.
    """

    intent: bool
    writes: bool
    once: bool
    asks: bool
    settles: bool


@dataclass(slots=True)
class Call:
    """One call as the reference knows it.

    Attributes:
        run: The run that it belongs to.
        tool, promise: Its tool, and what that says.
        parent: The call it was made for.
        status: `decided`, `held`, `intent`, `unknown` or `closed`.
        told: The outcome in force.
        approval: Status of the approval request in force; empty for none.
        asked, unclear: Requests that the far end saw, and those of them after which the caller cannot know.
        effects: How often its effect was taken.
        bytes: Key and arguments that its effect bore.
        value: What callers were told that it returned.
    """

    run: str
    tool: str
    promise: Promise
    parent: str
    status: str = "decided"
    told: str = ""
    approval: str = ""
    asked: int = 0
    unclear: int = 0
    effects: int = 0
    bytes: tuple[str, str] | None = None
    value: object = None


@dataclass(slots=True)
class Reference:
    """The state machine.

    Attributes:
        promises: What the tools say, by name.
        calls: Every call by id.
        died: A process died: what it had under way may have left.
        shaken: Something was cut off, cancelled or stopped, or the far end was rough: no more can be expected than
            that what may have left is told as unknown.
        two: A clock was set, a process stood still or could not renew its claim: two workers may be at one call.
    """

    promises: Mapping[str, Promise]
    calls: dict[str, Call] = field(default_factory=dict)
    died: bool = False
    shaken: bool = False
    two: bool = False

    def committed(self, events: Iterable[Event]) -> None:
        """One transaction became durable."""
        consumed = ""
        for event in events:
            fact = event.fact
            if fact.kind is Kind.RUN_FINISHED:
                calls = self.calls.items()
                waiting = [call_id for call_id, call in calls if call.run == event.chain and call.status != "closed"]
                _must(not waiting, f"the run is finished and {waiting} wait")
            elif fact.kind is Kind.CALL_DECIDED and "proposed" in fact.body:
                self._proposed(event)
            if fact.kind is Kind.APPROVAL_CONSUMED:
                consumed = fact.call_id
            if fact.call_id in self.calls:
                self._moved(event, self.calls[fact.call_id], consumed == fact.call_id)

    def _proposed(self, event: Event) -> None:
        fact = event.fact
        _must(fact.call_id not in self.calls, f"{fact.call_id} was proposed twice")
        proposed = fact.body["proposed"]
        tool = fact.body["tool"]["name"] if "tool" in fact.body else proposed["tool"]
        promise = self.promises[tool]
        parent = proposed.get("parent", "")
        self.calls[fact.call_id] = Call(event.chain, tool, promise, parent)
        if parent and promise.writes:
            _must(
                self.calls[parent].told == "failed", f"a fallback for a call that is told as {self.calls[parent].told}"
            )

    def _moved(self, event: Event, call: Call, consumed: bool) -> None:
        kind, outcome = event.fact.kind, event.fact.outcome
        match kind:
            case Kind.CALL_INTENT:
                _must(call.status in ("decided", "held"), f"an intent of a call that is {call.status}")
                _must(call.status != "held" or consumed, "an intent of a held call without its approval")
                call.status = "intent"
            case Kind.APPROVAL_REQUESTED:
                _must(call.status in ("held", "decided"), f"an approval is asked of a call that is {call.status}")
                call.approval = "pending"
            case Kind.APPROVAL_DECIDED:
                if call.approval == "pending":
                    call.approval = "approved" if event.fact.body["decision"] == "approve" else "rejected"
            case Kind.APPROVAL_CONSUMED:
                _must(call.approval == "approved", f"an approval was used that is {call.approval}")
                call.approval = "consumed"
            case Kind.APPROVAL_EXPIRED | Kind.APPROVAL_WITHDRAWN | Kind.APPROVAL_SUPERSEDED:
                _must(call.approval != "consumed", "an approval that was used ended once more")
                call.approval = "over"
        if outcome:
            self._told(call, kind, outcome)

    def _told(self, call: Call, kind: Kind, outcome: str) -> None:
        if outcome == "unknown" and call.status == "closed" and (self.shaken or self.died):
            return  # whoever closed it could not know that it had; a late word reopens nothing
        _must(call.status != "closed", f"{outcome} of a call that was closed as {call.told}")
        if outcome == "held":
            _must(call.status in ("decided", "held"), f"held is told of a call that is {call.status}")
        elif outcome == "unknown":
            _must(call.status in ("intent", "unknown"), f"unknown is told of a call that is {call.status}")
            may = call.unclear or self.shaken or (self.died and not call.promise.settles)
            _must(bool(may), "unknown is told of a call that nothing hindered from being settled")
        elif outcome in ("failed", "refused"):
            _must(not call.effects, f"{outcome} is told of a call that took its effect")
            _must(not (outcome == "refused" and call.asked and call.promise.writes), "refused, and something was sent")
        elif call.promise.intent:
            from_where = ("intent", "unknown") if kind is Kind.CALL_RECONCILED else ("intent",)
            _must(call.status in from_where, f"{kind} {outcome} of a call that is {call.status}")
            _must(bool(call.effects) or not call.promise.writes, f"{outcome} is told of a call without its effect")
        call.told = outcome
        call.status = "closed" if outcome in CLOSING else outcome

    def asked(self, call_id: str, known: bool) -> None:
        """The far end was asked by a call; `known` says whether the caller will know what became of it."""
        call = self.calls.get(call_id)
        if call is None:
            return  # a read: nothing of it is durable before its end
        _must(call.status != "closed" or self.two, f"a call that is closed as {call.told} asks its far end")
        _must(not call.promise.intent or call.status not in ("decided", "held"), "something left before its intent")
        call.asked += 1
        call.unclear += not known

    def effect(self, effect: Effect) -> None:
        """The far end took an effect."""
        call = self.calls.get(effect.call_id)
        _must(call is not None and call.asked > 0, "an effect without an intent")
        assert call is not None, "or it diverged above"
        late = call.promise.asks and self.two  # it was asked about before it was on its way
        _must(call.told not in ("failed", "refused") or late, f"an effect of a call that was told as {call.told}")
        _must(call.bytes in (None, effect[1:]), "an effect with another key or other arguments than the first")
        call.bytes = effect[1:]
        call.effects += 1
        again = not call.promise.once or (call.promise.asks and self.two)
        _must(call.effects == 1 or again, "an effect was taken twice")

    def told(self, call_id: str, outcome: str, value: object = None) -> None:
        """A caller was told an outcome, and with it what the tool returned, where it is done."""
        call = self.calls.get(call_id)
        _must(call is not None, f"{outcome} is told and nothing of it stands")
        assert call is not None, "or it diverged above"
        if outcome in CLOSING:
            _must((call.status, call.told) == ("closed", outcome), f"{outcome} is told and {call.told} stands")
            _must(call.value in (None, value), f"{value!r} is told where {call.value!r} was told before")
            call.value = value
        elif outcome == "unknown":
            _must(call.status in ("intent", "unknown") or call.status == "closed", "unknown is told before its intent")
        else:
            _must(call.approval != "", "held is told and nobody is asked")

    def settled(self) -> None:
        """The world is healed and everybody has had the time to advance: nothing may be left."""
        for call_id, call in self.calls.items():
            _must(call.status == "closed", f"{call_id} is stuck as {call.status}")
            if call.promise.writes:
                done = call.told in ("done", "withheld")
                _must(
                    bool(call.effects) == done or (call.promise.asks and self.two),
                    f"{call_id} is {call.told} with {call.effects} effects",
                )


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Divergence(otherwise)

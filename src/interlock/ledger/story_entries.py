"""What a run's story is made of: turns of its model, calls with what every gate found about them, and the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from interlock.core.canonical import Json

GATES: Final = ("validate", "authorize", "limit", "verify", "approve", "execute", "screen", "record")
"""The gates of the path, in their order."""


class Said(NamedTuple):
    """One thing that an event said.

    Attributes:
        seq, at_us: Number of the event, and when.
        gate: The gate that it is about; empty for none.
        text: One sentence.
    """

    seq: int
    at_us: int
    gate: str
    text: str


class Gate(NamedTuple):
    """What one gate did about a call.

    Attributes:
        name: Of `GATES`.
        state: `passed`, `stopped` (the call went no further), `held` (it waits, or waited, for people here),
            `idle` (nothing asked for it), `ahead` (not reached) or `unseen` (it is told before this stretch).
        texts: What it found, a sentence each.
    """

    name: str
    state: str
    texts: tuple[str, ...]


@dataclass(slots=True)
class Hold:
    """One wait for people.

    Attributes:
        approval_id: The request; empty where it was made before this stretch.
        from_us: Since when.
        to_us: Until when; None while it lasts.
        how: What ended it; empty before.
        by: Who said something, in order.
        quorum: How many have to approve it.
        groups: Of whom.
    """

    approval_id: str
    from_us: int
    to_us: int | None = None
    how: str = ""
    by: list[str] = field(default_factory=list)
    quorum: int = 1
    groups: tuple[str, ...] = ()


@dataclass(slots=True)
class Call:
    """One call.

    Attributes:
        call_id, tool, step: Which; the tool as proposed, empty where that is not known here.
        seq, at_us: Number and time of its first event here.
        parent_id: The call that it was made for; `undoes`: the one that it undoes.
        undoes: The call that it undoes; empty for none.
        partial: It was proposed before this stretch.
        decided: Body of its last decision; empty before.
        facts: The closed record that this was made on; None where policy was not asked.
        told: Body of the event that told its last outcome; empty before.
        outcome: How that went: `done`, `refused`, `held`, `failed`, `withheld` or `unknown`; empty before.
        intent: Body of its intent; empty before, and for most reads.
        intent_us, ended_us: When an effect might leave; when it was closed.
        attempts: Tries of the last execution; 0 where none is told of.
        holds: Its waits for people.
        said: What its events said, in order.
        seqs: Their numbers.
        policy_hash, tool_hash: Of its last decision.
        recoveries: Workers that took it up after another was lost.
        undone: What came of undoing it; empty where nothing did.
        child: The run that it started, where it has reported; empty for none.
        erased: Something of it was erased.
    """

    call_id: str
    tool: str
    step: int
    seq: int
    at_us: int
    parent_id: str = ""
    undoes: str = ""
    partial: bool = False
    decided: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] | None = None
    told: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = ""
    intent: Mapping[str, Any] = field(default_factory=dict)
    intent_us: int | None = None
    ended_us: int | None = None
    attempts: int = 0
    holds: list[Hold] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)
    policy_hash: str = ""
    tool_hash: str = ""
    recoveries: int = 0
    undone: str = ""
    child: str = ""
    erased: bool = False

    kind = "call"

    @property
    def effect(self) -> str:
        """Its effect; empty where it was never valid."""
        found: str = self.decided.get("effect", "")
        return found

    @property
    def arguments(self) -> Json:
        """Its arguments: those that were valid, else as they were proposed; None where they are not known."""
        proposed = self.decided.get("proposed") or {}
        for where in (self.decided, proposed):
            if "arguments" in where:
                found: Json = where["arguments"]
                return found
        text: str | None = proposed.get("arguments_text")
        return text

    @property
    def answer(self) -> Mapping[str, Any]:
        """What the model or client was told last: `outcome`, `value` or `code`, `message`, …; empty before."""
        found: Mapping[str, Any] = self.told.get("outcome") or {}
        return found

    @property
    def code(self) -> str:
        """Code of that; empty where it is done."""
        found: str = self.answer.get("code", "")
        return found

    @property
    def stop(self) -> Mapping[str, Any]:
        """The gate that stopped it, with the code and the text for the audit; empty where none did."""
        found: Mapping[str, Any] = self.told.get("stop") or {}
        return found

    @property
    def took_us(self) -> int | None:
        """Microseconds of its execution; None where nothing was executed, or it is not over."""
        found: int | None = self.told.get("took_us")
        return found

    @property
    def gates(self) -> tuple[Gate, ...]:
        """What each gate did, in their order."""
        texts: dict[str, list[str]] = {name: [] for name in GATES}
        for said in self.said:
            if said.gate in texts:
                texts[said.gate].append(said.text)
        stopped = self.stop.get("gate", "")
        return tuple(Gate(name, self._state(name, stopped, bool(texts[name])), tuple(texts[name])) for name in GATES)

    def _state(self, gate: str, stopped: str, spoke: bool) -> str:
        at, here = GATES.index(stopped) if stopped in GATES else len(GATES), GATES.index(gate)
        if gate == "record":
            return "passed" if self.ended_us is not None else "ahead"
        if self.outcome == "held" and gate == "approve":
            return "held"
        if here == at and self.outcome not in ("", "done"):
            return "stopped"
        if here > at or (self.outcome == "held" and here > GATES.index("approve")):
            return "ahead"
        if gate == "approve" and self.holds:
            return "held" if self.holds[-1].to_us is None else "passed"
        if gate in ("execute", "screen"):
            return self._after_approve(gate, spoke)
        if gate in ("limit", "verify", "approve"):
            return "passed" if spoke else "idle"
        return "passed" if spoke else "unseen" if self.partial else "ahead"

    def _after_approve(self, gate: str, spoke: bool) -> str:
        if self.outcome in ("failed", "unknown") and gate == "execute":
            return "stopped"
        if gate == "screen":
            return "passed" if self.outcome == "done" else "ahead"
        return "passed" if spoke or self.outcome == "done" else "ahead"


class Proposed(NamedTuple):
    """A call as a turn of the model proposed it.

    Attributes:
        call_id, tool: Which.
        arguments: Object, or the text that was sent.
        confidence: How sure the model said that it was, 0 to 100; None where it did not say.
    """

    call_id: str
    tool: str
    arguments: Json
    confidence: int | None


@dataclass(slots=True)
class Turn:
    """One turn of the model.

    Attributes:
        number: 1, 2, 3, … within the run.
        seq, at_us: Number of its event, and when it was recorded.
        model, text: Who, and what they said.
        calls: What it proposed.
        finish: Why it is no whole answer; empty where it is one.
        final: It was asked to answer without calls.
        input_tokens, output_tokens, cached_tokens, reasoning_tokens, micro_usd, took_us: What it took; None where that
            was not counted.
        erased: What it said is gone.
    """

    number: int
    seq: int
    at_us: int
    model: str = ""
    text: str = ""
    calls: tuple[Proposed, ...] = ()
    finish: str = ""
    final: bool = False
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    micro_usd: int | None = None
    took_us: int | None = None
    erased: bool = False

    kind = "turn"


@dataclass(slots=True)
class Note:
    """Anything else that happened: the start, words of the user, a wait, what a person did, the end.

    Attributes:
        what: The event's kind.
        seq, at_us: Its number, and when.
        text: One sentence; of words, the words, None where they were erased or not seen.
        who: Principal id of who acted; empty for nobody.
        detail: The parts of the event.
    """

    what: str
    seq: int
    at_us: int
    text: str | None
    who: str = ""
    detail: Mapping[str, Json] = field(default_factory=dict)

    kind = "note"


Entry = Call | Turn | Note

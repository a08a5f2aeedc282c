"""One tool call on its way: the proposal, the states that the gates build, and the outcome.

    ToolCall -> ValidCall -> AllowedCall -> LimitedCall -> VerifiedCall -> ApprovedCall -> RawResult -> Outcome

A gate takes the state that only its predecessor builds and returns the next one or a `Stop`. Python cannot
make constructors private, so tests/shape asserts that each state is constructed in its gate's file alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any

from interlock.core.canonical import Json
from interlock.core.charge import Charge
from interlock.core.decision import Decision, Hold
from interlock.core.event import Fact, GuardChange
from interlock.core.finding import Finding, finding_from_json
from interlock.core.principal import Principal
from interlock.core.problem import Problem
from interlock.core.provenance import UNTRACED, Traced
from interlock.core.secret import SecretUse
from interlock.core.selected import Selected
from interlock.core.tool import Tool
from interlock.core.trace import TraceContext


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One request to run a tool, from an untrusted source.

    Attributes:
        run_id: The run that it belongs to.
        call_id: Its identity; the same id asked again gets the recorded outcome.
        tool: Name as proposed.
        arguments: JSON text or object, as proposed; unchecked.
        principal: On whose behalf; from the run, never from the proposal.
        name: The client's own name of the call (its idempotency key); empty where it gave none.
        parent_id: The call that this one comes from (an edit, a fallback, a resolver); empty for none.
        dry_run: Validate and decide, execute nothing.
        lacks: The result of another call that the arguments refer to and that is not there; it is refused then.
        edited_by: People who wrote these arguments, or those of a call that it comes from, in the place of others.
        place: Its place among those that were proposed together, from 1; 0 for a call alone.
        version: The version of the tool that an earlier decision of this call chose; empty before the first.
        sent: Its intent stands: it goes on as that version, whatever is rolled out by now.
        trace: Whose trace it belongs to, where its caller has one beside the run's; None for the run's.
    """

    run_id: str
    call_id: str
    tool: str
    arguments: str | bytes | Mapping[str, Any]
    principal: Principal
    name: str = ""
    parent_id: str = ""
    dry_run: bool = False
    lacks: str = ""
    edited_by: tuple[str, ...] = ()
    place: int = 0
    version: str = ""
    sent: bool = False
    trace: TraceContext | None = None


@dataclass(frozen=True, slots=True)
class ValidCall:
    """A call of a known, pinned tool whose arguments satisfy its schema. From here they are immutable.

    Attributes:
        call: As proposed.
        tool: The definition that was validated against.
        arguments: Parsed, own defaults applied; read only by agreement, because `text` is what executes.
        text: Canonical form of the arguments: the bytes that are shown, approved, hashed and executed.
        digest: Call digest over tool identity and `text`, hex.
        outline: The same of what is left without free text and paging, by which nearly equal calls are told; empty
            where it has neither.
        selected: How its version was chosen, of a tool that has several or is rolled out; else None.
        traced: Where its arguments come from.
        secrets: The references to secrets among the arguments, each allowed where it stands.
    """

    call: ToolCall
    tool: Tool
    arguments: dict[str, Any]
    text: bytes
    digest: str
    outline: str = ""
    selected: Selected | None = None
    traced: Traced = field(default=UNTRACED, compare=False, repr=False)
    secrets: tuple[SecretUse, ...] = ()


@dataclass(frozen=True, slots=True)
class AllowedCall:
    """A call that policy allows, or allows once somebody approves.

    Attributes:
        valid: The validated call.
        decision: Why.
        facts: The closed record that was decided on, but for the arguments, as JSON.
    """

    valid: ValidCall
    decision: Decision
    facts: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class LimitedCall:
    """A call within the limits that can be read now.

    Attributes:
        allowed: The allowed call.
        guards: Every shared row that must change before anything is dialled, where it may still refuse: those of its
            rates, then those of its charges.
        charges: The budgets that it must have a part of.
    """

    allowed: AllowedCall
    guards: tuple[GuardChange, ...]
    charges: tuple[Charge, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifiedCall:
    """A call that a second reader agreed with or left to people, where policy asks for one.

    Attributes:
        limited: The limited call.
        verdict: What the verifier said; None where none was asked.
        hold: What releases it, by policy and by the verifier's doubt together; None where nothing holds it.
    """

    limited: LimitedCall
    verdict: Mapping[str, Json] | None
    hold: Hold | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantUse:
    """One use of a grant: what answers a call's hold in a quorum's place.

    Attributes:
        grant_id: The grant.
        by: Ids of the people who gave it.
        guard: The change of its row, made with the intent.
        otherwise: What the call comes to where its row refuses, as it does when another call took the last use or
            the grant was revoked a moment ago: it is held, as if there had been no grant.
    """

    grant_id: str
    by: tuple[str, ...]
    guard: GuardChange
    otherwise: Callable[[], Stop]


@dataclass(frozen=True, slots=True)
class ApprovedCall:
    """A call whose every hold is answered.

    Attributes:
        verified: The verified call.
        approval_id: The approval that the intent consumes; empty where no request answered a hold.
        grant: The grant that answered the hold instead; None where none did.
        undoes: The call that this one undoes, which answered the hold in advance; empty for none.
    """

    verified: VerifiedCall
    approval_id: str
    grant: GrantUse | None = None
    undoes: str = ""

    @property
    def valid(self) -> ValidCall:
        """The validated call that this one grew from."""
        return self.verified.limited.allowed.valid

    @property
    def released(self) -> bool:
        """Whether people's word lets it pass, once or so many times: then it has an intent, which counts it."""
        return bool(self.approval_id) or self.grant is not None

    @property
    def charges(self) -> tuple[Charge, ...]:
        """What it must have of budgets."""
        return self.verified.limited.charges

    @property
    def guards(self) -> tuple[GuardChange, ...]:
        """The shared rows that the intent must change."""
        guards = self.verified.limited.guards
        return guards if self.grant is None else (*guards, self.grant.guard)


@dataclass(frozen=True, slots=True)
class RawResult:
    """What a tool returned, unscreened.

    Attributes:
        approved: The call that ran.
        value: The returned value, not yet known to be JSON.
        attempt: Number of the try that answered.
        took_us: Microseconds from the first byte of the first try.
        asked: The call by which the far end was asked and said that it was done; empty where the tool answered itself.
        source: For the record, where the answer is not from an invocation of the call's own.
    """

    approved: ApprovedCall
    value: object
    attempt: int
    took_us: int
    asked: str = ""
    source: Mapping[str, Json] = field(default_factory=dict)


class OutcomeKind(StrEnum):
    """What the model or client is told. `held` and `unknown` are not the end of a call; the others are."""

    DONE = "done"
    REFUSED = "refused"
    HELD = "held"
    FAILED = "failed"
    WITHHELD = "withheld"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a call, in words that a model may read: no rule, no internal error text.

    Attributes:
        kind: The outcome.
        call_id: Which call.
        tool: Name as proposed.
        value: The screened result of a call that is done (or what is left of it).
        code: Stable reason, such as `validate.schema`; empty when done.
        message: What happened and why, one sentence.
        next_step: What to do now, one sentence; empty where there is nothing.
        problems: What to repair.
        approval_id: The request that a held call waits for.
        fallback: The tool that is tried in the place of one that failed; empty for none.
        instead: The call that a person had made in the place of this one; empty for none.
        repeated: This is the recorded outcome of an earlier ask; nothing ran now.
        screened: What was found in the value, and what was done about it.
    """

    kind: OutcomeKind
    call_id: str
    tool: str
    value: Any = None
    code: str = ""
    message: str = ""
    next_step: str = ""
    problems: tuple[Problem, ...] = ()
    approval_id: str = ""
    fallback: str = ""
    instead: str = ""
    repeated: bool = False
    screened: tuple[Finding, ...] = ()

    @property
    def done(self) -> bool:
        """Whether its result is here: the tool ran, or a person answered in its place."""
        return self.kind is OutcomeKind.DONE

    @property
    def final(self) -> bool:
        """Whether the run should come to its answer now: calls like this one are refused from here on."""
        return self.code in ("limit.calls", "limit.loop")

    @property
    def closes(self) -> bool:
        """Whether the call is over: nothing more will happen to it."""
        return self.kind not in (OutcomeKind.HELD, OutcomeKind.UNKNOWN)

    def __str__(self) -> str:
        """The outcome as a person reads it: kind, reason, message, what to repair, what to do."""
        if self.done:
            return f"done: {self.value!r}"
        repairs = "".join(f"; {problem}" for problem in self.problems)
        return f"{self.kind.value} ({self.code}): {self.message}{repairs}. {self.next_step}".rstrip()

    def as_json(self) -> dict[str, Json]:
        """The outcome as a model reads it; empty parts left out."""
        said: dict[str, Json] = {"outcome": self.kind.value, "call_id": self.call_id, "tool": self.tool}
        if self.kind is OutcomeKind.DONE:
            said["value"] = self.value
        else:
            if self.value is not None:
                said["value"] = self.value
            said["code"] = self.code
            said["message"] = self.message
            if self.next_step:
                said["next_step"] = self.next_step
            if self.problems:
                said["problems"] = [problem.as_json() for problem in self.problems]
            if self.approval_id:
                said["approval_id"] = self.approval_id
            if self.fallback:
                said["fallback"] = self.fallback
            if self.instead:
                said["instead"] = self.instead
        if self.screened:
            said["screened"] = [finding.as_json() for finding in self.screened]
        if self.repeated:
            said["repeated"] = True
        return said


def outcome_to_json(outcome: Outcome) -> dict[str, Json]:
    """The outcome as events keep it: which call it is of stands in their header, its tool where it was proposed."""
    if outcome.kind is OutcomeKind.DONE and not outcome.repeated and not outcome.screened:  # most of them
        return {"outcome": "done", "value": outcome.value}
    said = outcome.as_json()
    del said["call_id"], said["tool"]
    return said


DONE = b'{"outcome":{"outcome":"done","value":'
"""The beginning of the event that told a call's own result, in canonical form, where screens found nothing in it; the
value is the outcome's last part."""


def outcome_from_json(said: Mapping[str, Any], call_id: str, tool: str) -> Outcome:
    """The outcome of a call of that tool, from what `outcome_to_json` gave."""
    return Outcome(
        kind=OutcomeKind(said["outcome"]),
        call_id=call_id,
        tool=tool,
        value=said.get("value"),
        code=said.get("code", ""),
        message=said.get("message", ""),
        next_step=said.get("next_step", ""),
        problems=tuple(Problem(**problem) for problem in said.get("problems", ())),
        approval_id=said.get("approval_id", ""),
        fallback=said.get("fallback", ""),
        instead=said.get("instead", ""),
        screened=tuple(map(finding_from_json, said.get("screened", ()))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A gate's word that the call goes no further.

    Attributes:
        gate: The gate's verb: `validate`, `authorize`, `limit`, `verify`, `approve`, `execute`, `screen`.
        outcome: What the model or client is told.
        audit: What the audit is told besides: rules, facts, error texts. Never shown to a model.
        facts: What becomes durable with the stop: an approval request, the end of one.
        took_us: Microseconds from the first byte of the first try to the failure of the last; None where none was made.
    """

    gate: str
    outcome: Outcome
    audit: Mapping[str, Json]
    facts: tuple[Fact, ...] = ()
    took_us: int | None = None


def refuse(
    call: ToolCall,
    code: str,
    message: str,
    *,
    next_step: str = "",
    problems: tuple[Problem, ...] = (),
    audit: Mapping[str, Json] | None = None,
) -> Stop:
    """A refusal: nothing ran, and this is why.

    Args:
        code: Gate and reason, such as `limit.calls`.
        message: For the model: what happened, revealing no rule.
        next_step: For the model: what to do now.
        problems: For the model: what to repair.
        audit: For the audit only.
    """
    outcome = Outcome(
        kind=OutcomeKind.REFUSED,
        call_id=call.call_id,
        tool=call.tool,
        code=code,
        message=message,
        next_step=next_step,
        problems=problems,
    )
    return Stop(gate=code.partition(".")[0], outcome=outcome, audit=audit or {})


def call_digest(tool: Tool, text: bytes) -> str:
    """Hex SHA-256 that binds a tool's identity and the canonical arguments."""
    return sha256(b"".join((tool.call_frame, len(text).to_bytes(8, "big"), text))).hexdigest()

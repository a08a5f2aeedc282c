"""The spans of one call: the call itself, what it waited for people, and what it asked of a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from interlock.core.clock import SECOND_US
from interlock.core.event import Event, Kind
from interlock.core.ids import fallback_call_id
from interlock.core.trace import TraceContext, call_span_id, dial_span_id, recorded_context, span_id
from interlock.telemetry import conventions as names
from interlock.telemetry.bodies import items, number, part, text
from interlock.telemetry.span import Link, Moment, Span, Value
from interlock.telemetry.spans_content import Content

_FAILED: Final = frozenset({"failed", "withheld"})
"""Outcomes that are errors. What policy refuses is none: it worked as it was meant to."""

_MOMENTS_MAX: Final = 64

_ANSWERED: Final = {"approve": "approved", "reject": "rejected", "edit": "edited", "respond": "responded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Far:
    """A server of the Model Context Protocol behind.

    Attributes:
        transport: `pipe` or `tcp`.
        address, port: Where, as far as it has an address.
    """

    transport: str = "pipe"
    address: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What spans are made by.

    Attributes:
        servers: Names of the servers behind, and how they are reached.
        known: Whether a tool of that name is registered: only then is the name of a call that was never valid told,
            because it is a model's text.
        content: How content is told; None where it is not.
    """

    servers: Mapping[str, Far] = field(default_factory=dict)
    known: Callable[[str], bool] = lambda name: False
    content: Content | None = None


@dataclass(slots=True)
class Around:
    """The run around a call.

    Attributes:
        run_id: Which.
        trace_id, span_id, state: Of the run's span.
        shared: Attributes that every span of it has.
        via: The door that its calls come by; empty where a program makes them.
    """

    run_id: str
    trace_id: str
    span_id: str
    state: str = ""
    shared: dict[str, Value] = field(default_factory=dict)
    via: str = ""


@dataclass(slots=True)
class _Wait:
    """A request for approval: since when, what is known, and when somebody last spoke."""

    since_us: int
    attributes: dict[str, Value]
    last_us: int = 0
    status: str = "pending"


@dataclass(slots=True)
class CallSpans:
    """One call while it is open.

    Attributes:
        call_id: Which.
        since_us: When it was first heard of, or what it was made for.
        parent_id: The call that it was made for; empty for one of the run's own.
        open_parent: That one was not over then.
        starts: It starts a run, whose report is its end.
    """

    call_id: str
    since_us: int
    parent_id: str = ""
    open_parent: bool = False
    starts: bool = False
    trace: TraceContext | None = None
    tool: str = ""
    server: str = ""
    dry_run: bool = False
    intent_us: int = 0
    links: list[Link] = field(default_factory=list)
    attributes: dict[str, Value] = field(default_factory=dict)
    content: dict[str, Value] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)
    waits: dict[str, _Wait] = field(default_factory=dict)
    dials: list[Span] = field(default_factory=list)
    reported: bool = False

    def note(self, name: str, event: Event, **said: Value) -> None:
        """Something happened; of very many, the first are kept."""
        if len(self.moments) < _MOMENTS_MAX:
            kept = {f"interlock.{key}": value for key, value in said.items() if value != "" and value != ()}
            self.moments.append(Moment(f"interlock.{name}", event.at_us, kept))

    def decided(self, event: Event, around: Around, view: View) -> None:
        """Absorb a `call.decided`; a held call has several."""
        fact, body = event.fact, event.fact.body
        if "proposed" in body:
            self._proposed(event, around, view)
        if "tool" in body:
            self._valid(body, view)
        self.attributes |= _said({
            "interlock.tool.hash": fact.tool_hash, "interlock.policy.hash": fact.policy_hash,
            "interlock.decision": fact.decision, "interlock.step": fact.step,
        })  # fmt: skip
        decision = part(body, "decision")
        if decision:
            reasons = _texts(decision.get("reasons"))
            self.attributes |= _said({"interlock.reasons": reasons, "interlock.mode": text(decision.get("mode"))})
            self.note("decided", event, decision=fact.decision, reasons=reasons)
        self.attributes |= _said({"interlock.grant.id": text(part(body, "grant").get("grant_id"))})
        if verdict := part(body, "verify"):
            self.note("verified", event, verdict=text(verdict.get("verdict")))
        if undoes := text(body.get("undoes")):
            undone = call_span_id(around.run_id, undoes)
            self.links.append(Link(around.trace_id, undone, "undoes"))

    def _proposed(self, event: Event, around: Around, view: View) -> None:
        body = event.fact.body
        proposed = part(body, "proposed")
        if "tool" not in body and view.known(name := text(proposed.get("tool"))):
            self.tool = self.attributes[names.TOOL] = name
        self.trace = recorded_context(event.fact.trace_id, body.get("trace"))
        if proposed.get("dry_run"):
            self.dry_run = self.attributes["interlock.dry_run"] = True
        if self.trace is not None:
            self.links.append(Link(around.trace_id, around.span_id, "run"))
        if self.parent_id and not self.open_parent:
            fallback = self.call_id == fallback_call_id(around.run_id, self.parent_id)
            edited = "edited_by" in proposed
            why = "fallback" if fallback else "edit" if edited else "parent"
            self.links.append(Link(around.trace_id, call_span_id(around.run_id, self.parent_id), why))

    def _valid(self, body: Mapping[str, Any], view: View) -> None:
        tool = part(body, "tool")
        self.tool, self.server = text(tool.get("name")), text(tool.get("server"))
        own = self.server == "local"
        self.attributes |= _said({
            names.TOOL: self.tool, names.TOOL_TYPE: "function" if own else "extension",
            "interlock.server": self.server, "interlock.tool.version": text(tool.get("version")),
            "interlock.effect": text(body.get("effect")),
        })  # fmt: skip
        if view.content is not None and "arguments" in body:
            self.content[names.ARGUMENTS] = view.content.value(body["arguments"], self.tool)

    def requested(self, event: Event) -> None:
        """A person is asked."""
        fact, body = event.fact, event.fact.body
        said: dict[str, Value] = {
            "interlock.approval.id": fact.approval_id,
            "interlock.approval.groups": _texts(body.get("groups")),
            "interlock.approval.quorum": number(body.get("quorum")) or 1,
        }
        self.attributes["interlock.approval.id"] = fact.approval_id
        self.waits[fact.approval_id] = _Wait(event.at_us, _said(said))

    def answered(self, event: Event, around: Around) -> Span | None:
        """A person spoke, or the request is over without; the span of the wait where it is over."""
        wait, fact = self.waits.get(event.fact.approval_id), event.fact
        if wait is None:
            return None
        if fact.kind is Kind.APPROVAL_DECIDED:
            self.note("approval", event, decision=fact.decision)
            wait.last_us, wait.status = event.at_us, _ANSWERED.get(fact.decision, fact.decision)
            if fact.decision == "approve":
                return None  # of a quorum, others may have to
        elif fact.kind is not Kind.APPROVAL_CONSUMED:
            wait.last_us, wait.status = event.at_us, fact.kind.value.partition(".")[2]
        return self._waited(fact.approval_id, around, event.at_us)

    def _waited(self, approval_id: str, around: Around, now_us: int) -> Span:
        wait = self.waits.pop(approval_id)
        return Span(
            trace_id=self.trace_id(around), span_id=span_id(around.run_id, "approval", approval_id),
            parent_id=self.span_id(around), state=self.state(around), name="interlock.approval", start_us=wait.since_us,
            end_us=max(wait.since_us, wait.last_us or now_us), run_id=around.run_id,
            attributes=around.shared | wait.attributes | {"interlock.approval.status": wait.status},
        )  # fmt: skip

    def dialled(self, event: Event, around: Around, view: View) -> None:
        """What it asked of a server of the Model Context Protocol, where it did."""
        fact, body = event.fact, event.fact.body
        far = view.servers.get(self.server)
        gate = text(part(body, "stop").get("gate")) or "execute"
        if far is None or self.dry_run or not fact.attempt or "cached" in body or gate not in ("execute", "screen"):
            return
        took_us = number(body.get("took_us"))
        start_us = event.at_us - took_us if took_us is not None else self.intent_us or self.since_us
        error = _code(body) if fact.outcome in ("failed", "unknown") else ""
        said: dict[str, Value] = {
            names.MCP_METHOD: names.TOOLS_CALL, names.OPERATION: names.EXECUTE_TOOL, names.TOOL: self.tool,
            names.TRANSPORT: far.transport, names.SERVER_ADDRESS: far.address, names.SERVER_PORT: far.port,
            "interlock.server": self.server, "interlock.attempts": fact.attempt, names.ERROR_TYPE: error,
        }  # fmt: skip
        self.dials = [Span(
            trace_id=self.trace_id(around), span_id=dial_span_id(around.run_id, self.call_id),
            parent_id=self.span_id(around), state=self.state(around), name=f"{names.TOOLS_CALL} {self.tool}",
            kind="client", start_us=start_us, end_us=max(start_us, event.at_us), run_id=around.run_id,
            attributes=around.shared | _said(said), error=error,
        )]  # fmt: skip

    def closed(self, event: Event, around: Around, view: View, outcome: str = "") -> list[Span]:
        """The spans of a call that is over: what it waited for, what it asked of a server, and itself."""
        fact, body = event.fact, event.fact.body
        outcome = outcome or fact.outcome
        waited = [self._waited(approval_id, around, event.at_us) for approval_id in list(self.waits)]
        if fact.attempt and fact.kind is Kind.CALL_RESULT and "cached" not in body:
            self.attributes["interlock.attempts"] = fact.attempt
        code, error = _code(body), ""
        if outcome in _FAILED or outcome == "cancelled":
            error = code or outcome
        took_us = number(body.get("took_us")) or 0
        start_us = min(self.since_us, event.at_us - took_us)
        if took_us and "cached" not in body:
            self.attributes[names.EXECUTED] = took_us / SECOND_US
        told = part(body, "outcome")
        if view.content is not None and "value" in told:
            self.content[names.RESULT] = view.content.value(told["value"], self.tool)
        through_mcp = around.via == "mcp" and not self.parent_id
        what = names.TOOLS_CALL if through_mcp else names.EXECUTE_TOOL
        said: dict[str, Value] = {
            names.OPERATION: names.EXECUTE_TOOL, names.MCP_METHOD: names.TOOLS_CALL if through_mcp else "",
            names.TOOL_CALL: self.call_id, names.WHO: fact.principal_id, "interlock.outcome": outcome,
            "interlock.code": code, "interlock.gate": text(part(body, "stop").get("gate")),
            "interlock.cached": "cached" in body, names.ERROR_TYPE: error,
        }  # fmt: skip
        own = Span(
            trace_id=self.trace_id(around), span_id=call_span_id(around.run_id, self.call_id),
            parent_id=self._above(around), state=self.state(around), name=f"{what} {self.tool}".strip(),
            kind="server" if through_mcp else "internal", start_us=start_us, end_us=max(start_us, event.at_us),
            run_id=around.run_id, attributes=around.shared | _said(said) | self.attributes | self.content,
            moments=tuple(self.moments), links=tuple(self.links), error=error,
        )  # fmt: skip
        return [*waited, *self.dials, own]

    def trace_id(self, around: Around) -> str:
        """Whose trace it belongs to: its caller's, where it came with one."""
        return around.trace_id if self.trace is None else self.trace.trace_id

    def span_id(self, around: Around) -> str:
        """Its own span."""
        return call_span_id(around.run_id, self.call_id)

    def state(self, around: Around) -> str:
        """What vendors keep in that trace."""
        return around.state if self.trace is None else self.trace.state

    def _above(self, around: Around) -> str:
        if self.parent_id and self.open_parent:
            return call_span_id(around.run_id, self.parent_id)
        return around.span_id if self.trace is None else self.trace.span_id


def _code(body: Mapping[str, Any]) -> str:
    return text(part(body, "outcome").get("code"))


def _texts(found: object) -> tuple[str, ...]:
    return tuple(filter(None, map(text, items(found))))


def _said(attributes: Mapping[str, Value]) -> dict[str, Value]:
    """Without what says nothing."""
    return {name: value for name, value in attributes.items() if value not in ("", 0, (), False) or value is True}

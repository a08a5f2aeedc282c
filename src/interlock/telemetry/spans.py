"""Events become spans: a fold over a run, events in, finished spans out.

A run is `invoke_agent` or `invoke_workflow`, a model's turn `chat`, a call `execute_tool` (`tools/call` where it came
through the gateway), what it asked of a server behind `tools/call`, and what it waited for people `interlock.approval`.
Ids are made of the ledger's, so that the same events make the same spans, in whichever process and however often.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from interlock.core.event import CLOSING, DEFINITIONS, HEALTH, NOTICES, Event, Kind
from interlock.core.trace import recorded_context, run_trace_id, span_id
from interlock.telemetry import conventions as names
from interlock.telemetry.bodies import number, part, text
from interlock.telemetry.span import Link, Moment, Span, Value
from interlock.telemetry.spans_call import Around, CallSpans, View

_NO_RUNS: Final = frozenset({"deployment", DEFINITIONS, HEALTH, NOTICES})


def is_run(chain: str) -> bool:
    """Whether a chain is a run's."""
    return chain not in _NO_RUNS and not chain.startswith(("tenant/", "memory/"))


class Spans:
    """The spans of one run. Absorb its events in order, from the first.

    Args:
        run_id: Which.
        view: What they are made by.

    Attributes:
        seq: Number of the last event absorbed.
        over: The run has ended: no span will follow, but of calls that were still open.
    """

    def __init__(self, run_id: str, view: View) -> None:
        self.seq = 0
        self.over = False
        self._view = view
        self._around = Around(run_id, run_trace_id(run_id), span_id(run_id), shared={names.CONVERSATION: run_id})
        self._parent = ""
        self._name = self._operation = names.INVOKE_AGENT
        self._own: dict[str, Value] = {}
        self._links: list[Link] = []
        self._moments: list[Moment] = []
        self._since_us = self._last_us = 0
        self._asked_us = 0
        self._asked: tuple[int, int] | None = None
        self._turns = 0
        self._calls: dict[str, CallSpans] = {}
        self._closed: set[str] = set()
        self._early: dict[str, int] = {}

    def absorb(self, event: Event) -> list[Span]:
        """Take in the next event; the spans that it ends. One that was absorbed already is passed over.

        The events must follow `seq` without a gap; a gap is a bug of the reader.
        """
        if event.seq <= self.seq:
            return []
        assert event.seq == self.seq + 1, f"run {self._around.run_id}: event {event.seq} after {self.seq}"
        self.seq = event.seq
        self._since_us = self._since_us or event.at_us
        apply = _APPLY.get(event.fact.kind)
        found = apply(self, event) if apply is not None else []
        self._last_us = event.at_us
        return found

    # ------------------------------------------------------------------ the run

    def _started(self, event: Event) -> list[Span]:
        body, around = event.fact.body, self._around
        context = recorded_context(event.fact.trace_id, body.get("trace"))
        if context is not None:
            around.trace_id, self._parent, around.state = context
        elif parent := text(body.get("parent")):  # a run of an earlier release, which kept no trace
            self._links.append(Link(run_trace_id(parent), span_id(parent), "parent"))
        around.via = text(body.get("via"))
        around.shared["interlock.tenant"] = event.tenant
        if agent := text(body.get("agent")):
            around.shared[names.AGENT] = agent
        driver = text(body.get("driver"))
        work = text(part(body, driver).get("name")) if driver in ("saga", "graph") else ""
        if driver in ("saga", "graph"):
            self._operation = names.INVOKE_WORKFLOW
        self._name = f"{self._operation} {agent or work}".strip()
        said = {names.WORKFLOW: work, "interlock.driver": driver, "interlock.via": around.via}
        said |= {names.WHO: event.fact.principal_id}
        self._own |= {name: value for name, value in said.items() if value}
        if self._view.content is not None and (words := text(body.get("words"))):
            self._own[names.INPUT_MESSAGES] = self._view.content.said_by_user(words)
        return []

    def _waiting(self, event: Event) -> list[Span]:
        if len(self._moments) < 64:
            self._moments.append(Moment("interlock.waiting", event.at_us))
        return []

    def _ended(self, event: Event) -> list[Span]:
        """The run is over. What is still open of a cancelled one is over with it, unless something was sent."""
        around, cancelled = self._around, event.fact.kind is Kind.RUN_CANCELLED
        found: list[Span] = []
        for call in [call for call in self._calls.values() if cancelled and not call.intent_us]:
            found += self._close(call, event, "cancelled")
        self.over = True
        own = {names.OPERATION: self._operation, "interlock.status": "cancelled" if cancelled else "finished"}
        return [*found, Span(
            trace_id=around.trace_id, span_id=around.span_id, parent_id=self._parent, state=around.state,
            name=self._name, start_us=self._since_us, end_us=max(self._since_us, event.at_us), run_id=around.run_id,
            attributes=around.shared | own | self._own, moments=tuple(self._moments), links=tuple(self._links),
        )]  # fmt: skip

    # ------------------------------------------------------------------ its model

    def _reserved(self, event: Event) -> list[Span]:
        if event.fact.call_id not in self._calls:
            self._asked_us = event.at_us
        return []

    def _settled(self, event: Event) -> list[Span]:
        if self._asked_us:
            self._asked = (self._asked_us, event.at_us)
        self._asked_us = 0
        return []

    def _message(self, event: Event) -> list[Span]:
        body = event.fact.body
        self._turns += 1
        since_us = self._asked[0] if self._asked is not None else self._last_us
        if (took_us := number(body.get("took_us"))) is not None:
            since_us = event.at_us - took_us
        said: dict[str, Value] = {"interlock.turn": self._turns}
        said |= _tokens(part(body, "usage"))
        if cost := number(body.get("micro_usd")):
            said["interlock.micro_usd"] = cost
        if body:
            said[names.FINISH_REASONS] = (names.finish_reason(body.get("finish"), "calls" in body),)
        if self._view.content is not None and body:
            said[names.OUTPUT_MESSAGES] = self._view.content.said_by_model(body)
        times = (since_us, event.at_us)
        self._asked = None
        return [self._chat(("turn", str(event.seq)), text(body.get("model")), times, said, self._around.span_id)]

    def _chat(
        self, what: tuple[str, str], model: str, times: tuple[int, int], said: dict[str, Value], parent_id: str
    ) -> Span:
        around = self._around
        provider, model = names.provider_and_model(model)
        said |= {names.OPERATION: names.CHAT, names.PROVIDER: provider}
        if model:
            said |= {names.REQUEST_MODEL: model, names.RESPONSE_MODEL: model}
        return Span(
            trace_id=around.trace_id, span_id=span_id(around.run_id, *what), parent_id=parent_id, state=around.state,
            name=f"{names.CHAT} {model}".strip(), kind="client", start_us=times[0], end_us=max(times),
            run_id=around.run_id, attributes=around.shared | said,
        )  # fmt: skip

    # ------------------------------------------------------------------ its calls

    def _decided(self, event: Event) -> list[Span]:
        fact, body = event.fact, event.fact.body
        if fact.call_id in self._closed:
            return []
        call = self._calls.get(fact.call_id)
        if call is None:
            call = self._calls[fact.call_id] = self._proposed(event)
        call.decided(event, self._around, self._view)
        verdict = part(body, "verify")
        read = []
        if "tokens" in verdict and self._asked is not None:  # a second reader was asked, and was no part of a turn
            tokens = part(verdict, "tokens")
            usage = {"input_tokens": tokens.get("input"), "output_tokens": tokens.get("output")}
            said = _tokens(usage) | {"interlock.verdict": text(verdict.get("verdict"))}
            what, above = ("verify", str(event.seq)), call.span_id(self._around)
            read = [self._chat(what, text(verdict.get("verifier")), self._asked, said, above)]
        self._asked = None
        if fact.outcome in CLOSING:
            return read + self._close(call, event)
        if fact.outcome:
            call.note(fact.outcome, event, code=text(part(body, "outcome").get("code")))
        return read

    def _proposed(self, event: Event) -> CallSpans:
        parent_id = text(part(event.fact.body, "proposed").get("parent"))
        call_id = event.fact.call_id
        since_us = self._early.pop(call_id, event.at_us)
        return CallSpans(call_id, min(since_us, event.at_us), parent_id, parent_id not in self._closed)

    def _intent(self, event: Event) -> list[Span]:
        call = self._calls.get(event.fact.call_id)
        if call is not None:
            call.intent_us, call.starts = event.at_us, bool(event.fact.body.get("starts"))
            call.note("intent", event, after_loss=text(event.fact.body.get("after_loss")))
        return []

    def _told(self, event: Event) -> list[Span]:
        """A result, that nothing is known, or what somebody found out later."""
        call, fact = self._calls.get(event.fact.call_id), event.fact
        if call is None:
            return []
        call.dialled(event, self._around, self._view)
        if fact.outcome in CLOSING:
            if call.starts and fact.outcome == "done" and not call.reported:
                return []  # what it started will report, and that is its end
            return self._close(call, event)
        call.note(fact.outcome, event, code=text(part(fact.body, "outcome").get("code")))
        return []

    def _reported(self, event: Event) -> list[Span]:
        call = self._calls.get(event.fact.call_id)
        if call is None:
            return []
        call.reported = True
        return self._close(call, event, text(part(event.fact.body, "outcome").get("outcome")) or "done")

    def _recovered(self, event: Event) -> list[Span]:
        call, fact = self._calls.get(event.fact.call_id), event.fact
        if call is not None:
            call.note("recovery", event, attempt=fact.attempt)
        return []

    def _requested(self, event: Event) -> list[Span]:
        call = self._calls.get(event.fact.call_id)
        if call is not None:
            call.requested(event)
        return []

    def _answered(self, event: Event) -> list[Span]:
        for call in self._calls.values():
            if event.fact.approval_id in call.waits:
                found = call.answered(event, self._around)
                return [] if found is None else [found]
        return []

    def _close(self, call: CallSpans, event: Event, outcome: str = "") -> list[Span]:
        del self._calls[call.call_id]
        self._closed.add(call.call_id)
        found = call.closed(event, self._around, self._view, outcome)
        if call.parent_id and call.open_parent:  # what is read for a call stands in the ledger before it
            above, since_us = self._calls.get(call.parent_id), found[-1].start_us
            if above is None:
                self._early[call.parent_id] = min(since_us, self._early.get(call.parent_id, since_us))
            else:
                above.since_us = min(since_us, above.since_us)
        return found


def _tokens(usage: dict[str, Any]) -> dict[str, Value]:
    counted = {
        names.INPUT_TOKENS: usage.get("input_tokens"), names.OUTPUT_TOKENS: usage.get("output_tokens"),
        names.CACHED_TOKENS: usage.get("cached_tokens"), names.REASONING_TOKENS: usage.get("reasoning_tokens"),
    }  # fmt: skip
    return {name: count for name, found in counted.items() if (count := number(found)) is not None}


_APPLY: dict[Kind, Callable[[Spans, Event], list[Span]]] = {
    Kind.RUN_STARTED: Spans._started,
    Kind.RUN_WAITING: Spans._waiting,
    Kind.RUN_CANCELLED: Spans._ended,
    Kind.RUN_FINISHED: Spans._ended,
    Kind.MESSAGE: Spans._message,
    Kind.BUDGET_RESERVED: Spans._reserved,
    Kind.BUDGET_SETTLED: Spans._settled,
    Kind.CALL_DECIDED: Spans._decided,
    Kind.CALL_INTENT: Spans._intent,
    Kind.CALL_RESULT: Spans._told,
    Kind.CALL_UNKNOWN: Spans._told,
    Kind.CALL_RECONCILED: Spans._told,
    Kind.CALL_REPORTED: Spans._reported,
    Kind.RECOVERY: Spans._recovered,
    Kind.APPROVAL_REQUESTED: Spans._requested,
    Kind.APPROVAL_DECIDED: Spans._answered,
    Kind.APPROVAL_EXPIRED: Spans._answered,
    Kind.APPROVAL_WITHDRAWN: Spans._answered,
    Kind.APPROVAL_SUPERSEDED: Spans._answered,
    Kind.APPROVAL_CONSUMED: Spans._answered,
}

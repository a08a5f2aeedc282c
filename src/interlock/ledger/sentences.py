"""What each event says, in sentences: for whoever reads a run, whichever door they read it at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from interlock.core.call_state import proposed_tool
from interlock.core.canonical import Json
from interlock.core.event import Event, Kind


class Sentence(NamedTuple):
    """One thing that an event says.

    Attributes:
        gate: The gate that it is about; empty where it is about none.
        text: What happened, one sentence.
        detail: The parts of the event that say so.
    """

    gate: str
    text: str
    detail: Mapping[str, Json]


ERASED: Final = Sentence("", "The content of this event was erased.", {})


def sentences(event: Event) -> Iterator[Sentence]:
    """What an event says; one that says several things (a decision says what each gate found) is several."""
    if not event.payload:
        yield ERASED
        return
    for parts in _TOLD.get(event.fact.kind, _other)(event):
        yield Sentence(*parts)


_Parts = tuple[str, str, Mapping[str, Json]]


def _run_started(event: Event) -> Iterator[_Parts]:
    body = event.fact.body
    principal = body["principal"]
    roles = ", ".join(principal["roles"]) or "no role"
    yield (
        "",
        f"The run starts for {principal['id']} ({roles}), driven by {body['driver']}.",
        {"principal": principal, "words": body.get("words")},
    )


def _run_claimed(event: Event) -> Iterator[_Parts]:
    body = event.fact.body
    yield "", f"{body['worker']} claims the run, epoch {body['epoch']}.", {}


def _run_waiting(event: Event) -> Iterator[_Parts]:
    body = event.fact.body
    yield "", f"The run waits for {', '.join(body['for']) or 'somebody'}.", {}


def _words(event: Event) -> Iterator[_Parts]:
    yield "", "The user says more.", dict(event.fact.body)


def _offered(event: Event) -> Iterator[_Parts]:
    yield "", f"The model is offered {', '.join(event.fact.body['tools']) or 'no tool'}.", {}


def _message(event: Event) -> Iterator[_Parts]:
    body = event.fact.body
    calls = ", ".join(call["tool"] for call in body.get("calls", ()))
    what = f"proposes {calls}" if calls else "answers"
    yield "", f"{body.get('model', 'the model')} {what}.", dict(body)


def _run_ended(event: Event) -> Iterator[_Parts]:
    body = event.fact.body
    how = event.fact.kind.value.removeprefix("run.")
    reason = body.get("reason")
    yield "", f"The run is {how}{f': {reason}' if reason else ''}.", {}


def _proposed(body: Mapping[str, Any]) -> _Parts:
    said = body["proposed"]
    arguments: dict[str, Json] = {name: said[name] for name in ("arguments", "arguments_text") if name in said}
    named = f", named {said['name']!r} by its client" if "name" in said else ""
    rehearsal = ", as a dry run" if "dry_run" in said else ""
    return "", f"{proposed_tool(body)} is proposed{named}{rehearsal}.", arguments or {"arguments": body["arguments"]}


def _decided(event: Event) -> Iterator[_Parts]:
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


def _intent(event: Event) -> Iterator[_Parts]:
    yield "execute", "Its intent is committed; from here on an effect may leave.", {"key": event.fact.body.get("key")}


def _came_out(event: Event) -> Iterator[_Parts]:
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


def _requested(event: Event) -> Iterator[_Parts]:
    body = event.fact.body
    people = "one person" if body["quorum"] == 1 else f"{body['quorum']} people"
    text = f"Approval {event.fact.approval_id} is asked for: {people} of {', '.join(body['groups'])}."
    yield "approve", text, {name: body.get(name) for name in ("approval", "rules", "expires_us")}


def _answered(event: Event) -> Iterator[_Parts]:
    body = event.fact.body
    words = f": {body['words']!r}" if body.get("words") else ""
    text = f"{event.fact.principal_id} {_VERBS[body['decision']]} {event.fact.approval_id}{words}."
    yield "approve", text, {name: body[name] for name in ("roles", "text", "value") if name in body}


_VERBS = {"approve": "approves", "reject": "rejects", "edit": "edits", "respond": "answers in the tool's place on"}


def _approval_over(event: Event) -> Iterator[_Parts]:
    how = event.fact.kind.value.removeprefix("approval.")
    yield "approve", f"Approval {event.fact.approval_id} is {how}.", dict(event.fact.body)


def _compensated(event: Event) -> Iterator[_Parts]:
    body = event.fact.body
    how = "undone" if event.fact.outcome == "done" else f"not undone, {body.get('code')}"
    yield "", f"{event.fact.call_id} is {how}.", dict(body)


def _reported(event: Event) -> Iterator[_Parts]:
    body = event.fact.body
    yield "", f"{body['by']} reports to {event.fact.call_id}: {body['end']}.", dict(body)


def _redacted(event: Event) -> Iterator[_Parts]:
    body = event.fact.body
    which = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in body["events"])
    yield "", f"{body['approver']} has the content of event {which} erased: {body['reason']}.", dict(body)


def _recovered(event: Event) -> Iterator[_Parts]:
    body = event.fact.body
    what = "is made again" if body.get("do") == "again" else "is asked about at its far end"
    yield "execute", f"Its worker was lost: the call {what} (time {event.fact.attempt}).", dict(body)


def _person(event: Event) -> Iterator[_Parts]:
    body = event.fact.body
    why = f": {body['reason']!r}" if body.get("reason") else ""
    yield "", f"{body.get('by', 'somebody')} says {body.get('act', 'something')}{why}.", dict(body)


def _given_up(event: Event) -> Iterator[_Parts]:
    body = event.fact.body
    yield "execute", f"It is given up on after {body.get('attempts')} attempts: {body.get('code')}.", dict(body)


def _metered(event: Event) -> Iterator[_Parts]:
    """What a model's turn may cost, and what it cost."""
    fact = event.fact
    amounts = [f"{amount:,} {unit}" for unit, amount in fact.body.get("spent", {}).items()]
    if fact.kind is Kind.BUDGET_RESERVED:
        amounts = [f"{amount:,} {unit}" for _, unit, amount in fact.body.get("reserved", ())]
    verb = "reserves" if fact.kind is Kind.BUDGET_RESERVED else "used"
    yield "limit", f"{fact.call_id} {verb} {', '.join(amounts) or 'nothing'}.", dict(fact.body)


def _other(event: Event) -> Iterator[_Parts]:
    yield "", f"{event.fact.kind.value}.", event.fact.body


_TOLD: dict[Kind, Callable[[Event], Iterator[_Parts]]] = {
    Kind.RUN_STARTED: _run_started,
    Kind.RUN_CLAIMED: _run_claimed,
    Kind.RUN_WAITING: _run_waiting,
    Kind.RUN_WORDS: _words,
    Kind.TOOLS_OFFERED: _offered,
    Kind.MESSAGE: _message,
    Kind.RUN_FINISHED: _run_ended,
    Kind.RUN_CANCELLED: _run_ended,
    Kind.CALL_DECIDED: _decided,
    Kind.BUDGET_RESERVED: _metered,
    Kind.BUDGET_SETTLED: _metered,
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
    Kind.CALL_DEAD_LETTERED: _given_up,
    Kind.RECOVERY: _recovered,
    Kind.OPERATOR: _person,
    Kind.REDACT: _redacted,
}

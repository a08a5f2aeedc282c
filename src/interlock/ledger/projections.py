"""Projections: what the events say, as rows. Pure, and one place for every store."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from interlock.core.approval import ENDS, as_one, complete
from interlock.core.canonical import canonical
from interlock.core.event import CLOSING, NOTICES, Event, Kind, nothing_since
from interlock.ledger.charged import budget_reserved, budget_settled, charged_still, reserve, settle
from interlock.ledger.granted import grant_endorsed, grant_issued, grant_revoked
from interlock.ledger.tables import TABLES, Key, Row, Rows, step_of

_LAST = {kind: kind.value.partition(".")[2] for kind in Kind}
"""What comes after the point: `expired` of `approval.expired`."""


def fold(event: Event, rows: Rows) -> None:
    """Change the rows that one event is about. Events of a chain come in order, each once."""
    if (change := _FOLDS.get(event.fact.kind)) is not None:
        change(rows, event)


class Tables:
    """The rows in memory, folded from the order of commits."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[Key, Row]] = {name: {} for name in TABLES if name != "step"}
        self._places: dict[tuple[str, Key], int] = {}
        self._absorbed = 0

    def absorb(self, order: Sequence[Event]) -> None:
        """Fold in what is new of the whole order of commits; what was absorbed before is passed over."""
        for event in order[self._absorbed :]:
            self._absorbed += 1
            fold(event, self)

    def rows(self, table: str) -> list[Row]:
        """The rows of a table in order of first appearance."""
        return [row for _, row in self.placed(table)]

    def placed(self, table: str) -> list[tuple[int, Row]]:
        """The same rows, each with the position of the event that made it."""
        if table == "step":
            return [(position, step_of(row)) for position, row in self.placed("tool_call")]
        return [(self._places[table, key], row) for key, row in self._rows[table].items()]

    def get(self, table: str, key: Key) -> Row | None:
        """See `Rows.get`."""
        return self._rows[table].get(key)

    def put(self, table: str, key: Key, row: Row) -> None:
        """See `Rows.put`."""
        self._rows[table][key] = row
        self._places.setdefault((table, key), self._absorbed)

    def drop(self, table: str, key: Key) -> None:
        """See `Rows.drop`."""
        self._rows[table].pop(key, None)
        self._places.pop((table, key), None)


def _run_started(rows: Rows, event: Event) -> None:
    body = event.fact.body
    claimed = rows.get("run", (event.chain,))
    rows.put("run", (event.chain,), {
        "run_id": event.chain,
        "tenant": event.tenant,
        "principal_id": body.get("principal", {}).get("id"),
        "driver": body.get("driver"),
        "title": body.get("title"),
        "status": "open",
        "reason": None,
        "worker": claimed["worker"] if claimed else None,
        "epoch": claimed["epoch"] if claimed else 0,
        "started_us": event.at_us,
        "ended_us": None,
        "waits": 0,
    })  # fmt: skip


def _run_claimed(rows: Rows, event: Event) -> None:
    """The first claim comes before the start, in the same append. Whoever sends notices claims no run."""
    if event.chain == NOTICES:
        return
    body = event.fact.body
    if (row := rows.get("run", (event.chain,))) is None:
        row = dict.fromkeys(TABLES["run"].columns)
        row |= {"run_id": event.chain, "tenant": event.tenant, "status": "open"}
    row |= {"worker": body.get("worker"), "epoch": body.get("epoch"), "waits": 0}
    rows.put("run", (event.chain,), row)


def _run_waiting(rows: Rows, event: Event) -> None:
    if row := rows.get("run", (event.chain,)):
        row["waits"] = int(event.fact.kind is Kind.RUN_WAITING and nothing_since(event))
        rows.put("run", (event.chain,), row)


def _run_ended(rows: Rows, event: Event) -> None:
    if row := rows.get("run", (event.chain,)):
        fact = event.fact
        row |= {"status": _LAST[fact.kind], "reason": fact.body.get("reason"), "ended_us": event.at_us}
        rows.put("run", (event.chain,), row)


def _proposed(event: Event) -> Row:
    """The row of a call at its first decision."""
    fact = event.fact
    body = fact.body.get("proposed", {})
    return {
        "run_id": event.chain,
        "tenant": event.tenant,
        "call_id": fact.call_id,
        "step": fact.step,
        "parent_id": body.get("parent"),
        "name": body.get("name"),
        "principal_id": fact.principal_id or None,
        "tool": body.get("tool"),
        "server": None,
        "version": None,
        "tool_hash": None,
        "effect": None,
        "dry_run": 1 if body.get("dry_run") else 0,
        "status": "proposed",
        "outcome": None,
        "code": None,
        "approval_id": None,
        "proposed_us": event.at_us,
        "intent_us": None,
        "ended_us": None,
        "grant_id": None,
        "charges": None,
    }  # fmt: skip


def _call_decided(rows: Rows, event: Event) -> None:
    fact = event.fact
    body = fact.body
    call = rows.get("tool_call", (event.chain, fact.call_id)) or _proposed(event)
    tool = body.get("tool")
    if tool is not None:
        call["tool"], call["server"], call["version"] = tool["name"], tool["server"], tool["version"]
        call["effect"], call["tool_hash"] = body.get("effect"), fact.tool_hash or None
    _tell(rows, event, call)
    if fact.decision:
        decision = body.get("decision") or {}
        stop = body.get("stop") or {}
        rows.put("authz_decision", (event.chain, event.seq), {
            **_where(event),
            "principal_id": fact.principal_id or None,
            "tool": tool["name"] if tool else None,
            "effect": body.get("effect"),
            "decision": fact.decision,
            "reasons": _text(decision.get("reasons")),
            "mode": decision.get("mode"),
            "errors": _text(decision.get("errors")),
            "gate": stop.get("gate"),
            "code": stop.get("code"),
            "policy_hash": fact.policy_hash or None,
        })  # fmt: skip


def _call_intent(rows: Rows, event: Event) -> None:
    if call := rows.get("tool_call", (event.chain, event.fact.call_id)):
        call["status"] = "intent"
        call["intent_us"] = event.at_us
        call["grant_id"] = event.fact.body.get("grant_id")
        reserve(rows, event, call)
        rows.put("tool_call", (event.chain, event.fact.call_id), call)


def _call_came_out(rows: Rows, event: Event) -> None:
    """`call.result`, `call.unknown` and `call.reconciled`: one row each, and the call moves on."""
    fact, body = event.fact, event.fact.body
    if fact.kind is Kind.CALL_RECONCILED:
        _run_waiting(rows, event)  # somebody has said what its run may wait for
    call = rows.get("tool_call", (event.chain, fact.call_id))
    rows.put("tool_result", (event.chain, event.seq), {
        **_where(event),
        "kind": _LAST[fact.kind],
        "tool": call["tool"] if call else None,
        "outcome": fact.outcome or None,
        "code": (body.get("outcome") or {}).get("code"),
        "took_us": body.get("took_us"),
        "attempts": body.get("attempts", fact.attempt),
        "by": body.get("by"),
    })  # fmt: skip
    if call is not None:
        _tell(rows, event, call)


def _tell(rows: Rows, event: Event, call: Row) -> None:
    """Put the call back with the outcome that the event says; a call that closes waits for no approval.

    A late word does not reopen a call.
    """
    fact = event.fact
    if fact.outcome and call["status"] != "closed":
        call["outcome"] = fact.outcome
        call["code"] = (fact.body.get("outcome") or {}).get("code")
        if fact.outcome in CLOSING:
            call["status"] = "closed"
            call["ended_us"] = event.at_us
            if call["approval_id"]:
                rows.drop("due", (event.chain, call["approval_id"]))
            if call["charges"]:
                settle(rows, event, _list(call["charges"]))
        else:
            call["status"] = fact.outcome
    rows.put("tool_call", (event.chain, fact.call_id), call)


def _call_compensated(rows: Rows, event: Event) -> None:
    rows.put("compensation_action", (event.chain, event.seq), _after_the_call(rows, event))


def _call_dead_lettered(rows: Rows, event: Event) -> None:
    """The outcome stands in the call's own row: it is told beside this."""
    fact = event.fact
    row = _after_the_call(rows, event) | {"code": fact.body.get("code"), "attempts": fact.attempt}
    rows.put("dead_letter", (event.chain, event.seq), row)


def _after_the_call(rows: Rows, event: Event) -> Row:
    fact = event.fact
    call = rows.get("tool_call", (event.chain, fact.call_id))
    return {**_where(event), "tool": call["tool"] if call else None, "outcome": fact.outcome or None}


def _operator(rows: Rows, event: Event) -> None:
    """A person's word: on a call that was given up on, that it be proposed again; else on the run."""
    fact = event.fact
    if fact.call_id:
        rows.put("retry", (event.chain, event.seq), {**_where(event), "principal_id": fact.principal_id or None})
    _run_waiting(rows, event)


def _approval_requested(rows: Rows, event: Event) -> None:
    fact = event.fact
    body = fact.body
    rows.put("approval", (event.chain, fact.approval_id), {
        "run_id": event.chain,
        "tenant": event.tenant,
        "approval_id": fact.approval_id,
        "call_id": fact.call_id,
        "step": fact.step,
        "subject": body.get("subject"),
        "tool": body.get("tool", {}).get("name"),
        "effect": body.get("effect"),
        "groups": _text(body.get("groups")),
        "quorum": body.get("quorum"),
        "rules": _text(body.get("rules")),
        "status": "pending",
        "approvers": "[]",
        "decided_by": None,
        "requested_us": body.get("requested_us"),
        "expires_us": body.get("expires_us"),
        "decided_us": None,
        "digest": body.get("digest"),
    })  # fmt: skip
    if call := rows.get("tool_call", (event.chain, fact.call_id)):
        call["approval_id"] = fact.approval_id
        rows.put("tool_call", (event.chain, fact.call_id), call)
    _due(rows, event, body.get("expires_us", event.at_us), "approval.expires")


def _approval_decided(rows: Rows, event: Event) -> None:
    """One voice. Any answer but an approval settles the request at once, that when quorum and groups are complete."""
    fact = event.fact
    row = rows.get("approval", (event.chain, fact.approval_id))
    if row is None or row["status"] != "pending":
        return
    approvers = {who["id"]: who for who in _list(row["approvers"])}
    if end := ENDS.get(
        fact.body.get("decision", fact.decision)
    ):  # the header's, which stays where the words were erased
        row["status"] = end
    elif not as_one(fact.principal_id, fact.body, approvers):
        said = {"id": fact.principal_id, "roles": fact.body.get("roles", [])}
        if others := fact.body.get("as_one_with"):
            said["as_one_with"] = others
        approvers[fact.principal_id] = said
        row["approvers"] = _text(list(approvers.values()))
        if complete(approvers.values(), {"quorum": row["quorum"], "groups": _list(row["groups"])}):
            row["status"] = "approved"
    if row["status"] != "pending":
        row["decided_by"] = fact.principal_id
        row["decided_us"] = event.at_us
        _due(rows, event, event.at_us, "approval.decided")
    rows.put("approval", (event.chain, fact.approval_id), row)


def _approval_over(rows: Rows, event: Event) -> None:
    """Consumed or superseded: nothing is due any more. Expired or withdrawn: the call is, until it is told so."""
    fact = event.fact
    if fact.kind in (Kind.APPROVAL_CONSUMED, Kind.APPROVAL_SUPERSEDED):
        rows.drop("due", (event.chain, fact.approval_id))
    row = rows.get("approval", (event.chain, fact.approval_id))
    withdrawn = fact.kind is Kind.APPROVAL_WITHDRAWN
    if row is None or row["status"] == "consumed" or (withdrawn and row["status"] != "pending"):
        return
    row["status"] = _LAST[fact.kind]
    if withdrawn:
        row["decided_by"], row["decided_us"] = fact.principal_id, event.at_us
        _due(rows, event, event.at_us, "approval.decided")
    rows.put("approval", (event.chain, fact.approval_id), row)


def _notice_ended(rows: Rows, event: Event) -> None:
    body = event.fact.body
    if (notice_id := body.get("id")) is not None:
        said = {name: body.get(name) for name in ("tenant", "channel", "kind", "about", "ref")}
        how = {"status": _LAST[event.fact.kind], "why": body.get("why"), "attempts": body.get("attempts")}
        rows.put("notice", (notice_id,), {"notice_id": notice_id, **said, **how, "at_us": event.at_us})


def _eval_recorded(rows: Rows, event: Event) -> None:
    """What came of a suite. Where that was erased there is no row."""
    if body := event.fact.body:
        said = {name: body.get(name) for name in ("suite", "suite_digest", "how")}
        counts = {"cases": len(body.get("cases", ())), "trials": body.get("trials"), "passed": body.get("passed")}
        rows.put("eval", (event.tenant, event.seq), {
            "tenant": event.tenant,
            "eval_id": event.fact.call_id,
            "seq": event.seq,
            "at_us": event.at_us,
            "principal_id": event.fact.principal_id,
            **said, **counts,
            "met": int(bool(body.get("met"))),
        })  # fmt: skip


def _due(rows: Rows, event: Event, at_us: int, why: str) -> None:
    ref = event.fact.approval_id
    row = {"run_id": event.chain, "tenant": event.tenant, "at_us": at_us, "why": why, "ref": ref}
    rows.put("due", (event.chain, ref), row)


_FOLDS: dict[Kind, Callable[[Rows, Event], None]] = {
    Kind.RUN_STARTED: _run_started,
    Kind.RUN_CLAIMED: _run_claimed,
    Kind.RUN_WAITING: _run_waiting,
    Kind.RUN_WORDS: _run_waiting,
    Kind.RUN_FINISHED: _run_ended,
    Kind.RUN_CANCELLED: _run_ended,
    Kind.CALL_DECIDED: _call_decided,
    Kind.CALL_INTENT: _call_intent,
    Kind.CALL_RESULT: _call_came_out,
    Kind.CALL_UNKNOWN: _call_came_out,
    Kind.CALL_RECONCILED: _call_came_out,
    Kind.CALL_COMPENSATED: _call_compensated,
    Kind.CALL_REPORTED: _run_waiting,
    Kind.OPERATOR: _operator,
    Kind.CALL_DEAD_LETTERED: _call_dead_lettered,
    Kind.APPROVAL_REQUESTED: _approval_requested,
    Kind.APPROVAL_DECIDED: _approval_decided,
    Kind.APPROVAL_EXPIRED: _approval_over,
    Kind.APPROVAL_WITHDRAWN: _approval_over,
    Kind.APPROVAL_SUPERSEDED: _approval_over,
    Kind.APPROVAL_CONSUMED: _approval_over,
    Kind.BUDGET_RESERVED: budget_reserved,
    Kind.BUDGET_SETTLED: budget_settled,
    Kind.REDACT: charged_still,
    Kind.GRANT_ISSUED: grant_issued,
    Kind.GRANT_ENDORSED: grant_endorsed,
    Kind.GRANT_REVOKED: grant_revoked,
    Kind.NOTICE_DELIVERED: _notice_ended,
    Kind.NOTICE_FAILED: _notice_ended,
    Kind.EVAL_RECORDED: _eval_recorded,
}


def _where(event: Event) -> Row:
    """The columns that every row made for one event of a call begins with."""
    fact = event.fact
    return {
        "run_id": event.chain,
        "tenant": event.tenant,
        "seq": event.seq,
        "call_id": fact.call_id,
        "step": fact.step,
        "at_us": event.at_us,
    }


def _text(items: Sequence[Any] | None) -> str:
    return canonical(list(items)).decode() if items else "[]"


def _list(text: str) -> list[Any]:
    found: list[Any] = json.loads(text)
    return found

"""Facts as the path writes them, cut down to what the ledger reads of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import anyio.to_thread

from interlock.core.clock import Clock
from interlock.core.event import Event, Fact, Kind
from interlock.ledger.chain import EMPTY, link_all
from interlock.ledger.evaluated import Evaluated, EvaluatedCase
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import Append

RUN = "run_1"
TENANT = "acme"
HASH = "ab" * 32

EVALUATED = Evaluated(
    suite="desk", suite_digest="ab" * 32, how="recorded", since_us=7, trials=3, passed=2, pass_rate=0.5, lost=("late",),
    met=True, shares={"passed": (2, 3)}, taken={"steps": {"p50": 2, "p95": 3, "sum": 7, "of": 3}}, agents=("desk",),
    models=("own:desk",), policies=("cd" * 32,),
    cases=(
        EvaluatedCase(name="where", trials=2, passed=2, failed={}, runs=(), taken={"steps": 4, "micro_usd": None}),
        EvaluatedCase(name="late", trials=1, passed=0, failed={"tools": 1}, runs=("run_1",), taken={"steps": 3}),
    ),
)  # fmt: skip
"""What came of a suite: of two cases one passed."""


def started(**body: Any) -> Fact:
    principal = {"id": "ana", "tenant": TENANT, "roles": ["support"], "kind": "user"}
    return Fact(Kind.RUN_STARTED, {"principal": principal, "driver": "calls"} | body)


def proposed(call_id: str, step: int = 1, **said: Any) -> Fact:
    """A first decision that says what was proposed and no more: the call is on its way."""
    body = {"proposed": {"tool": "refund", "arguments": {"id": 7}} | said}
    return Fact(Kind.CALL_DECIDED, body, call_id, step, 0, "ana")


def first(again: Fact, **said: Any) -> Fact:
    """The same decision as a call's first one, which says what was proposed besides."""
    return again._replace(body=again.body | {"proposed": said})


def decided(call_id: str, step: int = 1, verdict: str = "allow", effect: str = "reversible", outcome: str = "") -> Fact:
    """A decision about a call that was proposed before."""
    body: dict[str, Any] = {
        "tool": {"server": "local", "name": "refund", "version": "1"},
        "effect": effect,
        "digest": HASH,
        "arguments": {"id": 7},
        "decision": {"verdict": verdict, "reasons": ["rule:small"], "mode": "enforce"},
        "facts": {"step": step},
    }
    if outcome:
        body["stop"] = {"gate": "authorize", "code": "authorize.denied", "audit": {}}
        body["outcome"] = told(outcome)
    return Fact(Kind.CALL_DECIDED, body, call_id, step, 0, "ana", HASH, HASH, verdict, outcome)


def intent(call_id: str, step: int = 1) -> Fact:
    body = {"key": HASH, "digest": HASH, "effect": "reversible", "deadline_us": 1}
    return Fact(Kind.CALL_INTENT, body, call_id, step, 1, "ana", HASH)


def result(call_id: str, outcome: str = "done", step: int = 1, kind: Kind = Kind.CALL_RESULT) -> Fact:
    body: dict[str, Any] = {"outcome": told(outcome), "took_us": 1500}
    if kind is Kind.CALL_RECONCILED:
        body |= {"by": "olga", "how": "person", "note": "asked the bank"}
    return Fact(kind, body, call_id, step, 1, "ana", HASH, outcome=outcome)


def requested(
    approval_id: str, call_id: str, expires_us: int, *, groups: Sequence[str] = ("leads",), quorum: int = 1
) -> Fact:
    body = {
        "approval": HASH, "digest": HASH, "nonce": "00", "groups": list(groups), "quorum": quorum, "rules": ["large"],
        "requested_us": 0, "expires_us": expires_us, "subject": "ana", "effect": "reversible",
        "tool": {"server": "local", "name": "refund", "hash": HASH}, "arguments": {"id": 7}, "text": '{"id":7}',
    }  # fmt: skip
    return Fact(Kind.APPROVAL_REQUESTED, body, call_id, 1, 0, "ana", HASH, approval_id=approval_id)


def voice(approval_id: str, call_id: str, who: str, *roles: str, decision: str = "approve") -> Fact:
    body = {"decision": decision, "approval": HASH, "roles": list(roles)}
    return Fact(Kind.APPROVAL_DECIDED, body, call_id, 0, 0, who, approval_id=approval_id)


def moved(kind: Kind, approval_id: str, call_id: str) -> Fact:
    return Fact(kind, {}, call_id, 1, 0, "ana", approval_id=approval_id)


def told(kind: str) -> dict[str, Any]:
    if kind == "done":
        return {"outcome": kind, "value": {"ok": True}}
    return {"outcome": kind, "code": f"x.{kind}", "message": "so it is"}


def read_call(call_id: str, step: int = 1) -> list[Fact]:
    """What a governed read writes in its one append."""
    return [first(decided(call_id, step, effect="read")), result(call_id, step=step)]


def to(chain: str, *facts: Fact, **rest: Any) -> Append:
    return Append(chain, TENANT, facts, **rest)


async def opened(path: Path, clock: Clock, busy_s: float = 5.0) -> SqliteStore:
    """A store on a file; opening blocks, so it is done in a thread, as the composition root does."""
    return await anyio.to_thread.run_sync(lambda: SqliteStore(path, clock, busy_s=busy_s))


def chained(facts: Iterable[Fact], chain: str = RUN) -> list[Event]:
    """The facts as a chain of their own, one microsecond apart."""
    events: list[Event] = []
    head = EMPTY
    for at_us, fact in enumerate(facts):
        events += link_all(head, chain, TENANT, [fact], at_us, bytes)
        head = type(head)(events[-1].seq, events[-1].hash)
    return events

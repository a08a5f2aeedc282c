"""A large ledger: 100,000 runs of a few events each, and what waits for a person among them.

What it holds hangs on the numbers alone, so that two of the same size are alike. It is written as everything is: by
`append`, one for each run, as many at a time as one transaction takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, NamedTuple

import anyio

from interlock.core.event import Fact, Kind
from interlock.ledger.sqlite_writer import GROUP_MAX
from interlock.ledger.store import Append, Store

TENANT = "default"

RARE_TOOL = "wipe_disk"
"""Called by every thousandth run."""

_TOOLS = tuple(f"tool_{number:02}" for number in range(40))
_HASH = "ab" * 32


class Size(NamedTuple):
    """How large the ledger is.

    Attributes:
        runs: Of them a tenth is open, and the calls of every seventh are refused.
        pending: Requests that wait: half of them each in a run of its own for calls of their own, a quarter for equal
            calls, a quarter in floods of 50.
        unknown, dead, not_undone: Calls that wait for an operator, each in a run of its own.
    """

    runs: int = 100_000
    pending: int = 1000
    unknown: int = 100
    dead: int = 500
    not_undone: int = 100


async def write(store: Store, size: Size) -> None:
    """Fill an empty ledger."""
    appends = _appends(size)

    async def lane() -> None:
        for append in appends:
            await store.append(append)

    async with anyio.create_task_group() as tasks:
        for _ in range(GROUP_MAX):
            tasks.start_soon(lane)


def principal(number: int) -> str:
    """Who a run is for: one of a thousand."""
    return f"person_{number % 1000:03}"


def _appends(size: Size) -> Iterator[Append]:
    waits = _waits(size)
    every = max(1, size.runs // (len(waits) + 1))
    for number in range(size.runs):
        waiting = waits[number // every] if number % every == 0 and number // every < len(waits) else ""
        yield Append(f"run_{number:08}", TENANT, list(_run(number, waiting)))


def _waits(size: Size) -> list[str]:
    """What waits, one word for each run that it stands in, mixed."""
    words = {
        "held": size.pending // 2, "equal": size.pending // 4, "flood": size.pending // 4 // 50,
        "unknown": size.unknown, "dead": size.dead, "not_undone": size.not_undone,
    }  # fmt: skip
    placed = [((place + 0.5) / count, word) for word, count in words.items() for place in range(count)]
    return [word for _, word in sorted(placed)]


def _run(number: int, waiting: str) -> Iterator[Fact]:
    who = principal(number * 7919)
    yield Fact(Kind.RUN_STARTED, {
        "principal": {"id": who, "tenant": TENANT, "roles": ["support"], "kind": "user"}, "driver": "calls",
        "words": "Please look after this customer.", "title": f"Ticket {number}",
    }, principal_id=who)  # fmt: skip
    tool = RARE_TOOL if number % 1000 == 999 else _TOOLS[number * 31 % len(_TOOLS)]
    yield from _called(f"call_{number:08}_1", tool, who, number, "failed" if number % 7 == 0 else "done")
    if waiting:
        yield from _waiting(number, waiting, who)
    elif number % 10:
        kind = Kind.RUN_CANCELLED if number % 50 == 1 else Kind.RUN_FINISHED
        yield Fact(kind, {"reason": "done"}, principal_id=who)


def _waiting(number: int, waiting: str, who: str) -> Iterator[Fact]:
    call_id = f"call_{number:08}_2"
    if waiting in ("held", "equal", "flood"):
        for nth in range(50 if waiting == "flood" else 1):
            yield from _held(f"{call_id}_{nth}", number, waiting, who)
        return
    outcome = {"unknown": "unknown", "dead": "failed", "not_undone": "done"}[waiting]
    yield from _called(call_id, "pay", who, number, outcome, "reversible")
    if waiting == "dead":
        yield Fact(Kind.CALL_DEAD_LETTERED, {"code": "execute.unavailable"}, call_id, 0, 5, who)
    elif waiting == "not_undone":
        yield Fact(Kind.CALL_COMPENSATED, {}, call_id, 2, 1, who, outcome="failed")


def _held(call_id: str, number: int, waiting: str, who: str) -> Iterator[Fact]:
    tool = {"server": "local", "name": "pay", "version": "1", "hash": _HASH}
    subject = "person_000" if waiting == "equal" else who
    asked = f"{number % 10}" if waiting == "equal" else call_id
    digest = sha256(asked.encode()).hexdigest()
    held = {"outcome": "held", "approval_id": f"appr_{call_id}", "message": "A person is asked."}
    yield _decided(call_id, "pay", subject, "irreversible", "require_approval", number, held)
    yield Fact(Kind.APPROVAL_REQUESTED, {
        "approval": _HASH, "digest": digest, "nonce": "00", "groups": ["leads"], "quorum": 1, "rules": ["large"],
        "requested_us": 1, "expires_us": 1 << 52, "subject": subject, "effect": "irreversible", "tool": tool,
        "arguments": {"amount": number, "to": "DE89370400440532013000", "reason": "x" * 200}, "text": "y" * 300,
    }, call_id, 2, 0, subject, _HASH, approval_id=f"appr_{call_id}")  # fmt: skip


def _called(
    call_id: str, tool: str, who: str, number: int, outcome: str, effect: str = "read"
) -> Iterator[Fact]:  # fmt: skip
    told: dict[str, Any] = {"outcome": outcome, "code": f"x.{outcome}", "message": "so it is"}
    if outcome == "done":
        told = {"outcome": outcome, "value": {"number": number, "text": "z" * 100}}
    yield _decided(call_id, tool, who, effect, "allow", number)
    if effect != "read":
        body = {"key": _HASH, "digest": _HASH, "effect": effect, "deadline_us": 1}
        yield Fact(Kind.CALL_INTENT, body, call_id, 1, 1, who, _HASH)
    kind = Kind.CALL_UNKNOWN if outcome == "unknown" else Kind.CALL_RESULT
    yield Fact(kind, {"outcome": told, "took_us": 1500}, call_id, 1, 1, who, _HASH, outcome=outcome)


def _decided(  # noqa: PLR0913  # a call's facts
    call_id: str, tool: str, who: str, effect: str, verdict: str, number: int, told: dict[str, Any] | None = None
) -> Fact:
    body: dict[str, Any] = {
        "tool": {"server": "local", "name": tool, "version": "1"}, "effect": effect, "digest": _HASH,
        "arguments": {"id": number}, "facts": {"now_us": 1}, "proposed": {"tool": tool, "arguments": {"id": number}},
        "decision": {"verdict": verdict, "reasons": ["rule:small"], "mode": "enforce"},
    }  # fmt: skip
    if told:
        body |= {"outcome": told, "stop": {"gate": "approve", "code": "approve.held", "audit": {}}}
    outcome = told["outcome"] if told else ""
    return Fact(Kind.CALL_DECIDED, body, call_id, 1, 0, who, _HASH, _HASH, verdict, outcome)

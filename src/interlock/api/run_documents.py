"""What is said of runs, calls and events: documents for programs, and what they look like."""

from __future__ import annotations

import json
from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from interlock.agent.result import result_of
from interlock.core.clock import iso
from interlock.core.entered import Door
from interlock.core.event import Event
from interlock.core.run import RunState
from interlock.ledger.plain import plain

Told = ConfigDict(frozen=True, extra="forbid")
"""Of a model of what is answered: nothing else is in it."""

Time = Annotated[str, Field(description="UTC, RFC 3339.", examples=["2026-11-26T06:00:00.000000Z"])]


class RunBrief(BaseModel):
    """A run in a list."""

    model_config = Told

    run_id: str
    principal_id: Annotated[str | None, Field(description="On whose behalf; null where that was erased.")]
    driver: Annotated[str | None, Field(description="What says which calls it makes.", examples=["calls", "agent"])]
    title: str | None
    status: Annotated[str, Field(examples=["open", "finished", "cancelled"])]
    reason: Annotated[str | None, Field(description="Why it is over.")]
    waits: Annotated[bool, Field(description="What drives it can do nothing until somebody answers.")]
    started_at: Time | None
    ended_at: Time | None


class Subject(BaseModel):
    """On whose behalf calls are made, with the roles of when they last spoke."""

    model_config = Told

    id: str
    roles: list[str]
    kind: Literal["user", "service"]


class Budget(BaseModel):
    """What a run may use at most."""

    model_config = Told

    name: Annotated[str, Field(description="Of the row that counts it: its own, or that of a run above it.")]
    unit: str
    most: int


class Result(BaseModel):
    """How the run of an agent stands."""

    model_config = Told

    end: Annotated[str, Field(description="`answer` alone says that it came to its end by itself; `waiting` and "
                                          "`unfinished` are no ends.", examples=["answer", "waiting"])]  # fmt: skip
    text: Annotated[str, Field(description="The last words of the model.")]
    turns: int
    input_tokens: int
    output_tokens: int


class RunDocument(RunBrief):
    """A run."""

    principal: Subject
    agent: Annotated[str | None, Field(description="Name of the agent that drives it.")]
    conversation: Annotated[bool, Field(description="An answer of its agent does not end it.")]
    kept: Annotated[bool, Field(description="It is over when its client says so.")]
    words: Annotated[str | None, Field(description="The user's own words; null where they are not seen.")]
    mandates: Annotated[list[str], Field(description="Tools that were asked for.")]
    parent: str | None
    budgets: list[Budget]
    calls: Annotated[dict[str, int], Field(description="How many calls of it stand how.", examples=[{"closed": 3}])]
    held: Annotated[list[str], Field(description="Approval requests that calls of it wait for.")]
    unknown: Annotated[list[str], Field(description="Calls of which nobody knows whether they took effect.")]
    result: Annotated[Result | None, Field(description="Of an agent's run.")]


class EventDocument(BaseModel):
    """One fact of a run, as the ledger has it; the reference of events says what is in each body."""

    model_config = Told

    seq: Annotated[int, Field(description="Its number within the run, from 1.")]
    at: Time
    kind: Annotated[str, Field(examples=["call.decided"])]
    call_id: str | None
    step: int
    attempt: int
    principal_id: str | None
    decision: str | None
    outcome: str | None
    approval_id: str | None
    tool_hash: str | None
    policy_hash: str | None
    body: Annotated[dict[str, Any] | None, Field(description="null where it was erased.")]


def run_brief(row: dict[str, Any]) -> dict[str, Any]:
    """A run in a list, from its row."""
    kept = plain(
        row, "run_id", "principal_id", "driver", "title", "status", "reason", "waits", "started_us", "ended_us"
    )
    return kept | {"waits": bool(row["waits"])}


def run_document(row: dict[str, Any], run: RunState) -> dict[str, Any]:
    """A run in full: what its events come to, and nothing of the time at which it is asked for."""
    subject, transcript = run.principal, run.transcript
    assert subject is not None, "a run that is shown was started"
    result = result_of(run) if transcript is not None else None
    return {
        **run_brief(row),
        "principal": {"id": subject.id, "roles": sorted(subject.roles), "kind": subject.kind},
        "agent": transcript.agent if transcript is not None else None,
        "conversation": transcript is not None and transcript.conversation,
        "kept": run.kept,
        "words": run.words,
        "mandates": [each.said for each in run.entered if each.door is Door.MANDATE],
        "parent": run.parent or None,
        "budgets": [{"name": name, "unit": unit, "most": most} for name, unit, most in run.budgets],
        "calls": dict(Counter(call.status for call in run.calls.values())),
        "held": [call.approval_id for call in run.calls.values() if call.status == "held"],
        "unknown": [call.call_id for call in run.calls.values() if call.status == "unknown"],
        "result": None if result is None else {
            "end": result.end.value, "text": result.text, "turns": result.turns,
            "input_tokens": result.input_tokens, "output_tokens": result.output_tokens,
        },
    }  # fmt: skip


def event_document(event: Event) -> dict[str, Any]:
    """One fact for a program."""
    fact = event.fact
    return {
        "seq": event.seq,
        "at": iso(event.at_us),
        "kind": fact.kind.value,
        "call_id": fact.call_id or None,
        "step": fact.step,
        "attempt": fact.attempt,
        "principal_id": fact.principal_id or None,
        "decision": fact.decision or None,
        "outcome": fact.outcome or None,
        "approval_id": fact.approval_id or None,
        "tool_hash": fact.tool_hash or None,
        "policy_hash": fact.policy_hash or None,
        "body": json.loads(event.payload) if event.payload else None,
    }

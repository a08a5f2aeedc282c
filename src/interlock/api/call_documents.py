"""What is said of calls: documents for programs, and what they look like."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from interlock.api.run_documents import Time, Told
from interlock.core.call_state import CallState
from interlock.ledger.plain import plain


class CallBrief(BaseModel):
    """A call in a list."""

    model_config = Told

    call_id: str
    run_id: str
    step: Annotated[int, Field(description="Its number within the run, from 1.")]
    parent_id: Annotated[str | None, Field(description="The call that it was made for.")]
    name: Annotated[str | None, Field(description="Its client's name of it.")]
    principal_id: str | None
    tool: str | None
    server: str | None
    version: str | None
    effect: Annotated[str | None, Field(examples=["irreversible"])]
    dry_run: bool
    status: Annotated[str, Field(examples=["proposed", "held", "intent", "unknown", "closed"])]
    outcome: Annotated[str | None, Field(examples=["done", "refused", "held", "failed", "withheld", "unknown"])]
    code: Annotated[str | None, Field(description="Why; see the reference of refusals.")]
    approval_id: str | None
    grant_id: str | None
    proposed_at: Time | None
    intent_at: Time | None
    ended_at: Time | None


class Outcome(BaseModel):
    """What became of a call, in words that a model may read."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"outcome": "done", "call_id": "call_0194f3a2b1c4", "tool": "look_up", "value": {"name": "Ana"}},
                {
                    "outcome": "held", "call_id": "call_0194f3a2b1c4", "tool": "refund", "code": "approve.held",
                    "message": "a person must approve this call", "approval_id": "appr_0194f3a2b1c4",
                },
            ]
        },
    )  # fmt: skip

    outcome: Literal["done", "refused", "held", "failed", "withheld", "unknown"]
    call_id: str
    tool: str
    value: Annotated[Any, Field(description="The screened result of a call that is done.")] = None
    code: str = ""
    message: str = ""
    next_step: str = ""
    problems: list[dict[str, Any]] = Field(default_factory=list, description="What to repair.")
    approval_id: str = ""
    fallback: str = ""
    instead: Annotated[str, Field(description="The call that a person had made in its place.")] = ""
    screened: list[dict[str, Any]] = Field(default_factory=list, description="What was found in the value.")
    repeated: Annotated[bool, Field(description="The recorded outcome of an earlier ask; nothing ran now.")] = False


class CallDocument(CallBrief):
    """A call."""

    told: Annotated[Outcome | None, Field(description="null while it is on its way, or where it was erased.")]
    origins: Annotated[dict[str, Any] | None, Field(description="Where its arguments come from.")]
    cached: Annotated[dict[str, Any] | None, Field(description="From which call its result is, where none was made.")]


def call_document(row: dict[str, Any], call: CallState) -> dict[str, Any]:
    """A call in full, with its outcome as it was last told."""
    told = call.outcome
    return {
        **call_brief(row),
        "told": told.as_json() if told is not None else None,
        "origins": call.provenance,
        "cached": call.cached,
    }


def call_brief(row: dict[str, Any]) -> dict[str, Any]:
    """A call in a list, from its row."""
    kept = plain(
        row, "call_id", "run_id", "step", "parent_id", "name", "principal_id", "tool", "server", "version", "effect",
        "status", "outcome", "code", "approval_id", "grant_id", "proposed_us", "intent_us", "ended_us",
    )  # fmt: skip
    return kept | {"dry_run": bool(row["dry_run"])}

"""One call as the fold of its run knows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interlock.core.call import Outcome, outcome_from_json
from interlock.core.charge import Reserved
from interlock.core.trace import TraceContext
from interlock.core.undo import Undo


@dataclass(slots=True)
class CallState:
    """What is known of one call.

    Attributes:
        call_id: Which.
        tool: Name as proposed.
        proposal: Digest of the call as proposed; empty where the client did not name it.
        step: Number within the run, from 1.
        status: `proposed`, `held`, `intent`, `unknown` or `closed`.
        digest: Call digest; empty until it was valid.
        decided: The event that last decided on it, as the bytes that stand in the ledger; empty until it was valid.
        version: Version of its tool that was last decided on; empty until it was valid.
        outline: What it is nearly equal to (`ValidCall.outline`); empty for nothing.
        counted: Whether it counts among its likes: one of the run's own, and no rehearsal.
        writes: Whether it is more than a read.
        parent_id: The call that it was made for; empty for one of the run's own.
        edited_by: Who wrote its arguments in the place of those that were proposed, or those of a call that it comes
            from: none of them approves it.
        told: The event that told the last outcome, as the bytes that stand in the ledger; empty before the first.
        approval_id: The approval request in force; empty for none.
        grant_id: The grant that released it, by its intent; empty for none.
        invalidates: Cache tags that it puts out of date, by its intent.
        after_loss: Who can say what became of it where its answer is lost (`core.tool.Tool.after_loss`); empty before
            its intent.
        verdict: What a second reader last said of it, with the digest of the policy that asked, under `policy`; None
            where nobody was asked.
        recoveries: Workers that took it up after another one was lost over it.
        reserved: What it has of budgets; empty once it is closed.
        undo: What undoes it, by its intent; None where nothing does.
        undone: What came of undoing it, `done` or `failed`; empty where that was not said.
        undone_turn: In which turn that was said, from 1; 0 for none.
        told_at: Number of the event that told the last outcome; 0 before the first.
        starts: What it starts beside itself (`Tool.starts`), by its intent; empty for nothing.
        child: The run that it starts; empty for none.
        reported: That run has reported: what it said is the call's outcome from then on.
        trace: Whose trace it belongs to, where its caller had one; None for the run's.
    """

    call_id: str
    tool: str
    proposal: str
    step: int
    status: str = "proposed"
    digest: str = ""
    decided: bytes = b""
    version: str = ""
    outline: str = ""
    counted: bool = True
    writes: bool = False
    parent_id: str = ""
    edited_by: tuple[str, ...] = ()
    told: bytes = b""
    approval_id: str = ""
    grant_id: str = ""
    invalidates: tuple[str, ...] = ()
    after_loss: str = ""
    verdict: dict[str, Any] | None = None
    recoveries: int = 0
    reserved: tuple[Reserved, ...] = ()
    undo: Undo | None = None
    undone: str = ""
    undone_turn: int = 0
    told_at: int = 0
    starts: str = ""
    child: str = ""
    reported: bool = False
    trace: TraceContext | None = None

    @property
    def awaits(self) -> str:
        """The run that it started and that has not reported; empty for none."""
        return self.child if self.status == "closed" and not self.reported else ""

    @property
    def outcome(self) -> Outcome | None:
        """The last outcome told, in parts that nobody else holds; None before the first."""
        return outcome_from_json(json.loads(self.told)["outcome"], self.call_id, self.tool) if self.told else None

    @property
    def provenance(self) -> dict[str, Any] | None:
        """Where its arguments come from, as its last decision keeps it; None where that was not asked, or is erased."""
        decided = json.loads(self.decided) if self.decided else {}
        found: dict[str, Any] | None = decided.get("facts", {}).get("provenance")
        return found

    @property
    def cached(self) -> dict[str, Any] | None:
        """From which call its result is and how old it was then, where nothing was dialled for this one; else None."""
        found: dict[str, Any] | None = json.loads(self.told).get("cached") if self.told else None
        return found


def proposed_call(call_id: str, step: int, decided: Mapping[str, Any]) -> CallState:
    """A call as it was proposed, from the body of its first `call.decided`."""
    call = CallState(call_id, proposed_tool(decided), "", step)
    if proposed := decided["proposed"]:  # most say nothing that the valid call beside it does not
        call.proposal, call.parent_id = proposed.get("proposal", ""), proposed.get("parent", "")
        call.edited_by = tuple(proposed.get("edited_by", ()))
        call.counted = "parent" not in proposed and "dry_run" not in proposed
    return call


def proposed_tool(decided: Mapping[str, Any]) -> str:
    """Name of the tool as proposed, from the body of a call's first `call.decided`."""
    proposed = decided["proposed"]
    name: str = proposed["tool"] if "tool" in proposed else decided["tool"]["name"]  # it may be empty
    return name

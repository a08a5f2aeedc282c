"""What a call says of itself when it has reached a state: every gate that it passed, in one fact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from interlock.core.call import (
    AllowedCall,
    ApprovedCall,
    LimitedCall,
    RawResult,
    Stop,
    ToolCall,
    ValidCall,
    VerifiedCall,
    outcome_to_json,
)  # fmt: skip
from interlock.core.canonical import Json, Written, compose
from interlock.core.event import Fact, Kind
from interlock.core.run import RunState
from interlock.core.tool import Tool
from interlock.ledger.proposal import proposed

State = ToolCall | ValidCall | AllowedCall | LimitedCall | VerifiedCall | ApprovedCall | RawResult
"""How far a call has come."""


class Way(NamedTuple):
    """A call and where in its run it is.

    Attributes:
        call: As proposed.
        run: The run's fold.
        step: Number of the call within the run.
        sent: Its arguments as they were proposed, where that is not their canonical text; None before it was valid.
    """

    call: ToolCall
    run: RunState
    step: int
    sent: dict[str, Json] | None


def decided(way: Way, reached: State, stop: Stop | None) -> Fact:
    """All gates up to here in one fact."""
    call = way.call
    body: dict[str, Json] = {}
    valid: ValidCall | None = None
    tool_hash = policy_hash = decision = told = ""
    if isinstance(reached, ApprovedCall):
        if reached.approval_id:
            body["approval_id"] = reached.approval_id
        if reached.grant is not None:
            body["grant"] = {"grant_id": reached.grant.grant_id, "by": list(reached.grant.by)}
        if reached.undoes:
            body["undoes"] = reached.undoes
        reached = reached.verified
    if isinstance(reached, VerifiedCall):
        if reached.verdict is not None:
            body["verify"] = dict(reached.verdict)
        reached = reached.limited
    if isinstance(reached, LimitedCall):
        if rates := len(reached.guards) - len(reached.charges):
            body["limit"] = [guard.name for guard in reached.guards[:rates]]
        reached = reached.allowed
    if isinstance(reached, AllowedCall):
        body["decision"], body["facts"] = reached.decision.written, _unsaid(way, reached.facts, reached.valid.tool)
        policy_hash, decision = reached.decision.policy_digest, reached.decision.verdict
        reached = reached.valid
    if isinstance(reached, ValidCall):
        valid, tool = reached, reached.tool
        body["tool"] = tool.written
        body["effect"], body["digest"], body["arguments"] = tool.effect, reached.digest, reached.arguments
        if reached.selected is not None:
            body["selected"] = reached.selected.as_json()
        if reached.outline:
            body["outline"] = reached.outline
        tool_hash = tool.digest
    if stop is not None:
        audit = dict(stop.audit)
        if isinstance(denied := audit.pop("decision", None), Mapping):
            facts = audit.pop("facts")
            assert valid is not None and isinstance(facts, Mapping), "policy is asked about valid calls"
            body["decision"], body["facts"] = denied, _unsaid(way, facts, valid.tool)
            policy_hash, decision = str(audit.pop("policy")), str(denied["verdict"])
        body["stop"] = {"gate": stop.gate, "code": stop.outcome.code, "audit": audit}
        body["outcome"] = outcome_to_json(stop.outcome)
        told = stop.outcome.kind.value
    first = call.call_id not in way.run.calls  # an approved call enters a second time
    if first:
        body["proposed"] = proposed(call, valid, way.sent)
    trace_id = ""
    if first and call.trace is not None:
        body["trace"], trace_id = dict(call.trace.body), call.trace.trace_id
    return Fact(
        Kind.CALL_DECIDED, compose(body), call.call_id, way.step, 0, call.principal.id, tool_hash, policy_hash,
        decision, told, trace_id=trace_id,
    )  # fmt: skip


def _unsaid(way: Way, facts: Mapping[str, Json], tool: Tool) -> Written:
    """The record that was decided on, without what the run's chain says already.

    That is the run's own principal, the tool as a decision sees it, which is the same for a definition whenever
    it is asked about, and the tool's server as what it acts on.
    """
    said = dict(facts)
    if way.call.principal == way.run.principal:
        said.pop("principal", None)
    if tool.digest in way.run.described:
        said.pop("tool", None)
    if said.get("resource") == {"type": "Server", "id": tool.server, "attributes": {}}:
        del said["resource"]
    return compose(said)

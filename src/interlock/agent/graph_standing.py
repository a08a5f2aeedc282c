"""How far a graph has come: read from the fold of its run, and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from interlock.agent.graph import Node, graph_from
from interlock.agent.merge import Merged, merge
from interlock.core.call import Outcome, OutcomeKind
from interlock.core.call_state import CallState
from interlock.core.canonical import Json, at_pointer, canonical
from interlock.core.ids import named_call_id
from interlock.core.run import RunState, speaker
from interlock.errors import BadInput


class NodeStatus(StrEnum):
    """How one call of a graph stands."""

    OPEN = "open"
    """What it needs is not there yet."""
    READY = "ready"
    RUNNING = "running"
    HELD = "held"
    UNKNOWN = "unknown"
    WORKING = "working"
    """The run that it started is not over."""
    DONE = "done"
    FAILED = "failed"
    UNMET = "unmet"
    """Something that it needs is not done, and cannot be any more: it is not made."""
    NOT_TAKEN = "not_taken"
    """Its condition does not hold, or the call in whose place it stands is done: it is not made, and need not be."""


OVER = (NodeStatus.DONE, NodeStatus.FAILED, NodeStatus.UNMET, NodeStatus.NOT_TAKEN)
"""How a call stands that nothing can happen to any more."""


class GraphStatus(StrEnum):
    """How a graph stands. It has done what it is for in one of these only: `completed`."""

    RUNNING = "running"
    WAITING = "waiting"
    """For a person, or for a run that one of its calls started."""
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    """It is over, and something is not done."""
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class NodeOutcome:
    """One call of a graph, for its caller.

    Attributes:
        id, tool: Which.
        status: How it stands.
        outcome: What it was told last; None before.
    """

    id: str
    tool: str
    status: NodeStatus
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class GraphOutcome:
    """How a graph stands.

    Attributes:
        run_id, name: Which.
        status: How, as a whole.
        nodes: Every call, in the graph's order.
        values: The results of those that are done; of a call that a fallback was made for, the fallback's.
        merged: What its merge rule makes of them; None where it has none.
        waiting: Ids of the approval requests that it waits for, those of runs that it started too.
    """

    run_id: str
    name: str
    status: GraphStatus
    nodes: tuple[NodeOutcome, ...]
    values: Mapping[str, Json]
    merged: Merged | None = None
    waiting: tuple[str, ...] = ()

    @property
    def completed(self) -> bool:
        """Whether everything that was to be done is done."""
        return self.status is GraphStatus.COMPLETED


class Standing:
    """One graph at one moment. Ask for a new one (`later`) after the run has moved on."""

    def __init__(self, run: RunState) -> None:
        self.run = run
        self.graph = graph_from(run.course["graph"])
        self.nodes = {node.id: node for node in self.graph.nodes}
        self._known: dict[str, NodeStatus] = {}

    def later(self) -> Standing:
        """The same graph as its run stands now: what is over stays over, and is not read again."""
        now = copy(self)
        now._known = {name: status for name, status in self._known.items() if status in OVER}
        return now

    @cached_property
    def fallbacks(self) -> dict[str, str]:
        """For each call that has one, the call that is made in its place."""
        return {node.instead_of: node.id for node in self.graph.nodes if node.instead_of}

    def call(self, name: str) -> CallState | None:
        """Its call, or the one in that one's place; None before it is made."""
        return speaker(self.run, call_id(self.run.run_id, name))

    def status(self, name: str) -> NodeStatus:
        """How a call stands."""
        if name not in self._known:
            self._known[name] = self._status(self.nodes[name])
        return self._known[name]

    def outcome_of(self, name: str) -> str:
        """The node whose result stands for this one's: itself or a fallback that is done; empty for none (yet)."""
        seen = name
        while self.status(seen) is not NodeStatus.DONE:
            if self.status(seen) not in OVER or seen not in self.fallbacks:
                return ""
            seen = self.fallbacks[seen]
        return seen

    def values(self, names: Iterable[str] | None = None) -> dict[str, Json]:
        """See `GraphOutcome.values`; of these calls, all of them where None."""
        found: dict[str, Json] = {}
        for name in self.nodes if names is None else names:
            if (said := self.outcome_of(name)) and (call := self.call(said)) is not None and call.outcome is not None:
                found[name] = call.outcome.value
        return found

    @property
    def whole(self) -> GraphStatus:
        """How it stands as a whole."""
        if self.run.status == "cancelled":
            return GraphStatus.CANCELLED
        each = {name: self.status(name) for name in self.nodes}
        if all(status in OVER for status in each.values()):
            well = all(
                each[name] is NodeStatus.NOT_TAKEN or self.outcome_of(name)
                for name, node in self.nodes.items()
                if not node.instead_of
            )
            return GraphStatus.COMPLETED if well else GraphStatus.INCOMPLETE
        waits = not any(status in (NodeStatus.READY, NodeStatus.RUNNING) for status in each.values())
        return GraphStatus.WAITING if waits else GraphStatus.RUNNING

    def outcome(self, below: tuple[str, ...] = ()) -> GraphOutcome:
        """How it stands, for its caller.

        Args:
            below: Ids of the approval requests that the runs which it started wait for.
        """
        nodes = []
        for name, node in self.nodes.items():
            call = self.call(name)
            nodes.append(NodeOutcome(name, node.tool, self.status(name), None if call is None else call.outcome))
        rule, values = self.graph.merge, self.values()
        held = tuple(call.approval_id for call in self.run.calls.values() if call.status == "held")
        return GraphOutcome(
            self.run.run_id, self.graph.name, self.whole, tuple(nodes), values,
            None if rule is None else merge(values, rule), held + below,
        )  # fmt: skip

    def _status(self, node: Node) -> NodeStatus:
        if call_id(self.run.run_id, node.id) in self.run.calls:
            return _of_call(self.call(node.id))
        if node.instead_of:
            first = self.status(node.instead_of)
            if first in (NodeStatus.DONE, NodeStatus.NOT_TAKEN):
                return NodeStatus.NOT_TAKEN
            if first not in OVER:
                return NodeStatus.OPEN
        met = {self._met(name) for name in node.needs}
        for status in (NodeStatus.UNMET, NodeStatus.NOT_TAKEN, NodeStatus.OPEN):
            if status in met:
                return status
        return NodeStatus.READY if node.when is None or self._holds(node) else NodeStatus.NOT_TAKEN

    def _met(self, name: str) -> NodeStatus:
        """Of a call that another one needs: ready where there is a result, else why there is none."""
        if self.outcome_of(name):
            return NodeStatus.READY
        last = name
        while self.status(last) in OVER and last in self.fallbacks:
            last = self.fallbacks[last]
        status = self.status(last)
        if status not in OVER:
            return NodeStatus.OPEN
        return NodeStatus.NOT_TAKEN if self.status(name) is NodeStatus.NOT_TAKEN else NodeStatus.UNMET

    def _holds(self, node: Node) -> bool:
        assert node.when is not None, "it has a condition"
        try:
            found = at_pointer(self._value(node.when.node), node.when.pointer)
        except BadInput:
            return False
        return canonical(found) == canonical(node.when.equals)

    def _value(self, name: str) -> Json:
        call = self.call(self.outcome_of(name))
        assert call is not None and call.outcome is not None, "it is done"
        value: Json = call.outcome.value
        return value


def call_id(run_id: str, node: str) -> str:
    """Id of a node's call: the same whoever asks."""
    return named_call_id(run_id, f"node/{node}")


def _of_call(call: CallState | None) -> NodeStatus:
    if call is None:  # the one in its place was not made yet
        return NodeStatus.RUNNING
    if call.status in ("held", "unknown"):
        return NodeStatus(call.status)
    if call.status != "closed":
        return NodeStatus.RUNNING
    if call.awaits:
        return NodeStatus.WORKING
    outcome = call.outcome
    return NodeStatus.DONE if outcome is not None and outcome.kind is OutcomeKind.DONE else NodeStatus.FAILED

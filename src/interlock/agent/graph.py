"""A graph of calls as data: what each needs, on which condition it is made, and in whose place.

A chain, calls side by side, a condition with fallbacks and any other order without a circle are all one of these, and
run by one scheduler. A call begins as soon as what it needs is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from interlock.agent.merge import Merge
from interlock.core.canonical import Json
from interlock.core.references import results_in


class When(NamedTuple):
    """A condition: what stands in the result of an earlier call.

    Attributes:
        node: That call.
        pointer: Where in its result; empty for all of it.
        equals: What must stand there.
    """

    node: str
    pointer: str
    equals: Json


@dataclass(frozen=True, slots=True)
class Node:
    """One call of a graph.

    Attributes:
        id: Its name within the graph: 1 to 64 of `A-Z a-z 0-9 _ . -`.
        tool: The tool.
        arguments: Values, `given(…)` and `result(…)`; it comes after the calls whose results it takes.
        after: Further calls that must be done before it.
        when: It is made only if this holds.
        instead_of: The call that it is made for where that one is not done: then its result is that one's.
    """

    id: str
    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    after: Sequence[str] = ()
    when: When | None = None
    instead_of: str = ""

    @property
    def needs(self) -> frozenset[str]:
        """The calls that must be done before it; not the one in whose place it is made."""
        named = {name for name, _ in results_in(self.arguments)} | set(self.after)
        return frozenset(named | {self.when.node} if self.when is not None else named)

    def as_json(self) -> dict[str, Json]:
        """The call as the ledger keeps it; what stands at its default is left out."""
        said: dict[str, Json] = {"id": self.id, "tool": self.tool, "arguments": dict(self.arguments)}
        if self.after:
            said["after"] = list(self.after)
        if self.when is not None:
            said["when"] = list(self.when)
        if self.instead_of:
            said["instead_of"] = self.instead_of
        return said


@dataclass(frozen=True, slots=True)
class Graph:
    """Calls, each of which begins when what it needs is done.

    Attributes:
        name: What it is called in the ledger and to people.
        nodes: Each after those that it needs.
        merge: How the results of some of them become one; None where they do not.
    """

    name: str
    nodes: Sequence[Node]
    merge: Merge | None = None

    def as_json(self) -> dict[str, Json]:
        """The graph as the ledger keeps it."""
        said: dict[str, Json] = {"name": self.name, "nodes": [node.as_json() for node in self.nodes]}
        return said if self.merge is None else said | {"merge": self.merge.as_json()}


def graph_from(said: Mapping[str, Any]) -> Graph:
    """The graph that `as_json` gave."""
    nodes = tuple(
        Node(**{**node, "when": When(*node["when"])} if "when" in node else node)  # as_json wrote it
        for node in said["nodes"]
    )
    merge = said.get("merge")
    return Graph(said["name"], nodes, None if merge is None else Merge(tuple(merge["nodes"]), merge["rule"]))


def chain(name: str, *nodes: Node) -> Graph:
    """Calls one after the other: each comes after the one before it, besides what it says itself."""
    linked = [
        replace(node, after=(*node.after, nodes[number - 1].id)) if number else node
        for number, node in enumerate(nodes)
    ]
    return Graph(name, linked)

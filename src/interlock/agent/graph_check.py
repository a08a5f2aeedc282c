"""A graph is refused at its start where it could not be meant: nothing has run then. A model's plan is read so too."""

from __future__ import annotations

import re
from typing import Any, Final

from interlock.agent.graph import Graph, Node
from interlock.core.canonical import Json, at_pointer, check_json
from interlock.core.references import filled, inputs_in, results_in
from interlock.errors import BadInput
from interlock.registry.registry import Registry

NODES_MAX: Final = 64
"""Calls of one graph (spec: calls of a batch)."""

_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def check(graph: Graph, registry: Registry, given: Json, tools: frozenset[str] | None = None) -> None:
    """Refuse a graph that cannot be meant.

    Args:
        tools: Those that it may call; None for all that there are.

    Raises:
        BadInput: Names the call, what is wrong with it, and the remedy.
    """
    if not _ID.fullmatch(graph.name):
        raise _wrong(graph, "graph.name", "cannot be called that", "Use 1 to 64 of A-Z a-z 0-9 _ . -")
    if not 1 <= len(graph.nodes) <= NODES_MAX:
        raise _wrong(graph, "graph.nodes", f"has {len(graph.nodes)} calls", f"Give it 1 to {NODES_MAX}.")
    for what in (graph.as_json(), given):
        check_json(what)
    earlier: set[str] = set()
    replaced: set[str] = set()
    for node in graph.nodes:
        _check_order(node, earlier)
        _check_call(node, registry, given, tools)
        if node.instead_of and node.instead_of in replaced:
            raise _wrong(node, "graph.instead_of", f"is a second one for {node.instead_of!r}", "Chain fallbacks.")
        replaced.add(node.instead_of)
        earlier.add(node.id)
    for name in graph.merge.nodes if graph.merge is not None else ():
        if name not in earlier:
            raise _wrong(graph, "graph.merge", f"merges {name!r}, which is none of its calls", "Name its calls.")


def _check_order(node: Node, earlier: set[str]) -> None:
    if not _ID.fullmatch(node.id):
        raise _wrong(node, "graph.node", "has no id that can be told", "Use 1 to 64 of A-Z a-z 0-9 _ . -")
    if node.id in earlier:
        raise _wrong(node, "graph.node", "is there twice", "Name each call once.")
    for name in sorted(node.needs | ({node.instead_of} - {""})):
        if name not in earlier:
            raise _wrong(node, "graph.reference", f"needs {name!r}, which is no call before it",
                      "Refer to calls that stand before it.")  # fmt: skip


def _check_call(node: Node, registry: Registry, given: Json, tools: frozenset[str] | None) -> None:
    found = registry.find(node.tool)
    if found is None or found.withheld or (tools is not None and node.tool not in tools):
        near = [name for name in registry.closest(node.tool) if tools is None or name in tools]
        raise _wrong(node, "graph.tool", f"calls {node.tool!r}, which cannot be called",
                  f"Did you mean {near[0]!r}?" if near else "Use one of your tools.")  # fmt: skip
    if found.tool.starts == "peer":
        raise _wrong(node, "graph.peer", "would hand the user over, and a graph has none",
                     "Have a worker do it: `ask_` and its name.")  # fmt: skip
    for where in inputs_in(node.arguments):
        try:
            at_pointer(given, where)
        except BadInput:
            raise _wrong(node, "graph.input", f"takes {where!r} of the input, which is not there", "Give it.") from None
    if not any(results_in(node.arguments)):
        value: dict[str, Any] = filled(dict(node.arguments), {}, given, with_input=True)
        if problems := found.foreseen(value):
            raise _wrong(node, "graph.arguments", f"would not be a valid call: {problems[0]}", "Correct its arguments.")


def _wrong(where: Graph | Node, code: str, what: str, remedy: str) -> BadInput:
    named = f"graph {where.name!r}" if isinstance(where, Graph) else f"call {where.id!r}"
    return BadInput(f"{named} {what}", code=code, remedy=remedy)

"""What rules may name: the actions, groups, entities and facts that the tools make, with their types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType

from interlock.cli.layout import fields, heading
from interlock.cli.output import Report
from interlock.core.tool import Tool
from interlock.policy.memo import WHOLE
from interlock.policy.schema import PRINCIPAL, SESSION, TIME, TOOL, ToolTypes, cedar_schema, types_of
from interlock.policy.shape import Shape, record


def vocabulary(tools: Sequence[Tool]) -> Report:
    """Cedar's schema for a program, and the same as a list for a person.

    Raises:
        PolicyError: A tool cannot be named in a policy, or two tools differ about an entity.
    """
    lookups = {tool.name: tool for tool in tools}
    every = [types_of(tool, lookups) for tool in tools]
    everywhere = record({"principal": PRINCIPAL, "context": record({"tool": TOOL, "session": SESSION, "time": TIME})})
    view: list[RenderableType] = [heading("Everywhere"), fields(_paths("", everywhere))]
    for types in every:
        view += [heading(f'Action::"{types.action}"'), fields(_of(types))]
    return Report({"schema": cedar_schema(every, WHOLE)}, view)


def _of(types: ToolTypes) -> Iterator[tuple[str, str]]:
    yield "in", ", ".join(f'"{group}"' for group in sorted(types.groups.difference({types.action})))
    yield "resource", " or ".join(types.resources)
    if types.entity is not None:
        yield from _paths("resource", types.attributes)
    yield from _paths("context.arguments", types.context.fields["arguments"])
    yield from _paths("context.counts", types.context.fields["counts"])


def _paths(where: str, shape: Shape) -> Iterator[tuple[str, str]]:
    """Each value below a record as a rule writes it, with its type; `?` after one that may be absent."""
    for name, part in shape.fields.items():
        path = f"{where}.{name}" if where else name
        if part.kind == "record" and part.fields:
            yield from _paths(path, part)
        else:
            yield path, _said(part) + ("" if name in shape.required else "?")


def _said(shape: Shape) -> str:
    if shape.item is not None:
        return f"set of {_said(shape.item)}"
    return {"instant": "datetime"}.get(shape.kind, shape.kind)

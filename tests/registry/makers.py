"""What the tests of the registry share: a call, a body that does nothing, tools of one line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from interlock.core.call import Outcome, Stop, ToolCall, ValidCall
from interlock.core.principal import Principal
from interlock.core.tool import CallContext, Tool
from interlock.registry.define import foreign_tool
from interlock.registry.registry import Registry
from interlock.registry.validate import validate

CONTEXT = CallContext(
    run_id="run_1",
    call_id="call_1",
    attempt=1,
    idempotency_key="key",
    principal_id="user_1",
    tenant="default",
    deadline_s=5.0,
)


async def nothing(arguments: dict[str, Any], context: CallContext) -> object:
    return None


def call(tool: str, arguments: Any) -> ToolCall:
    return ToolCall(run_id="run_1", call_id="call_1", tool=tool, arguments=arguments, principal=Principal("user_1"))


def foreign(name: str, schema: Mapping[str, Any] | None = None, **options: Any) -> Tool:
    given = {"type": "object", "properties": {}} if schema is None else schema
    return foreign_tool(
        name, options.pop("server", "far"), options.pop("description", "Does a thing."), given, nothing, **options
    )


def valid(registry: Registry, tool: str, arguments: Any) -> ValidCall:
    state = validate(call(tool, arguments), registry)
    assert isinstance(state, ValidCall), state
    return state


def refused(registry: Registry, tool: str, arguments: Any) -> Outcome:
    stop = validate(call(tool, arguments), registry)
    assert isinstance(stop, Stop)
    assert stop.gate == "validate"
    return stop.outcome


def faults(outcome: Outcome) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in outcome.problems]


def rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def of_data(data_dir: Path, folders: Iterable[str]) -> dict[str, list[Tool]]:
    """The tool definitions of the data folder as foreign tools, by folder."""
    return {folder: list(_tools(data_dir / folder, folder)) for folder in folders}


def _tools(folder: Path, name: str) -> Iterator[Tool]:
    if name == "openapi_ops":
        yield from (_operation(row) for row in rows(folder / "ops.jsonl.gz"))
        return
    for row in rows(folder / "tools.jsonl.gz"):
        schema = row.get("inputSchema") or row["input_schema"]
        claims = {key: row[key] for key in ("title", "annotations", "execution") if key in row}
        yield foreign(
            row["name"],
            schema,
            server=row.get("server", name),
            description=row.get("description") or "",
            output_schema=row.get("outputSchema"),
            claims=claims,
        )


def _operation(row: dict[str, Any]) -> Tool:
    """An operation of an OpenAPI document as a tool: one argument for each parameter and body property."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in row["params"]:
        part = {"type": parameter["type"]} if parameter["type"] else {}
        if parameter["enum"]:
            part["enum"] = parameter["enum"]
        properties[parameter["name"]] = part
        if parameter["required"]:
            required.append(parameter["name"])
    body = row["body"] or {"props": [], "required": []}
    for name in body["props"]:
        properties.setdefault(name, {})
    required += [name for name in body["required"] if name not in required]
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = required
    name = row["name"].replace("/", ".")[:64]
    return foreign(name, schema, server=row["api"], description=row["summary"] or row["description"] or "")

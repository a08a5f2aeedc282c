"""Every operation of a document, called through the path."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from interlock import Principal, Settings, open_plane
from interlock.core.tool import Tool
from interlock.errors import DefinitionError
from interlock.registry.schema import compile_schema
from interlock.sources.openapi import Service as Said
from interlock.sources.openapi import import_openapi
from interlock.sources.openapi_call import Call
from interlock.sources.openapi_document import Document
from proof.openapi.service import Got, Service
from proof.openapi.values import value_of

_RUN = 100
"""Calls of one run."""


class Called(NamedTuple):
    """What became of the calls of one document.

    Attributes:
        calls: Calls that were made.
        arrived: Calls that the server read as their operation, with their values, and whose outcome was `done`.
        unmade: Operations of whose schema no valid arguments could be made.
        slips: What went wrong, one line each.
    """

    name: str
    calls: int
    arrived: int
    unmade: int
    slips: list[str]


async def call_all(name: str, document: Document, said: Callable[[str, str], Said], most: int) -> Called:
    """Call each operation once, valid arguments in, and hold what arrived against what was given."""
    slips: list[str] = []
    calls = arrived = unmade = 0
    with Service(document.root["paths"]) as server:
        tools = import_openapi(document, said(name, server.url)).tools[:most]
        settings = Settings(ledger=None, mode="evaluate_only", limits={"calls_max": _RUN})
        async with open_plane(settings, tools=tools, engine=False) as plane:
            for begin in range(0, len(tools), _RUN):
                async with plane.run(Principal("ana", roles=frozenset({"support"}))) as run:
                    for tool in tools[begin : begin + _RUN]:
                        arguments, server.answer = made(tool.input_schema), made(tool.output_schema)
                        if arguments is None:
                            unmade += 1
                            continue
                        calls += 1
                        server.got.clear()
                        outcome = await run.call(tool.name, arguments)
                        if why := _wrong(tool, arguments, server.got, outcome):
                            slips.append(f"{tool.name}: {why}")
                        else:
                            arrived += 1
    return Called(name, calls, arrived, unmade, slips)


def made(schema: Mapping[str, Any] | None) -> Any:
    """A value of a schema; None where none could be made, or nothing is promised."""
    if schema is None:
        return None
    compiled = compile_schema(schema)

    def matches(part: Mapping[str, Any], value: Any) -> bool:
        whole = {**part, "$defs": schema.get("$defs", {})} if "$ref" in str(part) else part
        try:
            return compile_schema(whole).is_valid(value)
        except DefinitionError:  # more references than a whole schema may have: any guess will do
            return True

    value = value_of(schema, schema, matches)
    return value if compiled.is_valid(value) else None


def _wrong(tool: Tool, arguments: dict[str, Any], got: list[Got | None], outcome: Any) -> str:
    """What is not as it should be; empty for nothing."""
    call = tool.body
    assert isinstance(call, Call)
    if outcome.kind not in ("done", "withheld"):
        return f"{outcome.kind} {outcome.code} {outcome.message}"
    if len(got) != 1 or got[0] is None:
        return "it arrived as no operation of the document"
    [arrived] = got
    operation = call.operation
    if operation.template.text not in arrived.routes:
        return f"it arrived as {[*arrived.routes]}"
    values = arrived.routes[operation.template.text]
    query = parse_qsl(arrived.query, keep_blank_values=True)
    for each in operation.parameters:
        value = arguments.get(each.argument)
        if isinstance(value, str | int) and not isinstance(value, bool):
            there = {"path": values.get(each.name), "header": arrived.headers.get(each.name.lower())}
            if each.place in there and there[each.place] != str(value) and each.style == "simple" and not each.as_json:
                return f"{each.name} arrived as {there[each.place]!r}"
            if (
                each.place == "query"
                and each.style == "form"
                and not each.as_json
                and (each.name, str(value)) not in query
            ):
                return f"{each.name} is not in the query"
    body = operation.body
    if body is not None and body.kind == "json" and (value := body.value(arguments)) is not None:
        return "" if json.loads(arrived.body) == value else "its body arrived as another"
    if body is not None and body.kind == "form" and (value := body.value(arguments)) is not None:
        scalars = {(name, part) for name, part in value.items() if isinstance(part, str)}
        return "" if scalars <= set(parse_qsl(arrived.body.decode(), keep_blank_values=True)) else "its form is another"
    return ""

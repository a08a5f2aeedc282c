"""Provider formats from one definition, out and in. REQUIREMENTS A2; issue «Shown by» 3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interlock.core.tool import Effect, Tool
from interlock.errors import DefinitionError
from interlock.registry.define import tool
from interlock.registry.formats import Format, described, offer, own_names, tool_in, tool_out, tools_out, wire_name
from interlock.registry.gemini import project
from interlock.registry.registry import Registry
from tests.registry.makers import foreign, nothing, of_data

LOSSLESS = (Format.OPENAI_CHAT, Format.OPENAI_RESPONSES, Format.ANTHROPIC, Format.MCP)


@tool(effect="reversible", keyed=True, roles={"to": "target"})
def send_note(to: str, text: str = "hi") -> dict[str, str]:
    """Send a note."""
    return {}


SCHEMA = send_note.input_schema


@pytest.mark.parametrize(
    ("format", "entry"),
    [
        (
            Format.OPENAI_CHAT,
            {
                "type": "function",
                "function": {"name": "send_note", "description": "Send a note.", "parameters": SCHEMA},
            },
        ),
        (
            Format.OPENAI_RESPONSES,
            {
                "type": "function",
                "name": "send_note",
                "description": "Send a note.",
                "parameters": SCHEMA,
                "strict": False,
            },
        ),
        (Format.ANTHROPIC, {"name": "send_note", "description": "Send a note.", "input_schema": SCHEMA}),
        (
            Format.GEMINI,
            {"name": "send_note", "description": "Send a note.", "parameters": project(SCHEMA).schema},
        ),
        (
            Format.MCP,
            {
                "name": "send_note",
                "description": "Send a note.",
                "inputSchema": SCHEMA,
                "outputSchema": send_note.output_schema,
                "annotations": {
                    "readOnlyHint": False,
                    "destructiveHint": False,
                    "idempotentHint": True,
                    "openWorldHint": False,
                },
            },
        ),
    ],
)
def test_one_definition_in_each_format(format: Format, entry: dict[str, Any]) -> None:
    assert tool_out(send_note, format) == entry
    assert "target" not in str(tool_out(send_note, format)), "a model is not told what policy sees in an argument"


def test_a_list_is_in_the_order_given() -> None:
    tools = [foreign("b"), foreign("a")]
    assert [entry["name"] for entry in tools_out(tools, Format.ANTHROPIC)] == ["b", "a"]
    (wrapped,) = tools_out(tools, Format.GEMINI)
    assert [entry["name"] for entry in wrapped["functionDeclarations"]] == ["b", "a"]
    assert tools_out([], Format.GEMINI) == []


def test_a_dot_becomes_an_underscore_where_none_is_taken_and_the_way_back_is_known() -> None:
    assert wire_name("math.hypot", Format.OPENAI_CHAT) == wire_name("math.hypot", Format.ANTHROPIC) == "math_hypot"
    assert wire_name("math.hypot", Format.GEMINI) == wire_name("math.hypot", Format.MCP) == "math.hypot"
    assert own_names([foreign("math.hypot"), foreign("add")], Format.OPENAI_RESPONSES) == {
        "math_hypot": "math.hypot",
        "add": "add",
    }
    with pytest.raises(DefinitionError):  # so the way back is never two ways
        Registry([foreign("math.hypot"), foreign("math_hypot")])


def test_a_deprecated_tool_tells_what_to_use() -> None:
    old = foreign("old", deprecated="Use new.")
    assert described(old) == "Does a thing.\n\nDeprecated: Use new."
    assert offer(old).description == described(old)
    assert offer(send_note).input_schema is SCHEMA


def test_a_result_that_is_no_object_has_no_schema_in_mcp() -> None:
    @tool(effect="read")
    def count() -> int:
        """Count."""
        return 1

    assert "outputSchema" not in tool_out(count, Format.MCP)
    assert tool_out(count, Format.MCP)["annotations"]["readOnlyHint"] is True


def test_what_a_foreign_server_claims_goes_out_as_it_came_in() -> None:
    entry = {
        "name": "list",
        "description": "List.",
        "inputSchema": {"type": "object"},
        "outputSchema": {"type": "object"},
        "title": "List",
        "annotations": {"readOnlyHint": True},
        "icons": [{"src": "data:"}],
        "_meta": {"a": 1},
    }
    far = tool_in(entry, Format.MCP, server="far", body=nothing)
    assert far.effect is Effect.PRIVILEGED, "a claim never lowers (defect 21)"
    assert tool_out(far, Format.MCP) == entry


@pytest.mark.parametrize(
    ("format", "entry"),
    [
        (Format.OPENAI_CHAT, {"type": "function"}),
        (Format.OPENAI_CHAT, {"function": {"name": "a"}}),
        (Format.OPENAI_RESPONSES, {"name": "a", "parameters": []}),
        (Format.ANTHROPIC, {"input_schema": {}}),
        (Format.ANTHROPIC, {"name": "a", "description": 5, "input_schema": {}}),
        (Format.GEMINI, {"name": "a"}),
        (Format.MCP, {"name": 5, "inputSchema": {}}),
        (Format.MCP, {"name": "a", "inputSchema": {}, "outputSchema": 5}),
    ],
)
def test_an_entry_of_another_form_is_refused(format: Format, entry: dict[str, Any]) -> None:
    """Defect 8: no schema, no registration."""
    with pytest.raises(DefinitionError) as caught:
        tool_in(entry, format, server="far", body=nothing)
    assert caught.value.code == "definition.format"


def test_gemini_takes_json_schema_too() -> None:
    entry = {"name": "a", "parametersJsonSchema": {"type": "object"}}
    assert tool_in(entry, Format.GEMINI, server="far", body=nothing).input_schema == {"type": "object"}


def back(made: Tool, format: Format) -> Tool:
    """The tool out and in again, with what only the operator says put back."""
    entry = tool_out(made, format)
    return tool_in(entry, format, server=made.server, body=nothing)


@pytest.mark.parametrize("folder", ["mcp_reference_tools", "bfcl_v4", "seal_tools", "openapi_ops"])
def test_every_definition_of_the_data_folder_goes_out_and_comes_in(data_dir: Path, folder: str) -> None:
    """Issue «Shown by» 3."""
    (tools,) = of_data(data_dir, [folder]).values()
    assert tools
    for made in tools:
        for format in LOSSLESS:
            again = back(made, format)
            assert again.name == wire_name(made.name, format)
            assert (again.description, again.input_schema) == (made.description, made.input_schema)
            assert again.digest == made.digest or format is not Format.MCP or made.output_schema is None
        entry = tool_out(made, Format.GEMINI)
        again = back(made, Format.GEMINI)
        assert tool_out(again, Format.GEMINI) == entry


def test_an_mcp_definition_keeps_its_digest_out_and_in(data_dir: Path) -> None:
    """T6: nothing of it is lost on the way, so that a pin made on one side holds on the other."""
    (tools,) = of_data(data_dir, ["mcp_reference_tools"]).values()
    assert len(tools) == 58
    for made in tools:
        assert back(made, Format.MCP).digest == made.digest

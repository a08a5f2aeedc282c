"""A server's definition as a tool."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.core.tool import CallContext, Effect
from interlock.errors import DefinitionError
from interlock.registry.schema import compile_schema
from interlock.sources.mcp_tools import Profile, raised, result_schema, tool_of

OPEN = {"type": "object"}


async def body(arguments: dict[str, Any], context: CallContext) -> object:
    return None


def definition(**said: Any) -> dict[str, Any]:
    return {"name": "one", "description": "Does it.", "inputSchema": OPEN, **said}


def test_everything_that_a_server_says_is_in_the_identity_of_its_tool() -> None:
    """T6: a byte anywhere in the definition makes it another tool."""
    profile = Profile(server="far", prefix="far__")
    plain = tool_of(definition(), profile, body)
    assert (plain.name, plain.server, plain.effect, plain.sealed) == ("far__one", "far", Effect.PRIVILEGED, False)
    for said in (
        {"description": "Does it!"}, {"title": "x"}, {"annotations": {"readOnlyHint": True}}, {"icons": []},
        {"_meta": {"a": 1}}, {"outputSchema": OPEN}, {"inputSchema": {**OPEN, "title": "x"}}, {"unheard": "of"},
    ):  # fmt: skip
        assert tool_of(definition(**said), profile, body).digest != plain.digest, said


@pytest.mark.parametrize(
    ("effect", "annotations", "graver"),
    [
        (Effect.READ, None, Effect.READ),
        (Effect.READ, {"readOnlyHint": True, "destructiveHint": True}, Effect.READ),
        (Effect.READ, {"readOnlyHint": False}, Effect.REVERSIBLE),
        (Effect.READ, {"destructiveHint": True}, Effect.IRREVERSIBLE),
        (Effect.PRIVILEGED, {"readOnlyHint": True}, Effect.PRIVILEGED),
        (Effect.IRREVERSIBLE, {"readOnlyHint": True, "destructiveHint": False}, Effect.IRREVERSIBLE),
        (Effect.READ, "not a table", Effect.READ),
    ],
)
def test_what_a_server_claims_makes_an_effect_graver_and_never_milder(
    effect: Effect, annotations: object, graver: Effect
) -> None:
    """T10."""
    assert raised(effect, annotations) is graver


def test_the_operators_word_on_a_tool_goes_by_the_servers_name_of_it() -> None:
    said = Profile(server="far", prefix="x__", options={"one": {"effect": "read", "outward": True, "timeout_s": 5.0}})
    tool = tool_of(definition(), said, body)
    assert (tool.effect, tool.outward, tool.timeout_s) == (Effect.READ, True, 5.0)


def test_a_declared_result_is_checked_within_the_whole_one_its_references_with_it() -> None:
    output = {
        "type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}, "required": ["n"],
        "$defs": {"n": {"type": "integer", "enum": [1, 2], "default": {"$ref": "#/x"}}},
    }  # fmt: skip
    schema = compile_schema(result_schema(output) or {})
    assert schema.is_valid({"content": [], "structuredContent": {"n": 1}})
    for wrong in ({"structuredContent": {"n": 3}}, {"structuredContent": {}}, {"content": []}):
        assert not schema.is_valid(wrong)


@pytest.mark.parametrize(
    "wrong", [{"name": None}, {"inputSchema": None}, {"description": 7}, {"inputSchema": {"a": "x" * (1 << 19)}}]
)
def test_what_is_no_definition_is_no_tool(wrong: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError):
        tool_of(definition(**wrong), Profile(server="far"), body)

"""Gemini's subset: what it can say, and an honest list of what it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interlock.registry.gemini import project, unproject
from tests.registry.makers import of_data


def same(schema: dict[str, Any]) -> dict[str, Any]:
    """The projection of a schema of which nothing is lost."""
    projection = project(schema)
    assert projection.dropped == ()
    return projection.schema


def lost(schema: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    projection = project(schema)
    return projection.schema, projection.dropped


def test_types_are_written_large_and_bounds_stay() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "description": "All.",
        "properties": {
            "n": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
            "s": {"type": "string", "pattern": "^a", "maxLength": 3, "format": "date"},
            "l": {"type": "array", "items": {"type": "boolean"}, "maxItems": 2},
        },
        "required": ["n"],
    }
    assert same(schema) == {
        "type": "OBJECT",
        "description": "All.",
        "properties": {
            "n": {"type": "INTEGER", "minimum": 1, "maximum": 9, "default": 3},
            "s": {"type": "STRING", "pattern": "^a", "maxLength": 3, "format": "date"},
            "l": {"type": "ARRAY", "items": {"type": "BOOLEAN"}, "maxItems": 2},
        },
        "required": ["n"],
    }


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}),
        ({"type": ["string", "integer"]}, {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "STRING", "nullable": True}),
        ({"anyOf": [{"type": "null"}]}, {"nullable": True}),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}),
        ({"enum": ["a", "b"]}, {"type": "STRING", "enum": ["a", "b"]}),
        ({"enum": ["a", None]}, {"type": "STRING", "enum": ["a"], "nullable": True}),
        ({"const": "a"}, {"type": "STRING", "enum": ["a"]}),
        ({"allOf": [{"type": "string"}]}, {"type": "STRING"}),
        ({"properties": {"a": True}}, {"properties": {"a": {}}}),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"type": "string"}}}, {"type": "STRING"}),
        (
            {"$ref": "#/$defs/A", "description": "Mine.", "$defs": {"A": {"type": "string", "description": "Its."}}},
            {"type": "STRING", "description": "Mine."},
        ),
    ],
)
def test_what_can_be_said_otherwise_is(schema: dict[str, Any], said: dict[str, Any]) -> None:
    assert same(schema) == said


@pytest.mark.parametrize(
    ("schema", "said", "dropped"),
    [
        ({"type": "object", "additionalProperties": False}, {"type": "OBJECT"}, "/additionalProperties"),
        ({"exclusiveMinimum": 1}, {}, "/exclusiveMinimum"),
        ({"type": "integer", "enum": [1, 2]}, {"type": "INTEGER"}, "/enum"),
        ({"const": 5}, {}, "/const"),
        ({"enum": ["a"], "const": "a"}, {"enum": ["a"], "type": "STRING"}, "/const"),
        ({"oneOf": [{"type": "string"}]}, {"type": "STRING"}, "/oneOf: that only one alternative may fit"),
        ({"items": [{"type": "string"}]}, {}, "/items"),
        ({"allOf": [{"type": "string"}, {"maxLength": 3}]}, {"type": "STRING"}, "/allOf: all but the first part"),
        ({"allOf": [{"maxLength": 3}], "maxLength": 5}, {"maxLength": 5}, "/allOf/0/maxLength"),
        (
            {"anyOf": [{"type": "null"}, {"maxLength": 3}], "maxLength": 5},
            {"maxLength": 5, "nullable": True},
            "/anyOf/maxLength",
        ),
        ({"$ref": "#/$defs/none"}, {}, "/$ref: what #/$defs/none says"),
        ({"$ref": "http://far/"}, {}, "/$ref: what http://far/ says"),
        ({"properties": {"a": False}}, {"properties": {"a": {}}}, "/properties/a: that nothing is valid"),
    ],
)
def test_what_cannot_be_said_is_named(schema: dict[str, Any], said: dict[str, Any], dropped: str) -> None:
    shown, names = lost(schema)
    assert any(dropped in name for name in names)
    assert shown == said


def test_a_schema_within_itself_ends_and_says_so() -> None:
    below = {"type": "object", "properties": {"below": {"$ref": "#/$defs/N"}}}
    schema = {**below, "$defs": {"N": below}}
    shown, names = lost(schema)
    assert shown["properties"]["below"]["properties"]["below"] == {"type": "OBJECT"}
    assert names == ("/properties/below/properties/below/$ref: what #/$defs/N says (it refers to itself)",)


def test_references_that_double_end_too() -> None:
    """T31."""
    defs: dict[str, Any] = {"d20": {"type": "integer"}}
    for level in range(20):
        defs[f"d{level}"] = {"properties": {key: {"$ref": f"#/$defs/d{level + 1}"} for key in "ab"}}
    _, names = lost({"$defs": defs, "$ref": "#/$defs/d0"})
    assert any("too many" in name for name in names)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": ["string", "null"]}, "b": {"type": "array", "items": {}}}},
        {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
        {"type": ["string", "null"], "enum": ["a", None]},
    ],
)
def test_a_projection_without_loss_leads_back(schema: dict[str, Any]) -> None:
    assert unproject(same(schema)) == schema


def test_anything_else_is_handed_through() -> None:
    assert unproject(True) is True
    assert unproject({"propertyOrdering": ["a"], "nullable": False, "properties": 5}) == {"properties": 5}
    assert unproject({"nullable": True}) == {}
    assert unproject({"nullable": True, "enum": ["a"]}) == {"enum": ["a", None]}


def test_the_data_folders_definitions_are_projected(data_dir: Path) -> None:
    """Issue «Shown by» 3: what is not named as lost leads back exactly."""
    whole = tried = 0
    for tools in of_data(data_dir, ("mcp_reference_tools", "bfcl_v4", "seal_tools", "openapi_ops")).values():
        for tool in tools:
            tried += 1
            projection = project(tool.input_schema)
            source = {key: part for key, part in tool.input_schema.items() if key != "$schema"}
            if not projection.dropped and not any(word in str(source) for word in ("$ref", "anyOf", "'type': [")):
                whole += 1
                assert unproject(projection.schema) == source
    assert tried > 8_000
    assert whole > 0.7 * tried

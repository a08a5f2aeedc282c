"""Schemas compared: never a promise that an example breaks. A5; threat T7."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.errors import DefinitionError
from interlock.registry.schema import compile_schema
from interlock.registry.schema_change import SchemaChange, parameters, schema_change

TEXT = {"type": "string"}


def closed(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object", "properties": properties, "required": required or [], "additionalProperties": False
    }  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (closed(a=TEXT), closed(a={**TEXT, "description": "Other words.", "default": "x"}), "same"),
        (closed(a=TEXT), closed(a=TEXT, bcc=TEXT), "widened"),
        (closed(a=TEXT, b=TEXT), closed(a=TEXT), "narrowed"),
        (closed(a=TEXT), closed(["a"], a=TEXT), "narrowed"),
        (closed(["a"], a=TEXT), closed(a=TEXT), "widened"),
        (closed(a=TEXT), {**closed(a=TEXT), "additionalProperties": True}, "widened"),
        (closed(a=TEXT), closed(a={"type": "integer"}), "incompatible"),
        (closed(["a"], a=TEXT), closed(["b"], b=TEXT), "incompatible"),
        (closed(a={"type": "integer"}), closed(a={"type": "number"}), "widened"),
        (closed(a={"enum": ["x", "y"]}), closed(a={"enum": ["x"]}), "narrowed"),
        (closed(a={"enum": ["x"]}), closed(a={"enum": ["x", "y"]}), "widened"),
        (closed(a={"enum": ["x"]}), closed(a=TEXT), "widened"),
        (closed(a={"enum": [True]}), closed(a={"enum": [1]}), "incompatible"),
        (closed(a={"type": "integer", "maximum": 5}), closed(a={"type": "integer", "maximum": 9}), "widened"),
        (closed(a={"type": "integer", "minimum": 5}), closed(a={"type": "integer", "minimum": 9}), "narrowed"),
        (closed(a={"type": "integer", "minimum": 5}), closed(a={"type": "integer", "exclusiveMinimum": 5}), "narrowed"),
        (closed(a={"type": "integer", "multipleOf": 2}), closed(a={"type": "integer", "multipleOf": 4}), "narrowed"),
        (closed(a=TEXT), closed(a={**TEXT, "pattern": "^a"}), "narrowed"),
        (closed(a={**TEXT, "pattern": "^a"}), closed(a={**TEXT, "pattern": "^ab?"}), "unknown"),
        (closed(a=TEXT), closed(a={"anyOf": [TEXT, {"type": "null"}]}), "widened"),
        (closed(a={"anyOf": [TEXT, {"type": "null"}]}), closed(a=TEXT), "narrowed"),
        (closed(a={"type": "array", "items": TEXT}), closed(a={"type": "array"}), "widened"),
        (closed(a={"items": TEXT}), closed(a={"items": TEXT, "maxItems": 3}), "narrowed"),
        (
            {**closed(a={"$ref": "#/$defs/A"}), "$defs": {"A": TEXT}},
            {**closed(a={"$ref": "#/$defs/A"}), "$defs": {"A": {**TEXT, "maxLength": 3}}},
            "narrowed",
        ),
        (closed(a=TEXT), {**closed(a={"$ref": "#/$defs/A"}), "$defs": {"A": TEXT}}, "same"),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}, closed(a=TEXT), "unknown"),
        (
            {"contains": TEXT, "type": "array"}, {"contains": TEXT, "type": "array", "minContains": 0}, "unknown",
        ),
        (
            {**closed(a={"$ref": "#/$defs/A"}), "$defs": {"A": TEXT}, "$schema": "http://json-schema.org/draft-07/schema#"},
            {**closed(a={"$ref": "#/$defs/A", "maxLength": 3}), "$defs": {"A": TEXT},
             "$schema": "http://json-schema.org/draft-07/schema#"},
            "same",
        ),
    ],
)  # fmt: skip
def test_the_common_changes_are_told_apart(before: Any, after: Any, change: str) -> None:
    assert schema_change(before, after) == SchemaChange(change)


_LEAVES = st.sampled_from(
    [
        {"type": "string"}, {"type": "string", "maxLength": 2}, {"type": "string", "minLength": 1}, {"type": "integer"},
        {"type": "number", "minimum": 1}, {"type": "number", "exclusiveMinimum": 1}, {"type": "integer", "maximum": 1},
        {"enum": ["a", 1, None]}, {"const": "a"}, {"type": ["string", "null"]}, {"multipleOf": 2}, {}, True, False,
        {"type": "boolean"}, {"not": {"type": "string"}}, {"type": "string", "pattern": "^a"},
    ]
)  # fmt: skip
_SCHEMAS = st.recursive(
    _LEAVES,
    lambda inner: (
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2)},
            optional={
                "required": st.lists(st.sampled_from("ab"), unique=True, max_size=2), "additionalProperties": inner,
                "maxProperties": st.integers(0, 2),
            },
        )
        | st.fixed_dictionaries({"items": inner}, optional={"type": st.just("array"), "maxItems": st.integers(0, 2)})
        | st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=2)}, optional={"maxLength": st.just(1)})
        | st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=2)})
        | st.fixed_dictionaries({"oneOf": st.lists(inner, min_size=1, max_size=2)})
    ),
    max_leaves=4,
)  # fmt: skip
_VALUES = st.recursive(
    st.sampled_from(["", "a", "ab", "abc", 0, 1, 2, 0.5, 1.5, True, False, None]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=200, deadline=None)
@given(before=_SCHEMAS, after=_SCHEMAS, values=st.lists(_VALUES, min_size=10, max_size=25))
def test_no_value_breaks_what_was_said_of_two_schemas(before: Any, after: Any, values: list[Any]) -> None:
    try:
        was, now = compile_schema(before), compile_schema(after)
    except DefinitionError:
        return
    change = schema_change(before, after)
    for value in values:
        if change in (SchemaChange.SAME, SchemaChange.WIDENED):
            assert now.is_valid(value) or not was.is_valid(value), (change, value)
        if change in (SchemaChange.SAME, SchemaChange.NARROWED):
            assert was.is_valid(value) or not now.is_valid(value), (change, value)


@settings(max_examples=100, deadline=None)
@given(schema=_SCHEMAS)
def test_a_schema_is_the_same_as_itself(schema: Any) -> None:
    assert schema_change(schema, schema) is SchemaChange.SAME


def test_every_parameter_is_found_at_any_depth() -> None:
    schema = closed(to=TEXT, more={"type": "array", "items": closed(bcc=TEXT)})
    assert list(parameters(schema)) == ["/to", "/more", "/more/bcc"]

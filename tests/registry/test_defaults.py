"""Defaults: applied once, before hashing. Defect 9."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.registry.defaults import filler

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "limit": {"type": "integer", "default": 5},
        "tags": {"type": "array", "items": {"type": "string"}, "default": []},
        "window": {"$ref": "#/$defs/Window"},
        "rows": {"type": "array", "items": {"$ref": "#/$defs/Row"}},
        "choice": {"anyOf": [{"$ref": "#/$defs/Row"}, {"type": "null"}]},
        "plain": {"type": "string"},
    },
    "$defs": {
        "Window": {"type": "object", "properties": {"days": {"default": 7}, "row": {"$ref": "#/$defs/Row"}}},
        "Row": {"type": "object", "properties": {"n": {"default": 1}, "below": {"$ref": "#/$defs/Row"}}},
    },
}


def test_defaults_are_filled_through_objects_lists_and_references() -> None:
    fill = filler(SCHEMA)
    assert fill is not None
    assert fill({}) == {"limit": 5, "tags": []}
    assert fill({"limit": 1, "window": {}, "rows": [{}, {"n": 2}, 3]}) == {
        "limit": 1,
        "tags": [],
        "window": {"days": 7},
        "rows": [{"n": 1}, {"n": 2}, 3],
    }
    assert fill({"limit": 1, "tags": ["a"], "window": {"row": {}}})["window"] == {"days": 7, "row": {"n": 1}}


def test_what_is_not_certain_is_not_filled() -> None:
    """Under alternatives it is not known which is meant; a schema within itself ends at its first repetition."""
    fill = filler(SCHEMA)
    assert fill is not None
    filled = fill({"choice": {}, "window": {"row": {"below": {}}}})
    assert filled["choice"] == {}
    assert filled["window"]["row"] == {"n": 1, "below": {}}


def test_the_given_object_is_not_changed_and_defaults_are_not_shared() -> None:
    fill = filler(SCHEMA)
    assert fill is not None
    given: dict[str, Any] = {"window": {}, "rows": [{}]}
    first, second = fill(given), fill(given)
    assert given == {"window": {}, "rows": [{}]}
    first["tags"].append("mine")
    assert second["tags"] == []
    assert SCHEMA["properties"]["tags"]["default"] == []


def test_without_defaults_there_is_nothing_to_fill() -> None:
    assert filler({"type": "object", "properties": {"a": {"type": "string"}, "b": True}}) is None
    assert filler({"properties": {"a": {"items": {"type": "string"}}, "b": {"$ref": "#/$defs/none"}}}) is None
    assert filler({"properties": {"a": {"$ref": "http://far/"}, "b": {"$ref": "#/properties/b"}}}) is None


def test_a_value_that_has_everything_is_handed_on_as_it_is() -> None:
    fill = filler(SCHEMA)
    assert fill is not None
    whole: dict[str, Any] = {"limit": 1, "tags": [], "window": {"days": 1}, "rows": [{"n": 1}], "plain": "a"}
    assert fill(whole) is whole


ROW = st.fixed_dictionaries({}, optional={"n": st.integers(), "below": st.just({})})
VALUE = st.fixed_dictionaries(
    {},
    optional={
        "limit": st.integers() | st.none(),
        "window": st.fixed_dictionaries({}, optional={"days": st.integers(), "row": ROW}) | st.text(max_size=2),
        "rows": st.lists(ROW | st.integers(), max_size=3) | st.none(),
        "other": st.integers(),
    },
)


@given(VALUE)
@settings(max_examples=100)
def test_filling_twice_is_filling_once(value: dict[str, Any]) -> None:
    fill = filler(SCHEMA)
    assert fill is not None
    once = fill(value)
    assert fill(once) == once
    assert {key: once[key] for key in value if not isinstance(value[key], dict | list)} == {
        key: part for key, part in value.items() if not isinstance(part, dict | list)
    }

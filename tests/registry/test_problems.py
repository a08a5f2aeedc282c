"""What is said about a fault: enough to repair it, nothing of the value. REQUIREMENTS B1, B18; defect 66."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.core.canonical import Json
from interlock.core.problem import Problem
from interlock.registry.problems import BadArguments, closest
from interlock.registry.schema import compile_schema


def problems(schema: dict[str, Any], value: Any) -> tuple[Problem, ...]:
    return compile_schema(schema).problems(value)


def only(schema: dict[str, Any], value: Any) -> Problem:
    (problem,) = problems(schema, value)
    return problem


@pytest.mark.parametrize(
    ("schema", "value", "said", "allowed"),
    [
        ({"type": "integer"}, "x", "must be of type integer", "integer"),
        ({"type": ["integer", "null"]}, "x", "must be of type integer or null", ["integer", "null"]),
        ({"enum": ["a", "b"]}, "x", "must be one of the allowed values", ["a", "b"]),
        ({"const": "a"}, "x", "must be the one allowed value", "a"),
        ({"minimum": 3}, 1, "must be at least 3", 3),
        ({"exclusiveMinimum": 3}, 3, "must be greater than 3", 3),
        ({"maximum": 3}, 5, "must be at most 3", 3),
        ({"exclusiveMaximum": 3}, 3, "must be less than 3", 3),
        ({"multipleOf": 5}, 3, "must be a multiple of 5", 5),
        ({"maxLength": 2}, "abc", "must have at most 2 characters", 2),
        ({"minLength": 2}, "a", "must have at least 2 characters", 2),
        ({"maxItems": 1}, [1, 2], "must have at most 1 items", 1),
        ({"minItems": 1}, [], "must have at least 1 items", 1),
        ({"maxProperties": 1}, {"a": 1, "b": 2}, "must have at most 1 keys", 1),
        ({"minProperties": 1}, {}, "must have at least 1 keys", 1),
        ({"uniqueItems": True}, [1, 1], "must not have two equal items", None),
        ({"contains": {"type": "string"}}, [1], "must have an item of the required form", None),
        ({"not": {"type": "string"}}, "x", "has a form that is not allowed", None),
        ({"properties": {"a": False}}, {"a": 1}, "is not allowed here", None),
        ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, "has a key whose name is not allowed", None),
        ({"pattern": "^a"}, "x", "must match the pattern", "^a"),
        ({"format": "date"}, "x", "must be a valid date", "date"),
    ],
)
def test_each_keyword_has_its_sentence(schema: dict[str, Any], value: Any, said: str, allowed: Json) -> None:
    problem = only(schema, value)
    assert problem.message.startswith(said)
    assert problem.allowed == allowed


def test_a_keyword_without_a_sentence_is_told_all_the_same() -> None:
    draft7 = "http://json-schema.org/draft-07/schema#"
    (problem,) = problems({"$schema": draft7, "items": [{"type": "string"}], "additionalItems": False}, ["a", "b"])
    assert problem.message == "does not satisfy the schema"


def test_a_missing_key_says_what_it_takes_and_an_example() -> None:
    schema = {
        "type": "object",
        "required": ["kind", "when", "free", "no"],
        "properties": {"kind": {"enum": ["a", "b"]}, "when": {"type": "string", "format": "date"}, "free": True},
    }
    by_field = {problem.field: problem for problem in problems(schema, {})}
    assert by_field["/kind"].allowed == ["a", "b"]
    assert by_field["/kind"].example == "a"
    assert (by_field["/when"].allowed, by_field["/when"].example) == ("string", "2026-03-31")
    assert by_field["/free"].allowed is None
    assert by_field["/no"].example is None


@pytest.mark.parametrize(
    ("part", "example"),
    [
        ({"type": "integer", "examples": [7, 8]}, 7),
        ({"type": "integer", "example": 9}, 9),
        ({"type": "integer", "default": 4}, 4),
        ({"type": "integer"}, None),
        ({"type": "string", "format": "email"}, "name@example.com"),
    ],
)
def test_an_example_is_the_authors_or_the_formats(part: dict[str, Any], example: Json) -> None:
    assert only({"properties": {"a": part}}, {"a": True}).example == example


def test_a_pattern_is_told_with_the_authors_example() -> None:
    problem = only({"properties": {"id": {"pattern": "^p[0-9]+$", "examples": ["p17"]}}}, {"id": "17"})
    assert (problem.allowed, problem.example) == ("^p[0-9]+$", "p17")


def test_an_unknown_key_is_told_the_nearest_that_is_still_free() -> None:
    schema = {"properties": {"property_id": {}, "property_name": {}}, "additionalProperties": False}
    problem = only(schema, {"property_idd": 1, "property_name": 2})
    assert problem.closest == "property_id"
    assert problem.allowed == ["property_id", "property_name"]
    assert only(schema, {"property_id": 1, "property_idd": 1}).closest == "property_name"
    assert only(schema, {"zzz": 1}).closest is None


def test_an_object_without_any_declared_key_says_so() -> None:
    problem = only({"type": "object", "additionalProperties": False}, {"a": 1})
    assert (problem.field, problem.code, problem.message) == ("", "additionalProperties", "takes no keys")


def test_unevaluated_keys_are_unknown_keys() -> None:
    schema = {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}
    assert only(schema, {"b": 1}).field == "/b"


def test_of_alternatives_the_one_that_was_meant_is_told() -> None:
    schema = {
        "anyOf": [
            {"type": "null"},
            {"type": "object", "properties": {"k": {"type": "integer"}}, "required": ["k"]},
            {"type": "object", "properties": {"k": {"const": 1}, "l": {"type": "string"}}, "required": ["k", "l"]},
        ]
    }
    assert [(each.field, each.code) for each in problems(schema, {"k": "x"})] == [("/k", "type")]


def test_where_none_was_meant_the_kinds_are_told() -> None:
    problem = only({"properties": {"a": {"anyOf": [{"type": "string"}, {"enum": [1, 2]}, {"minimum": 5}]}}}, {"a": 3})
    assert problem.code in ("anyOf", "minimum")
    problem = only({"anyOf": [{"type": "string"}, {"type": "null"}]}, 3)
    assert (problem.code, problem.allowed) == ("anyOf", ["string", "null"])
    problem = only({"anyOf": [{"const": 1}, {"const": 2}]}, 3)
    assert problem.allowed is None


def test_of_exclusive_alternatives_two_may_fit() -> None:
    problem = only({"oneOf": [{"type": "integer"}, {"minimum": 3}]}, 5)
    assert "more than one" in problem.message


def test_fields_are_pointers_and_long_names_are_cut() -> None:
    """RFC 6901; a model may name a key at any length."""
    schema = {"properties": {"a/b~c": {"items": {"type": "string"}}}}
    assert only(schema, {"a/b~c": ["x", 1]}).field == "/a~1b~0c/1"
    problem = only({"properties": {}, "additionalProperties": False}, {"k" * 500: 1})
    assert len(problem.field) == 66


def test_a_fault_behind_a_reference_is_told_without_its_hints() -> None:
    schema = {"$defs": {"K": {"type": "string", "examples": ["a"]}}, "properties": {"a": {"$ref": "#/$defs/K"}}}
    problem = only(schema, {"a": 1})
    assert (problem.field, problem.code, problem.allowed) == ("/a", "type", "string")


def test_no_more_than_sixteen_are_told() -> None:
    assert len(problems({"items": {"type": "string"}}, list(range(100)))) == 16
    closed = {"properties": {}, "additionalProperties": False}
    assert len(problems(closed, {f"k{n}": 1 for n in range(100)})) == 16


def test_only_texts_have_a_nearest() -> None:
    assert closest("recieved", ["received", "sent", 5, None]) == "received"
    assert closest("RECEIVED", ["received"]) == "received"
    assert closest(5, ["5"]) is None
    assert closest("a" * 10_000, ["received", "b" * 300]) is None


def test_the_exception_says_all_in_one_line() -> None:
    error = BadArguments(
        (Problem(field="/a", code="x", message="is odd"), Problem(field="", code="y", message="fails"))
    )
    assert str(error) == "/a is odd; / fails"
    assert error.code == "validate.rejected"

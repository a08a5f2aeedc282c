"""From JSON Schema to Cedar's types: what has one type is typed, the rest is reported, nothing is guessed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cedarpy import Schema

from interlock.policy.shape import Gap, Shape, Untyped, cedar_type, fit, pruned, shape_of


def argument(schema: Any, **root: Any) -> tuple[Shape | None, tuple[Gap, ...]]:
    """The shape of one required argument `a`."""
    shape, gaps = shape_of(
        {"type": "object", "properties": {"a": schema}, "required": ["a"], "additionalProperties": False, **root}
    )
    return shape.fields.get("a"), gaps


def kind(schema: Any, **root: Any) -> str:
    shape, gaps = argument(schema, **root)
    assert shape is not None and not gaps, gaps
    return shape.kind


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, "String"),
        ({"enum": ["a", "b"]}, "String"),
        ({"enum": ["a", None]}, "String"),
        ({"const": 3}, "Long"),
        ({"const": True}, "Boolean"),
        ({"type": "integer"}, "Long"),
        ({"type": "number"}, "decimal"),
        ({"type": "boolean"}, "Boolean"),
        ({"type": ["string", "null"]}, "String"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "Long"),
        ({"oneOf": [{"type": "null"}, {"type": "number"}]}, "decimal"),
        ({"allOf": [{"type": "boolean"}]}, "Boolean"),
        ({"type": "string", "format": "date"}, "datetime"),
        ({"type": "string", "format": "date-time"}, "datetime"),
        ({"type": "string", "format": "ipv6"}, "ipaddr"),
        ({"type": "string", "format": "uri"}, "uri"),
        ({"type": "string", "format": "email"}, "email"),
        ({"type": "string", "format": "uuid"}, "String"),
        ({"type": "array", "items": {"type": "string"}}, "set"),
        ({"type": "object", "additionalProperties": False}, "record"),
    ],
)
def test_a_schema_with_one_type_has_a_shape(schema: Any, expected: str) -> None:
    assert kind(schema) == expected


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": ["string", "integer"]}, "more than one type"),
        ({"enum": ["a", 1]}, "more than one type"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "one of several"),
        ({"allOf": [{"type": "string"}, {"minLength": 1}]}, "one of several"),
        (True, "anything is accepted"),
        ({}, "no type"),
        ({"enum": []}, "no type"),
        ({"type": "array"}, "no one type"),
        ({"type": "money"}, "more than one type"),
        ({"type": "array", "items": {}}, "no type"),
        ({"type": "array", "prefixItems": [{"type": "string"}], "items": False}, "no one type"),
        ({"$ref": "#/$defs/nothing"}, "anything is accepted"),
        ({"$ref": "https://example.com/schema"}, "anything is accepted"),
    ],
)
def test_what_has_no_one_type_is_absent_and_reported(schema: Any, why: str) -> None:
    shape, gaps = argument(schema)
    assert shape is None
    assert [gap.field for gap in gaps] == ["/a"] and why in gaps[0].why


def test_references_within_the_schema_are_followed_and_loops_end() -> None:
    defs = {"$defs": {"n": {"$ref": "#/$defs/m"}, "m": {"type": "integer"}}}
    assert kind({"$ref": "#/$defs/n"}, **defs) == "Long"
    shape, gaps = argument(
        {"$ref": "#/$defs/node"},
        **{
            "$defs": {
                "node": {
                    "type": "object",
                    "properties": {"next": {"$ref": "#/$defs/node"}, "name": {"type": "string"}},
                    "additionalProperties": False,
                }
            }
        },
    )
    assert shape is not None and set(shape.fields) == {"name"}
    assert gaps == (Gap("/a/next", "it refers to itself"),)


def test_a_schema_that_doubles_forty_times_runs_out_of_fuel() -> None:
    defs: dict[str, Any] = {"d0": {"type": "string"}}
    for level in range(1, 41):
        ref = {"$ref": f"#/$defs/d{level - 1}"}
        defs[f"d{level}"] = {"type": "object", "properties": {"l": ref, "r": ref}, "additionalProperties": False}
    _, gaps = argument({"$ref": "#/$defs/d40"}, **{"$defs": defs})
    assert any("too large or too deep" in gap.why for gap in gaps)


def test_a_chain_of_a_thousand_references_or_alternatives_ends() -> None:
    defs = {f"d{level}": {"$ref": f"#/$defs/d{level + 1}"} for level in range(1500)}
    schema: Any = {"type": "string"}
    for _ in range(500):
        schema = {"anyOf": [schema, {"type": "null"}]}
    for hostile in ({"$ref": "#/$defs/d0"}, schema):
        shape, gaps = argument(hostile, **{"$defs": defs})
        assert shape is None and "too large or too deep" in gaps[0].why


def test_open_objects_and_cedars_own_names_are_gaps() -> None:
    shape, gaps = shape_of({"type": "object", "properties": {"__entity": {"type": "string"}, "b/c": {}}})
    assert not shape.fields
    assert [gap.field for gap in gaps] == ["", "/__entity", "/b~1c"]


@pytest.mark.parametrize("schema", [{}, {"type": "string"}, {"$ref": "#"}, {"anyOf": []}])
def test_a_schema_that_is_no_object_shows_nothing(schema: dict[str, Any]) -> None:
    shape, gaps = shape_of(schema)
    assert not shape.fields and gaps


def test_only_what_is_required_and_never_null_is_sure_to_be_there() -> None:
    properties = {
        "sure": {"type": "string"},
        "null": {"type": ["string", "null"]},
        "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "ref": {"$ref": "#/$defs/s"},
        "left": {"type": "string"},
    }
    shape, _ = shape_of(
        {
            "type": "object",
            "properties": properties,
            "required": ["sure", "null", "either", "ref"],
            "$defs": {"s": {"type": "string"}},
        }
    )
    assert shape.required == {"sure", "ref"} and set(shape.fields) == set(properties)


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": "integer"}, 5.0, 5),
        ({"type": "integer"}, 2**63 - 1, 2**63 - 1),
        ({"type": "integer"}, -(2**63), -(2**63)),
        ({"type": "number"}, 5, "5.0000"),
        ({"type": "number"}, 0.1, "0.1000"),
        ({"type": "number"}, -0.0, "-0.0000"),
        ({"type": "number"}, 1e-4, "0.0001"),
        ({"type": "array", "items": {"type": "integer"}}, [1, None, 1], [1, 1]),
        ({"type": "string", "format": "date"}, "2026-02-28", "2026-02-28"),
        ({"type": "string", "format": "date-time"}, "2026-02-28T01:02:03.456789+01:00", "2026-02-28T00:02:03.456Z"),
        ({"type": "string", "format": "ipv6"}, "2001:DB8::1", "2001:db8::1"),
        (
            {"type": "string", "format": "uri"},
            "https://A.Example./b?c=d#e",
            {"text": "https://A.Example./b?c=d#e", "scheme": "https", "host": "a.example", "port": 443, "path": "/b"},
        ),
        (
            {"type": "string", "format": "uri"},
            "http://[::1]:8080",
            {"text": "http://[::1]:8080", "scheme": "http", "host": "::1", "port": 8080, "path": ""},
        ),
        (
            {"type": "string", "format": "uri"},
            "urn:a:b",
            {"text": "urn:a:b", "scheme": "urn", "host": "", "path": "a:b"},
        ),
        (
            {"type": "string", "format": "email"},
            "Jo.Li+x@Example.COM",
            {"text": "Jo.Li+x@Example.COM", "local": "Jo.Li+x", "domain": "example.com"},
        ),
        (
            {"type": "object", "properties": {"n": {"type": "integer"}, "s": {"type": "string"}}},
            {"n": 1, "s": None, "other": 2},
            {"n": 1},
        ),
    ],
)  # fmt: skip
def test_a_value_takes_its_shape(schema: Any, value: Any, expected: Any) -> None:
    shape, _ = argument(schema)
    assert shape is not None
    assert fit(shape, value) == expected


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, 1),
        ({"type": "boolean"}, 1),
        ({"type": "integer"}, True),
        ({"type": "integer"}, 2**63),
        ({"type": "integer"}, 1.5),
        ({"type": "integer"}, float("nan")),
        ({"type": "number"}, "1"),
        ({"type": "number"}, True),
        ({"type": "number"}, float("nan")),
        ({"type": "number"}, float("inf")),
        ({"type": "number"}, 0.00001),
        ({"type": "number"}, 1e15),
        ({"type": "number"}, 10**400),
        ({"type": "array", "items": {"type": "integer"}}, [1, "x"]),
        ({"type": "array", "items": {"type": "integer"}}, {"0": 1}),
        ({"type": "object", "properties": {"n": {"type": "integer"}}}, {"n": "x"}),
        ({"type": "object"}, [1]),
        ({"type": "string", "format": "date"}, "2026-02-30"),
        ({"type": "string", "format": "date"}, "2026-W01-1"),
        ({"type": "string", "format": "date-time"}, "2026-02-28T01:02:03"),
        ({"type": "string", "format": "date-time"}, "2026-02-28T23:59:60Z"),
        ({"type": "string", "format": "date-time"}, "0001-01-01T00:00:00+23:00"),
        ({"type": "string", "format": "ipv4"}, "1.2.3"),
        ({"type": "string", "format": "ipv6"}, "fe80::1%eth0"),
        ({"type": "string", "format": "uri"}, "https://good.example@evil.example/"),
        ({"type": "string", "format": "uri"}, "https:/evil.example/"),
        ({"type": "string", "format": "uri"}, "https:\\\\evil.example"),
        ({"type": "string", "format": "uri"}, " https://evil.example"),
        ({"type": "string", "format": "uri"}, "https://ev\til.example"),
        ({"type": "string", "format": "uri"}, "https://еvil.example"),  # noqa: RUF001  # a Cyrillic letter is the point
        ({"type": "string", "format": "uri"}, "https://a%2eb/"),
        ({"type": "string", "format": "uri"}, "https://a:99999/"),
        ({"type": "string", "format": "uri"}, "//evil.example"),
        ({"type": "string", "format": "email"}, '"a@b"@c.example'),
        ({"type": "string", "format": "email"}, "a@b.example\n"),
    ],
)
def test_a_value_that_is_not_exactly_of_its_shape_is_untyped(schema: Any, value: Any) -> None:
    shape, _ = argument(schema)
    assert shape is not None
    with pytest.raises(Untyped):
        fit(shape, value)


def test_pruning_keeps_what_the_paths_reach() -> None:
    shape, _ = shape_of(
        {
            "type": "object",
            "properties": {
                "a": {"type": "object", "properties": {"x": {"type": "string"}, "y": {"type": "string"}}},
                "b": {"type": "string"},
                "u": {"type": "string", "format": "uri"},
            },
            "required": ["a", "b"],
        }
    )
    kept = pruned(shape, [("a", "x"), ("u", "host"), ("nothing",)])
    assert set(kept.fields) == {"a", "u"} and set(kept.fields["a"].fields) == {"x"} and kept.required == {"a"}
    assert pruned(shape, [()]) == shape
    assert pruned(shape, []).fields == {}


def test_every_shape_is_a_type_that_cedar_accepts() -> None:
    formats = ["", "date", "ipv4", "uri", "email"]
    properties: dict[str, Any] = {
        f"s{number}": {"type": "string", "format": name} for number, name in enumerate(formats)
    }
    properties |= {
        "n": {"type": "number"},
        "i": {"type": "integer"},
        "b": {"type": "boolean"},
        'we"ird key': {"type": "string"},
    }
    properties["l"] = {"type": "array", "items": {"type": "object", "properties": dict(properties)}}
    shape, _ = shape_of({"type": "object", "properties": properties})
    action = {"appliesTo": {"principalTypes": ["P"], "resourceTypes": ["P"], "context": cedar_type(shape)}}
    schema = Schema.from_json_str(json.dumps({"": {"entityTypes": {"P": {}}, "actions": {"a": action}}}))
    assert 'we\\"ird key' in str(schema)

"""Compiled schemas: what is asserted, what is refused, what it may cost. Threat T31, defects 3, 4, 5, 7, 8; Q10."""

from __future__ import annotations

import builtins
import math
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.errors import DefinitionError
from interlock.registry.bounds import SchemaLimits
from interlock.registry.schema import Schema, compile_schema

T = TypeVar("T")

CPU_MAX_S = 0.25 if sys.gettrace() is None else 2.0
"""What one hostile schema, with the worst value for it, may cost (Q10); a tracer of lines costs several times that."""

META = "http://json-schema.org/draft-07/schema#"

LONG = "ab" * (1 << 19)


def within_cpu(work: Callable[[], T]) -> T:
    """What the work returns, once it took no more CPU than Q10 allows; the best of three, for a crowded machine."""
    for left in (2, 1, 0):
        started_s = time.process_time()
        found = work()
        if (took_s := time.process_time() - started_s) < CPU_MAX_S or not left:
            break
    assert took_s < CPU_MAX_S
    return found


def code_of(schema: Any) -> str:
    with pytest.raises(DefinitionError) as caught:
        compile_schema(schema)
    return caught.value.code


# ----------------------------------------------------------------------- what is asserted


@pytest.mark.parametrize("text", ["a\n", "a\r\n", "\na", "a ", "b\na\nb"])
def test_a_pattern_that_ends_in_a_dollar_admits_no_further_line(text: str) -> None:
    """Defect 3."""
    assert compile_schema({"pattern": "^a$"}).is_valid("a")
    assert not compile_schema({"pattern": "^a$"}).is_valid(text)


@pytest.mark.parametrize("pattern", ["(?m)^a$", "(?s)^a.b$", "(?i:a)", "x(?im-s)y"])
def test_a_pattern_that_changes_what_its_anchors_mean_is_refused(pattern: str) -> None:
    """Defect 3: under `m` a dollar is the end of any line."""
    assert code_of({"type": "string", "pattern": pattern}) == "schema.pattern"
    assert code_of({"patternProperties": {pattern: {}}}) == "schema.pattern"


def test_groups_without_flags_are_patterns_like_any() -> None:
    assert compile_schema({"pattern": "^(?:ab)+(?<rest>c)$"}).is_valid("ababc")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", "2024-02-29", "9999-99-99"),
        ("date", "2024-02-29", "2023-02-29"),
        ("date-time", "2024-01-01T09:00:00Z", "2024-01-01T09:00:00"),
        ("date-time", "2024-01-01T09:00:00+02:00", "9999-99-99T99:99"),
        ("time", "09:00:00Z", "25:00:00Z"),
        ("email", "a@example.com", "a@example.com\n"),
        ("uri", "https://example.com/", "no uri"),
        ("uuid", "123e4567-e89b-42d3-a456-426614174000", "123"),
        ("ipv4", "192.0.2.1", "192.0.2.999"),
        ("hostname", "example.com", "-example"),
    ],
)
def test_formats_are_asserted(name: str, good: str, bad: str) -> None:
    """Defect 4."""
    compiled = compile_schema({"type": "string", "format": name})
    assert compiled.is_valid(good)
    assert not compiled.is_valid(bad)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, True),
        ({"type": "number"}, False),
        ({"type": "number", "maximum": 50}, math.nan),
        ({"type": "number"}, math.inf),
        ({"type": "integer"}, "5"),
        ({"type": "integer", "minimum": 0}, -1),
        ({"type": "boolean"}, 1),
        ({"enum": [1]}, True),
        ({"const": 0}, False),
        ({"type": "number", "exclusiveMaximum": 50}, 50),
    ],
)
def test_true_is_no_number_and_nan_is_within_no_bound(schema: dict[str, Any], value: Any) -> None:
    """Defect 7."""
    assert not compile_schema(schema).is_valid(value)


def test_a_whole_number_written_as_a_fraction_is_an_integer_and_an_integer_is_a_number() -> None:
    """Defect 7: an int is refused for a float nowhere."""
    assert compile_schema({"type": "integer"}).is_valid(1.0)
    assert compile_schema({"type": "number"}).is_valid(1)


# ------------------------------------------------------------------------ what is refused


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


def doubling(levels: int, keyword: str = "allOf") -> dict[str, Any]:
    defs: dict[str, Any] = {f"d{levels}": {"type": "integer"}}
    for level in range(levels):
        both = [{"$ref": f"#/$defs/d{level + 1}"}, {"$ref": f"#/$defs/d{level + 1}"}]
        defs[f"d{level}"] = (
            {keyword: both} if keyword == "allOf" else {"properties": dict(zip("ab", both, strict=True))}
        )
    return {"$defs": defs, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize(
    ("code", "schema"),
    [
        ("schema.remote", {"$ref": "http://127.0.0.1:9/schema.json"}),
        ("schema.remote", {"$ref": "https://example.com/a#/b"}),
        ("schema.remote", {"$ref": "file:///etc/passwd"}),
        ("schema.remote", {"$ref": "//example.com/a"}),
        ("schema.remote", {"$ref": "other.json"}),
        ("schema.remote", {"$id": "http://example.com/a/", "$ref": "b.json"}),
        ("schema.remote", {"properties": {"a": {"items": {"$ref": "http://example.com/"}}}}),
        ("schema.remote", {"$dynamicRef": "http://example.com/#a"}),
        ("schema.remote", {"$schema": "http://example.com/my-schema"}),
        ("schema.remote", {"$schema": "http://json-schema.org/draft-03/schema#"}),
        ("schema.reference", {"$ref": "#/$defs/missing"}),
        ("schema.remote", {"$schema": 5}),
        (
            "schema.remote",
            {"$schema": META, "properties": {"a": {"$schema": "http://json-schema.org/draft-06/schema#"}}},
        ),
        ("schema.reference", {"$id": "http://a.example/", "$defs": {"b": {"$id": "http://a.example/", "not": {}}}}),
        ("schema.reference", {"$id": "http://a.example/", "$ref": "http://[bad"}),
        ("schema.bad", {"$id": "http://[bad"}),
        ("schema.bad", {"$anchor": "1 b"}),
        ("schema.bad", {"$ref": "#%ff"}),
        ("schema.loop", {"$ref": "#"}),
        ("schema.loop", {"allOf": [{"$ref": "#"}]}),
        ("schema.loop", {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
        ("schema.loop", {"if": {"not": {"$dynamicRef": "#it"}}, "$dynamicAnchor": "it"}),
        ("schema.large", {"description": "x" * (256 << 10)}),
        ("schema.many_subschemas", {"anyOf": [{"minimum": number} for number in range(2_000)]}),
        ("schema.deep", nested(33)),
        ("schema.many_refs", {"$defs": {"a": {}}, "properties": {str(n): {"$ref": "#/$defs/a"} for n in range(65)}}),
        ("schema.many_refs", doubling(40)),
        ("schema.expanded", doubling(13)),
        ("schema.expanded", doubling(13, "properties")),
        ("schema.long_pattern", {"pattern": "a" * 1025}),
        ("schema.long_pattern", {"patternProperties": {"ä" * 600: {}}}),
        ("schema.bad", {"pattern": "(a)\\1"}),
        ("schema.bad", {"pattern": "(?=a)a"}),
        ("schema.bad", {"pattern": "(?<!a)b"}),
        ("schema.bad", {"pattern": "("}),
        ("schema.bad", {"pattern": "(((((a{99}){99}){99}){99}){99})"}),
        ("schema.bad", {"type": "strin"}),
        ("schema.bad", {"minimum": "1"}),
        ("schema.bad", {"required": "a"}),
        ("schema.bad", {"anyOf": 5}),
        ("schema.json", []),
        ("schema.json", "object"),
        ("schema.json", None),
        ("schema.json", {"const": {1, 2}}),
        ("schema.json", {"maximum": math.nan}),
        ("schema.json", {"const": "\ud800"}),
        ("schema.json", {1: {}}),
    ],
)
def test_a_hostile_or_broken_schema_is_refused_at_load(code: str, schema: Any) -> None:
    """T31, defect 8: no schema, no registration."""
    assert within_cpu(lambda: code_of(schema)) == code


def test_ways_that_come_back_too_often_are_refused() -> None:
    many = {"anyOf": [{"properties": {"a": {"$ref": "#"}}} for _ in range(60)]}
    assert compile_schema(many).weight.growth == 60
    limits = SchemaLimits(refs_max=1_000)
    more = {"anyOf": [{"properties": {"a": {"$ref": "#"}}} for _ in range(300)]}
    with pytest.raises(DefinitionError) as caught:
        compile_schema(more, limits=limits)
    assert caught.value.code == "schema.recursive"


def test_limits_are_reached_before_they_are_passed() -> None:
    compile_schema(nested(32))
    compile_schema({"anyOf": [{"minimum": number} for number in range(1_999)]})
    compile_schema({"$defs": {"a": {}}, "properties": {str(n): {"$ref": "#/$defs/a"} for n in range(64)}})
    compile_schema(doubling(11))
    compile_schema({"pattern": "a" * 1024})


@pytest.fixture
def sealed_off(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """No socket and no file can be opened; whoever tries is noted."""
    tried: list[str] = []

    def refuse(*arguments: Any, **options: Any) -> NoReturn:
        tried.append(repr(arguments))
        raise OSError("sealed off")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(builtins, "open", refuse)
    yield tried


def test_a_reference_to_a_listener_reaches_nobody(sealed_off: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Q10, with a canary that the engine, which is no Python, could reach past the patches."""
    monkeypatch.undo()
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.settimeout(0.05)
        address = f"http://127.0.0.1:{canary.getsockname()[1]}"
        for schema in (
            {"$ref": f"{address}/a.json"},
            {"$schema": f"{address}/meta"},
            {"$id": f"{address}/", "$ref": "b.json"},
            {"$id": f"{address}/own", "type": "object"},
        ):
            try:
                compile_schema(schema).is_valid({})
            except DefinitionError:
                continue
        with pytest.raises(TimeoutError):
            canary.accept()


@pytest.mark.parametrize(
    "schema", [{"$ref": "file:///etc/passwd"}, {"$ref": "http://127.0.0.1:9/"}, {"$schema": "file:///etc/hostname"}]
)
def test_nothing_is_opened_for_a_reference(schema: dict[str, Any], sealed_off: list[str]) -> None:
    """Q10."""
    with pytest.raises(DefinitionError):
        compile_schema(schema)
    assert sealed_off == []


# --------------------------------------------------------------------- what checking costs


def chain(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"c": value}
    return value


BY_TWO_WAYS: dict[str, Any] = {
    "anyOf": [
        {"properties": {"c": {"$ref": "#"}}, "required": ["y"]},
        {"properties": {"c": {"$ref": "#"}}, "required": ["z"]},
    ]
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 500_000 + "b"),
        ({"pattern": "(x+x+)+y"}, "x" * 500_000),
        ({"pattern": "^(a|b)*a(a|b){300}$"}, LONG),
        ({"pattern": "(a|b)*a(a|b){900}c"}, LONG),
        ({"pattern": ".*" * 300 + "x"}, LONG),
        ({"pattern": "(a{0,50}){50}"}, LONG),
        ({"pattern": "\\p{L}{1,20}"}, LONG),
        ({"pattern": "[\\p{L}\\]]{20}x"}, LONG),
        ({"patternProperties": {f"^a{n}": {} for n in range(1_000)}}, {f"k{n}": 1 for n in range(10_000)}),
        ({"items": {"allOf": [{"minimum": -n} for n in range(1_900)]}}, [1] * 90_000),
        ({"items": {"enum": [{"a": n} for n in range(9_000)]}}, [{"a": 8_999}] * 1_000),
        ({"items": {"enum": list(range(9_000))}}, [-1] * 90_000),
        ({"items": {"const": [list(range(1_000))] * 10}}, [[list(range(1_000))] * 10] * 10),
        ({"uniqueItems": True}, [{"a": n, "b": [n]} for n in range(90_000)]),
        (doubling(11), [1] * 1_000),
        ({"items": doubling(9)["$defs"]["d9"], **doubling(9)}, [1] * 90_000),
        (BY_TWO_WAYS, chain(14)),
        (BY_TWO_WAYS, chain(20)),
        (BY_TWO_WAYS, chain(60)),
        ({"type": "array", "anyOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}]}, [[[[[[[[[[[[1]]]]]]]]]]]]),
        ({"properties": {"c": {"$ref": "#"}}, "unevaluatedProperties": {"$ref": "#"}}, chain(60)),
        ({"$dynamicAnchor": "n", "additionalProperties": {"$dynamicRef": "#n"}}, chain(60)),
        ({"items": {"anyOf": [{"type": "array"}, {"enum": ["a"]}, {"type": "boolean"}]}}, [1] * 90_000),
        ({"anyOf": [{"items": {"type": "string"}}, {"items": {"type": "boolean"}}]}, [1] * 90_000),
        ({"anyOf": [{"items": {"type": "string"}}, {"items": {"type": "boolean"}}]}, [1] * 9_000),
        ({"contains": {"contains": {"contains": {"const": 1}}}, "minContains": 5}, [[[2] * 30] * 30] * 30),
        ({"items": {"format": "email"}}, ["a" * 100] * 9_000),
        (
            {"$schema": META, "properties": {"schema": {"$ref": META}}},
            {"schema": {"properties": {f"p{n}": {"items": {}} for n in range(500)}}},
        ),
    ],
)
def test_checking_is_bounded_or_not_begun(schema: dict[str, Any], value: Any) -> None:
    """T31, Q10: within 250 ms of CPU, the search for faults included, or refused before."""
    compiled = compile_schema(schema)

    def check() -> None:
        if compiled.affords(value) and not compiled.is_valid(value):
            assert compiled.problems(value)

    within_cpu(check)


def test_ordinary_values_are_always_afforded() -> None:
    schema = {
        "type": "object",
        "properties": {f"p{n}": {"type": "string", "pattern": "^[a-z]{1,100}$"} for n in range(50)},
    }
    compiled = compile_schema(schema)
    assert compiled.affords({f"p{n}": "a" * 20 for n in range(50)})
    plain = compile_schema({"type": "object", "properties": {"text": {"type": "string"}}})
    assert plain.affords({"text": LONG}), "a long text without a pattern costs nothing"
    tree = compile_schema({"type": "object", "properties": {"l": {"$ref": "#"}, "r": {"$ref": "#"}}})
    assert tree.weight.growth == 1, "ways that part at a property do not meet"


def test_the_size_may_be_told_where_it_is_known() -> None:
    compiled = compile_schema({"pattern": "a{1000}"})
    assert compiled.affords("a", 3)
    assert not compiled.affords("a" * (1 << 20), 1 << 20)
    assert not compiled.affords("a" * (1 << 20))


def test_a_large_value_is_told_its_first_fault_or_only_that_there_is_one() -> None:
    many = compile_schema({"items": {"type": "string"}})
    assert len(many.problems([1] * 100)) == 16
    assert [problem.field for problem in many.problems([1] * 90_000)] == ["/0"]
    assert many.problems(["a"] * 90_000) == ()
    alternatives = compile_schema({"anyOf": [{"items": {"type": "string"}}, {"items": {"type": "boolean"}}]})
    (only,) = alternatives.problems([1] * 90_000)
    assert "too large to say where" in only.message
    assert alternatives.problems(["a"] * 90_000) == ()


ADDRESSES = ["string", "#", "#/$defs/a", "a", "^a$", "(", "http://[bad", "urn:a", "#a", "a#/b", "//", META]
KEYWORDS = st.sampled_from(
    "type enum const items anyOf oneOf $ref $id pattern properties additionalProperties $defs definitions"
    " id patternProperties $anchor $dynamicAnchor $dynamicRef $recursiveRef $schema required dependencies".split()
)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(ADDRESSES),
    lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(KEYWORDS | st.just("a"), deeper, max_size=4),
    max_leaves=12,
)


@given(ANY, ANY)
@settings(max_examples=300)
def test_any_json_compiles_or_is_refused_with_a_reason(schema: Any, value: Any) -> None:
    try:
        compiled: Schema = compile_schema(schema)
    except DefinitionError as error:
        assert error.code.startswith("schema.")
        return
    assert compiled.is_valid(value) is (compiled.problems(value) == ())


def test_a_compiled_schema_does_not_follow_later_changes() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}
    compiled = compile_schema(schema)
    schema["properties"]["a"]["type"] = "integer"
    assert compiled.is_valid({"a": "text"})
    assert compiled.problems({"a": 1})[0].allowed == "string"


def test_true_and_false_are_schemas() -> None:
    assert compile_schema(True).is_valid(1)
    assert [problem.code for problem in compile_schema(False).problems(1)] == ["falseSchema"]

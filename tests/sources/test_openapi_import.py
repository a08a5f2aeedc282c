"""Operations become tools: what they are called, what they take, what they do to the world; what cannot be is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from interlock.core.tool import Effect
from interlock.errors import BadInput, SettingsError
from interlock.registry.registry import Registry
from interlock.registry.schema import compile_schema
from interlock.sources.openapi_document import read_document
from tests.sources.documents import body, document, imported, one, operation, parameter

GET = operation(parameter("id", "path"), operationId="getPet")


def test_an_operation_is_a_tool_with_its_name_words_and_one_schema_of_all_its_arguments() -> None:
    said = operation(
        parameter("id", "path", {"type": "integer"}), parameter("dry", "query", {"type": "boolean"}, required=False),
        parameter("X-Trace", "header", required=False, description="To find it again."),
        operationId="updatePet", summary="Change a pet.", description="All of it.",
        requestBody=body({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}),
    )  # fmt: skip
    tool = one(document({"/pets/{id}": {"put": said}}))
    assert (tool.name, tool.server, tool.description) == ("shop__updatePet", "shop", "Change a pet.\n\nAll of it.")
    assert tool.input_schema == {
        "type": "object", "additionalProperties": False, "required": ["id", "name"],
        "properties": {
            "id": {"type": "integer"}, "dry": {"type": "boolean"}, "name": {"type": "string"},
            "X-Trace": {"type": "string", "description": "To find it again."},
        },
    }  # fmt: skip
    assert not tool.sealed and tool.claims["url"] == "http://127.0.0.1:9/pets/{id}"


@pytest.mark.parametrize(
    ("method", "effect", "idempotent"),
    [("get", "read", False), ("head", "read", False), ("options", "read", False), ("put", "reversible", True),
     ("patch", "reversible", False), ("post", "irreversible", False), ("delete", "irreversible", True)],
)  # fmt: skip
def test_the_effect_is_that_of_the_method(method: str, effect: str, idempotent: bool) -> None:
    tool = one(document({"/pets/{id}": {method: operation(operationId="pet")}}))
    assert (tool.effect, tool.idempotent) == (effect, idempotent)


@pytest.mark.parametrize(
    ("path", "name", "effect"),
    [("/pets/{id}", "deletePet", "irreversible"), ("/pets/{id}/cancel", "", "irreversible"),
     ("/pets", "pets/send-all", "irreversible"), ("/pets/{id}", "getDeleted", "read"), ("/cancellations", "", "read")],
)  # fmt: skip
def test_a_get_that_is_named_for_a_change_is_one(path: str, name: str, effect: str) -> None:
    assert one(document({path: {"get": operation(operationId=name)}})).effect == effect


def test_the_operator_has_the_last_word_on_an_effect_and_a_word_about_nothing_is_a_slip() -> None:
    text = document({"/search": {"post": operation(operationId="search")}})
    tool = one(text, effects={"sea*": Effect.READ})
    assert tool.effect == "read" and tool.outward  # what a post reads, it reads by what it carries
    with pytest.raises(SettingsError, match="fits no operation"):
        imported(text, effects={"serch": Effect.READ})


@pytest.mark.parametrize(
    ("schema", "outward"),
    [({"type": "string"}, True), ({"type": "string", "format": "uri"}, True), ({"type": "array", "items": {}}, True),
     ({"type": "string", "enum": ["a"]}, False), ({"type": "integer"}, False),
     ({"type": "string", "format": "uuid"}, False),
     ({"type": "string", "maxLength": 20}, False), ({"$ref": "#/components/schemas/Sort"}, False)],
)  # fmt: skip
def test_a_read_that_carries_free_text_is_outward(schema: Any, outward: bool) -> None:
    sort = {"schemas": {"Sort": {"type": "string", "enum": ["up", "down"]}}}
    text = document({"/pets": {"get": operation(parameter("q", "query", schema))}}, components=sort)
    assert one(text).outward is outward
    assert not one(document({"/pets/{id}": {"get": GET}})).outward


def test_a_header_by_which_the_service_dedupes_is_the_paths_and_no_argument() -> None:
    said = operation(parameter("Idempotency-Key", "header"), operationId="pay")
    tool = one(document({"/payments": {"post": said}}))
    assert tool.keyed and tool.input_schema["properties"] == {}
    assert one(document({"/p": {"post": operation()}}), key_header="Idempotency-Key").keyed
    assert not one(document({"/p": {"get": operation()}}), key_header="Idempotency-Key").keyed


@pytest.mark.parametrize(
    "name", ["X-HTTP-Method-Override", "x-original-url", "X-Forwarded-Host", "Forwarded", "Accept-Encoding"]
)
def test_a_header_by_which_a_request_is_taken_for_another_one_is_no_argument(name: str) -> None:
    """T18: a GET that is decided as a read would be a DELETE to its receiver, or go to another path."""
    said = operation({**parameter(name, "header"), "required": False}, parameter("X-Trace", "header"))
    assert list(one(document({"/p": {"get": said}})).input_schema["properties"]) == ["X-Trace"]
    needed = operation(parameter(name, "header"))
    assert "which no caller sets" in imported(document({"/p": {"get": needed}})).left[0].why


def test_arguments_of_one_name_are_told_apart_by_their_place_and_a_body_that_collides_stands_alone() -> None:
    said = operation(
        parameter("id", "path"), parameter("id", "query"), operationId="put",
        requestBody=body({"type": "object", "properties": {"path_id": {"type": "string"}}}),
    )  # fmt: skip
    schema = one(document({"/pets/{id}": {"put": said}})).input_schema
    assert list(schema["properties"]) == ["path_id", "query_id", "body"]
    assert schema["required"] == ["path_id", "query_id", "body"]


@pytest.mark.parametrize(
    "schema",
    [{"type": "array", "items": {}}, {"oneOf": [{"type": "object"}]}, {"type": "object"},
     {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
     {"type": "object", "properties": {"a": {}}, "minProperties": 1}],
)  # fmt: skip
def test_a_body_that_is_not_only_its_properties_is_one_argument(schema: Any) -> None:
    tool = one(document({"/p": {"post": operation(requestBody=body(schema))}}))
    assert tool.input_schema["properties"] == {"body": schema} and tool.input_schema["required"] == ["body"]


def test_names_are_unique_short_and_do_not_depend_on_the_order() -> None:
    paths = {
        "/a": {"get": operation(operationId="getUser")}, "/b": {"get": operation(operationId="get_user")},
        "/c": {"get": operation(operationId="x" * 90)}, "/d/{e}": {"get": operation()},
        "/f": {"get": operation(operationId="42 is/fine!")},
    }  # fmt: skip
    names = {tool.claims["url"]: tool.name for tool in imported(document(paths)).tools}
    backwards = {tool.claims["url"]: tool.name for tool in imported(document(dict(reversed(paths.items())))).tools}
    assert names == backwards
    assert len(set(names.values())) == 5 and max(map(len, names.values())) == 64
    assert {"shop__get_d_e", "shop__is_fine"} < set(names.values()), names
    Registry(imported(document(paths)).tools)


def test_a_version_3_0_schema_is_one_of_2020_12() -> None:
    schema = {
        "type": "object", "example": {}, "xml": {"name": "x"}, "x-internal": 1,
        "properties": {
            "age": {"type": "integer", "minimum": 0, "exclusiveMinimum": True, "nullable": True, "required": True},
            "kind": {"type": "string", "nullable": True, "enum": ["a"]},
            "owner": {"nullable": True, "allOf": [{"$ref": "#/components/schemas/Owner"}]},
            "id": {"type": "string", "readOnly": True},
        },
        "required": ["id", "age"],
    }  # fmt: skip
    owner = {"schemas": {"Owner": {"type": "object", "properties": {"pets": {"$ref": "#/components/schemas/Owner"}}}}}
    text = document({"/p": {"post": operation(requestBody=body(schema))}}, "3.0.3", components=owner)
    made = one(text).input_schema
    assert made["properties"] == {
        "age": {"type": ["integer", "null"], "exclusiveMinimum": 0},
        "kind": {"type": ["string", "null"], "enum": ["a", None]},
        "owner": {"anyOf": [{"allOf": [{"$ref": "#/$defs/Owner"}]}, {"type": "null"}]},
    }
    assert made["required"] == ["age"]
    compiled = compile_schema(made)
    assert compiled.is_valid({"age": None, "owner": {"pets": {"pets": {}}}}) and not compiled.is_valid({"age": 0})


def test_what_is_answered_is_promised_where_every_success_is_json() -> None:
    def of(**responses: Any) -> Any:
        return one(document({"/p": {"get": {"responses": {name[1:]: said for name, said in responses.items()}}}}))

    pet = {"content": {"application/json": {"schema": {"type": "object", "properties": {
        "id": {"type": "string", "format": "uri", "pattern": "(?=x)"},
        "password": {"type": "string", "writeOnly": True},
    }}}}}  # fmt: skip
    assert of(_200=pet, _404={"content": {"text/plain": {}}}).output_schema == {
        "type": "object", "properties": {"id": {"type": "string"}},
    }  # fmt: skip
    assert of(_200=pet, _204={}).output_schema["anyOf"][1] == {"type": "null"}
    assert of(_200=pet, _206={"content": {"text/csv": {}}}).output_schema is None
    head = {"/p": {"head": {"responses": {"200": pet}}}}
    assert one(document(head)).output_schema is None  # it has no body, whatever its document says
    assert of(_204={}).output_schema is None and of(_200={"$ref": "#/nowhere"}).output_schema is None


def test_whatever_decides_what_a_call_is_changes_the_digest() -> None:
    def digest(path: str = "/p/{id}", url: str = "http://127.0.0.1:9", **more: Any) -> str:
        said = operation({**parameter("id", "path"), **more}, parameter("a", "query"), operationId="x")
        return one(document({path: {"get": said}}), base_url=url).digest

    assert digest() == digest() == digest(url="http://127.0.0.1:9/")
    changed = [digest(path="/q/{id}"), digest(url="http://127.0.0.1:9/v2"), digest(url="http://127.0.0.2:9"),
               digest(style="matrix"), digest(explode=True)]  # fmt: skip
    assert len({digest(), *changed}) == 6


@pytest.mark.parametrize(
    ("path", "said", "why"),
    [
        ("/p#x", operation(), "a path that is none"),
        ("/p?x=1", operation(), "a path that is none"),
        ("//host/p", operation(), "a path that is none"),
        ("/p/../q", operation(), "a path that walks"),
        ("/p/%2e%2E/q", operation(), "a path that walks"),
        ("/p/{a}/{a}", operation(), "no name of its own"),
        ("/p/{a", operation(), "no name of its own"),
        ("/p/{}", operation(), "no name of its own"),
        ("/p", operation(parameter("Host", "header")), "which no caller sets"),
        ("/p", operation(parameter("a", "body")), "where none can be"),
        ("/p", operation(parameter("a", "query", style="wild")), "style 'wild'"),
        ("/p", operation(parameter("a", "query", {"type": "string", "pattern": "(?=a)"})), "not a \"regex\""),
        ("/p", operation(parameter("a", "query", {"type": "file"})), "not a schema"),
        ("/p", operation({"$ref": "#/components/parameters/None"}), "leads nowhere"),
        ("/p", operation({"$ref": "http://canary.example/p.json"}), "leads outside the document"),
        ("/p", operation({"$ref": "file:///etc/passwd"}), "leads outside the document"),
        ("/p", operation({"$ref": "#/components/parameters/Loop"}), "leads back to itself"),
        ("/p", operation(requestBody={"content": {}}), "no media type"),
        ("/p", operation(requestBody=body({"type": "object"}, "application/xml")), "not written"),
        ("/p", operation(requestBody=body({"$ref": "other.yaml#/Pet"})), "leads outside the document"),
        ("/p", operation(requestBody=body({"$ref": "#/components/schemas/Self"})), "leads back to itself"),
        ("/p", operation(requestBody=body({"$ref": "#/components/schemas/Wide0"})), "too much"),
        ("/p", 42, "an operation that is none"),
    ],
)  # fmt: skip
def test_an_operation_that_cannot_be_called_within_bounds_is_named_and_its_neighbours_are_tools(
    path: str, said: Any, why: str
) -> None:
    components = {
        "parameters": {"Loop": {"$ref": "#/components/parameters/Loop"}},
        "schemas": {"Self": {"$ref": "#/components/schemas/Self"}, "Wide9": {"type": "string"}}
        | {f"Wide{n}": {"type": "object", "properties": {
            letter: {"$ref": f"#/components/schemas/Wide{n + 1}"} for letter in "abcdefgh"}} for n in range(9)},
    }  # fmt: skip
    found = imported(document({path: {"post": said}, "/good/{id}": {"get": GET}}, components=components))
    assert [tool.name for tool in found.tools] == ["shop__getPet"]
    [left] = found.left
    assert (left.method, left.path) == ("POST", path) and why in left.why


def test_only_what_the_operator_names_is_imported() -> None:
    paths = {f"/{name}": {"get": operation(operationId=name)} for name in ("getA", "getB", "listC")}
    assert [tool.name for tool in imported(document(paths), only=["get*"]).tools] == ["shop__getA", "shop__getB"]


def test_what_a_parameter_of_a_command_line_must_not_begin_with_is_refused() -> None:
    said = operation(parameter("ref", "path", {"type": "string", "x-role": "option-safe"}))
    valid = compile_schema(one(document({"/clone/{ref}": {"post": said}})).input_schema).is_valid
    assert not valid({"ref": "--output=/x"}) and not valid({"ref": "-x"})
    assert valid({"ref": "main"}) and valid({"ref": "a--b"})


# --------------------------------------------------------------------- documents


YAML = """
openapi: 3.0.0
info: {title: t, version: 1.0}
paths:
  /switch/{id}:
    get:
      operationId: state
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
        - {name: to, in: query, schema: {type: string, enum: [on, off, 2020-01-01, yes, "1"]}}
      responses:
        200: &ok {description: fine}
        201: *ok
"""


def test_yaml_is_the_json_that_its_author_meant() -> None:
    tool = one(YAML.encode())
    assert tool.input_schema["properties"]["to"]["enum"] == ["on", "off", "2020-01-01", "yes", "1"]


BOMB = "openapi: 3.0.0\na: &a0 [x, x]\n" + "".join(f"b{n}: &a{n + 1} [*a{n}, *a{n}]\n" for n in range(40))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "not: [closed", "openapi: 2.0", 'swagger: "2.0"', '{"openapi": "4.0.0"}', '{"openapi": 3}',
     '{"openapi": "3.1.0", "openapi": "3.1.0"}', "openapi: 3.0.0\nopenapi: 3.0.0", "openapi: &a [*a]", BOMB,
     "openapi: !!python/object/apply:os.system [id]", "openapi: 3.0.0\n? [a]\n: b", "a: " + "[" * 3000, "\xff",
     "openapi: 3.0.0\na: &a {<<: *a}"],
)  # fmt: skip
def test_a_document_that_is_none_or_a_bomb_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_document(text.encode("latin-1"), "shop.yaml")
    assert refused.value.code == "openapi.document" and str(refused.value).startswith("shop.yaml: ")


def test_a_bomb_of_aliases_is_weighed_before_it_is_built() -> None:
    with pytest.raises(BadInput, match="aliases written out"):
        read_document(BOMB.encode(), "shop.yaml")


def test_json_that_says_the_same_is_the_same_tool() -> None:
    said = {"/switch/{id}": {"get": {"operationId": "state", "parameters": [
        parameter("id", "path"),
        {"name": "to", "in": "query", "schema": {"type": "string", "enum": ["on", "off", "2020-01-01", "yes", "1"]}},
    ], "responses": {"200": {"description": "fine"}}}}}  # fmt: skip
    assert one(document(said, "3.0.0")).digest == one(YAML.encode()).digest
    assert json.loads(document(said))["openapi"] == "3.1.0"

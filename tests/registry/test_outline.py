"""What is left of a call without its free text and its paging. Defect 60."""

from __future__ import annotations

from typing import Any

import pytest

from interlock import foreign_tool
from interlock.core.tool import CallContext, Entity
from interlock.registry.outline import outliner


async def _body(arguments: dict[str, Any], context: CallContext) -> object:
    return None


def outlined(part: dict[str, Any], first: object, second: object, name: str = "x", **options: Any) -> bool:
    """Whether two calls that differ in one argument are nearly equal."""
    schema = {"type": "object", "properties": {"id": {"type": "string"}, name: part}}
    outline = outliner(foreign_tool("get", "local", "Gets.", schema, _body, effect="read", **options))
    if outline is None:
        return False
    found = [outline({"id": "a1", name: value}) for value in (first, second)]
    return bool(found[0]) and found[0] == found[1]


SENTENCES = "where is my order", "has my order been sent"


@pytest.mark.parametrize(
    "part", [{"type": "string"}, {"type": ["string", "null"]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}, {}]
)
def test_a_sentence_is_free_text(part: dict[str, Any]) -> None:
    assert outlined(part, *SENTENCES)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "string", "enum": [*SENTENCES]},
        {"type": "string", "format": "date"},
        {"type": "string", "pattern": "^[a-z ]+$"},
        {"anyOf": [{"enum": [*SENTENCES]}, {"type": "null"}]},
        {"$ref": "#/$defs/thing"},
    ],
)
def test_what_has_a_closed_form_is_grounded(part: dict[str, Any]) -> None:
    assert not outlined(part, *SENTENCES)


@pytest.mark.parametrize("values", [("A-17", "A-18"), ("Mo Lee", "Jo Lee"), (17, 18), ("2026-01-02", "2026-01-03")])
def test_a_token_a_name_a_number_and_a_date_are_grounded(values: tuple[object, object]) -> None:
    assert not outlined({}, *values)


@pytest.mark.parametrize("name", ["page", "page_size", "pageToken", "limit", "offset", "cursor"])
def test_paging_is_told_by_its_usual_names(name: str) -> None:
    assert outlined({"type": ["integer", "string"]}, 1, 2, name)
    assert not outlined({"type": ["integer", "string"]}, 1, 2, name, roles={name: "target"})


def test_a_role_says_more_than_the_schema() -> None:
    assert outlined({"type": "string"}, "hi", "ho", roles={"x": "content"})
    assert not outlined({"type": "string"}, *SENTENCES, roles={"x": "target"})


def test_what_names_a_thing_is_grounded_however_long() -> None:
    assert not outlined({"type": "string"}, *SENTENCES, entities={"x": Entity(type="Thing", lookup="find")})
    assert not outlined({"type": "string"}, *SENTENCES, resource="x")


def test_a_call_with_nothing_to_leave_out_has_no_outline() -> None:
    tool = foreign_tool(
        "get", "local", "Gets.", {"type": "object", "properties": {"x": {"type": "string"}}}, _body, effect="read"
    )
    outline = outliner(tool)
    assert outline is not None
    assert outline({"x": "A-17"}) == ""

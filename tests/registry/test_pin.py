"""Pins: written, read strictly, compared readably. A5; threats T6, T7, T34; defect 72."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from interlock.core.tool import Tool
from interlock.errors import DefinitionError
from interlock.registry.difference import Change
from interlock.registry.pin import Pins, pins_of, read_pins, write_pins
from tests.registry.makers import foreign

OBJECT: dict[str, Any] = {"type": "object", "properties": {"to": {"type": "string", "description": "Whom."}}}


def pay(**options: Any) -> Tool:
    return foreign("pay", options.pop("schema", OBJECT), **options)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "pins.json"
    tools = [pay(), foreign("list", server="b", description="Über «alles»."), foreign("list_more", server="a")]
    write_pins(path, pins_of(tools))
    pins = read_pins(path)
    assert [pin.key for pin in pins] == [("a", "list_more", "1"), ("b", "list", "1"), ("far", "pay", "1")]
    assert len(pins) == 3
    assert all(pins.objection(tool) == "" for tool in tools)
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_has_one_tool_on_each_line_and_does_not_depend_on_order(tmp_path: Path) -> None:
    path, other = tmp_path / "pins.json", tmp_path / "other.json"
    tools = [pay(), foreign("list"), foreign("add")]
    write_pins(path, pins_of(tools))
    write_pins(other, pins_of(reversed(tools)))
    assert path.read_bytes() == other.read_bytes()
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 5
    assert [json.loads(line.rstrip(","))["definition"]["name"] for line in lines[1:4]] == ["add", "list", "pay"]


def test_no_pins_are_a_file_too(tmp_path: Path) -> None:
    write_pins(tmp_path / "pins.json", Pins())
    assert len(read_pins(tmp_path / "pins.json")) == 0


def entry(**changes: Any) -> dict[str, Any]:
    (pin,) = pins_of([pay()])
    return {"digest": pin.digest, "definition": dict(pin.definition), **changes}


@pytest.mark.parametrize(
    ("code", "content"),
    [
        ("pins.read", "not json"),
        ("pins.read", '{"format": "interlock/pins/1", "format": "x", "tools": []}'),
        ("pins.format", "[]"),
        ("pins.format", '{"tools": []}'),
        ("pins.format", '{"format": "interlock/pins/2", "tools": []}'),
        ("pins.format", '{"format": "interlock/pins/1", "tools": [], "more": 1}'),
        ("pins.format", '{"format": "interlock/pins/1", "tools": {}}'),
        ("pins.entry", [1]),
        ("pins.entry", [entry(accepted_by="me")]),
        ("pins.entry", [{"digest": "00"}]),
        ("pins.entry", [entry(definition=5)]),
        ("pins.entry", [entry(definition={"name": "pay"})]),
        ("pins.digest", [entry(digest="0" * 64)]),
        ("pins.digest", [entry(digest=None)]),
        ("pins.digest", [entry(definition={**entry()["definition"], "effect": "read"})]),
        ("pins.duplicate", [entry(), entry()]),
    ],
)
def test_a_file_that_is_not_exactly_one_of_ours_is_refused(tmp_path: Path, code: str, content: Any) -> None:
    """T34: an unknown key is no pin; a digest belongs to its definition."""
    path = tmp_path / "pins.json"
    text = content if isinstance(content, str) else json.dumps({"format": "interlock/pins/1", "tools": content})
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DefinitionError) as caught:
        read_pins(path)
    assert caught.value.code == code


def test_a_file_that_is_not_there_is_no_empty_file(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as caught:
        read_pins(tmp_path / "none.json")
    assert caught.value.code == "pins.read"


def test_what_differs_is_found_and_named() -> None:
    before = pins_of(
        [pay(), foreign("gone", description="Gone."), foreign("old_name", description="Same."), foreign("same")]
    )
    after = [pay(description="Pay all."), foreign("new"), foreign("new_name", description="Same."), foreign("same")]
    found = {difference.name: difference for difference in before.compare(after)}
    assert {name: difference.change for name, difference in found.items()} == {
        "pay": Change.CHANGED,
        "gone": Change.REMOVED,
        "new": Change.ADDED,
        "new_name": Change.RENAMED,
    }
    assert found["new_name"].was == "old_name"
    assert found["pay"].fields == ("description",)
    assert found["pay"].lines == ('- /description: "Does a thing."', '+ /description: "Pay all."')
    assert (
        before.compare(
            [pay(), foreign("gone", description="Gone."), foreign("old_name", description="Same."), foreign("same")]
        )
        == ()
    )


def test_one_removed_tool_is_renamed_once() -> None:
    found = pins_of([foreign("one")]).compare([foreign("two"), foreign("three")])
    assert [(each.name, each.change) for each in found] == [("three", Change.RENAMED), ("two", Change.ADDED)]


def test_each_version_of_a_tool_has_a_pin_of_its_own(tmp_path: Path) -> None:
    """A5: a further version is new while the reviewed one is as it was; a label that alone was changed is a change."""
    old, new = pay(), pay(version="2", description="Pays in any currency.")
    before = pins_of([old])
    assert before.objection(old) == "" and before.objection(new)
    assert [(each.name, each.change) for each in before.compare([old, new])] == [("pay", Change.ADDED)]
    write_pins(tmp_path / "pins.json", pins_of([old, new]))
    both = read_pins(tmp_path / "pins.json")
    assert [pin.key[2] for pin in both] == ["1", "2"]
    assert both.compare([new, old]) == ()
    assert [each.change for each in both.compare([new])] == [Change.REMOVED]
    (found,) = before.compare([pay(version="2")])
    assert (found.change, found.fields) == (Change.CHANGED, ("version",))


def test_a_difference_deep_in_the_schema_is_shown_where_it_is() -> None:
    schema = {"type": "object", "properties": {"to": {"type": "integer"}, "bcc": {"type": "string"}}}
    (found,) = pins_of([pay()]).compare([pay(schema=schema)])
    assert found.fields == ("input_schema",)
    assert set(found.lines) == {
        '- /input_schema/properties/to/description: "Whom."',
        '- /input_schema/properties/to/type: "string"',
        '+ /input_schema/properties/to/type: "integer"',
        '+ /input_schema/properties/bcc/type: "string"',
    }


def test_what_changed_about_the_risk_comes_first() -> None:
    """A flipped annotation or effect, up or down."""
    claims = {"annotations": {"readOnlyHint": False, "title": "Pay"}}
    flipped = {"annotations": {"readOnlyHint": True, "title": "Pay", "openWorldHint": False}}
    (found,) = pins_of([pay(effect="irreversible", keyed=True, claims=claims)]).compare(
        [pay(effect="reversible", claims=flipped)]
    )
    assert found.flips == (
        "effect: irreversible -> reversible (lower)",
        "keyed: true -> false",
        "annotation openWorldHint: null -> false",
        "annotation readOnlyHint: false -> true",
    )
    (found,) = pins_of([pay(effect="read")]).compare([pay(effect="privileged", claims={"annotations": 5})])
    assert found.flips == ("effect: read -> privileged",)


def test_nothing_invisible_is_shown() -> None:
    """T9: what a reviewer reads is ASCII."""
    (found,) = pins_of([pay()]).compare([pay(description="Pay.\u202e\u200b\x1b[2J" + "x" * 500)])
    assert all(line.isascii() for line in found.lines)
    assert "\\u202e\\u200b\\u001b" in found.lines[1]
    assert "x" * 500 in found.lines[1], "what is new is shown in full"


def test_a_difference_is_data() -> None:
    (found,) = pins_of([]).compare([pay()])
    said = found.as_json()
    assert said.pop("lines") == list(found.lines)
    assert said == {
        "change": "added",
        "server": "far",
        "name": "pay",
        "digest": pay().digest,
        "aspects": ["added"],
    }
    other = foreign("pay2", OBJECT)
    (found,) = pins_of([pay()]).compare([other])[:1]
    assert found.as_json() == {
        "change": "renamed", "server": "far", "name": "pay2", "was": "pay", "digest": other.digest,
        "aspects": ["renamed"], "fields": ["name"], "lines": ['- /name: "pay"', '+ /name: "pay2"'],
    }  # fmt: skip
    (found,) = pins_of([pay()]).compare([pay(description="X.")])
    assert found.as_json()["lines"] == list(found.lines)


def test_any_part_of_a_definition_is_pinned() -> None:
    """T6."""
    pins = pins_of([pay()])
    for change in (
        {"description": "Does a thing.\u200b"},
        {"schema": {**OBJECT, "properties": {"to": {"type": "string", "description": "Whom?"}}}},
        {"schema": {**OBJECT, "properties": {"to": {"type": "string", "description": "Whom.", "default": "x"}}}},
        {"output_schema": {"type": "object"}},
        {"claims": {"title": "Pay"}},
        {"timeout_s": 31.0},
        {"sealed": True},
    ):
        assert pins.objection(pay(**change)), change
    assert pins.objection(pay()) == ""

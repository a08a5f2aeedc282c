"""The set of tools: identity, duplicates, look-alikes, pins, lookup. Defects 8, 15, 72; threat T8."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator

from interlock.core.tool import CallContext, Effect, Entity, Tool
from interlock.errors import DefinitionError
from interlock.registry.define import tool
from interlock.registry.pin import pins_of
from interlock.registry.registry import Registry
from tests.registry.makers import foreign, nothing, refused, valid

OBJECT: dict[str, Any] = {"type": "object", "properties": {"id": {"type": "string"}}, "additionalProperties": False}


ROLES = {"id": "target"}


def read(name: str, **options: Any) -> Tool:
    return foreign(name, OBJECT, effect="read", **options)


def code_of(*tools: Tool) -> str:
    with pytest.raises(DefinitionError) as caught:
        Registry(tools)
    return caught.value.code


def test_a_name_is_taken_once() -> None:
    """Defect 15: no tool replaces another in silence."""
    with pytest.raises(DefinitionError, match="'pay', on 'a' and on 'b'") as caught:
        Registry([foreign("pay", server="a"), foreign("pay", server="b")])
    assert caught.value.code == "definition.duplicate"
    assert code_of(foreign("pay"), foreign("pay")) == "definition.duplicate"


def test_one_tool_that_two_modules_share_counts_once() -> None:
    pay = foreign("pay")
    assert len(Registry([pay, pay])) == 1


def test_names_that_look_alike_are_refused_with_both() -> None:
    """T8."""
    with pytest.raises(DefinitionError, match="'send_email' and 'sendEmail' look alike") as caught:
        Registry([foreign("send_email", server="a"), foreign("sendEmail", server="b")])
    assert caught.value.code == "definition.look_alike"
    assert code_of(foreign("s\u0435nd_email")) == "definition.name"


def test_a_tool_is_found_by_exactly_its_name() -> None:
    registry = Registry([foreign("pay"), foreign("refund")])
    found = registry.find("pay")
    assert found is not None and found.tool.name == "pay"
    assert registry.find("Pay") is None
    assert "pay" in registry and "Pay" not in registry
    assert [known.name for known in registry.tools] == ["pay", "refund"]
    assert registry.closest("refnd") == ["refund"]


def test_a_schema_that_cannot_be_compiled_names_its_tool() -> None:
    """Defect 8."""
    with pytest.raises(DefinitionError, match="tool 'pay'") as caught:
        Registry([foreign("pay", {"type": "object", "properties": {"a": {"$ref": "http://far/"}}})])
    assert caught.value.code == "schema.remote"
    assert code_of(foreign("pay", OBJECT, output_schema={"type": "strin"})) == "schema.bad"


@pytest.mark.parametrize("schema", [{}, {"type": "string"}, {"properties": {}}, {"type": ["object", "null"]}])
def test_arguments_are_an_object_by_the_schemas_word(schema: dict[str, Any]) -> None:
    """Defect 8."""
    assert code_of(foreign("pay", schema)) == "definition.option"


@pytest.mark.parametrize(
    ("said", "options"),
    [
        ("resource names 'to'", {"resource": "to"}),
        ("roles names 'to'", {"roles": {"to": "target"}}),
        ("unknown role 'goal'", {"roles": {"id": "goal"}}),
        ("entities names 'to'", {"entities": {"to": Entity(type="A", lookup="b")}}),
        ("cache_s is set on a call with effects", {"cache_s": 5.0}),
        ("cache_s is set on a call with effects", {"cache_s": 5.0, "effect": "read", "outward": True}),
        ("cache_s is out of range", {"cache_s": -1.0}),
        ("cache_s is out of range", {"cache_s": 86_401.0}),
        ("cache_tags is set on a call with effects", {"cache_tags": ["a"]}),
        ("cache_tags is set on a call with effects", {"cache_tags": ["a"], "effect": "read", "outward": True}),
        ("cache_tags has the tag 'a/b'", {"cache_tags": ["a/b"], "effect": "read"}),
        ("cache_tags has too many tags", {"cache_tags": ["a", "a"], "effect": "read"}),
        ("cache_tags has too many tags", {"cache_tags": [f"t{n}" for n in range(17)], "effect": "read"}),
        ("invalidates is set on a read", {"invalidates": ["a"], "effect": "read"}),
        ("invalidates has the tag ''", {"invalidates": [""]}),
        ("batch is set on a call with effects", {"batch": nothing}),
        ("batch is set on a call with effects", {"batch": nothing, "effect": "read", "outward": True}),
        ("costs has the unit 'EUR'", {"costs": {"EUR": 1}}),
        ("costs has the unit 'calls'", {"costs": {"calls": 1}}),
        ("costs of 'cents' is -1", {"costs": {"cents": -1}}),
        ("costs of 'cents' is True", {"costs": {"cents": True}}),
        ("costs of 'cents' is 1.5", {"costs": {"cents": 1.5}}),
        ("costs names 'id'", {"costs": {"cents": "id"}}),
        ("costs names 'no'", {"costs": {"cents": "no"}}),
        ("timeout_s", {"timeout_s": 0.0}),
        ("timeout_s", {"timeout_s": float("nan")}),
        ("timeout_s", {"timeout_s": 1e9}),
        ("attempts_max", {"attempts_max": 0}),
        ("attempts_max", {"attempts_max": 11}),
        ("compensate or reconcile", {"effect": "read", "compensate": "other"}),
        ("compensate_with is set without compensate", {"compensate_with": {"id": "/result/id"}}),
        ("gives 'id' no pointer", {"compensate": "other", "compensate_with": {"id": "/key/id"}}),
        ("gives 'id' no pointer", {"compensate": "other", "compensate_with": {"id": "result"}}),
        ("gives 'id' no pointer", {"compensate": "other", "compensate_with": {"id": "/arguments"}}),
        ("points to '/arguments/no'", {"compensate": "other", "compensate_with": {"id": "/arguments/no"}}),
        ("description has more than 8192 bytes", {"description": "ä" * 5_000}),
        ("examples number 2 is no valid call: /id must be of type string", {"examples": [{}, {"id": 1}]}),
    ],
)
def test_a_definition_that_contradicts_itself_is_refused(said: str, options: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError) as caught:
        Registry([foreign("pay", OBJECT, **options), foreign("other")])
    assert said in str(caught.value)
    assert "'pay'" in str(caught.value)


def test_a_default_that_its_own_schema_refuses_is_refused() -> None:
    """Defect 9: it would make every call without the argument invalid."""
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "a~b": {"type": "integer", "default": "5"}, "c": {"default": None}},
        "required": ["a"],
    }
    with pytest.raises(DefinitionError, match=r"default of 'a~b' \(\"5\"\) must be of type integer"):
        Registry([foreign("pay", schema, sealed=True)])
    Registry([foreign("pay", schema)])  # a foreign tool's are only shown


def test_an_example_that_a_validator_refuses_is_refused() -> None:
    def even(number: int) -> int:
        if number % 2:
            raise ValueError("must be even")
        return number

    def take(number: Annotated[int, AfterValidator(even)], other: int = 2) -> None:
        """Take."""

    hints = {"number": Annotated[int, AfterValidator(even)], "other": int, "return": None}
    take.__annotations__ = hints
    Registry([tool(examples=[{"number": 2}])(take)])
    with pytest.raises(DefinitionError, match="examples number 1 is not accepted: /number must be even"):
        Registry([tool(examples=[{"number": 3}])(take)])


def test_a_fault_that_is_no_defaults_is_not_blamed_on_one() -> None:
    schema = {"type": "object", "properties": {"a": {"default": 1}}, "minProperties": 2}
    assert len(Registry([foreign("pay", schema, sealed=True)])) == 1


@pytest.mark.parametrize(
    ("said", "tools"),
    [
        ("fallback names 'other'", [foreign("pay", fallback="other")]),
        ("fallback names 'pay'", [foreign("pay", fallback="pay")]),
        ("compensate names 'other'", [foreign("pay", compensate="other")]),
        (
            "'get', which undoes it, is a read",
            [foreign("pay", compensate="get"), foreign("get", effect="read")],
        ),
        (
            "'void', which undoes it, takes no 'other'",
            [foreign("pay", OBJECT, compensate="void", compensate_with={"other": "/arguments/id"}), foreign("void")],
        ),
        (
            "'void', which undoes it, needs 'id'",
            [foreign("pay", OBJECT, compensate="void"), foreign("void", {**OBJECT, "required": ["id"]})],
        ),
        ("reconcile names 'other', which is no read", [foreign("pay", reconcile="other"), foreign("other")]),
        ("lookup names 'other'", [foreign("pay", OBJECT, entities={"id": Entity(type="A", lookup="other")})]),
        (
            "the resolver 'get' takes no 'by'",
            [foreign("pay", OBJECT, entities={"id": Entity(type="A", lookup="get", by="by")}), read("get")],
        ),
        (
            "the resolver 'find' takes no 'query'",
            [
                foreign("pay", OBJECT, entities={"id": Entity(type="A", lookup="get", suggest="find")}),
                read("get"),
                read("find"),
            ],
        ),
        (
            "suggest names 'other', which is no read",
            [
                foreign("pay", OBJECT, entities={"id": Entity(type="A", lookup="get", suggest="other")}),
                read("get"),
                foreign("other"),
            ],
        ),
    ],
)
def test_a_tool_that_is_named_must_be_there_and_a_check_must_be_a_read(said: str, tools: list[Tool]) -> None:
    with pytest.raises(DefinitionError) as caught:
        Registry(tools)
    assert said in str(caught.value)
    assert caught.value.code == "definition.reference"


def test_tools_that_name_each_other_are_registered_together() -> None:
    entity = Entity(type="Payment", lookup="get_payment", by="id", suggest="find_payment")
    tools = [
        foreign("pay", OBJECT, entities={"id": entity}, compensate="refund", reconcile="get_payment", roles=ROLES),
        foreign("refund", fallback="pay"),
        read("get_payment"),
        foreign("find_payment", {"type": "object", "properties": {"query": {"type": "string"}}}, effect="read"),
    ]
    assert len(Registry(tools)) == 4


def test_tools_are_looked_up_by_category_tags_and_words() -> None:
    registry = Registry(
        [
            foreign("list_flights", category="travel", tags=["air", "read"], description="Find flights to a city."),
            foreign("book_hotel", category="travel", tags=["stay"], description="Book a room in a hotel."),
            foreign("pay", category="money"),
        ]
    )

    def names(**by: Any) -> list[str]:
        return [found.name for found in registry.lookup(**by)]

    assert names(category="travel") == ["list_flights", "book_hotel"]
    assert names(tags=["air", "read"]) == ["list_flights"]
    assert names(text="ROOM hotel") == ["book_hotel"]
    assert names(category="travel", text="flights") == ["list_flights"]
    assert names(category="none") == []
    assert len(names()) == 3


# ------------------------------------------------------------------------------------ pins


def test_a_tool_that_is_not_as_reviewed_is_withheld_until_it_is() -> None:
    """Defect 72; T6, T7: one byte anywhere in the definition."""
    before = foreign("pay", OBJECT, description="Pay.")
    after = foreign("pay", OBJECT, description="Pay. ")
    registry = Registry([after, foreign("other")], pins=pins_of([before, foreign("gone")]))
    outcome = refused(registry, "pay", {})
    assert outcome.code == "validate.pin"
    assert outcome.message == "this tool's definition changed and awaits review"
    assert refused(registry, "other", {}).message == "this tool is new and awaits review"
    assert registry.offered == ()
    assert set(registry.withheld) == {"pay", "other"}
    valid(Registry([after], pins=pins_of([after])), "pay", {})


def test_a_removed_tool_gives_a_clear_reason() -> None:
    """Defect 72."""
    registry = Registry([], pins=pins_of([foreign("gone")]), withdrawn={"old": "Use pay instead."})
    outcome = refused(registry, "gone", {})
    assert (outcome.code, outcome.message) == ("validate.withdrawn", "this tool was removed")
    assert outcome.next_step
    assert refused(registry, "old", {}).next_step == "Use pay instead."
    assert dict(registry.withdrawn) == {"gone": "", "old": "Use pay instead."}


def test_a_withheld_tool_is_not_suggested() -> None:
    registry = Registry([foreign("pay_out")], pins=pins_of([]))
    assert registry.closest("pay_ot") == []


def test_the_same_definition_from_another_server_is_another_tool() -> None:
    """T7: identity is server, name and definition."""
    registry = Registry([foreign("pay", server="evil")], pins=pins_of([foreign("pay", server="bank")]))
    assert refused(registry, "pay", {}).code == "validate.pin"


# --------------------------------------------------------------------------------- results


def test_a_result_is_checked_against_the_declared_schema() -> None:
    registry = Registry([foreign("pay", output_schema={"type": "object", "required": ["id"]}), foreign("free")])
    known = registry.find("pay")
    assert known is not None
    assert registry.output_matches(known.tool, {"id": 1})
    assert not registry.output_matches(known.tool, {})
    assert not registry.output_matches(known.tool, [])
    free = registry.find("free")
    assert free is not None and registry.output_matches(free.tool, object())


def test_a_call_keeps_the_definition_that_it_was_validated_against() -> None:
    """A registry may be replaced while a call runs."""
    old = foreign("pay", output_schema={"type": "string"})
    for replaced in (Registry([foreign("pay", output_schema={"type": "integer"})]), Registry()):
        assert replaced.output_matches(old, "text")
        assert not replaced.output_matches(old, 1)
    assert Registry().output_matches(foreign("pay"), 1)


def test_ten_thousand_tools_are_found_as_fast_as_ten() -> None:
    schema = {"type": "object", "properties": {}}
    registry = Registry(foreign(f"tool_{number}_x", schema) for number in range(10_000))
    assert len(registry) == 10_000
    found = registry.find("tool_9999_x")
    assert found is not None and found.tool.effect is Effect.PRIVILEGED


def test_the_same_tools_over_other_bodies_are_the_same_tools() -> None:
    """An eval's far ends: definitions and digests stay, and a changed definition is a defect of ours."""
    first, second = read("look"), read("note")
    known = Registry([first, second])

    async def body(arguments: dict[str, Any], context: CallContext) -> object:
        return None

    made = known.with_bodies(lambda tool: replace(tool, body=body))
    assert [tool.digest for tool in made.tools] == [tool.digest for tool in known.tools]
    assert all(tool.body is body for tool in made.tools)
    assert known.find("look").tool is first  # type: ignore[union-attr]
    with pytest.raises(AssertionError):
        known.with_bodies(lambda tool: replace(tool, description="another"))

"""The gate: strict JSON, one schema, defaults before hashing, repairable refusals.

Defects 1, 2, 7, 9, 11, 14, 16, 66; threats T30, T31, T42; REQUIREMENTS B1, B18.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from interlock.core.call import Stop, ValidCall, call_digest
from interlock.core.canonical import canonical
from interlock.errors import BadInput
from interlock.registry.define import tool
from interlock.registry.registry import Registry
from interlock.registry.validate import validate
from tests.registry.makers import call, faults, foreign, refused, valid

Reason = Literal["damaged", "late", "not_received"]


@tool(effect="irreversible")
def refund(
    payment_id: Annotated[str, Field(pattern="^p[0-9]+$", examples=["p17"])],
    amount_eur: Annotated[int, Field(ge=1, le=500)],
    reason: Reason = "late",
) -> None:
    """Refund a payment."""


@tool
def update_user(user_id: str, role: Literal["member"], birthday: date | None = None) -> None:
    """Update a user."""


ROWS = {
    "type": "object",
    "properties": {"rows": {"type": "array", "items": {"type": "object"}}, "more": {"type": "object"}},
}
REGISTRY = Registry([refund, update_user, foreign("import_rows", ROWS)])

GOOD = {"payment_id": "p1", "amount_eur": 5}


# ------------------------------------------------------------------------------ what passes


def test_a_valid_call_has_its_defaults_in_what_is_hashed() -> None:
    """Defect 9."""
    state = valid(REGISTRY, "refund", json.dumps(GOOD))
    assert state.arguments == {**GOOD, "reason": "late"}
    assert state.text == b'{"amount_eur":5,"payment_id":"p1","reason":"late"}'
    assert state.tool is refund
    assert state.digest == call_digest(refund, state.text)


@pytest.mark.parametrize(
    "arguments",
    [
        GOOD,
        MappingProxyType(GOOD),
        json.dumps(GOOD),
        json.dumps(GOOD).encode(),
        ' { "amount_eur" : 5 , "payment_id":"\\u0070\\u0031" } ',
        {**GOOD, "reason": "late"},
    ],
)
def test_one_call_has_one_text_however_it_was_written(arguments: Any) -> None:
    """T42: what is forwarded is what was checked."""
    assert valid(REGISTRY, "refund", arguments).text == b'{"amount_eur":5,"payment_id":"p1","reason":"late"}'


def test_later_changes_by_the_caller_change_nothing() -> None:
    """Defect 11."""
    proposed: dict[str, Any] = {"rows": [{"a": [1]}], "more": {"b": 1}}
    state = valid(REGISTRY, "import_rows", proposed)
    proposed["rows"][0]["a"].append(2)
    proposed["more"]["b"] = 2
    assert state.arguments == {"rows": [{"a": [1]}], "more": {"b": 1}} == json.loads(state.text)


def test_the_digest_binds_the_definition() -> None:
    other = tool(effect="irreversible", version="2")
    first = valid(REGISTRY, "refund", GOOD)
    second = valid(Registry([other(_refund)]), "refund", GOOD)
    assert first.text == second.text
    assert first.digest != second.digest


def _refund(payment_id: str, amount_eur: int, reason: Reason = "late") -> None:
    """Refund a payment."""


_refund.__name__ = "refund"


# ------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("json.syntax", "__import__('os').system('true')"),
        ("json.syntax", "{'payment_id': 'p1'}"),
        ("json.syntax", '{"payment_id": True}'),
        ("json.syntax", '{"payment_id": "p1",}'),
        ("json.syntax", ""),
        ("json.syntax", '{"payment_id": "p1'),
        ("json.syntax", '{} {}'),
        ("json.duplicate_key", '{"payment_id": "p1", "payment_id": "p2", "amount_eur": 5}'),
        ("json.number", '{"amount_eur": NaN}'),
        ("json.number", '{"amount_eur": Infinity}'),
        ("json.number", '{"amount_eur": 1e999}'),
        ("json.number", '{"amount_eur": ' + "9" * 50 + "}"),
        ("json.integer", '{"amount_eur": 18446744073709551616}'),
        ("json.surrogate", '{"payment_id": "\\ud800"}'),
        ("json.surrogate", {"payment_id": "\ud800"}),
        ("json.utf8", b'{"payment_id": "\xff"}'),
        ("json.depth", "[" * 70 + "]" * 70),
        ("json.depth", "[" * 100_000),
        ("json.too_large", '{"payment_id": "' + "p" * (1 << 20) + '"}'),
        ("json.type", {"payment_id": {1, 2}}),
        ("json.type", {1: 2}),
        ("json.type", {"payment_id": object()}),
        ("json.number", {"amount_eur": float("nan")}),
        ("json.depth", {"rows": json.loads("[" * 66 + "]" * 66)}),
        ("json.string", {"payment_id": "p" * ((1 << 20) + 1)}),
    ],
)  # fmt: skip
def test_what_is_not_strict_json_is_refused_with_its_reason(code: str, arguments: Any) -> None:
    """Defect 1; T30, T42."""
    outcome = refused(REGISTRY, "refund", arguments)
    assert outcome.code == "validate.json"
    assert faults(outcome) == [("", code)]
    assert outcome.next_step


@pytest.mark.parametrize("arguments", ["[]", "null", "5", '"text"', "true", '"{\\"payment_id\\": \\"p1\\"}"'])
def test_arguments_are_one_object(arguments: str) -> None:
    outcome = refused(REGISTRY, "refund", arguments)
    assert outcome.code == "validate.arguments"
    assert ("a text of it" in outcome.next_step) is ("{" in arguments)


def test_a_large_object_is_refused_like_a_large_text() -> None:
    """T30: the limit holds for both call shapes."""
    rows = [{"text": "x" * 1_000} for _ in range(1_100)]
    assert refused(REGISTRY, "import_rows", {"rows": rows}).code == "validate.too_large"
    assert refused(REGISTRY, "import_rows", json.dumps({"rows": rows})).code == "validate.json"


def test_arguments_that_would_cost_too_much_to_check_are_refused() -> None:
    """T31."""
    greedy = foreign("greedy", {"type": "object", "properties": {"text": {"pattern": "(a|b)*a(a|b){900}c"}}})
    outcome = refused(Registry([greedy]), "greedy", {"text": "ab" * 200_000})
    assert outcome.code == "validate.too_large"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [("/payment_id", "required"), ("/amount_eur", "required")]),
        ({**GOOD, "payment_id": "x"}, [("/payment_id", "pattern")]),
        ({**GOOD, "payment_id": "p1\n"}, [("/payment_id", "pattern")]),
        ({**GOOD, "amount_eur": True}, [("/amount_eur", "type")]),
        ({**GOOD, "amount_eur": "5"}, [("/amount_eur", "type")]),
        ({**GOOD, "amount_eur": 1.5}, [("/amount_eur", "type")]),
        ({**GOOD, "amount_eur": 501}, [("/amount_eur", "maximum")]),
        ({**GOOD, "amount_eur": -5}, [("/amount_eur", "minimum")]),
        ({**GOOD, "reason": "lost"}, [("/reason", "enum")]),
        ({**GOOD, "admin": True}, [("/admin", "additionalProperties")]),
        ({**GOOD, "reason": None}, [("/reason", "enum"), ("/reason", "type")]),
    ],
)
def test_every_fault_is_named_with_its_field(arguments: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """Defects 3 and 7; B1."""
    outcome = refused(REGISTRY, "refund", arguments)
    assert outcome.code == "validate.schema"
    assert sorted(faults(outcome)) == sorted(expected)


def test_the_arguments_of_one_tool_are_not_those_of_another() -> None:
    """Defect 2: `update_user` with search parameters is refused by its own schema."""
    outcome = refused(REGISTRY, "update_user", {"query": "all users", "limit": 5})
    assert {field for field, _ in faults(outcome)} == {"/user_id", "/role", "/query", "/limit"}


def test_a_role_that_is_not_on_offer_is_refused() -> None:
    """Defect 6, the schema's half of it."""
    assert refused(REGISTRY, "update_user", {"user_id": "u1", "role": "admin"}).code == "validate.schema"


def test_a_refusal_lets_a_model_repair_its_call() -> None:
    """B1, B18: which field, what is allowed, the closest match, an example."""
    outcome = refused(REGISTRY, "refund", {"paymentid": "p1", "amount_eur": 5, "reason": "not-received"})
    by_field = {problem.field: problem for problem in outcome.problems}
    assert by_field["/paymentid"].closest == "payment_id"
    assert by_field["/payment_id"].example == "p17"
    assert by_field["/reason"].closest == "not_received"
    assert by_field["/reason"].allowed == ["damaged", "late", "not_received"]
    assert outcome.message and outcome.next_step
    assert outcome.as_json()["outcome"] == "refused"


def test_an_unknown_tool_is_refused_with_the_nearest_name() -> None:
    """Defect 16: what was offered is no control; what is registered is."""
    outcome = refused(REGISTRY, "refnd", GOOD)
    assert outcome.code == "validate.unknown_tool"
    assert outcome.next_step == "Did you mean refund?"
    assert refused(REGISTRY, "weather", GOOD).problems[0].closest is None
    assert refused(REGISTRY, "", GOOD).code == "validate.unknown_tool"


SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    "arguments",
    [
        {"payment_id": SECRET, "amount_eur": 5},
        {"payment_id": "p1", "amount_eur": SECRET},
        {"payment_id": "p1", "amount_eur": 5, "reason": SECRET},
        {"payment_id": ["p1", SECRET], "amount_eur": {SECRET: SECRET}},
        f'{{"payment_id": "{SECRET}',
        f'"{SECRET}"',
        f'{{"a": "{SECRET}", "a": "{SECRET}"}}',
    ],
)
def test_no_value_is_repeated(arguments: Any) -> None:
    """Defect 66."""
    outcome = refused(REGISTRY, "refund", arguments)
    said = json.dumps(outcome.as_json())
    assert SECRET not in said


def test_a_check_of_a_tool_that_was_made_by_hand_refuses_in_its_own_words() -> None:
    def accept(arguments: dict[str, Any]) -> None:
        raise BadInput("is not for today", code="calendar.closed")

    outcome = refused(Registry([replace(foreign("pay"), accept=accept)]), "pay", {})
    assert (outcome.code, faults(outcome)) == ("validate.rejected", [("", "calendar.closed")])


def test_a_fault_after_filling_defaults_is_told_too() -> None:
    few = {"type": "object", "properties": {"a": {"default": 1}, "b": {}}, "maxProperties": 1}
    registry = Registry([foreign("few", few, sealed=True)])
    valid(registry, "few", {})
    assert faults(refused(registry, "few", {"b": 1})) == [("", "maxProperties")]


# ------------------------------------------------------------------------------------ laws

TEXT = st.text(max_size=8)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.sampled_from(["p1", "late", 5]),
    lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(TEXT, deeper, max_size=3),
    max_leaves=10,
)
KEYED = st.dictionaries(st.sampled_from(["payment_id", "amount_eur", "reason", "rows", "more", "x"]), ANY, max_size=4)
NAMES = st.sampled_from(["refund", "update_user", "import_rows", "refnd"]) | TEXT


@given(NAMES, st.text() | st.binary() | ANY.map(lambda value: json.dumps(value)) | KEYED.map(json.dumps) | KEYED)
@settings(max_examples=300)
def test_whatever_is_proposed_there_is_a_valid_call_or_a_refusal(name: str, arguments: Any) -> None:
    state = validate(call(name, arguments), REGISTRY)
    if isinstance(state, Stop):
        json.dumps(state.outcome.as_json())
        assert state.outcome.code.startswith("validate.")
        return
    assert isinstance(state, ValidCall)
    assert canonical(state.arguments) == state.text
    assert isinstance(validate(call(name, state.text), REGISTRY), ValidCall), "what passed passes again"


ARGUMENTS = st.fixed_dictionaries(
    {"payment_id": st.integers(0, 10**6).map(lambda n: f"p{n}"), "amount_eur": st.integers(1, 500)},
    optional={"reason": st.sampled_from(["damaged", "late", "not_received"])},
)


@given(ARGUMENTS, st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_the_order_of_keys_does_not_change_the_digest(arguments: dict[str, Any], random: Any) -> None:
    keys = list(arguments)
    random.shuffle(keys)
    shuffled = {key: arguments[key] for key in keys}
    assert valid(REGISTRY, "refund", shuffled).digest == valid(REGISTRY, "refund", json.dumps(arguments)).digest


@given(ARGUMENTS)
@settings(max_examples=60)
def test_a_valid_text_is_valid_again_and_the_same(arguments: dict[str, Any]) -> None:
    once = valid(REGISTRY, "refund", arguments)
    twice = valid(REGISTRY, "refund", once.text)
    assert (once.text, once.digest, once.arguments) == (twice.text, twice.digest, twice.arguments)


@given(ARGUMENTS, st.data())
@settings(max_examples=60)
def test_any_byte_of_the_arguments_changes_the_digest(arguments: dict[str, Any], data: st.DataObject) -> None:
    state = valid(REGISTRY, "refund", arguments)
    at = data.draw(st.integers(0, len(state.text) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != state.text[at]))
    assert call_digest(refund, state.text[:at] + bytes([byte]) + state.text[at + 1 :]) != state.digest
    assert call_digest(refund, state.text[:at] + state.text[at + 1 :]) != state.digest
    assert call_digest(refund, state.text + bytes([byte])) != state.digest


def test_a_mapping_that_is_no_dict_is_read_once() -> None:
    class Shifting(Mapping[str, Any]):
        """Says something else each time: what is checked must be what is kept."""

        reads = 0

        def __getitem__(self, key: str) -> Any:
            self.reads += 1
            return {"payment_id": "p1", "amount_eur": 5 if self.reads <= 2 else 500}[key]

        def __iter__(self) -> Any:
            return iter(("payment_id", "amount_eur"))

        def __len__(self) -> int:
            return 2

    assert valid(REGISTRY, "refund", Shifting()).arguments["amount_eur"] == 5

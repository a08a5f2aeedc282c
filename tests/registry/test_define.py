"""Functions as tools: what the decorator reads, what it refuses, and how the body runs. REQUIREMENTS A1."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import anyio
import pytest
from annotated_types import Predicate
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from interlock.core.canonical import canonical
from interlock.core.tool import CallContext, Effect, Tool
from interlock.errors import DefinitionError, NotSent
from interlock.registry.define import foreign_tool, tool
from interlock.registry.registry import Registry
from tests.registry.makers import CONTEXT, faults, nothing, refused, valid


class Sort(Enum):
    NEWEST = "newest"
    OLDEST = "oldest"


class Window(BaseModel):
    """From one day to another."""

    start: date
    days: int = Field(7, ge=1, le=31)


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


class Address(TypedDict):
    street: str
    number: int


@dataclasses.dataclass
class Point:
    x: int
    y: int


class Report(BaseModel):
    at: datetime
    total: Decimal
    sort: Sort


def even(number: int) -> int:
    if number % 2:
        raise ValueError("must be even")
    return number


def known(name: str) -> str:
    raise PydanticCustomError("unknown_name", "is not a name that we know")


def buggy(name: str) -> str:
    raise KeyError("internal detail")


def leaking(name: str) -> str:
    json.loads("not json, secret-token")
    return name


@tool
def refund(
    payment_id: Annotated[str, Field(pattern="^p[0-9]+$", max_length=20)],
    amount_eur: Annotated[int, Field(ge=1, le=500)],
    reason: Literal["damaged", "late"] = "late",
    note: str | None = None,
    *,
    context: CallContext,
) -> dict[str, int]:
    """Refund a payment.

    Only for payments of the last year.

    Args:
        payment_id: Id of the payment.
        amount_eur (int): Amount in euros,
            at most 500.
        context: Not for the model.

    Returns:
        What was paid back.
    """
    return {"paid": amount_eur + context.attempt}


@tool(effect="read", category="search", tags=["window"], examples=[{"window": {"start": "2024-01-01"}}], timeout_s=5)
async def search(
    window: Window,
    sort: Sort = Sort.NEWEST,
    even_only: Annotated[int, AfterValidator(even)] = 2,
    words: list[str] = [],  # noqa: B006  # what is tested
) -> Report:
    """Search in a window."""
    assert isinstance(window, Window) and isinstance(sort, Sort)
    start = datetime(window.start.year, 1, 1, tzinfo=UTC)
    return Report(at=start, total=Decimal("1.50"), sort=sort)


async def run(made: Tool, arguments: Any) -> object:
    """The call as the path runs it: validated, its canonical text parsed afresh, the body awaited."""
    state = valid(Registry([made]), made.name, arguments)
    return await made.body(json.loads(state.text), CONTEXT)


# --------------------------------------------------------------------------- what is read


def test_name_description_and_parameters_come_from_the_function() -> None:
    assert refund.name == "refund"
    assert refund.description == "Refund a payment.\n\nOnly for payments of the last year."
    assert refund.input_schema == {
        "type": "object",
        "additionalProperties": False,
        "required": ["payment_id", "amount_eur"],
        "properties": {
            "payment_id": {
                "type": "string",
                "pattern": "^p[0-9]+$",
                "maxLength": 20,
                "description": "Id of the payment.",
            },
            "amount_eur": {
                "type": "integer",
                "minimum": 1,
                "maximum": 500,
                "description": "Amount in euros, at most 500.",
            },
            "reason": {"enum": ["damaged", "late"], "type": "string", "default": "late"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
    }
    assert list(refund.input_schema["properties"]) == ["payment_id", "amount_eur", "reason", "note"]
    assert refund.output_schema == {"type": "object", "additionalProperties": {"type": "integer"}}


def test_without_a_declared_effect_a_tool_is_privileged() -> None:
    """Fail closed; defect 21."""
    assert refund.effect is Effect.PRIVILEGED
    assert refund.declared == frozenset()
    assert search.effect is Effect.READ
    assert search.declared == {"effect", "category", "tags", "examples", "timeout_s"}


def test_options_are_fields_of_the_tool() -> None:
    made = tool(
        name="pay.out", server="bank", description="Pay.", effect=Effect.IRREVERSIBLE, keyed=True, resource="to"
    )
    pay = made(_pay)
    assert (pay.name, pay.server, pay.description) == ("pay.out", "bank", "Pay.")
    assert (pay.effect, pay.keyed, pay.resource) == (Effect.IRREVERSIBLE, True, "to")
    assert search.tags == ("window",)


def _pay(to: str) -> None:
    """Other words."""


def test_nested_models_are_closed_at_every_level() -> None:
    """Defect 5."""
    registry = Registry([search])
    assert search.input_schema["$defs"]["Window"]["additionalProperties"] is False
    assert faults(refused(registry, "search", {"window": {"start": "2024-01-01", "dayz": 3}})) == [
        ("/window/dayz", "additionalProperties")
    ]


def test_an_object_is_open_only_by_its_models_own_word() -> None:
    """Defect 5: the opt-out is in the schema, where lint finds it."""

    @tool
    def take(thing: Open, address: Address, counts: dict[str, int]) -> None:
        """Take."""

    assert take.input_schema["$defs"]["Open"]["additionalProperties"] is True
    assert take.input_schema["$defs"]["Address"]["additionalProperties"] is False
    arguments = {"thing": {"name": "a", "more": 1}, "address": {"street": "a", "number": 1}, "counts": {"a": 1}}
    valid(Registry([take]), "take", arguments)


def no_annotation(name) -> None: ...  # type: ignore[no-untyped-def]
def anything(name: Any) -> None: ...
def an_object(name: object) -> None: ...
def open_dict(name: dict) -> None: ...  # type: ignore[type-arg]
def open_values(name: dict[str, Any]) -> None: ...
def open_list(name: list) -> None: ...  # type: ignore[type-arg]
def open_optional(name: dict[str, Any] | None = None) -> None: ...
def many(*name: str) -> None: ...
def keywords(**name: str) -> None: ...
def positional(name: str, /) -> None: ...
def private(_name: str) -> None: ...
def made_later(name: list[str] = Field(default_factory=list)) -> None: ...  # noqa: B008  # what is tested
def made_later_too(name: Annotated[list[str], Field(default_factory=list)]) -> None: ...
def no_json(name: Callable[[], int]) -> None: ...
def no_json_between(first: str, name: Callable[[], int], last: int) -> None: ...
def no_json_default(name: str | None = object()) -> None: ...  # type: ignore[assignment]
def unknown_type(name: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def no_result(name: str) -> threading.Lock: ...  # type: ignore[empty-body]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (no_annotation, "has no annotation"),
        (anything, "may be anything"),
        (an_object, "may be anything"),
        (open_dict, "object of anything"),
        (open_values, "object of anything"),
        (open_list, "may be anything"),
        (open_optional, "object of anything"),
        (many, "any number of values"),
        (keywords, "any number of values"),
        (positional, "positional only"),
        (private, "underscore"),
        (made_later, "made at run time"),
        (made_later_too, "made at run time"),
        (no_json, "'name'"),
        (no_json_between, "'name'"),
        (no_json_default, "'name'"),
        (unknown_type, "Missing"),
        (no_result, "result"),
    ],
)
def test_what_cannot_be_checked_is_refused_with_function_and_reason(function: Callable[..., Any], said: str) -> None:
    """Defects 5 and 8."""
    with pytest.raises(DefinitionError) as caught:
        tool(function)
    assert function.__name__ in str(caught.value)
    assert said in str(caught.value)
    assert caught.value.remedy


def test_a_tool_returns_once() -> None:
    def one_by_one() -> Iterator[int]:
        yield 1

    async def later() -> AsyncIterator[int]:
        yield 1

    for function in (one_by_one, later):
        with pytest.raises(DefinitionError, match="yields"):
            tool(function)
    with pytest.raises(DefinitionError, match="is no function"):
        tool("refund")  # type: ignore[call-overload]


def test_an_option_that_is_unknown_or_wrong_is_refused() -> None:
    with pytest.raises(DefinitionError, match="unknown option 'efect'"):
        tool(efect="read")(_pay)  # type: ignore[call-overload]
    with pytest.raises(DefinitionError, match="unknown effect 'reed'"):
        tool(effect="reed")(_pay)


def test_a_method_and_a_callable_object_become_tools() -> None:
    class Far:
        def ask(self, name: str) -> str:
            """Ask."""
            return name

    assert list(tool(Far().ask).input_schema["properties"]) == ["name"]


def test_an_alias_is_the_arguments_name() -> None:
    @tool
    def send(sender: Annotated[str, Field(alias="from")], to: str = Field("all", max_length=9)) -> str:
        """Send."""
        return f"{sender}-{to}"

    assert list(send.input_schema["properties"]) == ["from", "to"]
    assert anyio.run(run, send, {"from": "me"}) == "me-all"


# ------------------------------------------------------------------------------ the body


@pytest.mark.anyio
async def test_a_plain_body_gets_its_arguments_defaults_and_context() -> None:
    assert await run(refund, {"payment_id": "p1", "amount_eur": 5}) == {"paid": 6}


@pytest.mark.anyio
async def test_a_whole_number_written_as_a_fraction_reaches_the_body_as_an_int() -> None:
    """T42: `1.0` and `1e0` are integers to the checker; the body must not see another type."""

    @tool
    async def take(
        one: int, some: list[int], by_name: dict[str, int], maybe: int | None, either: int | str, real: float | int = 1
    ) -> list[str]:
        """Take."""
        values = [one, *some, *by_name.values(), maybe, either, real]
        return [type(value).__name__ for value in values]

    text = '{"one": 1.0, "some": [2e0, 3], "by_name": {"a": 4.0}, "maybe": 5.0, "either": 6.0, "real": 7.0}'
    assert await run(take, text) == ["int"] * 6 + ["float"]
    assert take.accept is None, "pydantic has no part in it"


@pytest.mark.anyio
async def test_a_body_that_is_called_without_a_default_uses_the_functions_own() -> None:
    @tool
    def take(one: int, other: int = 2) -> int:
        """Take."""
        return one + other

    assert await take.body({"one": 1.0}, CONTEXT) == 3


@pytest.mark.parametrize(
    ("hint", "plain"),
    [
        (str, True),
        (Literal["a", 1], True),
        (list[list[str]], True),
        (dict[str, list[int]], True),
        (int | str | None, True),
        (Annotated[str, Field(pattern="a", max_length=3)], True),
        (Annotated[int, Field(ge=1, description="One.")], True),
        (list[int] | int, False),
        (dict[int, str], False),
        (Annotated[str, StringConstraints(strip_whitespace=True)], False),
        (Annotated[str, Predicate(str.islower)], False),
        (Annotated[int, AfterValidator(even)], False),
        (date, False),
        (Sort, False),
        (Address, False),
    ],
)
def test_only_what_json_has_no_type_for_is_converted_by_pydantic(hint: Any, plain: bool) -> None:
    def take(name: Any) -> None: ...

    take.__annotations__["name"] = hint
    assert (tool(take).accept is None) is plain


@pytest.mark.anyio
async def test_models_dates_and_enums_go_in_and_come_out() -> None:
    result = await run(search, {"window": {"start": "2024-02-29"}, "sort": "oldest"})
    assert result == {"at": "2024-01-01T00:00:00Z", "total": "1.50", "sort": "oldest"}
    assert search.output_schema is not None
    assert Registry([search]).output_matches(search, result)


@pytest.mark.anyio
async def test_what_is_returned_becomes_json() -> None:
    @tool
    def everything(which: str) -> list[Point | Address | Window | UUID | timedelta | set[int]]:
        """Return."""
        at = UUID(int=1)
        return [
            Point(1, 2),
            {"street": "a", "number": 1},
            Window(start=date(2024, 1, 1)),
            at,
            timedelta(seconds=5),
            {3},
        ]

    assert await run(everything, {"which": "all"}) == [
        {"x": 1, "y": 2},
        {"street": "a", "number": 1},
        {"start": "2024-01-01", "days": 7},
        "00000000-0000-0000-0000-000000000001",
        "PT5S",
        [3],
    ]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
ANYTHING = st.recursive(
    SCALARS,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=5), part, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=5), ANYTHING | st.dates(), max_size=3)


@pytest.mark.parametrize(
    ("hint", "values"),
    [
        (dict, OBJECTS),
        (dict[str, Any], OBJECTS),
        (list, st.lists(ANYTHING | st.dates(), max_size=3)),
        (list[dict[str, Any]], st.lists(OBJECTS, max_size=3)),
        (dict[str, list[Any]], st.dictionaries(st.text(max_size=5), st.lists(ANYTHING), max_size=3)),
        (dict[str, Point], st.dictionaries(st.text(max_size=5), st.builds(Point, st.integers(), st.integers()))),
    ],
)
@given(data=st.data())
@settings(max_examples=40)
def test_a_result_that_is_json_already_comes_out_as_the_serializer_would_have_it(
    hint: Any, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    """Fast beside plain."""
    value = data.draw(values)

    async def give() -> Any:
        """Give."""
        return value

    give.__annotations__["return"] = hint
    given_back = anyio.run(tool(give).body, {}, CONTEXT)
    assert canonical(given_back) == canonical(TypeAdapter(hint).serializer.to_python(value, mode="json"))


@pytest.mark.anyio
async def test_a_result_that_is_not_what_was_annotated_is_handed_on_for_the_screen_to_withhold() -> None:
    """The effect stands: an error here would say that it may not have happened."""

    @tool
    def late() -> list[date]:
        """Return."""
        return [threading.Lock()]  # type: ignore[list-item]

    assert not Registry([late]).output_matches(late, "anything else")
    assert isinstance(await run(late, {}), list)


@pytest.mark.anyio
async def test_a_result_of_nothing_and_of_anything() -> None:
    @tool
    def silent() -> None:
        """Do."""

    @tool
    def loud(word: str):  # type: ignore[no-untyped-def]
        """Do."""
        return {"any": word}

    assert silent.output_schema == {"type": "null"}
    assert await run(silent, {}) is None
    assert loud.output_schema is None
    assert await run(loud, {"word": "x"}) == {"any": "x"}


@pytest.mark.anyio
async def test_a_sync_function_runs_in_a_thread_and_cancellation_leaves_it_behind() -> None:
    go = threading.Event()
    threads: list[str] = []

    @tool
    def hang() -> None:
        """Hang."""
        threads.append(threading.current_thread().name)
        go.wait(5)

    with anyio.move_on_after(0.05) as scope:
        await hang.body({}, CONTEXT)
    assert scope.cancelled_caught
    assert threads != [threading.main_thread().name]
    go.set()


@pytest.mark.anyio
@pytest.mark.parametrize("threaded", [False, True])
async def test_a_batch_function_gets_what_the_function_itself_would_get_for_each_call(threaded: bool) -> None:
    """REQUIREMENTS B13: models, defaults and the context included; an exception in a result's place stays one."""
    seen: list[dict[str, Any]] = []
    gone = NotSent("no such day")

    def answer(calls: list[dict[str, Any]]) -> list[object]:
        seen.extend(calls)
        return [{each["window"].start: len(calls)} if each["window"].days > 1 else gone for each in calls]

    async def later(calls: list[dict[str, Any]]) -> list[object]:
        return answer(calls)

    @tool(effect="read", batch=answer if threaded else later)
    def weather(window: Window, context: CallContext) -> dict[date, int]:
        """Weather of some days."""
        return {}

    assert weather.batch is not None
    asked: list[dict[str, Any]] = [{"window": {"start": "2024-01-01", "days": days}} for days in (3, 1)]
    contexts = [CONTEXT, dataclasses.replace(CONTEXT, call_id="call_2")]
    assert await weather.batch(asked, contexts) == [{"2024-01-01": 2}, gone]
    assert [each["context"].call_id for each in seen] == ["call_1", "call_2"]
    assert [each["window"].days for each in seen] == [3, 1]


def test_a_batch_function_is_a_function_and_tags_are_a_list() -> None:
    with pytest.raises(DefinitionError, match="batch is no function"):
        tool(effect="read", batch="many")(_pay)  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="invalidates is a text"):
        tool(effect="reversible", invalidates="flats")(_pay)


@pytest.mark.anyio
async def test_arguments_that_change_between_check_and_body_send_nothing() -> None:
    with pytest.raises(NotSent):
        await search.body({"window": {"start": "no date"}}, CONTEXT)


# ---------------------------------------------------------------------- custom validators


def with_validator(validator: Callable[[Any], Any]) -> Registry:
    def take(name: Any) -> None:
        """Take."""

    take.__annotations__["name"] = Annotated[str, AfterValidator(validator)]
    return Registry([tool(take)])


def test_a_validators_words_reach_the_model_where_they_were_meant_to() -> None:
    outcome = refused(Registry([search]), "search", {"window": {"start": "2024-01-01"}, "even_only": 3})
    assert outcome.code == "validate.rejected"
    assert faults(outcome) == [("/even_only", "value_error")]
    assert outcome.problems[0].message == "must be even"
    (problem,) = refused(with_validator(known), "take", {"name": "x"}).problems
    assert (problem.code, problem.message) == ("unknown_name", "is not a name that we know")


@pytest.mark.parametrize("validator", [buggy, leaking])
def test_a_validator_that_fails_refuses_without_its_words(validator: Callable[[Any], Any]) -> None:
    """Defect 66."""
    outcome = refused(with_validator(validator), "take", {"name": "x"})
    assert outcome.code == "validate.rejected"
    assert "internal" not in json.dumps(outcome.as_json())
    assert "Expecting" not in json.dumps(outcome.as_json())


def test_what_a_schema_admits_and_the_type_does_not_is_refused_before_anything_runs() -> None:
    @tool
    def pay(amount: Annotated[Decimal, Field(max_digits=4)]) -> None:
        """Pay."""

    assert refused(Registry([pay]), "pay", {"amount": "123456"}).code in ("validate.rejected", "validate.schema")


# -------------------------------------------------------------------------------- foreign


def test_a_foreign_tool_is_privileged_and_its_defaults_are_only_shown() -> None:
    schema = {"type": "object", "properties": {"limit": {"type": "integer", "default": 5}}}
    far = foreign_tool("list", "far", "List.", schema, nothing, claims={"title": "List"})
    assert (far.effect, far.sealed, far.server) == (Effect.PRIVILEGED, False, "far")
    assert valid(Registry([far]), "list", {}).text == b"{}"
    near = foreign_tool("list", "far", "List.", schema, nothing, sealed=True, effect="read")
    assert valid(Registry([near]), "list", {}).text == b'{"limit":5}'


def test_what_a_server_claims_is_part_of_the_definition() -> None:
    """T6, T7: a change anywhere is a change."""

    def claiming(hint: bool) -> Tool:
        claims = {"annotations": {"readOnlyHint": hint}}
        return foreign_tool("list", "far", "List.", {"type": "object"}, nothing, claims=claims)

    assert claiming(True).digest == claiming(True).digest
    assert claiming(True).digest != claiming(False).digest


def test_a_schema_of_a_file_and_of_bytes() -> None:
    @tool
    def take(where: Path, content: bytes) -> str:
        """Take."""
        return f"{type(where).__name__} {content!r}"

    assert "Path" in str(anyio.run(run, take, {"where": "/a", "content": "b"}))

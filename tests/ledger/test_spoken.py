"""A model's turn as the ledger keeps it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.canonical import canonical, parse_json
from interlock.core.message import Finish, Message, Proposal, Role, Usage
from interlock.errors import BadInput
from interlock.ledger.spoken import CALLS_MAX, TEXT_MAX, spoken, text_of


def body(*proposals: Proposal, text: str = "", final: bool = False, **more: Any) -> dict[str, Any]:
    said = Message(role=Role.MODEL, text=text, proposals=proposals, **more)
    return spoken(said, "openai:gpt-5", "ana", final=final).body


def call(arguments: Any, tool: str = "look", id: str = "a") -> Any:
    [kept] = body(Proposal(tool=tool, arguments=arguments, id=id))["calls"]
    return kept


def test_what_was_said_stands_there_and_what_does_not_apply_is_left_out() -> None:
    assert body(text="Hello.") == {"role": "model", "text": "Hello.", "model": "openai:gpt-5"}
    said = body(
        Proposal(tool="look", arguments={"n": 1}), text="", final=True, finish=Finish.TRUNCATED, usage=Usage(1, 2)
    )
    assert said["calls"] == [{"tool": "look", "arguments": {"n": 1}}]
    assert (said["final"], said["finish"], said["usage"]) == (
        True,
        "truncated",
        {"input_tokens": 1, "output_tokens": 2},
    )


@pytest.mark.parametrize("arguments", ['{"n": 1}', '{"n": ', "", "null", '{"n": "\\ud800"}'])
def test_a_text_stays_as_it_was_sent(arguments: str) -> None:
    assert call(arguments) == {"tool": "look", "id": "a", "arguments_text": arguments}


@pytest.mark.parametrize("arguments", [{"n": math.nan}, {"n": object()}, {1: 2}, {"n": 2**80}, {"n": "\ud800"}])
def test_an_object_that_is_no_json_is_kept_as_a_text_that_is_refused(arguments: dict[Any, Any]) -> None:
    kept = call(arguments)
    assert canonical(kept)
    if "arguments_text" in kept and 1 not in arguments:
        try:
            found = parse_json(kept["arguments_text"])
        except BadInput:
            return
        assert found != arguments


def test_too_much_is_cut_so_that_it_is_refused() -> None:
    kept = call('{"n": "' + "x" * (TEXT_MAX + 10) + '"}')
    assert len(kept["arguments_text"]) == TEXT_MAX + 1
    with pytest.raises(BadInput):
        parse_json(kept["arguments_text"])
    spaces = call("{}" + " " * (2 * TEXT_MAX))
    with pytest.raises(BadInput):
        parse_json(spaces["arguments_text"])
    assert len(body(text="x" * (TEXT_MAX + 5))["text"]) == TEXT_MAX
    assert len(call({}, tool="t" * 500, id="i" * 500)["tool"]) == 128


def test_more_calls_than_are_kept_are_half_a_turn() -> None:
    said = body(*[Proposal(tool="look", arguments={}) for _ in range(CALLS_MAX + 1)])
    assert (len(said["calls"]), said["finish"]) == (CALLS_MAX, "truncated")


@given(st.text(), st.dictionaries(st.text(), st.integers() | st.text() | st.floats()) | st.text(), st.text())
def test_whatever_a_model_says_can_be_kept(text: str, arguments: Any, id: str) -> None:
    fact = body(Proposal(tool=text, arguments=arguments, id=id), text=text)
    written = canonical(fact)
    [kept] = json.loads(written)["calls"]
    assert isinstance(text_of(kept.get("arguments_text", kept.get("arguments"))), str)

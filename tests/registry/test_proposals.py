"""Calls in, results out: both shapes, several at once, each with its own record. Defects 12, 13, 55."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.call import Outcome, OutcomeKind
from interlock.core.message import Proposal, Role
from interlock.registry.formats import Format, own_names
from interlock.registry.proposals import Received, received, result_out, results_out
from interlock.registry.registry import Registry
from tests.registry.makers import foreign, refused

ARGUMENTS = {"to": "a", "n": [1]}
TEXT = json.dumps(ARGUMENTS)


def chat(*calls: Any, **choice: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": "Hm.", "tool_calls": list(calls)}, **choice}]}


def chat_call(name: Any = "pay", arguments: Any = TEXT, id: Any = "c1") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def claude(*blocks: Any, **message: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "text", "text": "Hm."}, *blocks], **message}


def proposals(answer: dict[str, Any], format: Format, **options: Any) -> tuple[Proposal, ...]:
    return received(answer, format, **options).message.proposals


@pytest.mark.parametrize(
    ("format", "answer"),
    [
        (Format.OPENAI_CHAT, chat(chat_call())),
        (Format.OPENAI_CHAT, chat(chat_call())["choices"][0]),
        (Format.OPENAI_CHAT, chat(chat_call())["choices"][0]["message"]),
        (Format.OPENAI_CHAT, chat(chat_call(arguments=ARGUMENTS))),
        (
            Format.OPENAI_RESPONSES,
            {
                "status": "completed",
                "output": [
                    {"type": "reasoning", "summary": []},
                    {"type": "message", "content": [{"type": "output_text", "text": "Hm."}]},
                    {"type": "function_call", "call_id": "c1", "id": "fc_1", "name": "pay", "arguments": TEXT},
                ],
            },
        ),
        (Format.ANTHROPIC, claude({"type": "tool_use", "id": "c1", "name": "pay", "input": ARGUMENTS})),
        (Format.ANTHROPIC, claude({"type": "tool_use", "id": "c1", "name": "pay", "input": TEXT})),
        (
            Format.ANTHROPIC,
            claude({"type": "thinking"}, {"type": "tool_use", "id": "c1", "name": "pay", "input": TEXT}),
        ),
        (
            Format.GEMINI,
            {
                "candidates": [
                    {
                        "finishReason": "STOP",
                        "content": {
                            "role": "model",
                            "parts": [
                                {"text": "Not shown.", "thought": True},
                                {"text": "Hm."},
                                {"functionCall": {"id": "c1", "name": "pay", "args": ARGUMENTS}},
                            ],
                        },
                    }
                ]
            },
        ),
    ],
)
def test_a_call_is_read_from_each_providers_answer(format: Format, answer: dict[str, Any]) -> None:
    """A2: both call shapes, text and object."""
    read = received(answer, format)
    assert read.whole
    assert (read.message.role, read.message.text) == (Role.MODEL, "Hm.")
    (proposal,) = read.message.proposals
    assert (proposal.tool, proposal.id) == ("pay", "c1")
    sent = proposal.arguments
    assert (json.loads(sent) if isinstance(sent, str) else sent) == ARGUMENTS


def test_arguments_stay_as_they_came() -> None:
    """What a model wrote is what is recorded, unparsable text too."""
    (proposal,) = proposals(chat(chat_call(arguments='{"to": ')), Format.OPENAI_CHAT)
    assert proposal.arguments == '{"to": '


def test_an_mcp_call_is_its_parameters() -> None:
    request = {"method": "tools/call", "params": {"name": "pay", "arguments": ARGUMENTS}}
    for answer in (request, request["params"]):
        assert isinstance(answer, dict)
        assert proposals(answer, Format.MCP) == (Proposal(tool="pay", arguments=ARGUMENTS),)
    assert proposals({"name": "pay"}, Format.MCP) == (Proposal(tool="pay", arguments={}),)


@pytest.mark.parametrize("sent", [None, "", "  "])
def test_no_arguments_are_an_empty_object(sent: Any) -> None:
    """What providers send for a tool without parameters."""
    assert proposals(chat(chat_call(arguments=sent)), Format.OPENAI_CHAT)[0].arguments == {}


def test_several_calls_keep_their_order_and_the_broken_one_its_own_record() -> None:
    """Defect 12: neither is dropped nor do they fall together."""
    answer = chat(chat_call(id="c1"), {"id": "c2", "type": "custom"}, "junk", chat_call(arguments="{", id="c3"))
    read = proposals(answer, Format.OPENAI_CHAT)
    assert [proposal.id for proposal in read] == ["c1", "c2", "", "c3"]
    assert [proposal.tool for proposal in read] == ["pay", "", "", "pay"]
    registry = Registry([foreign("pay")])
    assert refused(registry, read[1].tool, read[1].arguments).code == "validate.unknown_tool"
    assert refused(registry, read[3].tool, read[3].arguments).code == "validate.json"


@pytest.mark.parametrize(
    ("format", "answer"),
    [
        (Format.OPENAI_CHAT, chat(chat_call(name=None))),
        (Format.OPENAI_CHAT, {"tool_calls": [{"function": None, "id": "c1"}]}),
        (Format.OPENAI_RESPONSES, {"output": [{"type": "function_call", "call_id": "c1"}]}),
        (Format.OPENAI_RESPONSES, {"output": [{"type": "computer_call", "call_id": "c1"}]}),
        (
            Format.OPENAI_RESPONSES,
            {"output": [{"type": "function_call", "call_id": "c1", "name": "pay", "status": "incomplete"}]},
        ),
        (Format.OPENAI_RESPONSES, {"output": ["junk"]}),
        (Format.ANTHROPIC, claude({"type": "tool_use", "id": "c1"})),
        (Format.ANTHROPIC, claude("junk")),
        (Format.GEMINI, {"parts": [{"functionCall": "junk"}]}),
        (Format.GEMINI, {"parts": ["junk"]}),
        (Format.MCP, {"arguments": {}}),
    ],
)
def test_a_call_that_cannot_be_read_names_no_tool(format: Format, answer: dict[str, Any]) -> None:
    (proposal,) = proposals(answer, format)
    assert proposal.tool == ""
    assert isinstance(proposal.arguments, str)


def test_arguments_of_another_kind_are_kept_for_the_gate_to_refuse() -> None:
    (proposal,) = proposals(chat(chat_call(arguments=[1, 2])), Format.OPENAI_CHAT)
    assert proposal.arguments == "[1, 2]"
    assert refused(Registry([foreign("pay")]), "pay", proposal.arguments).code == "validate.arguments"


def test_the_form_before_tool_calls_is_read_too() -> None:
    answer = {"message": {"content": None, "function_call": {"name": "pay", "arguments": TEXT}}}
    assert proposals(answer, Format.OPENAI_CHAT)[0].tool == "pay"


@pytest.mark.parametrize(
    ("format", "answer"),
    [
        (Format.OPENAI_CHAT, chat(chat_call(), finish_reason="length")),
        (Format.OPENAI_CHAT, chat(chat_call(), finish_reason="content_filter")),
        (Format.OPENAI_RESPONSES, {"status": "incomplete", "output": []}),
        (
            Format.ANTHROPIC,
            claude({"type": "tool_use", "id": "c", "name": "pay", "input": {}}, stop_reason="max_tokens"),
        ),
        (Format.GEMINI, {"candidates": [{"finishReason": "MAX_TOKENS", "content": {"parts": []}}]}),
        (Format.GEMINI, {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}),
    ],
)
def test_an_answer_that_was_cut_off_is_not_whole(format: Format, answer: dict[str, Any]) -> None:
    """Defects 12 and 13: half of an object can be a valid object."""
    assert not received(answer, format).whole


@pytest.mark.parametrize("reason", ["stop", "tool_calls", "end_turn", "tool_use", "STOP", "completed", "", None])
def test_an_answer_that_ended_in_order_is_whole(reason: Any) -> None:
    assert received(chat(chat_call(), finish_reason=reason), Format.OPENAI_CHAT).whole


def test_names_on_the_wire_become_names_of_tools() -> None:
    names = own_names([foreign("math.hypot")], Format.OPENAI_CHAT)
    (proposal,) = proposals(chat(chat_call(name="math_hypot")), Format.OPENAI_CHAT, names=names)
    assert proposal.tool == "math.hypot"


def test_text_comes_whole_or_in_parts() -> None:
    assert received(claude()["content"][0], Format.ANTHROPIC).message.text == ""
    assert received({"content": "Hm."}, Format.ANTHROPIC).message.text == "Hm."
    assert received({"content": [{"text": "H"}, {"text": "m."}, 5]}, Format.OPENAI_CHAT).message.text == "Hm."


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["tool_use", "function_call", "pay", "text"]),
    lambda deeper: (
        st.lists(deeper, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "choices message content tool_calls function name arguments id output type input parts functionCall"
                " args candidates finish_reason params status text".split()
            ),
            deeper,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["choices", "message", "content", "output", "parts", "candidates"]), JSON))
@settings(max_examples=200)
def test_whatever_a_provider_answers_is_read(answer: dict[str, Any]) -> None:
    for format in Format:
        read = received(answer, format)
        assert isinstance(read, Received)
        for proposal in read.message.proposals:
            assert isinstance(proposal.tool, str) and isinstance(proposal.id, str)


# ---------------------------------------------------------------------------------- results

DONE = Outcome(kind=OutcomeKind.DONE, call_id="call_1", tool="pay", value={"paid": 5})
REFUSED = Outcome(kind=OutcomeKind.REFUSED, call_id="call_2", tool="pay", code="policy.deny", message="no")
FIRST, SECOND = Proposal(tool="pay", arguments={}, id="c1"), Proposal(tool="pay", arguments={}, id="c2")


@pytest.mark.parametrize("format", list(Format))
def test_each_result_bears_the_id_of_its_call(format: Format) -> None:
    """Defect 55: nothing is paired by its place."""
    written = results_out([(FIRST, DONE), (SECOND, REFUSED)], format)
    text = json.dumps(written)
    if format is not Format.MCP:
        assert text.index("c1") < text.index("c2")
    assert "paid" in text and "policy.deny" in text


def test_a_result_is_never_the_users_or_the_systems_word() -> None:
    """Defect 55: where a provider carries results inside the user's turn, they are marked as results."""
    assert result_out(FIRST, DONE, Format.OPENAI_CHAT)["role"] == "tool"
    assert result_out(FIRST, DONE, Format.OPENAI_RESPONSES)["type"] == "function_call_output"
    (turn,) = results_out([(FIRST, DONE), (SECOND, REFUSED)], Format.ANTHROPIC)
    assert [(part["type"], part["is_error"]) for part in turn["content"]] == [
        ("tool_result", False),
        ("tool_result", True),
    ]
    (turn,) = results_out([(FIRST, DONE), (SECOND, REFUSED)], Format.GEMINI)
    assert [part["functionResponse"]["id"] for part in turn["parts"]] == ["c1", "c2"]
    assert "id" not in result_out(Proposal(tool="pay", arguments={}), DONE, Format.GEMINI)["functionResponse"]


def test_without_calls_there_are_no_results() -> None:
    assert [results_out([], format) for format in Format] == [[]] * len(Format)


def test_an_mcp_result_is_the_tools_own_or_an_error() -> None:
    assert result_out(FIRST, DONE, Format.MCP) == {
        "content": [{"type": "text", "text": '{"paid": 5}'}],
        "structuredContent": {"paid": 5},
        "isError": False,
    }
    text = Outcome(kind=OutcomeKind.DONE, call_id="call_1", tool="pay", value="paid")
    assert result_out(FIRST, text, Format.MCP) == {"content": [{"type": "text", "text": "paid"}], "isError": False}
    assert result_out(FIRST, REFUSED, Format.MCP)["isError"] is True

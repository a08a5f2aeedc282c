"""The loop over real HTTP, in the formats of providers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from interlock import AgentLimits, End
from tests.agent.desk import desk, result
from tests.models.provider import Said, anthropic, openai, provider
from tests.planes import Far

open_model = pytest.importorskip("interlock.models.pydantic_ai").open_model

pytestmark = pytest.mark.anyio


def proposed(name: str, *calls: tuple[str, str, Any]) -> Said:
    """A turn of that provider's model which proposes calls: id, tool, arguments."""
    if name == "openai":
        made = [
            {"id": id, "type": "function", "function": {"name": tool, "arguments": arguments}}
            for id, tool, arguments in calls
        ]
        return Said(200, openai(None, finish="tool_calls", tool_calls=made))
    blocks = [{"type": "tool_use", "id": id, "name": tool, "input": json.loads(text)} for id, tool, text in calls]
    return Said(200, anthropic(*blocks, stop="tool_use"))


def answered(name: str, text: str) -> Said:
    return Said(200, openai(text) if name == "openai" else anthropic({"type": "text", "text": text}))


@pytest.mark.parametrize("name", ["openai", "anthropic"])
async def test_a_run_over_the_wire_of_a_provider(name: str) -> None:
    """C1: single and parallel calls, results bound by id, a forced answer that offers no call and that APIs accept."""
    far = Far()
    turns = [
        proposed(name, ("a", "look", '{"n": 1}')),
        proposed(name, ("b", "look", '{"n": 2}'), ("c", "look", '{"n": "x"}')),
        answered(name, "It is two."),
    ]
    with provider(*turns) as server:
        model = open_model(f"{name}:test", key="k", base_url=server.url, output_max=100)
        async with desk(model, far.tool("look"), agent={"limits": AgentLimits(turns_max=2)}) as stage:
            found = await result(stage.plane)
    assert (found.end, found.text, found.input_tokens) == (End.LIMIT, "It is two.", 63)
    assert [n["n"] for _, n in far.ran] == [1, 2]
    first, _, last = server.asked
    assert [tool.get("name") or tool["function"]["name"] for tool in first["tools"]] == ["look"]
    said = json.dumps(last)
    for id in ("a", "b", "c"):
        assert said.count(f'"{id}"') == 2, "each call and its result"
    assert last["tools"] and last["tool_choice"] in ("none", {"type": "none"}), (
        "calls in the history want tools beside them"
    )
    assert "No more calls are possible" in said


async def test_arguments_that_are_no_json_go_back_to_the_model_as_it_said_them() -> None:
    turns = [proposed("openai", ("a", "look", '{"n": ')), answered("openai", "Sorry.")]
    with provider(*turns) as server:
        model = open_model("openai:test", key="k", base_url=server.url, output_max=100)
        async with desk(model, Far().tool("look")) as stage:
            assert (await result(stage.plane)).answered
    [call] = server.asked[1]["messages"][2]["tool_calls"]
    assert '{\\"n\\": ' in call["function"]["arguments"], "as a text within the object that providers insist on"
    assert json.loads(server.asked[1]["messages"][3]["content"])["code"] == "validate.json"

"""OpenAI Agents SDK: an agent's run with a scripted model, tracing off, not durable."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from bench.candidate import Candidate, Opened, Setting
from bench.turns import AT_ONCE, PROMPT, TOGETHER, TURN, TURNS, WORDS, Kind, Script


@asynccontextmanager
async def agent(setting: Setting, kind: Kind) -> AsyncIterator[Opened]:
    from agents import Agent, Model, ModelResponse, RunConfig, Runner, Usage, function_tool
    from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

    script = Script()

    class Scripted(Model):
        async def get_response(self, system_instructions: Any, input: Any, *_: Any, **__: Any) -> ModelResponse:
            items: list[Any] = [
                ResponseFunctionToolCall(arguments=arguments, call_id=call_id, name="get_weather", type="function_call")
                for call_id, arguments in script.next_turn()
            ]
            if not items:
                text = ResponseOutputText(text=str(input[-1]["output"]), type="output_text", annotations=[])
                items = [
                    ResponseOutputMessage(id="m", content=[text], role="assistant", status="completed", type="message")
                ]
            return ModelResponse(output=items, usage=Usage(), response_id=None)

        def stream_response(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

    scripted = Agent(name="bench", instructions=PROMPT, model=Scripted(), tools=[function_tool(kind.read)])
    config = RunConfig(tracing_disabled=True)

    async def run() -> object:
        return (await Runner.run(scripted, WORDS, max_turns=1000, run_config=config)).final_output

    yield kind.opened(script, setting.size, run)


CANDIDATES = (
    Candidate(
        name="openai-agents, agent",
        suite="agent",
        what="`Runner.run` with a model of its own and one function tool, tracing disabled",
        open=partial(agent, kind=TURN),
        sizes=TURNS,
        floor="loop by hand",
        distributions=("openai-agents",),
    ),
    Candidate(
        name="openai-agents, agent",
        suite="parallel",
        what="the same agent, one turn of ten reads",
        open=partial(agent, kind=TOGETHER),
        sizes=(AT_ONCE,),
        floor="loop by hand",
        distributions=("openai-agents",),
    ),
)

"""pydantic-ai: an agent's run with a scripted model, not durable."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bench.candidate import Candidate, Opened, Setting
from bench.turns import PROMPT, TURNS, WORDS, Script, opened
from bench.weather import get_weather


@asynccontextmanager
async def agent(setting: Setting) -> AsyncIterator[Opened]:
    from pydantic_ai import Agent, UsageLimits
    from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import FunctionModel

    script = Script()

    async def reply(messages: list[Any], _: Any) -> ModelResponse:
        arguments = script.next_call()
        if arguments is None:
            return ModelResponse(parts=[TextPart(str(messages[-1].parts[-1].content))])
        return ModelResponse(parts=[ToolCallPart("get_weather", arguments, f"call_{script.number}")])

    scripted = Agent(FunctionModel(reply), instructions=PROMPT, tools=[get_weather])
    limits = UsageLimits(request_limit=None)

    async def run() -> object:
        return (await scripted.run(WORDS, usage_limits=limits)).output

    yield opened(script, setting.size, run)


CANDIDATES = (
    Candidate(
        name="pydantic-ai, agent",
        suite="agent",
        what="`Agent.run` with a `FunctionModel` and one tool",
        open=agent,
        sizes=TURNS,
        floor="loop by hand",
        distributions=("pydantic-ai-slim",),
    ),
)

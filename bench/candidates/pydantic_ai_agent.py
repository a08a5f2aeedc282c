"""pydantic-ai: an agent's run with a scripted model, not durable."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from bench.candidate import Candidate, Opened, Setting
from bench.turns import AT_ONCE, PROMPT, TOGETHER, TURN, TURNS, WORDS, Kind, Script


@asynccontextmanager
async def agent(setting: Setting, kind: Kind) -> AsyncIterator[Opened]:
    from pydantic_ai import Agent, UsageLimits
    from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import FunctionModel

    script = Script()

    async def reply(messages: list[Any], _: Any) -> ModelResponse:
        calls = [ToolCallPart("get_weather", arguments, call_id) for call_id, arguments in script.next_turn()]
        return ModelResponse(parts=calls or [TextPart(str(messages[-1].parts[-1].content))])

    scripted = Agent(FunctionModel(reply), instructions=PROMPT, tools=[kind.read])
    limits = UsageLimits(request_limit=None)

    async def run() -> object:
        return (await scripted.run(WORDS, usage_limits=limits)).output

    yield kind.opened(script, setting.size, run)


CANDIDATES = (
    Candidate(
        name="pydantic-ai, agent",
        suite="agent",
        what="`Agent.run` with a `FunctionModel` and one tool",
        open=partial(agent, kind=TURN),
        sizes=TURNS,
        floor="loop by hand",
        distributions=("pydantic-ai-slim",),
    ),
    Candidate(
        name="pydantic-ai, agent",
        suite="parallel",
        what="the same agent, one turn of ten reads",
        open=partial(agent, kind=TOGETHER),
        sizes=(AT_ONCE,),
        floor="loop by hand",
        distributions=("pydantic-ai-slim",),
    ),
)

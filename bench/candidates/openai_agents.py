"""OpenAI Agents SDK: a function tool's own invocation, without the runner's task and hooks around it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.candidate import Candidate, Opened, Setting
from bench.weather import LAST, TEXTS, get_weather


@asynccontextmanager
async def function_tool(_: Setting) -> AsyncIterator[Opened]:
    from agents import function_tool
    from agents.tool_context import ToolContext

    tool = function_tool(get_weather)

    async def invoke(text: str) -> object:
        context = ToolContext(context=None, tool_name="get_weather", tool_call_id="call_0", tool_arguments=text)
        return await tool.on_invoke_tool(context, text)

    async def batch(n: int) -> None:
        for i in range(n):
            await invoke(TEXTS[i & LAST])

    yield Opened(batch=batch, once=lambda arguments: invoke(json.dumps(arguments)))


CANDIDATES = (
    Candidate(
        name="openai-agents",
        suite="call",
        what="`FunctionTool.on_invoke_tool` with a fresh `ToolContext`, tracing off",
        open=function_tool,
        floor="pydantic",
        distributions=("openai-agents",),
    ),
)

"""pydantic-ai: the tool manager alone, and the one that its agent loop really builds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from bench.candidate import Candidate, Opened, Setting
from bench.weather import LAST, TEXTS, get_weather


@asynccontextmanager
async def managed(_: Setting, alone: bool) -> AsyncIterator[Opened]:
    import json

    from pydantic_ai.messages import ToolCallPart

    manager = await (_bare_manager() if alone else _manager_of_a_loop())

    async def once(arguments: dict[str, object]) -> object:
        part = ToolCallPart("get_weather", json.dumps(arguments), "call_0")
        return await manager.execute_tool_call(await manager.validate_tool_call(part))

    async def batch(n: int) -> None:
        for i in range(n):
            part = ToolCallPart("get_weather", TEXTS[i & LAST], "call_0")
            await manager.execute_tool_call(await manager.validate_tool_call(part))

    yield Opened(batch=batch, once=once)


async def _bare_manager() -> Any:
    from pydantic_ai import RunContext
    from pydantic_ai.models.test import TestModel
    from pydantic_ai.tool_manager import ToolManager
    from pydantic_ai.toolsets import FunctionToolset
    from pydantic_ai.usage import RunUsage

    context = RunContext(deps=None, model=TestModel(), usage=RunUsage())
    return await ToolManager(FunctionToolset([get_weather])).for_run_step(context)


async def _manager_of_a_loop() -> Any:
    """The manager of an agent's run, scripted, with the capabilities that an agent has by default."""
    from pydantic_ai import Agent, Tool
    from pydantic_ai.models.test import TestModel

    managers: list[Any] = []

    async def peek(context) -> str:  # type: ignore[no-untyped-def]
        managers.append(context.tool_manager)
        return "seen"

    tools = [Tool(get_weather), Tool(peek, takes_ctx=True)]
    await Agent(TestModel(call_tools=["peek"]), tools=tools).run("Look.")
    return managers[0]


def _opener(alone: bool) -> Callable[[Setting], AbstractAsyncContextManager[Opened]]:
    return lambda setting: managed(setting, alone)


CANDIDATES = (
    Candidate(
        name="pydantic-ai, tool manager",
        suite="call",
        what="`ToolManager` over a `FunctionToolset`, no capabilities: validate_tool_call, execute_tool_call",
        open=_opener(alone=True),
        floor="pydantic",
        distributions=("pydantic-ai-slim",),
    ),
    Candidate(
        name="pydantic-ai, agent's loop",
        suite="call",
        what="the same two calls on the manager that an `Agent` run builds, with its default capabilities",
        open=_opener(alone=False),
        floor="pydantic",
        distributions=("pydantic-ai-slim",),
    ),
)

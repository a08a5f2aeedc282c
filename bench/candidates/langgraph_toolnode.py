"""LangGraph: its prebuilt tool node, invoked by itself on a message with one tool call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.candidate import Candidate, Opened, Setting
from bench.weather import ARGUMENTS, LAST, get_weather


@asynccontextmanager
async def tool_node(_: Setting) -> AsyncIterator[Opened]:
    from langchain_core.messages import AIMessage
    from langchain_core.tools import tool
    from langgraph._internal._constants import CONFIG_KEY_RUNTIME
    from langgraph.prebuilt import ToolNode
    from langgraph.runtime import Runtime

    node = ToolNode([tool(get_weather)])
    config = {"configurable": {CONFIG_KEY_RUNTIME: Runtime()}}  # what a graph hands to its nodes

    async def once(arguments: dict[str, object]) -> object:
        call = {"name": "get_weather", "args": arguments, "id": "call_0", "type": "tool_call"}
        return await node.ainvoke({"messages": [AIMessage(content="", tool_calls=[call])]}, config)

    messages = [
        AIMessage(
            content="",
            tool_calls=[{"name": "get_weather", "args": arguments, "id": "call_0", "type": "tool_call"}],
        )
        for arguments in ARGUMENTS
    ]

    async def batch(n: int) -> None:
        for i in range(n):
            await node.ainvoke({"messages": [messages[i & LAST]]}, config)

    yield Opened(batch=batch, once=once)


CANDIDATES = (
    Candidate(
        name="langgraph, tool node",
        suite="call",
        what="`ToolNode.ainvoke` of a ready `AIMessage` with one tool call, no graph around it",
        open=tool_node,
        floor="pydantic",
        distributions=("langgraph",),
    ),
)

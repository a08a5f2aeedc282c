"""LangGraph: a graph of a model and its tools with a scripted model, no checkpointer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bench.candidate import Candidate, Opened, Setting
from bench.turns import PROMPT, TURNS, WORDS, Script, opened
from bench.weather import get_weather


@asynccontextmanager
async def agent(setting: Setting) -> AsyncIterator[Opened]:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
    from langchain_core.tools import tool
    from langgraph.graph import START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode, tools_condition

    script = Script()

    async def model(state: dict[str, Any]) -> dict[str, Any]:
        arguments = script.next_call()
        if arguments is None:
            return {"messages": [AIMessage(content=str(state["messages"][-1].content))]}
        call = {
            "name": "get_weather", "args": json.loads(arguments), "id": f"call_{script.number}", "type": "tool_call"
        }  # fmt: skip
        return {"messages": [AIMessage(content="", tool_calls=[call])]}

    graph = StateGraph(MessagesState)
    graph.add_node("model", model)
    graph.add_node("tools", ToolNode([tool("get_weather")(get_weather)]))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    compiled = graph.compile()

    async def run() -> object:
        asked = {"messages": [SystemMessage(PROMPT), HumanMessage(WORDS)]}
        return (await compiled.ainvoke(asked, {"recursion_limit": 3000}))["messages"][-1].content

    yield opened(script, setting.size, run)


CANDIDATES = (
    Candidate(
        name="langgraph, agent",
        suite="agent",
        what="`ainvoke` of a graph of a model node and a `ToolNode`, nothing checkpointed",
        open=agent,
        sizes=TURNS,
        floor="loop by hand",
        distributions=("langgraph",),
    ),
)

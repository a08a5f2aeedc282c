"""LangGraph: a graph of a model and its tools with a scripted model, no checkpointer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from bench.candidate import Candidate, Opened, Setting
from bench.turns import AT_ONCE, PROMPT, TOGETHER, TURN, TURNS, WORDS, Kind, Script


@asynccontextmanager
async def agent(setting: Setting, kind: Kind) -> AsyncIterator[Opened]:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
    from langchain_core.tools import tool
    from langgraph.graph import START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode, tools_condition

    script = Script()

    async def model(state: dict[str, Any]) -> dict[str, Any]:
        calls = [
            {"name": "get_weather", "args": json.loads(arguments), "id": call_id, "type": "tool_call"}
            for call_id, arguments in script.next_turn()
        ]
        said = "" if calls else str(state["messages"][-1].content)
        return {"messages": [AIMessage(content=said, tool_calls=calls)]}

    graph = StateGraph(MessagesState)
    graph.add_node("model", model)
    graph.add_node("tools", ToolNode([tool("get_weather")(kind.read)]))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    compiled = graph.compile()

    async def run() -> object:
        asked = {"messages": [SystemMessage(PROMPT), HumanMessage(WORDS)]}
        return (await compiled.ainvoke(asked, {"recursion_limit": 3000}))["messages"][-1].content

    yield kind.opened(script, setting.size, run)


CANDIDATES = (
    Candidate(
        name="langgraph, agent",
        suite="agent",
        what="`ainvoke` of a graph of a model node and a `ToolNode`, nothing checkpointed",
        open=partial(agent, kind=TURN),
        sizes=TURNS,
        floor="loop by hand",
        distributions=("langgraph",),
    ),
    Candidate(
        name="langgraph, agent",
        suite="parallel",
        what="the same agent, one turn of ten reads",
        open=partial(agent, kind=TOGETHER),
        sizes=(AT_ONCE,),
        floor="loop by hand",
        distributions=("langgraph",),
    ),
)

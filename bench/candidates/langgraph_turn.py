"""LangGraph, durable: one turn of a graph with one tool node, checkpointed to SQLite before it returns.

Every turn is the first of its thread, the cheapest there is: checkpoints grow with history.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from typing import Any

from bench.candidate import Candidate, Opened, Setting
from bench.lanes import spread
from bench.weather import ARGUMENTS, LAST, get_weather, get_weather_blocking

LANES = (1, 64)


@asynccontextmanager
async def sync_saver(setting: Setting) -> AsyncIterator[Opened]:
    from anyio import to_thread
    from langgraph.checkpoint.sqlite import SqliteSaver

    numbers = itertools.count()
    with closing(sqlite3.connect(setting.folder / "turns.db", check_same_thread=False)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        graph = _graph(get_weather_blocking, SqliteSaver(connection))

        def turn(arguments: dict[str, object]) -> object:
            return graph.invoke(_message(arguments), _thread(next(numbers)), durability="sync")

        async def once(arguments: dict[str, object]) -> object:
            return turn(arguments)

        with ThreadPoolExecutor(setting.size) as pool:

            async def batch(n: int) -> None:
                chosen = [ARGUMENTS[i & LAST] for i in range(n)]
                if setting.size == 1:
                    for arguments in chosen:
                        turn(arguments)
                else:
                    await to_thread.run_sync(lambda: list(pool.map(turn, chosen)))

            yield Opened(batch=batch, once=once, lanes=setting.size)


@asynccontextmanager
async def async_saver(setting: Setting) -> AsyncIterator[Opened]:
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    numbers = itertools.count()
    async with AsyncSqliteSaver.from_conn_string(str(setting.folder / "turns.db")) as saver:
        await saver.conn.execute("PRAGMA synchronous=FULL")
        graph = _graph(get_weather, saver)

        async def once(arguments: dict[str, object]) -> object:
            return await graph.ainvoke(_message(arguments), _thread(next(numbers)), durability="sync")

        async def lane(first: int, count: int) -> None:
            for i in range(first, first + count):
                await once(ARGUMENTS[i & LAST])

        async def batch(n: int) -> None:
            await spread(n, setting.size, lane)

        yield Opened(batch=batch, once=once, lanes=setting.size)


def _graph(function: Any, saver: Any) -> Any:
    from langchain_core.tools import tool
    from langgraph.graph import END, START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode

    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([tool("get_weather")(function)]))
    graph.add_edge(START, "tools")
    graph.add_edge("tools", END)
    return graph.compile(checkpointer=saver)


def _message(arguments: dict[str, object]) -> dict[str, object]:
    from langchain_core.messages import AIMessage

    call = {"name": "get_weather", "args": arguments, "id": "call_0", "type": "tool_call"}
    return {"messages": [AIMessage(content="", tool_calls=[call])]}


def _thread(number: int) -> dict[str, object]:
    return {"configurable": {"thread_id": str(number)}}


CANDIDATES = (
    Candidate(
        name="langgraph turn",
        suite="durable",
        what="`invoke` of a one-node graph with `SqliteSaver`, durability sync; one OS thread a lane",
        open=sync_saver,
        sizes=LANES,
        floor="two records",
        distributions=("langgraph", "langgraph-checkpoint-sqlite"),
    ),
    Candidate(
        name="langgraph turn, async saver",
        suite="durable",
        what="`ainvoke` of the same graph with `AsyncSqliteSaver`, durability sync; one task a lane",
        open=async_saver,
        sizes=LANES,
        floor="two records",
        distributions=("langgraph", "langgraph-checkpoint-sqlite"),
    ),
)

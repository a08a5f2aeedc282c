"""LangGraph, resumed: the newest state of a thread of many steps, with its default channel and its delta channel.

A step is a node that calls the tool and adds its message; every step is a checkpoint, durability sync.
"""

from __future__ import annotations

import json
import operator
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import Annotated, Any, TypedDict

from bench.candidate import Candidate, Opened, Setting
from bench.weather import ARGUMENTS, LAST, Weather, get_weather_blocking


@asynccontextmanager
async def thread_of(setting: Setting, delta: bool) -> AsyncIterator[Opened]:
    from anyio import to_thread
    from langgraph.checkpoint.sqlite import SqliteSaver

    from bench.disk import size

    path = setting.folder / "thread.db"
    config: Any = {"configurable": {"thread_id": "1"}, "recursion_limit": setting.size + 10}
    with closing(sqlite3.connect(path, check_same_thread=False)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        saver = SqliteSaver(connection)
        saver.setup()
        before = size(path, sqlite3.connect)
        graph = _graph(saver, setting.size, delta)
        await to_thread.run_sync(lambda: graph.invoke({"messages": []}, config, durability="sync"))
        grown = size(path, sqlite3.connect) - before

        async def batch(n: int) -> None:
            for _ in range(n):
                found = graph.get_state(config).values["messages"]
                assert len(found) == setting.size

        yield Opened(batch=batch, bytes_each=grown / setting.size)


def _graph(saver: Any, steps: int, delta: bool) -> Any:
    from langchain_core.messages import ToolMessage
    from langgraph.channels.delta import DeltaChannel
    from langgraph.graph import END, START, StateGraph

    channel = DeltaChannel(_added, list) if delta else operator.add
    # not as a class: its annotations would be read as text, and nobody would find the channel
    state = TypedDict("State", {"messages": Annotated[list, channel]})  # type: ignore[valid-type]  # noqa: UP013

    def step(so_far: Any) -> Any:
        number = len(so_far["messages"])
        arguments = Weather.model_validate(ARGUMENTS[number & LAST])
        value = get_weather_blocking(arguments.city, arguments.days)
        return {"messages": [ToolMessage(json.dumps(value), tool_call_id=f"call_{number:032x}")]}

    graph = StateGraph(state)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", lambda so_far: "step" if len(so_far["messages"]) < steps else END)
    return graph.compile(checkpointer=saver)


def _added(before: list[Any], writes: Sequence[list[Any]]) -> list[Any]:
    return [*before, *(message for write in writes for message in write)]


CANDIDATES = tuple(
    Candidate(
        name=name,
        suite="resume",
        what=f"`get_state` of a thread with `SqliteSaver`, the messages in its {what}",
        open=partial(thread_of, delta=delta),
        sizes=(1000,),
        floor="one record a step",
        distributions=("langgraph", "langgraph-checkpoint-sqlite"),
    )
    for name, what, delta in (
        ("langgraph", "default channel", False),
        ("langgraph, delta channel", "`DeltaChannel` (beta)", True),
    )
)

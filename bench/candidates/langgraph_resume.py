"""LangGraph, resumed: the newest state of a thread of many steps, with its default channel and its delta channel.

A step is a node that calls the tool and adds its message; every step is a checkpoint, durability sync. A turn is a
step that adds the model's message, which proposes the call, and the tool's: what a model is sent next is the state.
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
from bench.turns import PROMPT, WORDS
from bench.weather import ARGUMENTS, LAST, Weather, get_weather_blocking


@asynccontextmanager
async def thread_of(setting: Setting, delta: bool, turns: bool) -> AsyncIterator[Opened]:
    from anyio import to_thread
    from langchain_core.messages import convert_to_messages
    from langgraph.checkpoint.sqlite import SqliteSaver

    from bench.disk import size

    path = setting.folder / "thread.db"
    config: Any = {"configurable": {"thread_id": "1"}, "recursion_limit": setting.size + 10}
    with closing(sqlite3.connect(path, check_same_thread=False)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        saver = SqliteSaver(connection)
        saver.setup()
        before = size(path, sqlite3.connect)
        graph = _graph(saver, setting.size, delta, turns)
        asked = [("system", PROMPT), ("user", WORDS)] if turns else []
        asked_of = {"messages": convert_to_messages(asked)}
        await to_thread.run_sync(lambda: graph.invoke(asked_of, config, durability="sync"))
        grown = size(path, sqlite3.connect) - before

        async def batch(n: int) -> None:
            for _ in range(n):
                found = graph.get_state(config).values["messages"]
                assert len(found) == (2 * setting.size + 2 if turns else setting.size)

        yield Opened(batch=batch, bytes_each=grown / setting.size)


def _graph(saver: Any, steps: int, delta: bool, turns: bool) -> Any:
    from langchain_core.messages import AIMessage, ToolMessage
    from langgraph.channels.delta import DeltaChannel
    from langgraph.graph import END, START, StateGraph

    channel = DeltaChannel(_added, list) if delta else operator.add
    # not as a class: its annotations would be read as text, and nobody would find the channel
    state = TypedDict("State", {"messages": Annotated[list, channel]})  # type: ignore[valid-type]  # noqa: UP013

    def count(so_far: Any) -> int:
        return len(so_far["messages"]) // 2 - 1 if turns else len(so_far["messages"])

    def step(so_far: Any) -> Any:
        number = count(so_far)
        arguments = Weather.model_validate(ARGUMENTS[number & LAST])
        value = get_weather_blocking(arguments.city, arguments.days)
        id = f"call_{number:032x}"
        said = ToolMessage(json.dumps(value), tool_call_id=id)
        if not turns:
            return {"messages": [said]}
        call = {"name": "get_weather", "args": arguments.model_dump(), "id": id, "type": "tool_call"}
        return {"messages": [AIMessage(content="", tool_calls=[call]), said]}

    graph = StateGraph(state)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", lambda so_far: "step" if count(so_far) < steps else END)
    return graph.compile(checkpointer=saver)


def _added(before: list[Any], writes: Sequence[list[Any]]) -> list[Any]:
    return [*before, *(message for write in writes for message in write)]


CANDIDATES = tuple(
    Candidate(
        name=name + (", turns" if turns else ""),
        suite="resume",
        what=f"`get_state` of a thread with `SqliteSaver`, the messages in its {what}"
        + (": the model's and the tool's of each turn" if turns else ""),
        open=partial(thread_of, delta=delta, turns=turns),
        sizes=(1000,),
        floor="one record a step",
        distributions=("langgraph", "langgraph-checkpoint-sqlite"),
    )
    for name, what, delta in (
        ("langgraph", "default channel", False),
        ("langgraph, delta channel", "`DeltaChannel` (beta)", True),
    )
    for turns in (False, True)
)

"""Microsoft's Agent Framework: an agent's run with a scripted chat client, not durable."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from bench.candidate import Candidate, Opened, Setting
from bench.turns import AT_ONCE, PROMPT, TOGETHER, TURN, TURNS, WORDS, Kind, Script


@asynccontextmanager
async def agent(setting: Setting, kind: Kind) -> AsyncIterator[Opened]:
    from agent_framework import (
        Agent,
        BaseChatClient,
        ChatMiddlewareLayer,
        ChatResponse,
        Content,
        FunctionInvocationLayer,
        Message,
        tool,
    )
    from agent_framework.observability import ChatTelemetryLayer

    script = Script()

    # the layers and their order are those of the clients that it ships
    class Scripted(FunctionInvocationLayer, ChatMiddlewareLayer, ChatTelemetryLayer, BaseChatClient):
        def _inner_get_response(self, *, messages: Any, stream: bool, **_: Any) -> Any:
            assert not stream
            return self._reply(messages)

        async def _reply(self, messages: Any) -> ChatResponse:
            calls = [
                Content.from_function_call(call_id, "get_weather", arguments=arguments)
                for call_id, arguments in script.next_turn()
            ]
            contents = calls or [Content.from_text(str(messages[-1].contents[-1].result))]
            return ChatResponse(messages=[Message("assistant", contents)])

    client = Scripted(function_invocation_configuration={"max_iterations": 1000})
    scripted = Agent(client, PROMPT, name="bench", tools=[tool(kind.read)])

    async def run() -> object:
        return (await scripted.run(WORDS)).text

    yield kind.opened(script, setting.size, run)


CANDIDATES = (
    Candidate(
        name="agent-framework, agent",
        suite="agent",
        what="`Agent.run` with a chat client of its own in the layers of those that it ships, and one function tool",
        open=partial(agent, kind=TURN),
        sizes=TURNS,
        floor="loop by hand",
        distributions=("agent-framework-core",),
    ),
    Candidate(
        name="agent-framework, agent",
        suite="parallel",
        what="the same agent, one turn of ten reads",
        open=partial(agent, kind=TOGETHER),
        sizes=(AT_ONCE,),
        floor="loop by hand",
        distributions=("agent-framework-core",),
    ),
)

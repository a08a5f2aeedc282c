"""The floor of `agent`: a loop as one writes it by hand, with its messages, a pydantic model and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from pydantic import ValidationError

from bench.candidate import Candidate, Opened, Setting
from bench.turns import AT_ONCE, PROMPT, TOGETHER, TURN, TURNS, WORDS, Kind, Script
from bench.weather import Weather


@asynccontextmanager
async def by_hand(setting: Setting, kind: Kind) -> AsyncIterator[Opened]:
    script = Script()

    async def model(messages: list[dict[str, Any]]) -> dict[str, Any]:
        calls = [
            {"id": call_id, "function": {"name": "get_weather", "arguments": arguments}}
            for call_id, arguments in script.next_turn()
        ]
        if not calls:
            return {"role": "assistant", "content": messages[-1]["content"]}
        return {"role": "assistant", "content": None, "tool_calls": calls}

    async def answered(call: dict[str, Any]) -> dict[str, Any]:
        try:
            weather = Weather.model_validate_json(call["function"]["arguments"])
            result = json.dumps(await kind.read(weather.city, weather.days))
        except ValidationError as error:
            result = f"invalid: {error.error_count()}"
        return {"role": "tool", "tool_call_id": call["id"], "content": result}

    async def run() -> object:
        messages = [{"role": "system", "content": PROMPT}, {"role": "user", "content": WORDS}]
        while True:
            reply = await model(messages)
            messages.append(reply)
            if "tool_calls" not in reply:
                return reply["content"]
            calls = reply["tool_calls"]
            if len(calls) == 1:  # a task for one call would be a third of the floor
                messages.append(await answered(calls[0]))
            else:
                messages += await asyncio.gather(*map(answered, calls))

    yield kind.opened(script, setting.size, run)


CANDIDATES = (
    Candidate(
        name="loop by hand",
        suite="agent",
        what="the floor: a list of messages, a pydantic model of the arguments, the await, the result as JSON",
        open=partial(by_hand, kind=TURN),
        sizes=TURNS,
        floor="loop by hand",
        distributions=("pydantic",),
    ),
    Candidate(
        name="loop by hand",
        suite="parallel",
        what="the same agent, one turn of ten reads",
        open=partial(by_hand, kind=TOGETHER),
        sizes=(AT_ONCE,),
        floor="loop by hand",
        distributions=("pydantic",),
    ),
)

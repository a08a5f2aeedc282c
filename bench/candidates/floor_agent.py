"""The floor of `agent`: a loop as one writes it by hand, with its messages, a pydantic model and nothing else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import ValidationError

from bench.candidate import Candidate, Opened, Setting
from bench.turns import PROMPT, TURNS, WORDS, Script, opened
from bench.weather import Weather, get_weather


@asynccontextmanager
async def by_hand(setting: Setting) -> AsyncIterator[Opened]:
    script = Script()

    async def model(messages: list[dict[str, Any]]) -> dict[str, Any]:
        arguments = script.next_call()
        if arguments is None:
            return {"role": "assistant", "content": messages[-1]["content"]}
        call = {"id": f"call_{script.number}", "function": {"name": "get_weather", "arguments": arguments}}
        return {"role": "assistant", "content": None, "tool_calls": [call]}

    async def run() -> object:
        messages = [{"role": "system", "content": PROMPT}, {"role": "user", "content": WORDS}]
        while True:
            reply = await model(messages)
            messages.append(reply)
            if "tool_calls" not in reply:
                return reply["content"]
            for call in reply["tool_calls"]:
                try:
                    weather = Weather.model_validate_json(call["function"]["arguments"])
                    result = json.dumps(await get_weather(city=weather.city, days=weather.days))
                except ValidationError as error:
                    result = f"invalid: {error.error_count()}"
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})

    yield opened(script, setting.size, run)


CANDIDATES = (
    Candidate(
        name="loop by hand",
        suite="agent",
        what="the floor: a list of messages, a pydantic model of the arguments, the await, the result as JSON",
        open=by_hand,
        sizes=TURNS,
        floor="loop by hand",
        distributions=("pydantic",),
    ),
)

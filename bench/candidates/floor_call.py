"""The floors of `call`: the tool awaited, and awaited after pydantic has looked at its arguments."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.candidate import Candidate, Opened, Setting
from bench.weather import ARGUMENTS, LAST, Weather, get_weather


@asynccontextmanager
async def plain(_: Setting) -> AsyncIterator[Opened]:
    async def batch(n: int) -> None:
        for i in range(n):
            await get_weather(**ARGUMENTS[i & LAST])

    yield Opened(batch=batch, once=lambda arguments: get_weather(**arguments), validates=False)


@asynccontextmanager
async def validated(_: Setting) -> AsyncIterator[Opened]:
    async def batch(n: int) -> None:
        for i in range(n):
            weather = Weather.model_validate(ARGUMENTS[i & LAST])
            await get_weather(city=weather.city, days=weather.days)

    async def once(arguments: dict[str, object]) -> object:
        weather = Weather.model_validate(arguments)
        return await get_weather(city=weather.city, days=weather.days)

    yield Opened(batch=batch, once=once)


CANDIDATES = (
    Candidate(
        name="plain await",
        suite="call",
        what="the tool's own coroutine, awaited; nothing is validated",
        open=plain,
        floor="pydantic",
    ),
    Candidate(
        name="pydantic",
        suite="call",
        what="the floor: a pydantic model of the arguments, then the await",
        open=validated,
        floor="pydantic",
        distributions=("pydantic",),
    ),
)

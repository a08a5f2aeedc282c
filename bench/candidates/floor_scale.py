"""The floors of `scale`: what many tools and a long ledger cost a program that does no more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.candidate import Candidate, Opened, Setting
from bench.weather import ARGUMENTS, LAST, get_weather

IN_USE = 10
"""Tools that one conversation uses, of however many there are."""
STRIDE = 7919
"""A prime, so that a walk over all tools is in an order that no cache can guess."""


@asynccontextmanager
async def tools(setting: Setting, in_use: int) -> AsyncIterator[Opened]:
    from pydantic import create_model

    names = [f"get_weather_{i}" for i in range(setting.size)]
    validators = {name: create_model(name, city=(str, ...), days=(int, ...)).__pydantic_validator__ for name in names}
    walk = [names[i * STRIDE % setting.size] for i in range(in_use)]

    async def batch(n: int) -> None:
        for i in range(n):
            weather = validators[walk[i % in_use]].validate_python(ARGUMENTS[i & LAST])
            await get_weather(city=weather.city, days=weather.days)

    async def once(arguments: dict[str, object]) -> object:
        weather = validators[walk[0]].validate_python(arguments)
        return await get_weather(city=weather.city, days=weather.days)

    yield Opened(batch=batch, once=once)


@asynccontextmanager
async def events(setting: Setting) -> AsyncIterator[Opened]:
    from bench.group_commit import GroupCommit

    async with GroupCommit(setting.folder / "floor.db", prefilled=setting.size) as ledger:

        async def batch(n: int) -> None:
            for _ in range(n):
                await ledger.append(b'{"kind":"result","city":"Oslo","days":3,"celsius":7.5,"sky":"rain"}')

        yield Opened(batch=batch)


CANDIDATES = (
    Candidate(
        name="pydantic, ten of the tools",
        suite="scale",
        what="so many pydantic models by name, of which ten are called",
        open=lambda setting: tools(setting, IN_USE),
        sizes=(10, 10_000),
        distributions=("pydantic",),
    ),
    Candidate(
        name="pydantic, all the tools",
        suite="scale",
        what="so many pydantic models by name, each call another one: the processor's caches miss",
        open=lambda setting: tools(setting, setting.size),
        sizes=(10, 10_000),
        distributions=("pydantic",),
    ),
    Candidate(
        name="SQLite, events",
        suite="scale",
        what="one record appended durably to a table of so many",
        open=events,
        sizes=(0, 1_000_000),
        distributions=("apsw",),
    ),
)

"""The floors of `durable`: a validated call with one record after it, and with one before and one after."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from bench.candidate import Candidate, Opened, Setting
from bench.lanes import spread
from bench.weather import ARGUMENTS, LAST, Weather, get_weather

LANES = (1, 16, 64)

Once = Callable[[dict[str, object]], Awaitable[object]]


@asynccontextmanager
async def recorded(setting: Setting, once_with: Callable[..., Awaitable[object]]) -> AsyncIterator[Opened]:
    from bench.group_commit import GroupCommit

    async with GroupCommit(setting.folder / "floor.db") as ledger:
        once: Once = partial(once_with, ledger)

        async def lane(first: int, count: int) -> None:
            for i in range(first, first + count):
                await once(ARGUMENTS[i & LAST])

        async def batch(n: int) -> None:
            await spread(n, setting.size, lane)

        yield Opened(batch=batch, once=once, lanes=setting.size)


async def result_alone(ledger, arguments):  # type: ignore[no-untyped-def]
    weather = Weather.model_validate(arguments)
    result = await get_weather(city=weather.city, days=weather.days)
    await ledger.append(_record("result", {"arguments": arguments, "value": result}))
    return result


async def intent_and_result(ledger, arguments):  # type: ignore[no-untyped-def]
    weather = Weather.model_validate(arguments)
    await ledger.append(_record("intent", {"arguments": arguments}))
    result = await get_weather(city=weather.city, days=weather.days)
    await ledger.append(_record("result", {"value": result}))
    return result


def _record(kind: str, body: dict[str, object]) -> bytes:
    return json.dumps({"kind": kind, "tool": "get_weather", **body}).encode()


def _opener(
    once_with: Callable[..., Awaitable[object]],
) -> Callable[[Setting], AbstractAsyncContextManager[Opened]]:
    return lambda setting: recorded(setting, once_with)


CANDIDATES = (
    Candidate(
        name="one record",
        suite="durable",
        what="the floor of a read: a validated call, then its result through one group-commit writer",
        open=_opener(result_alone),
        sizes=LANES,
        floor="one record",
        distributions=("apsw",),
    ),
    Candidate(
        name="two records",
        suite="durable",
        what="the floor of a write: the intent is on disk before the call, the result after it",
        open=_opener(intent_and_result),
        sizes=LANES,
        floor="two records",
        distributions=("apsw",),
    ),
)

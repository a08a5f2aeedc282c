"""The one tool that every candidate calls, the arguments it is called with, and the count of its runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel

ARGUMENTS: list[dict[str, Any]] = [{"city": f"City {i}", "days": 1 + i % 14} for i in range(256)]
"""What models propose. Many, so that nothing can be fast by remembering the one call."""

TEXTS: list[str] = [json.dumps(arguments) for arguments in ARGUMENTS]
"""The same as JSON text, for candidates that take what a provider sends."""

LAST = len(ARGUMENTS) - 1
"""Mask that turns any count into an index of ARGUMENTS."""

GOOD: dict[str, Any] = {"city": "Oslo", "days": 3}
BAD: dict[str, Any] = {"city": "Oslo", "days": "many"}

RAN: list[None] = []
"""One entry for each run of the tool's body; appending is atomic, so threads are counted too."""


class Weather(BaseModel):
    """The tool's arguments, for candidates that bring no validation of their own."""

    city: str
    days: int


async def get_weather(city: str, days: int) -> dict:
    """Forecast the weather of a city.

    Args:
        city: Name of the city.
        days: Days ahead.
    """
    RAN.append(None)
    return {"city": city, "days": days, "celsius": 7.5, "sky": "rain"}


def slowly(seconds: float) -> Callable[[str, int], Awaitable[dict]]:
    """The same tool, whose answer takes so long."""

    async def get_weather(city: str, days: int) -> dict:
        """Forecast the weather of a city.

        Args:
            city: Name of the city.
            days: Days ahead.
        """
        RAN.append(None)
        await asyncio.sleep(seconds)
        return {"city": city, "days": days, "celsius": 7.5, "sky": "rain"}

    return get_weather


def get_weather_blocking(city: str, days: int) -> dict:
    """Forecast the weather of a city.

    Args:
        city: Name of the city.
        days: Days ahead.
    """
    RAN.append(None)
    return {"city": city, "days": days, "celsius": 7.5, "sky": "rain"}

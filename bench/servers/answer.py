"""The one tool of the servers behind a gateway: the weather, with the number of the call, so that none counts twice."""

from __future__ import annotations

import itertools
from typing import Any

NAME = "get_weather"
DESCRIPTION = "Forecast the weather of a city."
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}

_SERVED = itertools.count(1)


def text_for(arguments: dict[str, Any]) -> str:
    """What the tool answers."""
    return f"{arguments['city']}: rain, 7.5 degrees, for {arguments['days']} days; served {next(_SERVED)}"

"""Interlock as its candidates set it up: the weather tool, who calls it, and limits that a benchmark does not reach."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.weather import get_weather
from interlock import Interlock, Principal, Settings, Tool, tool
from interlock.ledger.conversation import Ledger
from interlock.ledger.store import MemoryStore
from interlock.ledger.switch import StopSwitch
from interlock.settings import LimitSettings

logging.getLogger("interlock.engine").setLevel(logging.CRITICAL)  # a worker blocks its loop on purpose

CALLER = Principal("bench", roles=frozenset({"clerk"}))
READ: Tool = tool(effect="read")(get_weather)
WRITE: Tool = tool(effect="reversible")(get_weather)


def recoverable(body: Callable[..., Any]) -> Tool:
    """A tool whose receiver dedupes by key, so that a lost call of it is made again."""
    return tool(effect="reversible", keyed=True, at_once=256, name="get_weather", description="As the weather tool.")(
        body
    )


def settings(folder: Path, *, ledger: Path | None, policy: Path | None = None) -> Settings:
    """A deployment of defaults, but that one run may make many more calls, and alike."""
    limits = LimitSettings(calls_max=100_000, alike_max=1000, vain_max=1000, near_max=1000, turn_max=64)
    return Settings(folder=folder, ledger=ledger, policy=policy, limits=limits)


def forget(interlock: Interlock) -> None:
    """Go on with an empty ledger in memory, and with everything that was compiled.

    Such a ledger keeps every event alive, and Python's collector looks at all of them again and again: what a
    batch costs would depend on how many came before it.
    """
    plane = interlock.plane
    store = MemoryStore(plane.clock)
    interlock.plane = replace(plane, ledger=Ledger(store), switch=StopSwitch(store))

"""What the scripted model of every agent says: so many turns with one call each, then its answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator

from bench.candidate import Opened
from bench.weather import LAST, TEXTS

TURNS = (10, 100)
"""Turns of one run: what a turn costs may not grow with what came before."""

WORDS = "How will the weather be?"
PROMPT = "You tell people how the weather will be."


class Script:
    """The turns of the run that is under way: one at a time, by whoever plays the model."""

    def __init__(self) -> None:
        self._left: Iterator[str] = iter(())
        self.number = 0

    def begin(self, arguments: list[str]) -> None:
        """A run begins in which these calls are proposed, one a turn; each is JSON text."""
        self._left = iter(arguments)
        self.number = 0

    def next_call(self) -> str | None:
        """Arguments of the next turn's call; None where it answers."""
        self.number += 1
        return next(self._left, None)


def opened(script: Script, size: int, run: Callable[[], Awaitable[object]]) -> Opened:
    """A candidate whose batch is so many turns, in runs of `size` turns; a last run has fewer."""

    async def batch(n: int) -> None:
        for first in range(0, n, size):
            script.begin([TEXTS[i & LAST] for i in range(first, min(first + size, n))])
            await run()

    async def once(arguments: dict[str, object]) -> object:
        script.begin([json.dumps(arguments)])
        return await run()

    return Opened(batch=batch, once=once)

"""What the scripted model of every agent says: so many turns with one call each, or one with ten; then its answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.candidate import Opened
from bench.weather import LAST, RAN, TEXTS, get_weather, slowly

TURNS = (10, 100)
"""Turns of one run: what a turn costs may not grow with what came before."""

AT_ONCE = 10
"""Reads of one turn, where that is measured."""
READ_S = 0.05
"""Seconds that each of these takes."""

WORDS = "How will the weather be?"
PROMPT = "You tell people how the weather will be."

Turn = Sequence[str]
"""Arguments of each call that one message of the model proposes; JSON text."""


class Script:
    """The turns of the run that is under way: one at a time, by whoever plays the model."""

    def __init__(self) -> None:
        self._left: Iterator[Turn] = iter(())
        self._number = 0

    def begin(self, turns: Sequence[Turn]) -> None:
        """A run begins in which these turns are taken."""
        self._left = iter(turns)
        self._number = 0

    def next_turn(self) -> list[tuple[str, str]]:
        """Id and arguments of each call of the next turn; none where the model answers."""
        calls = []
        for arguments in next(self._left, ()):
            self._number += 1
            calls.append((f"call_{self._number}", arguments))
        return calls


Run = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a candidate's agent is measured at.

    Attributes:
        read: Its one tool.
        opened: The candidate ready, of its script, its size and what makes one run.
    """

    read: Callable[[str, int], Awaitable[dict[str, Any]]]
    opened: Callable[[Script, int, Run], Opened]


def _turn_by_turn(script: Script, size: int, run: Run) -> Opened:
    """A candidate whose batch is so many turns, in runs of `size` turns; a last run has fewer."""

    async def batch(n: int) -> None:
        for first in range(0, n, size):
            script.begin([[TEXTS[i & LAST]] for i in range(first, min(first + size, n))])
            await run()

    async def once(arguments: dict[str, object]) -> object:
        script.begin([[json.dumps(arguments)]])
        return await run()

    return Opened(batch=batch, once=once)


def _together(script: Script, size: int, run: Run) -> Opened:
    """A candidate whose batch is so many runs, each of one turn with `size` reads."""

    async def batch(n: int) -> None:
        for _ in range(n):
            RAN.clear()
            script.begin([TEXTS[:size]])
            await run()
            assert len(RAN) == size, f"{len(RAN)} reads of {size} ran"

    return Opened(batch=batch, validates=False)


TURN = Kind(read=get_weather, opened=_turn_by_turn)
TOGETHER = Kind(read=slowly(READ_S), opened=_together)

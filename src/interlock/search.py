"""Tree search: look at possibilities, change nothing, and come back with the best path.

Best first. A branch is made of reads and of rehearsals: whatever changes something, carries something out or starts a
run is only validated and decided. What is asked is named by the path that leads there, so that a search which was cut
off, begun again in the same run, asks for nothing twice. The path that it finds is made by ordinary calls, if its
caller wants it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import count
from typing import Any

import anyio

from interlock.core.call import Outcome, OutcomeKind
from interlock.core.canonical import canonical, digest
from interlock.errors import BadInput, InterlockError
from interlock.runs import Run

NODES_MAX = 4096
"""Calls that one search may look at."""


@dataclass(frozen=True, slots=True)
class Move:
    """One call that a path may go on with.

    Attributes:
        tool, arguments: As of any call.
    """

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Branch:
    """A path, with what was found on it.

    Attributes:
        moves: From the beginning.
        outcomes: What came of each: a result, or of a rehearsal that it would be made, or would be held.
        score: How good it is.
    """

    moves: tuple[Move, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    score: float = 0.0

    @property
    def left(self) -> tuple[Move, ...]:
        """The moves that were only rehearsed: what is to be made for the path to come true."""
        return tuple(
            move for move, outcome in zip(self.moves, self.outcomes, strict=True) if outcome.code.startswith(REHEARSED)
        )


REHEARSED = "rehearsal."
"""What the code of a move begins with that would be made and was not."""

Expand = Callable[[Branch], Awaitable[Sequence[Move]]]
"""How a path may go on; nothing where it is at its end."""

Score = Callable[[Branch], Awaitable[float]]
"""How good a path is. Higher is better."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to.

    Attributes:
        best: The best path; the empty one where nothing was possible.
        looked: Calls that it looked at.
        exhausted: Whether nothing was left to look at; else its budget was used up.
    """

    best: Branch
    looked: int
    exhausted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How to search.

    Attributes:
        name: Of the search within its run: the same name looks at the same calls again.
        expand, score: A function, or what asks a model. Where their answers differ from those before a crash, other
            branches are looked at; nothing is changed by that.
        nodes_max: Calls that it may look at, 1 to 4096.
        depth_max: Moves of one path.
    """

    name: str
    expand: Expand
    score: Score
    nodes_max: int = 64
    depth_max: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.nodes_max <= NODES_MAX:
            raise BadInput(f"nodes_max: {self.nodes_max}", code="search.nodes", remedy=f"Give 1 to {NODES_MAX}.")


async def search(run: Run, how: Search) -> Found:
    """Look for the best path, best first, within the budget.

    Raises:
        LedgerError: A call could not be recorded.
    """
    best = root = Branch()
    order = count()
    open_ = [(-root.score, next(order), root)]
    looked = 0
    while open_ and looked < how.nodes_max:
        _, _, branch = heappop(open_)
        if len(branch.moves) == how.depth_max:
            continue
        moves = (await how.expand(branch))[: how.nodes_max - looked]
        looked += len(moves)
        for outcome, move in zip(await _looked(run, how, branch, moves), moves, strict=True):
            if outcome.kind is not OutcomeKind.DONE and not outcome.code.startswith(REHEARSED):
                continue
            longer = Branch((*branch.moves, move), (*branch.outcomes, outcome))
            scored = replace(longer, score=await how.score(longer))
            if not best.moves or scored.score > best.score:
                best = scored
            heappush(open_, (-scored.score, next(order), scored))
    return Found(best, looked, not open_)


async def _looked(run: Run, how: Search, branch: Branch, moves: Sequence[Move]) -> list[Outcome]:
    """What came of each move, all of them looked at together."""
    outcomes: dict[int, Outcome] = {}
    failed: list[InterlockError] = []

    async def one(place: int, move: Move) -> None:
        try:
            outcomes[place] = await run.rehearse(move.tool, move.arguments, name=_name(how, (*branch.moves, move)))
        except InterlockError as error:
            failed.append(error)  # told as itself, not within the task group's
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for place, move in enumerate(moves):
            tasks.start_soon(one, place, move)
    if failed:
        raise failed[0]
    return [outcomes[place] for place in range(len(moves))]


def _name(how: Search, moves: Sequence[Move]) -> str:
    path = canonical([[move.tool, dict(move.arguments)] for move in moves])
    return f"search/{how.name}/{digest('interlock/search/1', path).hex()[:32]}"

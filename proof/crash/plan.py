"""Which combinations are tried: a walk over the points that each process passes, and kills at random times."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from interlock.testing.crash import passings
from proof.crash.combination import CLASSES, PLACES, Combination, Kill
from proof.crash.trial import Trial

Try = Callable[[Combination], Trial]
"""Tries a combination."""

DEPTH = 3
"""Recoveries that are killed at every point that they pass, one after the other."""

DEEPEST = 5
"""Recoveries that are killed in a row at a rotating point (fault K4)."""

SHARES = 4
"""Parts that a cell's walk is cut into, so that several workers take part."""


@dataclass(frozen=True)
class Extent:
    """How much is tried.

    Attributes:
        every: Of the pairs of a first kill and a last one, each `every`-th, on the diagonals: each first kill
            goes with some of the last ones and each last one with some of the first. 1 for all.
        at_random: Kills at random times, in all.
        seed: Of the random times.
    """

    every: int
    at_random: int
    seed: int


@dataclass(frozen=True)
class Unit:
    """What one worker does in one go.

    Attributes:
        cell: Class and place.
        share: Which part of `SHARES` of the walk, or of the kills at random.
        at_random: Whether it is the latter.
    """

    cell: Combination
    share: int
    at_random: bool

    def run(self, extent: Extent, attempt: Try) -> None:
        """Try all of it."""
        if self.at_random:
            _at_random(self, extent, attempt)
        else:
            _walk(self, extent.every, attempt)


def units(extent: Extent) -> list[Unit]:
    """All there is to do, the parts of a cell far from each other."""
    cells = [Combination(tool_class, place) for place, tool_class in product(PLACES, CLASSES)]
    walks = [Unit(cell, share, False) for share in range(SHARES) for cell in cells]
    return walks + [Unit(cell, share, True) for share in range(SHARES) for cell in cells if extent.at_random]


def _walk(unit: Unit, every: int, attempt: Try) -> None:
    """Kill the first process at each point; then each recovery, at the points that it passes, after earlier kills."""
    cell = unit.cell
    for index, first in enumerate(_kills(attempt(cell))):
        if index % SHARES != unit.share:
            continue
        tried = cell._replace(kills=(first,))
        trial = attempt(tried)
        for depth in range(1, DEPTH + 1):
            follow = _kills(trial)
            done = {kill: attempt(_then(tried, kill)) for kill in _each(follow, every, index + depth)}
            if not follow:
                break
            chosen = _rotating(follow, index, depth)
            tried = _then(tried, chosen)
            trial = done.get(chosen) or attempt(tried)
        if index % SHARES == index % (2 * SHARES):
            _deeper(trial, index, attempt)


def _deeper(trial: Trial, index: int, attempt: Try) -> None:
    """On with one line of kills, as deep as it goes."""
    while len(trial.tried.kills) <= DEEPEST and (follow := _kills(trial)):
        trial = attempt(_then(trial.tried, _rotating(follow, index, len(trial.tried.kills))))


def _each(kills: Sequence[Kill], every: int, offset: int) -> Iterator[Kill]:
    return (kill for place, kill in enumerate(kills) if (place + offset) % every == 0)


def _rotating(kills: Sequence[Kill], index: int, depth: int) -> Kill:
    return kills[(7 * index + 3 * depth) % len(kills)]


def _then(tried: Combination, kill: Kill) -> Combination:
    return tried._replace(kills=(*tried.kills, kill))


def _kills(trial: Trial) -> list[Kill]:
    return [Kill(point, nth) for point, nth in passings(trial.points)]


def _at_random(unit: Unit, extent: Extent, attempt: Try) -> None:
    """Kill one to four processes in a row, each at a random moment of the time that it was seen to need."""
    seed = f"{extent.seed}/{unit.cell}/{unit.share}"
    chance = random.Random(seed)
    whole = attempt(unit.cell)
    points = _kills(whole)
    recovered = attempt(unit.cell._replace(kills=(points[len(points) // 2],)))
    wanted = -(-extent.at_random // (len(CLASSES) * len(PLACES) * SHARES))
    landed = 0
    for _ in range(5 * wanted):  # some are over before their time comes
        if landed >= wanted:
            break
        lengths = [whole.took_s] + [recovered.took_s] * chance.randrange(DEPTH + 1)
        kills = tuple(Kill(after_s=chance.uniform(0, length)) for length in lengths)
        landed += attempt(unit.cell._replace(kills=kills)).kills

"""Which combinations are tried: a walk over the points that each process passes, and kills at random times."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from interlock.testing.crash import passings
from proof.crash.combination import CLASSES, PLACES, Combination, Kill
from proof.crash.trial import Trial

Try = Callable[[Combination], Trial]
"""Tries a combination."""

THINNED = {1: 1, 2: 2, 3: 4}
"""Recoveries that are killed at every point which they pass, by how many of them in a row: after each so-and-so-th
first kill."""

DEEPEST, THINNED_DEEPEST = 5, 8
"""Recoveries that are killed in a row at a rotating point (fault K4), and after which first kills."""

SHARES = 4
"""Parts of a cell's kills at random times, so that several workers take part."""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much is tried.

    Attributes:
        every: Of the pairs of an earlier kill and a last one whose last one was tried with another before: each
            so-and-so-th, on the diagonals.
        firsts: Each so-and-so-th point of the first process. 1 for all.
        depth: Recoveries that are killed.
        at_random: Kills at random times, in all.
        seed: Of the random times.
    """

    every: int = 32
    firsts: int = 1
    depth: int = DEEPEST
    at_random: int = 2000
    seed: int = 1


@dataclass(frozen=True)
class Unit:
    """What one worker does in one go: a cell's walk, or a part of its kills at random times.

    Attributes:
        cell: Class and place.
        share: Which part of the latter, from 1; 0 for the walk.
    """

    cell: Combination
    share: int = 0

    def run(self, extent: Extent, attempt: Try) -> None:
        """Try all of it."""
        if self.share:
            _at_random(self, extent, attempt)
        else:
            walk(self.cell, extent, attempt)


def units(extent: Extent) -> list[Unit]:
    """All there is to do, the longest first."""
    cells = [Combination(tool_class, place) for place, tool_class in product(reversed(PLACES), CLASSES)]
    shares = range(1, SHARES + 1) if extent.at_random else ()
    return [Unit(cell, share) for share in (0, *shares) for cell in cells]


def walk(cell: Combination, extent: Extent, attempt: Try) -> None:
    """Kill the first process at each point that it passes; then recoveries, after earlier kills.

    Every point that is seen to be passed by the first, second or third recovery is one where such a recovery is
    killed; which earlier kills it goes with rotates.
    """
    tried: dict[int, set[Kill]] = {depth: set() for depth in THINNED}
    for index, first in enumerate(_kills(attempt(cell))):
        if index % extent.firsts:
            continue
        trial = attempt(_then(cell, first))
        index //= extent.firsts
        for depth, thinned in THINNED.items():
            if depth > extent.depth or index % thinned:
                break
            follow = _kills(trial)
            new = [
                kill for place, kill in enumerate(follow)
                if kill not in tried[depth] or (place + index // thinned) % extent.every == 0
            ]  # fmt: skip
            tried[depth].update(new)
            done = {kill: attempt(_then(trial.tried, kill)) for kill in new}
            if not follow or depth == extent.depth:
                break
            chosen = _rotating(follow, index, depth)
            trial = done.get(chosen) or attempt(_then(trial.tried, chosen))
        if extent.depth == DEEPEST and index % THINNED_DEEPEST == 0:
            _deeper(trial, index, attempt)


def _deeper(trial: Trial, index: int, attempt: Try) -> None:
    """On with one line of kills, as deep as it goes."""
    while len(trial.tried.kills) <= DEEPEST and (follow := _kills(trial)):
        trial = attempt(_then(trial.tried, _rotating(follow, index, len(trial.tried.kills))))


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
        lengths = [whole.took_s] + [recovered.took_s] * chance.randrange(max(THINNED) + 1)
        kills = tuple(Kill(after_s=chance.uniform(0, length)) for length in lengths)
        landed += attempt(unit.cell._replace(kills=kills)).kills

"""Who calls what how often, and how often that is usual: statistics that can be said in a sentence.

A burst is told beside the busiest ten minutes of two weeks of the same principal and tool; where they were seen
together on few days, beside those of everybody with that tool as well. Tools that somebody takes up are told beside how
often that principal did before. Both are judged by a Poisson tail: how likely so many are where the usual is right.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from interlock.telemetry.measures_buckets import DAY_US, HOUR_US, MINUTE_US

WINDOW_US: Final = 10 * MINUTE_US
"""The time within which calls are counted."""

SETTLES: Final = 6
"""Windows until one is a part of what is usual: what is a burst now must not excuse itself."""

PAST_US: Final = 14 * DAY_US
"""How far back the usual goes."""

LEARNS_US: Final = DAY_US
"""A tenant's first time, in which nothing is concluded."""

PAIRS_MAX: Final = 20_000
"""Pairs of principal and tool, and principals, of which is remembered what is usual; the most silent are forgotten."""

OWN_DAYS: Final = 7
"""Days of the past on which a pair must have been seen for its own busiest to be all that counts: somebody who uses a
tool rarely will some day use it as much as others do."""

ODDS: Final = 1e-6
"""How unlikely it must be."""

TIMES: Final = 2
"""And how many times the busiest window before."""

P = TypeVar("P")
V = TypeVar("V")

KNOWN_CALLS: Final = 50
"""Calls of a principal below which nothing is concluded about new tools."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Calls of a tool by a principal, beside what is usual.

    Attributes:
        principal, tool: Whose, and which.
        calls: In the present window, or the one before where that has more.
        usual: The busiest window before.
        others: Whether `usual` is somebody else's with this tool: these two were seen together on few days.
        odds: How likely so many are where `usual` and one more are expected.
    """

    principal: str
    tool: str
    calls: int
    usual: int
    others: bool
    odds: float


@dataclass(frozen=True, slots=True)
class Fresh:
    """Tools that a principal took up within an hour.

    Attributes:
        principal: Who.
        tools: Which, in order of name.
        calls: The principal's calls within that hour.
        known, past: Tools that it had used before, and in how many calls.
        odds: How likely so many new ones are, if it takes up new ones as often as before.
    """

    principal: str
    tools: tuple[str, ...]
    calls: int
    known: int
    past: int
    odds: float


@dataclass(slots=True)
class _Pair:
    recent: deque[list[int]] = field(default_factory=deque)
    days: dict[int, int] = field(default_factory=dict)

    def settle(self, before: int) -> None:
        while self.recent and self.recent[0][0] <= before:
            self.keep(*self.recent.popleft())

    def keep(self, window: int, count: int) -> None:
        day = window * WINDOW_US // DAY_US
        self.days[day] = max(self.days.get(day, 0), count)


@dataclass(slots=True)
class _Person:
    first: dict[str, int] = field(default_factory=dict)
    hours: deque[list[int]] = field(default_factory=deque)
    past: int = 0


class Past:
    """The window that each pair was in last, of a stretch of the ledger that is read after newer ones were."""

    def __init__(self) -> None:
        self.windows: dict[tuple[str, str], list[int]] = {}


class Patterns:
    """What is usual in one tenant.

    Attributes:
        since_us: When its first call was, as far as is known.
    """

    def __init__(self) -> None:
        self.since_us = 1 << 62
        self._pairs: OrderedDict[tuple[str, str], _Pair] = OrderedDict()
        self._people: OrderedDict[str, _Person] = OrderedDict()

    def add(self, at_us: int, principal: str, tool: str, past: Past | None = None) -> None:
        """Count a call.

        Args:
            past: The stretch that it is of, where that is not the newest.
        """
        self.since_us = min(self.since_us, at_us)
        pair, person = _of(self._pairs, (principal, tool), _Pair), _of(self._people, principal, _Person)
        window = at_us // WINDOW_US
        person.first[tool] = min(person.first.get(tool, at_us), at_us)
        if past is not None:
            person.past += 1
            last = past.windows.setdefault((principal, tool), [window, 0])
            if last[0] != window:
                pair.keep(*last)
                last[:] = [window, 0]
            last[1] += 1
            return
        pair.settle(window - SETTLES)
        _count(pair.recent, window)
        while person.hours and person.hours[0][0] <= window - SETTLES:
            person.past += person.hours.popleft()[1]
        _count(person.hours, window)

    def done(self, past: Past) -> None:
        """A stretch is read to its end."""
        for place, last in past.windows.items():
            if place in self._pairs:
                self._pairs[place].keep(*last)

    def bursts(self, now_us: int, at_least: int) -> list[Burst]:
        """Pairs that call at least so often, and far more than is usual; nothing while the usual is being learnt."""
        if now_us - self.since_us < LEARNS_US:
            return []
        window, oldest = now_us // WINDOW_US, (now_us - PAST_US) // DAY_US
        found = []
        for (principal, tool), pair in self._pairs.items():
            calls = max((count for at, count in pair.recent if at >= window - 1), default=0)
            if calls < at_least:
                continue
            days = [count for day, count in pair.days.items() if day >= oldest]
            usual = max(days, default=0)
            others = len(days) < OWN_DAYS and (most := self._usual(tool, oldest)) > usual
            if others:
                usual = most
            if not usual:
                continue  # nobody has used it before: it is new, and there is nothing usual about it
            odds = poisson_tail(calls, usual + 1)
            if calls >= TIMES * usual and odds < ODDS:
                found.append(Burst(principal, tool, calls, usual, others, odds))
        return found

    def fresh(self, now_us: int, at_least: int) -> list[Fresh]:
        """Principals that took up at least so many tools within an hour, which they did not use to do."""
        if now_us - self.since_us < LEARNS_US:
            return []
        hour_us, window = now_us - HOUR_US, now_us // WINDOW_US
        found = []
        for principal, person in self._people.items():
            tools = tuple(sorted(tool for tool, first_us in person.first.items() if first_us > hour_us))
            known, past = len(person.first) - len(tools), person.past
            if len(tools) < at_least or past < KNOWN_CALLS:
                continue
            calls = sum(count for at, count in person.hours if at > window - SETTLES)
            odds = poisson_tail(len(tools), calls * (known + 1) / (past + 1))
            if odds < ODDS:
                found.append(Fresh(principal, tools, calls, known, past, odds))
        return found

    def trim(self, now_us: int) -> None:
        """Forget what is too long ago."""
        oldest, window = (now_us - PAST_US) // DAY_US, now_us // WINDOW_US
        for place, pair in list(self._pairs.items()):
            pair.settle(window - SETTLES)
            pair.days = {day: count for day, count in pair.days.items() if day >= oldest}
            if not pair.days and not pair.recent:
                del self._pairs[place]

    def _usual(self, tool: str, oldest: int) -> int:
        days = (pair.days.items() for (_, of), pair in self._pairs.items() if of == tool)
        return max((count for each in days for day, count in each if day >= oldest), default=0)


def _of(kept: OrderedDict[P, V], place: P, new: Callable[[], V]) -> V:
    found = kept.get(place)
    if found is None:
        found = kept[place] = new()
        if len(kept) > PAIRS_MAX:
            kept.popitem(last=False)
    else:
        kept.move_to_end(place)
    return found


def poisson_tail(count: int, expected: float) -> float:
    """How likely at least so many are where so many are expected; exact to floating point.

    Args:
        count: Above `expected`, or 1 is told.
    """
    if count <= expected:
        return 1.0
    if expected <= 0:
        return 0.0
    term = math.exp(count * math.log(expected) - expected - math.lgamma(count + 1))
    total, number = 0.0, count
    while term > total * 1e-16:
        total += term
        number += 1
        term *= expected / number
    return min(1.0, total)


def _count(windows: deque[list[int]], window: int) -> None:
    """One more in a window; one that comes late, by a clock that is behind, counts in the newest."""
    if not windows or windows[-1][0] < window:
        windows.append([window, 0])
    windows[-1][1] += 1

"""What is usual and what is not: false alarms on quiet data, and what is found of what is planted. Requirement D7."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import pytest

from interlock.telemetry.alert_patterns import LEARNS_US, PAIRS_MAX, WINDOW_US, Past, Patterns, poisson_tail
from interlock.telemetry.measures_buckets import DAY_US, HOUR_US, MINUTE_US

START_US = 20_454 * DAY_US
TOOLS = [f"tool_{number}" for number in range(12)]


def quiet(days: int, seed: int, people: int = 20) -> Iterator[tuple[int, str, str]]:
    """Working days of people who come in sessions: a burst of calls within minutes, then nothing, less at night.

    Everybody uses a few tools mostly, and now and then another one.
    """
    some = random.Random(seed)
    calls = []
    for person in range(people):
        favourites = some.sample(TOOLS, 4)
        busy = some.uniform(1, 6)
        for day in range(days):
            if day % 7 in (5, 6):
                continue
            for _ in range(int(some.expovariate(1 / busy)) + 1):
                at_us = START_US + day * DAY_US + int(some.gauss(13, 3) * HOUR_US)
                for _ in range(int(some.expovariate(1 / 8)) + 1):
                    at_us += int(some.expovariate(1 / 40) * 1_000_000)
                    tool = some.choice(favourites) if some.random() < 0.97 else some.choice(TOOLS)
                    calls.append((at_us, f"p{person}", tool))
    return iter(sorted(calls))


def alarms(calls: Iterator[tuple[int, str, str]], patterns: Patterns, at_least: int = 20) -> set[tuple[str, int]]:
    """Rule and hour of whatever is found, looked for every five minutes."""
    found: set[tuple[str, int]] = set()
    next_us = 0
    for at_us, principal, tool in calls:
        if at_us >= next_us:
            next_us = at_us + 5 * MINUTE_US
            found |= {("burst", at_us // HOUR_US) for _ in patterns.bursts(at_us, at_least)}
            found |= {("new_tools", at_us // HOUR_US) for _ in patterns.fresh(at_us, 5)}
        patterns.add(at_us, principal, tool)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_a_month_of_quiet_days_raises_nothing(seed: int) -> None:
    assert alarms(quiet(30, seed), Patterns()) == set()


def test_a_burst_far_beyond_what_is_usual_is_found_with_its_figures() -> None:
    patterns = Patterns()
    alarms(quiet(15, 1), patterns)
    now_us = START_US + 15 * DAY_US + 12 * HOUR_US
    for second in range(120):
        patterns.add(now_us + second * 1_000_000, "p3", "tool_1")
    [burst] = patterns.bursts(now_us + 3 * MINUTE_US, 20)
    assert (burst.principal, burst.tool, burst.calls) == ("p3", "tool_1", 120)
    assert burst.odds < 1e-6 and 0 < burst.usual < 60


def test_one_that_never_used_a_tool_is_held_beside_those_who_do() -> None:
    patterns = Patterns()
    for day in range(3):
        for number in range(15):
            patterns.add(START_US + day * DAY_US + number * 1_000_000, "old", "pay")
    now_us = START_US + 3 * DAY_US
    for number in range(30):
        patterns.add(now_us + number, "new", "pay")
        patterns.add(now_us + number, "new", "first_of_its_kind")
    assert patterns.bursts(now_us + MINUTE_US, 20) == [], "twice as busy as others is not yet out of the ordinary"
    for number in range(30):
        patterns.add(now_us + number, "new", "pay")
    [burst] = patterns.bursts(now_us + MINUTE_US, 20)
    assert (burst.tool, burst.others, burst.usual, burst.calls) == ("pay", True, 15, 60), "and a new tool is no burst"


def test_what_goes_on_is_usual_after_an_hour() -> None:
    patterns = Patterns()
    patterns.add(START_US, "p", "t")
    patterns.add(START_US + 2 * DAY_US, "p", "t")
    found = []
    for window in range(9):
        at_us = START_US + 3 * DAY_US + window * WINDOW_US
        for number in range(40):
            patterns.add(at_us + number, "p", "t")
        found.append(bool(patterns.bursts(at_us + MINUTE_US, 20)))
    assert found == [True] * 6 + [False] * 3


def test_many_new_tools_at_once_are_found_and_one_now_and_then_is_not() -> None:
    patterns = Patterns()
    for number in range(300):
        patterns.add(START_US + number * 20 * MINUTE_US, "p", f"tool_{number % 5}")
    now_us = START_US + 300 * 20 * MINUTE_US
    for number in range(2):
        patterns.add(now_us, "p", f"one_more_{number}")
    assert patterns.fresh(now_us, 2) == []
    for number in range(6):
        patterns.add(now_us, "p", f"swept_{number}")
    [fresh] = patterns.fresh(now_us, 5)
    assert (fresh.principal, len(fresh.tools), fresh.known, fresh.calls) == ("p", 8, 5, 10)


def test_nothing_is_concluded_on_the_first_day() -> None:
    patterns = Patterns()
    for number in range(100):
        patterns.add(START_US, "p", f"t{number % 10}")
    assert patterns.bursts(START_US + LEARNS_US - 1, 5) == patterns.fresh(START_US + LEARNS_US - 1, 5) == []


def test_a_past_that_is_read_later_is_the_same_past() -> None:
    """The newest day is read first; what is usual does not depend on it."""
    calls = list(quiet(6, 2, people=5))
    forward, back = Patterns(), Patterns()
    for call in calls:
        forward.add(*call)
    edge_us = START_US + 4 * DAY_US
    for call in calls:
        if call[0] >= edge_us:
            back.add(*call)
    past = Past()
    for at_us, principal, tool in calls:
        if at_us < edge_us:
            back.add(at_us, principal, tool, past)
    back.done(past)
    now_us = START_US + 8 * DAY_US
    for patterns in (forward, back):
        patterns.trim(now_us)
    assert {place: pair.days for place, pair in forward._pairs.items()} == {
        place: pair.days for place, pair in back._pairs.items()
    }
    assert forward.since_us == back.since_us
    assert {who: person.first for who, person in forward._people.items()} == {
        who: person.first for who, person in back._people.items()
    }


def test_what_is_long_ago_is_forgotten_and_there_is_a_bound() -> None:
    patterns = Patterns()
    patterns.add(START_US, "p", "t")
    patterns.trim(START_US + 30 * DAY_US)
    assert not patterns._pairs
    for number in range(PAIRS_MAX + 10):
        patterns.add(START_US, f"p{number}", "t")
    assert len(patterns._pairs) == len(patterns._people) == PAIRS_MAX


@pytest.mark.parametrize(("count", "expected"), [(5, 1.0), (20, 10.0), (3, 0.01), (200, 100.0)])
def test_the_tail_is_poissons(count: int, expected: float) -> None:
    below = sum(math.exp(k * math.log(expected) - expected - math.lgamma(k + 1)) for k in range(count))
    assert poisson_tail(count, expected) == pytest.approx(1 - below, abs=1e-12)


def test_the_tail_at_its_ends() -> None:
    assert (poisson_tail(3, 3.0), poisson_tail(3, 0.0)) == (1.0, 0.0)

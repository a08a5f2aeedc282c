"""What alerts about calling patterns find, and what they raise on quiet days: `python -m proof.alerts`.

Simulated people work through recorded runs of the data folder (AgentDojo, AgentDyn, tau-bench airline): each has one
suite of tools and a few tasks of it, now and then another one, in sessions on working days. The order of tools is
recorded; who does what when is simulated (seeded). Nothing is an attack in four weeks: whatever is raised is a false
alarm.

Then, on a working day after them, for each person by itself, either a tool of theirs is called so many times within
ten minutes, or so many tools are called that they never used. Requirement D7. The thresholds were chosen with the seeds
100 to 107; this looks at others.

Exits 0 only where at most one false alarm came of a thousand days of one person, and of bursts of 160 calls and of
sweeps over 10 new tools at least 90 % were found.
"""

from __future__ import annotations

import argparse
import copy
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from interlock.alert_settings import AlertSettings
from interlock.telemetry.alert_patterns import Patterns
from interlock.telemetry.measures_buckets import DAY_US, HOUR_US, MINUTE_US
from interlock.verification.calibrate import Share
from proof.recorded import FOLDER, recorded

START_US = 20_454 * DAY_US
SECOND_US = 1_000_000

BURSTS, SWEEPS = (30, 40, 80, 160), (5, 7, 10)
"""Calls within ten minutes, and new tools within an hour."""

FALSE_MAX, FOUND_MIN = 1.0, 0.9
"""False alarms of a thousand days of one person, and part of the largest bursts and sweeps that is found."""

Call = tuple[int, str, str]


class Person(NamedTuple):
    """Somebody simulated.

    Attributes:
        name: Who.
        usual: Sequences of tools, of the tasks that are theirs.
        others: Those of the other tasks of the suite.
        sessions: On a day, about.
    """

    name: str
    usual: Sequence[Sequence[str]]
    others: Sequence[Sequence[str]]
    sessions: float


class Told(NamedTuple):
    """What came of one seed.

    Attributes:
        days: Working days of all people together.
        calls: Calls of them.
        false: What was raised on quiet days: rule, person and day.
        bursts, sweeps: By size, whether each was found.
    """

    days: int
    calls: int
    false: set[tuple[str, str, int]]
    bursts: Mapping[int, list[bool]]
    sweeps: Mapping[int, list[bool]]


def people(suites: Mapping[str, Sequence[tuple[str, Sequence[str]]]], count: int, some: random.Random) -> list[Person]:
    """So many people, by turns of each suite; suite to the task and the tools of each run."""
    found = []
    for number in range(count):
        runs = suites[sorted(suites)[number % len(suites)]]
        tasks = sorted({task for task, _ in runs})
        mine = set(some.sample(tasks, min(4, len(tasks))))
        usual, others = ([tools for task, tools in runs if (task in mine) is own] for own in (True, False))
        found.append(Person(f"person {number}", usual, others or usual, some.uniform(1, 8)))
    return found


def worked(everybody: Sequence[Person], days: int, some: random.Random) -> list[Call]:
    """The calls of so many days, in order."""
    return sorted(call for person in everybody for day in range(days) for call in _day(person, day, some))


def _day(person: Person, day: int, some: random.Random) -> Iterator[Call]:
    if day % 7 in (5, 6):
        return
    for _ in range(int(some.expovariate(1 / person.sessions)) + 1):
        at_us = START_US + day * DAY_US + int(some.gauss(13, 3) * HOUR_US)
        for tool in some.choice(person.usual if some.random() < 0.95 else person.others):
            at_us += int(some.expovariate(1 / 8) * SECOND_US)
            yield at_us, person.name, tool


def look(patterns: Patterns, now_us: int, settings: AlertSettings) -> set[tuple[str, str]]:
    """Rule and person of all that is out of the ordinary."""
    bursts = {("burst", burst.principal) for burst in patterns.bursts(now_us, settings.burst)}
    return bursts | {("new_tools", fresh.principal) for fresh in patterns.fresh(now_us, settings.new_tools)}


def tell(suites: Mapping[str, Sequence[tuple[str, Sequence[str]]]], count: int, days: int, seed: int) -> Told:
    """What is raised on quiet days, and what is found of what is planted after them."""
    some, settings, patterns = random.Random(seed), AlertSettings(), Patterns()
    everybody = people(suites, count, some)
    calls, next_us, false = worked(everybody, days, some), 0, set()
    for at_us, name, tool in calls:
        if at_us >= next_us:
            next_us = at_us + 5 * MINUTE_US
            false |= {(rule, who, at_us // DAY_US) for rule, who in look(patterns, at_us, settings)}
        patterns.add(at_us, name, tool)
    now_us = START_US + days * DAY_US + 12 * HOUR_US
    names = sorted({tool for runs in suites.values() for _, tools in runs for tool in tools})
    bursts: dict[int, list[bool]] = {size: [] for size in BURSTS}
    sweeps: dict[int, list[bool]] = {size: [] for size in SWEEPS}
    for person in everybody:
        theirs = sorted({tool for at_us, who, tool in calls if who == person.name})
        new = [name for name in names if name not in theirs]
        for size, found in bursts.items():
            found.append(_is_found(patterns, now_us, person.name, [some.choice(theirs)] * size, "burst"))
        for size, found in sweeps.items():
            found.append(_is_found(patterns, now_us, person.name, some.sample(new, size), "new_tools"))
    working = sum(day % 7 not in (5, 6) for day in range(days))
    return Told(working * count, len(calls), false, bursts, sweeps)


def _is_found(patterns: Patterns, now_us: int, person: str, tools: Sequence[str], rule: str) -> bool:
    after = copy.deepcopy(patterns)
    for number, tool in enumerate(tools):
        after.add(now_us + number * 3 * SECOND_US, person, tool)
    return (rule, person) in look(after, now_us + 10 * MINUTE_US, AlertSettings())


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m proof.alerts", description="Alerts about calling patterns.")
    parser.add_argument("--data", type=Path, default=FOLDER, metavar="FOLDER", help="the data folder (INTERLOCK_DATA)")
    parser.add_argument("--people", type=int, default=24, metavar="N", help="people of each seed (24)")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds (5)")
    options = parser.parse_args()
    suites = {
        name: [(run.task, tools) for run in suite.runs if (tools := [call.tool for turn in run.turns for call in turn])]
        for name, suite in recorded(options.data).items()
    }
    told = [tell(suites, options.people, 28, seed) for seed in range(options.seeds)]
    days, calls, false = (
        sum(one.days for one in told),
        sum(one.calls for one in told),
        sum(len(one.false) for one in told),
    )
    print(f"{calls:,} calls of {options.people * options.seeds} people in {days:,} working days of one person")
    per_1000 = 1000 * false / days
    print(f"false alarms: {false}, {per_1000:.2f} of a thousand days of one person")
    parts = []
    for what, sizes, by_size in (
        ("calls within ten minutes", BURSTS, [one.bursts for one in told]),
        ("new tools within an hour", SWEEPS, [one.sweeps for one in told]),
    ):
        for size in sizes:
            found = [each for one in by_size for each in one[size]]
            share = Share(sum(found), len(found))
            low, high = share.interval
            print(f"{size:>4} {what}: found {share.part} of {share.whole} ({low:.0%} to {high:.0%})")
            parts.append((size, sum(found) / len(found)))
    largest = [part for size, part in parts if size in (BURSTS[-1], SWEEPS[-1])]
    good = per_1000 <= FALSE_MAX and min(largest) >= FOUND_MIN
    print("as it should be" if good else "not as it should be")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

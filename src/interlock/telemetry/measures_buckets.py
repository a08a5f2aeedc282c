"""Counts by time, of one tenant, in bounded memory: minutes for hours, hours for a week, days for a quarter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from interlock.core.clock import SECOND_US
from interlock.telemetry.measures_fold import Key

MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US


class Level(NamedTuple):
    """How finely time is kept, and for how long.

    Attributes:
        step_us: Length of one bucket.
        kept_us: Age from which a bucket is dropped.
    """

    step_us: int
    kept_us: int


LEVELS: Final = (
    Level(MINUTE_US, 6 * HOUR_US + 2 * MINUTE_US), Level(HOUR_US, 8 * DAY_US), Level(DAY_US, 91 * DAY_US)
)  # fmt: skip
"""At most 363, 193 and 92 buckets of a tenant. Two minutes more than six hours, so that six hours before some moment
just past are told by minutes."""

KEYS_MAX: Final = 3_000
"""Counts of one bucket: what is new beyond is counted under `OTHER`. A count takes some 100 bytes."""

OTHER: Final = "(other)"
"""Every name that there was no room for."""

_LAST: Final = len(LEVELS) - 1

_FEW: Final = 8
"""Buckets of a level that stay, however little room there is."""

_KEPT: Final = {"ended": 2, "took": 2, "took_us": 2, "decided": 2, "answered": 2, "over": 2, "run": 2, "notice": 2}
"""Leading parts of a key that are of few values and stay where there is no room; of other keys, the first alone."""

Bucket = dict[Key, int]

Totals = dict[str, int]
"""The counts of a bucket that charts are drawn of, without names: a point is told without looking at every tool."""

_TOTAL: Final = frozenset({"proposed", "input", "output", "micro_usd", "requested"})
_TOTAL_BY: Final = frozenset({"ended", "took", "took_us"})


class Found(NamedTuple):
    """What was counted in a time.

    Attributes:
        step_us: Length of a point.
        totals: Of each point that has anything, by its begin.
        buckets: All counts of the time, in buckets of any length.
    """

    step_us: int
    totals: dict[int, Totals]
    buckets: list[Bucket]


class Buckets:
    """The counts of one tenant.

    Attributes:
        newest_us: When the newest event was that was counted.
    """

    def __init__(self) -> None:
        self.newest_us = 0
        self._levels: tuple[dict[int, Bucket], ...] = tuple({} for _ in LEVELS)
        self._totals: tuple[dict[int, Totals], ...] = tuple({} for _ in LEVELS)
        self._from_us = [0] * len(LEVELS)

    def add(self, at_us: int, counts: Mapping[Key, int], now_us: int) -> None:
        """Count what happened within one minute, at every level that still keeps that time.

        Args:
            at_us: The minute's begin.
        """
        self.newest_us = max(self.newest_us, at_us)
        totals = _totals(counts)
        for level, buckets, sums in zip(LEVELS, self._levels, self._totals, strict=True):
            if at_us + level.step_us <= now_us - level.kept_us:
                continue
            start_us = at_us - at_us % level.step_us
            bucket = buckets.get(start_us)
            if bucket is None:
                bucket, sums[start_us] = buckets.setdefault(start_us, {}), {}
            for key, count in counts.items():
                if key not in bucket and len(bucket) >= KEYS_MAX:
                    key = without_names(key)
                bucket[key] = bucket.get(key, 0) + count
            total = sums[start_us]
            for name, count in totals.items():
                total[name] = total.get(name, 0) + count

    def trim(self, now_us: int) -> None:
        """Drop what is older than it is kept."""
        for number, level in enumerate(LEVELS):
            self._drop(number, now_us - level.kept_us)

    def shrink(self, now_us: int) -> None:
        """Drop about half of the finest that is kept for longer than a few buckets; the coarser still tell of it."""
        for number, buckets in enumerate(self._levels):
            if len(buckets) > _FEW:
                return self._drop(number, sorted(buckets)[len(buckets) // 2])

    def within(self, since_us: int, until_us: int, now_us: int) -> Found:
        """What was counted in a time; the first point may begin before it.

        Points are minutes for six hours, hours for a week and a day; days beyond, and for what is older.
        """
        number = next((each for each in range(len(LEVELS)) if self._fits(each, since_us, until_us, now_us)), _LAST)
        step_us, totals = LEVELS[number].step_us, self._totals[number]
        first_us = since_us - since_us % step_us
        shown = {start_us: totals[start_us] for start_us in sorted(totals) if first_us <= start_us < until_us}
        return Found(step_us, shown, list(self._covering(number, first_us, until_us)))

    @property
    def size(self) -> int:
        """How many counts are kept."""
        return sum(len(bucket) for buckets in self._levels for bucket in buckets.values())

    def _covering(self, number: int, since_us: int, until_us: int) -> Iterator[Bucket]:
        """Buckets that make up a time: the next coarser ones where they lie whole within it."""
        step_us, buckets = LEVELS[number].step_us, self._levels[number]
        begin_us = end_us = since_us
        if number < _LAST:
            coarse_us = LEVELS[number + 1].step_us
            begin_us, end_us = since_us + -since_us % coarse_us, until_us - until_us % coarse_us
            if begin_us < end_us:
                yield from self._covering(number + 1, begin_us, end_us)
            else:
                begin_us = end_us = since_us
        for start_us in (*range(since_us, begin_us, step_us), *range(end_us, until_us, step_us)):
            if (bucket := buckets.get(start_us)) is not None:
                yield bucket

    def _fits(self, number: int, since_us: int, until_us: int, now_us: int) -> bool:
        """Whether a time is short and young enough to be told at this level."""
        kept_us = LEVELS[number].kept_us
        return until_us - since_us <= kept_us and since_us >= max(now_us - kept_us, self._from_us[number])

    def _drop(self, number: int, before_us: int) -> None:
        buckets = self._levels[number]
        gone = [start_us for start_us in buckets if start_us + LEVELS[number].step_us <= before_us]
        for start_us in gone:
            del buckets[start_us], self._totals[number][start_us]
        if gone:
            self._from_us[number] = max(self._from_us[number], before_us)


def without_names(key: Key) -> Key:
    """The key with every name that there was no room for taken out."""
    kept = _KEPT.get(key[0], 1)
    return key[:kept] + (OTHER,) * (len(key) - kept)


def _totals(counts: Mapping[Key, int]) -> Totals:
    found: Totals = {}
    for key, count in counts.items():
        what = key[0]
        if what in _TOTAL_BY:
            name = f"{what} {key[1]}"
            found[name] = found.get(name, 0) + count
        elif what in _TOTAL:
            found[what] = found.get(what, 0) + count
    return found

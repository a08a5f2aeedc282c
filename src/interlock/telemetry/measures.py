"""Figures over time, for people: who calls what, how it ends, how long it takes, what it costs.

    measures = Measures(clock)
    measures.absorb(batch)                                      # lists of (position, event), in order of commits
    measures.over(tenant, now_us - 24 * HOUR_US, now_us)        # an `Overview`

Kept in memory and read anew from the ledger by the next process (see `measures_follow`). Bounds: of a tenant 648
buckets of at most 3,000 counts; of all tenants together 1,000,000 counts (some 100 MB), where the finest and oldest go
first; 1,000 tenants, where the one that was silent for longest goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

from interlock.core.clock import Clock
from interlock.core.event import Event
from interlock.limits.use import BudgetUse
from interlock.telemetry.measures_buckets import DAY_US, MINUTE_US, Buckets
from interlock.telemetry.measures_drawn import Span, drawn
from interlock.telemetry.measures_fold import BY, Counts, Fold, Key
from interlock.telemetry.measures_overview import Overview

TENANTS_MAX: Final = 1_000
"""Tenants of which figures are kept."""

COUNTS_MAX: Final = 1_000_000
"""Counts of all tenants together."""

SPAN_MAX_US: Final = 91 * DAY_US
"""The longest time that can be asked for."""


class Measures:
    """The figures of a deployment.

    Attributes:
        complete_from_us: Everything from here on that stands in the ledger is counted, up to `position`.
        position: Of the newest event that was counted; 0 before the first.
    """

    def __init__(self, clock: Clock) -> None:
        self.position = 0
        self.complete_from_us = clock.wall_us()
        self._clock = clock
        self._fold = Fold()
        self._tenants: OrderedDict[str, Buckets] = OrderedDict()
        self._budgets: dict[str, tuple[BudgetUse, ...]] = {}
        self._tidied_us = 0

    def absorb(self, batch: Sequence[tuple[int, Event]]) -> None:
        """Count events, each once, in the order of their commits; lists of positions and events."""
        self.add((event.tenant, event.at_us, self._fold.counts(event)) for _, event in batch)
        if batch:
            self.position = batch[-1][0]

    def add(self, counted: Iterable[tuple[str, int, Counts]]) -> None:
        """Add what events count: whose each is, when it was, and what `Fold` made of it."""
        now_us = self._clock.wall_us()
        gathered: dict[tuple[str, int], dict[Key, int]] = {}
        for tenant, at_us, counts in counted:
            if not counts:
                continue
            place = (tenant, at_us - at_us % MINUTE_US)
            found = gathered.get(place)
            if found is None:
                found = gathered[place] = {}
            for key, count in counts:
                if key[0] != BY:
                    found[key] = found.get(key, 0) + count
        for (tenant, at_us), some in gathered.items():
            self._of(tenant).add(at_us, some, now_us)
        if not 0 <= now_us - self._tidied_us < MINUTE_US:
            self._tidied_us = now_us
            self.tidy()

    def over(self, tenant: str, since_us: int, until_us: int) -> Overview:
        """What happened in a tenant between two moments, microseconds UTC.

        At most 91 days: of a longer time, the newest part. Another tenant's figures are in none of it.
        """
        now_us = self._clock.wall_us()
        since_us = max(since_us, until_us - SPAN_MAX_US, 0)
        buckets = self._tenants.get(tenant) or Buckets()
        found = buckets.within(since_us, until_us, now_us)
        first_us = since_us - since_us % found.step_us
        span = Span(tenant, first_us, until_us, found.step_us, self.complete_from_us, buckets.newest_us)
        return drawn(span, found, self._budgets.get(tenant, ()))

    def tenants(self) -> tuple[str, ...]:
        """Tenants of which anything was counted, the most recently active last."""
        return tuple(self._tenants)

    def note_budgets(self, tenant: str, uses: Sequence[BudgetUse]) -> None:
        """Say how a tenant's budgets stand now: they are rows of the store, not sums of events."""
        self._budgets[tenant] = tuple(uses)

    def budgets(self, tenant: str) -> tuple[BudgetUse, ...]:
        """How a tenant's budgets stood when that was said last."""
        return self._budgets.get(tenant, ())

    def tidy(self) -> None:
        """Drop what is too old, and more where there is too much."""
        now_us = self._clock.wall_us()
        for buckets in self._tenants.values():
            buckets.trim(now_us)
        sizes = {tenant: buckets.size for tenant, buckets in self._tenants.items()}
        while sum(sizes.values()) > COUNTS_MAX:
            largest = max(sizes, key=lambda tenant: sizes[tenant])
            self._tenants[largest].shrink(now_us)
            if (size := self._tenants[largest].size) == sizes[largest]:
                return
            sizes[largest] = size

    def _of(self, tenant: str) -> Buckets:
        found = self._tenants.get(tenant)
        if found is None:
            found = self._tenants[tenant] = Buckets()
            if len(self._tenants) > TENANTS_MAX:
                gone, _ = self._tenants.popitem(last=False)
                self._budgets.pop(gone, None)
        else:
            self._tenants.move_to_end(tenant)
        return found

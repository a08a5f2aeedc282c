"""What the ledger says of a soak: recovered, then every event in the order of its commit against the limits."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from interlock import Settings, World, open_plane
from interlock.core.charge import reserved_by
from interlock.core.clock import SECOND_US, SystemClock
from interlock.core.event import Event, Kind
from interlock.core.guard_row import read_row
from interlock.core.run import SETTLED_WITHIN_S
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import Store
from proof.soak.plan import RATES, TENANT, Plan, rate, subject

_PAGE = 5000


class Later(SystemClock):
    """A clock that is so far ahead that whatever is open counts as lost."""

    def wall_us(self) -> int:
        """Later than the machine's."""
        return super().wall_us() + 2 * SETTLED_WITHIN_S * SECOND_US


async def recover(folder: Path) -> int:
    """Advance every run in which something is due, as an engine would; how many there were."""
    advanced = 0
    settings = Settings(ledger=folder / "ledger.db", folder=folder, seal={"on": False})  # type: ignore[arg-type]
    async with open_plane(settings, world=World(clock=Later()), engine=False) as plane:
        while due := await plane.store.due(1000):
            for run_id in {each.run_id for each in due}:
                assert await plane.advance(run_id, TENANT), f"{run_id} is held by a process that is gone"
                advanced += 1
    return advanced


@dataclass
class Verdict:
    """What was found.

    Attributes:
        events, reservations: How many there are.
        highest: Of each kind of budget, the most that was ever in use, as a share of its limit.
        overshoot: Budget rows that were ever above their limit.
        leak: Rows that are not what the events say, or what the table says.
        open: Reservations that nobody settled.
        rushed: Rates of which more passed in some window than may.
    """

    events: int = 0
    reservations: int = 0
    highest: dict[str, float] = field(default_factory=dict)
    overshoot: list[str] = field(default_factory=list)
    leak: list[str] = field(default_factory=list)
    open: int = 0
    rushed: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether everything is as it must be."""
        return not (self.overshoot or self.leak or self.open or self.rushed)


class _Ledger:
    """The soak's events, folded in the order of their commits by a fold of its own."""

    def __init__(self, plan: Plan) -> None:
        self.verdict = Verdict()
        self.used: defaultdict[str, int] = defaultdict(int)
        self._most = {(budget.name, budget.unit): budget.most for budget in plan.budgets.all}
        self._own: dict[str, int] = {}
        self._open: dict[tuple[str, str], tuple[tuple[str, int], ...]] = {}
        self._times: defaultdict[str, list[int]] = defaultdict(list)

    def take(self, event: Event) -> None:
        """The next event."""
        fact, verdict = event.fact, self.verdict
        verdict.events += 1
        name = (event.chain, fact.call_id)
        if fact.kind is Kind.RUN_STARTED:
            self._own |= {row: most for row, _, most in fact.body["budgets"]}
        elif fact.kind is Kind.BUDGET_RESERVED:
            verdict.reservations += 1
            worker = int(event.chain.split("_")[1])
            self._times[rate(worker).change(subject(worker, event.chain)).name].append(event.at_us)
            self._open[name] = parts = tuple((each.row, each.amount) for each in reserved_by(fact.body))
            for row, amount in parts:
                self._changes(row, amount)
        elif fact.kind is Kind.BUDGET_SETTLED:
            for row, amount in self._open.pop(name):
                self._changes(row, fact.body["spent"].get("units", amount) - amount)

    def _changes(self, row: str, more: int) -> None:
        self.used[row] += more
        parts = read_row(row)
        assert parts is not None, "every row of the soak is named so"
        kind, most = ("run", self._own[row]) if parts[1] == "run" else (parts[2], self._most[parts[2], parts[3]])
        share = self.used[row] / most
        if share > self.verdict.highest.get(kind, 0):
            self.verdict.highest[kind] = share
        if self.used[row] > most:
            self.verdict.overshoot.append(f"{row}: {self.used[row]} of {most}")

    def over(self) -> Verdict:
        """After the last one."""
        self.verdict.open = len(self._open)
        for row, times in self._times.items():
            if rushed(row, times):
                self.verdict.rushed.append(row)
        return self.verdict


def _counts(row: str) -> bool:
    """Whether a row is a budget's."""
    parts = read_row(row)
    return parts is not None and parts[1] != "rate"


def rushed(row: str, times: list[int]) -> bool:
    """Whether between any two calls more passed than the burst and the time between them give.

    From the i-th to the j-th that is `j - i + 1 <= burst + (t_j - t_i) / add`: no j may be further above the lowest i.
    """
    parts = read_row(row)
    assert parts is not None, "every row of the soak is named so"
    said = next(each for each in RATES if each.name == parts[2])
    add, most = SECOND_US * said.per_s / said.calls, (said.burst or said.calls) - 1
    lowest = math.inf
    for number, at_us in enumerate(times):
        lowest = min(lowest, number * add - at_us)
        if number * add - at_us - lowest > most * add:
            return True
    return False


async def judge(plan: Plan, folder: Path) -> Verdict:
    """Fold all, and hold it against the guard rows and the table."""
    store: Store = SqliteStore(folder / "ledger.db", SystemClock())
    try:
        folded, position = _Ledger(plan), 0
        while page := await store.follow(position, _PAGE):
            position = page[-1][0]
            for _, event in page:
                folded.take(event)
        verdict = folded.over()
        guards = {
            row: value for row, value in (await store.guards()).items() if (read_row(row) or [""] * 2)[1] != "rate"
        }
        table: defaultdict[str, int] = defaultdict(int)
        for row in await store.rows("budget", limit=1 << 62):
            table[row["name"]] += row["reserved"] + row["spent"]
        for name in {*guards, *table, *folded.used}:
            values = guards.get(name), table.get(name), folded.used.get(name)
            if len(set(values)) > 1:
                verdict.leak.append(
                    f"{name}: the row has {values[0]}, the table {values[1]}, the events say {values[2]}"
                )
        return verdict
    finally:
        await store.close()

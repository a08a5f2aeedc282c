"""What a soak is made of: the limits, and what each worker's n-th reservation asks of them."""

from __future__ import annotations

import random
from typing import NamedTuple

from interlock.core.clock import SECOND_US
from interlock.core.event import Fact, Kind
from interlock.core.guard_row import Subject
from interlock.core.principal import Principal
from interlock.limits.budget import Budget, Budgets, own_budgets
from interlock.limits.rate import Rate

TENANT = "acme"
PRINCIPALS = 8
"""Users that the workers act for, by turns."""

BLOCK = 100
"""Reservations of one worker in one «day»: every day's budget begins anew, so that all of the soak is at a limit."""

IN_RUN = 500
"""Reservations of one run; then the worker starts the next one."""

AMOUNT_MAX = 100
_DAY_US = 86_400 * SECOND_US


class Wish(NamedTuple):
    """What one reservation asks for, and what becomes of it.

    Attributes:
        amount: Reserved, of each budget.
        actual: What it cost in the end; None where it is abandoned, as by a worker that is lost.
    """

    amount: int
    actual: int | None


class Plan(NamedTuple):
    """How large the soak is.

    Attributes:
        workers, reservations: So many workers, so many tries of each.
        processes: That share the workers.
        kills: Processes that are killed, as by `kill -9`.
        seed: What everything is drawn from.
    """

    workers: int
    reservations: int
    processes: int
    kills: int
    seed: int

    @property
    def tries(self) -> int:
        """Reservations that are tried in all."""
        return self.workers * self.reservations

    @property
    def budgets(self) -> Budgets:
        """A day's of all, which bites towards the end of each day, and one of each user, which bites at the end."""
        block = self.workers * min(BLOCK, self.reservations)
        return Budgets((
            Budget(name="day", unit="units", most=int(block * _MEAN * 0.85), every="day"),
            Budget(name="user", unit="units", most=int(self.tries / PRINCIPALS * _MEAN * 0.78), per=("principal",)),
        ))  # fmt: skip

    def lanes(self, process: int) -> range:
        """The workers of one process."""
        return range(process, self.workers, self.processes)

    def wish(self, worker: int, number: int) -> Wish:
        """What a worker's n-th try asks for: the same whenever it is asked."""
        drawn = random.Random(f"{self.seed}/{worker}/{number}")
        amount = drawn.randint(1, AMOUNT_MAX)
        kind = drawn.random()
        if kind < 0.005:
            return Wish(amount, None)
        if kind < 0.1:
            return Wish(amount, 0)
        return Wish(amount, amount if kind < 0.3 else drawn.randint(0, amount))


_MEAN = 27.0
"""About what one reservation costs in the end."""

RATES = (
    Rate(name="slow", calls=50, per_s=1, burst=20, per=("principal",)),
    Rate(name="fast", calls=2000, per_s=1, per=("principal",)),
)
"""Of the first user, which bites, and of the others."""


def principal(worker: int) -> Principal:
    """Whom a worker acts for."""
    return Principal(f"user_{worker % PRINCIPALS}", TENANT, frozenset({"support"}))


def rate(worker: int) -> Rate:
    """The rate of a worker's user."""
    return RATES[0] if worker % PRINCIPALS == 0 else RATES[1]


def subject(worker: int, run_id: str) -> Subject:
    """Whose reservations a worker makes."""
    return Subject(principal(worker), run_id)


def run_id(worker: int, number: int) -> str:
    """The run of a worker's n-th try."""
    return f"run_{worker}_{number // IN_RUN}"


def day_us(number: int) -> int:
    """A moment of the «day» of a worker's n-th try."""
    return (20_000 + number // BLOCK) * _DAY_US


def started(worker: int, run: str) -> Fact:
    """The start of a run, with a budget of its own."""
    body = {
        "principal": principal(worker).written, "driver": "calls",
        "budgets": [list(each) for each in own_budgets(TENANT, run, {"units": int(IN_RUN * _MEAN * 1.1)})],
    }  # fmt: skip
    return Fact(Kind.RUN_STARTED, body, principal_id=principal(worker).id)

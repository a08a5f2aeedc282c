"""What one simulated run will meet: everything that its seed decides but the order of turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from interlock.core.points import NAMES
from interlock.testing.far_end import Fate
from interlock.testing.simulated_store import Trouble


class Wish(NamedTuple):
    """One call that the simulated agent makes.

    Attributes:
        tool, arguments: The call.
        name: The agent's own name of it: it asks again by this one.
    """

    tool: str
    arguments: Mapping[str, Any]
    name: str


class Person(NamedTuple):
    """What somebody does about an approval request.

    Attributes:
        after_s: How long it takes them; None: they never answer.
        approves: What they say.
        twice: Somebody else says the same at the same moment.
    """

    after_s: float | None
    approves: bool
    twice: bool


@dataclass(slots=True)
class Plan:
    """Everything that happens to one run. Numbers count from 1; 0 and None are never.

    Attributes:
        wishes: The calls that the agent makes.
        batch: It proposes them together.
        waits: It waits a while for a held call.
        lingers_s: It stays in the run so long when it has made its calls.
        usual: What becomes of most requests.
        second: Another process: `no`, an `engine`, or an `agent` that comes back to the same run.
        skew_s: How much the second one's wall clock differs.
        person: What the people do about approvals.
        fates: What becomes of other requests, by their number.
        trouble: What goes wrong with transactions, by their number.
        crashes: Crash points at which a process dies, and at which passing of it.
        deaths: Turns of its tasks at which a process dies, by the number of the process.
        frozen: Turn at which the first process stands still, and for how many seconds.
        cancel: Turn at which the caller gives up.
        jump: Transaction at which the wall clock is set, and by how many seconds.
        stop: Seconds after which an operator stops everything.
        look_s: Seconds between two looks of an engine.
        restart_s: Seconds until a process that died is started again.
        gentle: The processes are stopped at the end and not killed.
    """

    wishes: Sequence[Wish]
    batch: bool
    waits: bool
    lingers_s: float
    usual: Fate
    second: str
    skew_s: float
    person: Person
    look_s: float
    restart_s: float
    gentle: bool
    fates: dict[int, Fate] = field(default_factory=dict)
    trouble: dict[int, Trouble] = field(default_factory=dict)
    crashes: dict[str, int] = field(default_factory=dict)
    deaths: dict[int, int] = field(default_factory=dict)
    frozen: tuple[int, float] = (0, 0.0)
    cancel: int = 0
    jump: tuple[int, float] = (0, 0.0)
    stop: float | None = None


def draw(rng: Random, wishes: Sequence[Wish]) -> Plan:
    """A plan with none to three kinds of faults."""
    look_s = rng.choice((4.0, 20.0))
    plan = Plan(
        wishes=wishes,
        batch=rng.random() < 0.2,
        waits=rng.random() < 0.7,
        lingers_s=rng.choice((0.0, look_s + 1)),
        usual=Fate.DONE if rng.random() < 0.85 else Fate.SLOW,
        second=rng.choices(("no", "engine", "agent"), (5, 3, 2))[0],
        skew_s=rng.choice((0.0, 0.0, 600.0, -600.0)),
        person=Person(rng.choice((0.0, 3.0, 3.0, 40.0, 40.0, None, 90_000.0)), rng.random() < 0.8, rng.random() < 0.2),
        look_s=look_s,
        restart_s=rng.choice((0.1, 5.0, 40.0)),
        gentle=rng.random() < 0.5,
    )
    for _ in range(rng.choices((0, 1, 2, 3), (1, 4, 3, 2))[0]):
        rng.choice(_FAULTS)(rng, plan)
    return plan


def _fates(rng: Random, plan: Plan) -> None:
    first = rng.randint(1, 5)
    for number in range(first, first + rng.choice((1, 1, 1, 2, 3, 12))):
        plan.fates[number] = rng.choice(_FATES)


def _unreachable(rng: Random, plan: Plan) -> None:
    """Nothing can be sent for as long as a call has tries: what has a fallback falls back, or dies there."""
    first = rng.choice((1, 1, 2))
    plan.fates.update((number, Fate.NOT_SENT) for number in range(first, first + 3))
    if rng.random() < 0.5:
        plan.crashes["fallback.before"] = 1


def _trouble(rng: Random, plan: Plan) -> None:
    plan.trouble[rng.randint(1, 14)] = rng.choice(_TROUBLES)


def _crash(rng: Random, plan: Plan) -> None:
    point = rng.choice(POINTS)
    plan.crashes[point] = 1 if point in _RARE else rng.choice((1, 1, 2, 3, 4))
    if point in _RARE:
        _fates(rng, plan)  # else hardly anybody comes there


def _deep(rng: Random, plan: Plan) -> None:
    """A process dies while a call is under way, and the next one while it takes that up."""
    plan.crashes[rng.choice(_UNDER_WAY)] = 1
    plan.crashes[rng.choice(_TAKEN_UP)] = rng.choice((1, 1, 2))


def _death(rng: Random, plan: Plan) -> None:
    plan.deaths[rng.choice((1, 1, 1, 2, 3))] = rng.randint(1, 70)


def _freeze(rng: Random, plan: Plan) -> None:
    plan.frozen = (rng.randint(1, 60), rng.choice((5.0, 45.0, 100.0)))


def _cancel(rng: Random, plan: Plan) -> None:
    plan.cancel = rng.randint(1, 50)


def _jump(rng: Random, plan: Plan) -> None:
    plan.jump = (rng.randint(1, 14), rng.choice((5.0, 3600.0, 86_400.0, 31_536_000.0)) * rng.choice((1, -1)))


def _stop(rng: Random, plan: Plan) -> None:
    plan.stop = rng.choice((0.0, 3.0, 41.0))


POINTS = tuple(dict.fromkeys((*NAMES, "append.begun", "append.written", "append.committed")))
_FATES = tuple(fate for fate in Fate if fate is not Fate.DONE)
_TROUBLES = tuple(Trouble)
_RARE = ("attempt.paused", "ask.before", "ask.after", "fallback.before", "recovery.before", "recovery.committed")
_UNDER_WAY = ("intent.committed", "attempt.before", "attempt.after", "result.returned", "call.screened", "close.before")
_TAKEN_UP = ("recovery.before", "recovery.committed", "ask.before", "ask.after", "claim.committed", "append.written")
_FAULTS: tuple[Callable[[Random, Plan], None], ...] = (
    _fates, _fates, _fates, _fates, _trouble, _trouble, _crash, _crash, _deep, _deep, _death, _death, _freeze, _cancel,
    _jump, _stop, _unreachable,
)  # fmt: skip

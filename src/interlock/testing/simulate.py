"""A seeded simulation of the real path: crashes, lost answers, jumping clocks, late people, against a reference.

    simulator = Simulator(tools, far, wishes)
    simulator.run(7)          # one short run; raises Divergence at the first thing that is not allowed

Everything follows from the seed: the same one gives the same events, byte for byte, on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from random import Random

from interlock.compose import load_policy, open_registry
from interlock.core.event import Event
from interlock.core.tool import Tool
from interlock.errors import InterlockError
from interlock.settings import Settings
from interlock.testing.far_end import FarEnd
from interlock.testing.reference import Divergence, Promise
from interlock.testing.scheduler import Scheduler
from interlock.testing.simulated_plan import Wish, draw
from interlock.testing.simulated_process import Parts
from interlock.testing.simulated_world import World, leaves

Wishes = Callable[[Random], Sequence[Wish]]
"""What the agent asks for in one run: one to a handful of calls, each with a name of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one run went through without a divergence.

    Attributes:
        seed: Its seed.
        met: Faults that really happened, classes and outcomes, as `crash intent.before` or `keyed done`.
        events: Everything in the ledger, in the order of commits.
        trace: What happened in order; empty unless asked for.
    """

    seed: int
    met: frozenset[str]
    events: list[Event]
    trace: list[str]

    @property
    def digest(self) -> str:
        """Hex SHA-256 over the bytes of all events: the same for the same seed."""
        return sha256(b"".join(event.header + event.payload for event in self.events)).hexdigest()


class Simulator:
    """Runs the path with these tools against this far end, as often as there are seeds.

    Args:
        tools: Async tools whose functions call `far` where they would call a client.
        far: The far end; one for all runs, begun anew by each.
        wishes: What the agent asks for.
        settings: Policy, limits; the defaults where None. What they say of the ledger does not count.
    """

    def __init__(self, tools: Iterable[Tool], far: FarEnd, wishes: Wishes, settings: Settings | None = None) -> None:
        settings = settings or Settings(ledger=None)
        registry = open_registry(settings, tools)
        policy = load_policy(settings, registry)
        self._parts = Parts(settings=settings, registry=registry, policy=policy)
        self._promises = {tool.name: promise_of(tool) for tool in registry.tools}
        self._far = far
        self._wishes = wishes

    def run(self, seed: int, *, trace: bool = False) -> Seen:
        """One short run, healed at its end.

        Raises:
            Divergence: With the seed and the last steps.
        """
        rng = Random(seed)
        said: list[str] | None = [] if trace else None
        scheduler = Scheduler(seed)  # type: ignore[abstract]  # what it lacks of a loop, a simulated program lacks
        world = World(self._parts, self._promises, self._far, scheduler, rng, said)
        plan = draw(rng, self._wishes(rng))
        drawn = repr(plan) if trace else ""
        try:
            scheduler.run_until_complete(world.run(plan))
        except* (AssertionError, InterlockError) as group:
            world.found = world.found or AssertionError(repr(leaves(group)[0]))
        if world.found is None and scheduler.failed:
            world.found = AssertionError(str(scheduler.failed[0]))
        if world.found is not None:
            if said is None:
                self.run(seed, trace=True)  # raises the same, with its steps
            last = "\n".join((said or [])[-90:])
            raise Divergence(f"seed {seed}: {world.found!r}\n{drawn}\n{last}") from world.found
        return Seen(seed=seed, met=frozenset(world.met), events=world.store.everything, trace=said or [])


def promise_of(tool: Tool) -> Promise:
    """What a tool says of itself, as far as the reference goes by it."""
    again = tool.keyed or tool.idempotent
    return Promise(
        intent=tool.needs_intent,
        writes=tool.writes,
        once=tool.writes and not (tool.idempotent and not tool.keyed),
        asks=not again and tool.reconcilable,
        settles=again or tool.reconcilable or not tool.writes,
    )

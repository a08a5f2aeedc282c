"""A simulated process: a plane of its own on the shared store, an agent or an engine at work, and its death."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random

import anyio

from interlock.compose import World, plane_of
from interlock.core.call import Outcome, ToolCall
from interlock.core.clock import SECOND_US
from interlock.core.ids import named_call_id
from interlock.core.principal import Principal
from interlock.engine.engine import InProcessEngine
from interlock.errors import LedgerError, NotFound
from interlock.ledger.store import Claim
from interlock.pipeline import call_tool, call_tools
from interlock.policy.authorize import Rules
from interlock.registry.registry import Registry
from interlock.runs import Run, advance, open_run
from interlock.settings import Settings
from interlock.starting import Start
from interlock.testing.scheduler import Crashed, Host, Scheduler, SimulatedClock
from interlock.testing.simulated_plan import Plan, Wish
from interlock.testing.simulated_store import SharedStore, StoreHandle

AGENT = Principal("ana", roles=frozenset({"support"}))
"""On whose behalf the simulated agent works."""

_TRIES = 8
_KEY = b"simulated" * 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What all processes of all runs share: what is made once and changes never."""

    settings: Settings
    registry: Registry
    policy: Rules


@dataclass(slots=True, kw_only=True)
class Shared:
    """What the processes of one run share.

    Attributes:
        reached: Told every crash point that a process passes; it may end the process.
        told: Told every outcome that an agent gets.
        run_id: The run that the agent started; empty before it knows.
    """

    scheduler: Scheduler
    store: SharedStore
    rng: Random
    wall_us: int
    reached: Callable[[Process, str], None]
    told: Callable[[str, Outcome], None]
    run_id: str = ""
    started: int = 0
    clocks: list[SimulatedClock] = field(default_factory=list)


class Process:
    """One process of a run. It owns its ids, its clocks, its fold of the run and its handle on the store.

    Attributes:
        number: Counts the processes of a run from 1, those started again included.
        host: Its tasks.
        plane: Its gates.
        store: Its way to the store.
        worker: Its name in claims.
        caller: What the agent does; cancelled when its caller gives up.
        all: What the process does; cancelled when it is told to stop.
        finished: Its agent has made its calls, or given up.
    """

    def __init__(self, parts: Parts, shared: Shared, skew_s: float = 0.0) -> None:
        shared.started += 1
        self.number = shared.started
        self.host = Host(f"p{self.number}")
        self.worker = f"worker_{self.number}"
        self.claim = Claim(self.worker, 30.0)
        self.caller = anyio.CancelScope()
        self.all = anyio.CancelScope()
        self.finished = False
        self._shared = shared
        self._made = 0
        clock = SimulatedClock(
            shared.scheduler, mono_s=self.number * 1000.0, wall_us=shared.wall_us + int(skew_s * SECOND_US)
        )
        shared.clocks.append(clock)
        self.engine = InProcessEngine(clock)
        self.store = StoreHandle(shared.store, self.host, self.reach)
        world = World(clock=clock, new_id=self.new_id, entropy=shared.rng.randbytes, reach=self.reach)
        self.plane = plane = plane_of(parts.settings, world, parts.registry, parts.policy, self.store, _KEY)
        plane.executor = replace(plane.executor, jitter=lambda: shared.rng.uniform(-1, 1))

    def new_id(self, kind: str) -> str:
        """Ids that count, and say which process made them."""
        self._made += 1
        return f"{kind}_p{self.number}x{self._made}"

    def reach(self, point: str) -> None:
        """Pass a crash point, or die there."""
        if self.host.dead:
            raise Crashed
        self._shared.reached(self, point)
        if self.host.dead:
            raise Crashed

    async def advance(self, run_id: str, tenant: str) -> bool:
        """See `runs.advance`."""
        return await advance(self.plane, self.claim, run_id, tenant)

    async def work(self, look_s: float) -> None:
        """Do what is due and keep the claims, again and again: the engine without its watch, which is a thread."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._renew)
            while True:
                with suppress(LedgerError):
                    if await self._shared.store.due(1):  # a look at nothing would only cost turns
                        await self.engine.look(self.store, self.advance)
                await anyio.sleep(look_s)

    async def _renew(self) -> None:
        while True:
            await anyio.sleep(self.claim.lease_s / 3)
            with suppress(LedgerError):
                if self._shared.store.holds(self.worker):
                    await self.store.renew(self.worker, self.claim.lease_s)

    async def act(self, plan: Plan) -> None:
        """Be the agent: make the calls, come back by the same names after a failure, give up in the end."""
        shared = self._shared
        with self.caller:
            for _ in range(_TRIES):
                with suppress(LedgerError, NotFound):
                    async with open_run(self.plane, self.claim, AGENT, Start(words="do it"), shared.run_id) as run:
                        shared.run_id = run.run_id
                        await self._call(run, plan)
                        await anyio.sleep(plan.lingers_s)
                        return
                await anyio.sleep(9.0)

    async def _call(self, run: Run, plan: Plan) -> None:
        made = [named(run.run_id, wish) for wish in plan.wishes]
        outcomes = await call_tools([("", call) for call in made], self.plane) if plan.batch else []
        for index, call in enumerate(made):
            outcome = outcomes[index] if plan.batch else await call_tool(call, self.plane)
            self._shared.told(call.call_id, outcome)
            if plan.waits and outcome.kind == "held":
                await anyio.sleep(45.0)
                self._shared.told(call.call_id, await call_tool(call, self.plane))


def named(run_id: str, wish: Wish) -> ToolCall:
    """The call of a wish: the same one, however often it is made."""
    return ToolCall(
        run_id=run_id, call_id=named_call_id(run_id, wish.name), tool=wish.tool, arguments=wish.arguments,
        principal=AGENT, name=wish.name,
    )  # fmt: skip

"""The world of one simulated run: its processes, its people, its misfortunes, and the end at which all is healed."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from random import Random
from typing import Any

import anyio

from interlock.answers import answer, approval, settle
from interlock.approvals.decide import Answer, Said
from interlock.core.call import Outcome
from interlock.core.clock import SECOND_US
from interlock.core.event import Event, Kind
from interlock.core.principal import FIRST_TENANT, Principal
from interlock.core.run import RunState
from interlock.errors import Conflict, LedgerError, NotEntitled
from interlock.ledger.chain import first_bad
from interlock.pipeline import call_tool
from interlock.policy.flags import Scope
from interlock.testing.far_end import Effect, FarEnd, Fate
from interlock.testing.reference import Divergence, Promise, Reference
from interlock.testing.scheduler import Host, Scheduler, SimulatedClock, SimulatedTask
from interlock.testing.simulated_plan import Plan
from interlock.testing.simulated_process import Parts, Process, Shared, named
from interlock.testing.simulated_store import SharedStore, Trouble

WALL_US = 1_767_225_600 * SECOND_US
"""What the wall says when a run begins: 2026-01-01T00:00:00Z."""

PEOPLE = tuple(Principal(name, roles=frozenset({"approver", "admin"})) for name in ("bob", "cay"))
OPERATOR = Principal("opa", roles=frozenset({"operator"}))

_PATIENCE_S = 400.0
_RESTARTS_MAX = 4
_HEALING_MAX = 16


class World:
    """One run from its start to its healing.

    Attributes:
        store: The database.
        found: The first divergence; None for none.
        met: What the run went through.
    """

    def __init__(
        self, parts: Parts, promises: Mapping[str, Promise], far: FarEnd, scheduler: Scheduler, rng: Random,
        said: list[str] | None,
    ) -> None:  # fmt: skip
        self._parts = parts
        self._scheduler = scheduler
        self._far = far
        self._said = said
        self._clock = SimulatedClock(scheduler, wall_us=WALL_US)
        self.store = SharedStore(self._clock, rng.randbytes, self.committed, self._troubled)
        self._reference = Reference(promises)
        self._shared = Shared(
            scheduler=scheduler, store=self.store, rng=rng, wall_us=WALL_US, reached=self._reached, told=self._told
        )
        self._shared.clocks.append(self._clock)
        self._processes: list[Process] = []
        self._passed: dict[str, int] = {}
        self._requests = 0
        self._plan: Plan
        self._agents = 0
        self._quiet: anyio.Event
        self.found: AssertionError | None = None
        self.met: set[str] = set()

    async def run(self, plan: Plan) -> None:
        """Let it happen, heal it, and see what is left."""
        self._plan = plan
        self._quiet = anyio.Event()
        self.store.trouble = dict(plan.trouble)
        self._far.reset(self._scheduler, self, self._fate)
        self._console = Process(self._parts, self._shared)
        self._start(agent=True)
        if plan.second != "no":
            self._start(agent=plan.second == "agent", skew_s=plan.skew_s)
        if plan.stop is not None:
            self._scheduler.call_later(plan.stop, self._spawn, self._turn, True)
        with anyio.move_on_after(_PATIENCE_S):
            await self._quiet.wait()
        await self._heal()

    # ------------------------------------------------------------------ processes

    def _start(self, *, agent: bool, skew_s: float = 0.0) -> None:
        process = Process(self._parts, self._shared, skew_s)
        self._processes.append(process)
        plan, host = self._plan, process.host
        number = len(self._processes)
        if number in plan.deaths:
            host.alarms[plan.deaths[number]] = lambda: self._kill(process, "any turn")
        if number == 1 and plan.frozen[0]:
            host.alarms[plan.frozen[0]] = lambda: self._freeze(process)
        if number == 1 and plan.cancel:
            host.alarms[plan.cancel] = lambda: self._cancel(process)
        self._agents += agent
        self._say(f"{host.name} starts" + " as the agent" * agent)
        task = self._scheduler.start(host, self._life(process, agent))
        task.add_done_callback(lambda task: self._ended(task, process, agent))

    async def _life(self, process: Process, agent: bool) -> None:
        plan = self._plan
        with process.all:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(process.work, plan.look_s)
                if agent:
                    await process.act(plan)
                    process.finished = True
                    self._left()

    def _left(self) -> None:
        self._agents -= 1
        if self._agents == 0:
            self._quiet.set()

    def _ended(self, task: SimulatedTask, process: Process, agent: bool) -> None:
        """A process ended: it died and is started again, or was told to stop, or met a bug."""
        error = None if task.cancelled() else task.exception()
        for each in leaves(error):
            if isinstance(each, AssertionError) or (isinstance(each, Exception) and not process.host.dead):
                self._diverged(each)
        if not process.host.dead:
            return
        agent = agent and not process.finished
        if len(self._processes) < _RESTARTS_MAX and not self._quiet.is_set():
            self._scheduler.call_later(self._plan.restart_s, self._again, agent)
        elif agent:
            self._left()

    def _again(self, agent: bool) -> None:
        self._agents -= agent  # counted until now, so that nobody thinks that all have left
        if not self._quiet.is_set():
            self._start(agent=agent)

    def _kill(self, process: Process, where: str) -> None:
        if not process.host.dead:
            self._say(f"{process.host.name} dies at {where}")
            self.met.add(f"crash {where}")
            self._scheduler.kill(process.host)
            self._reference.died = True

    def _freeze(self, process: Process) -> None:
        seconds = self._plan.frozen[1]
        self._say(f"{process.host.name} stands still for {seconds:g} s")
        self.met.add("fault frozen")
        process.host.frozen_until_s = self._scheduler.time() + seconds
        self._reference.shaken = self._reference.two = True

    def _cancel(self, process: Process) -> None:
        self._say("the caller gives up")
        self.met.add("fault cancelled")
        self._reference.shaken = True
        process.caller.cancel()

    def _reached(self, process: Process, point: str) -> None:
        self._say(f"{process.host.name} passes {point}")
        crashes = self._plan.crashes
        if point in crashes and process is not self._console:
            self._passed[point] = passed = self._passed.get(point, 0) + 1
            if passed == crashes[point]:
                self._kill(process, point)

    # ------------------------------------------------------------------ what the reference is told

    def committed(self, events: list[Event]) -> None:
        """A transaction stands."""
        for event in events:
            fact = event.fact
            if fact.kind is Kind.CALL_DEAD_LETTERED:
                self.met.add("fault dead letter")
            self._say(f"ledger {event.chain}#{event.seq} {fact.kind} {fact.outcome} {fact.call_id[-4:]}")
            if fact.kind is Kind.APPROVAL_REQUESTED:
                self._ask_people(fact.approval_id)
        at, seconds = self._plan.jump
        if at and self.store.transactions >= at:
            self._plan.jump = (0, 0.0)
            self._jump(seconds)
        self._hold(self._reference.committed, events)

    def asked(self, call_id: str, known: bool) -> None:
        """The far end sees a request."""
        self._hold(self._reference.asked, call_id, known)

    def effect(self, effect: Effect) -> None:
        """The far end did something."""
        self._say(f"far end: {effect.what} of {effect.call_id[-4:]}")
        self._hold(self._reference.effect, effect)

    def _told(self, call_id: str, outcome: Outcome) -> None:
        self._say(f"told {outcome.kind} ({outcome.code}) of {call_id[-4:]}")
        self._hold(self._reference.told, outcome.call_id or call_id, outcome.kind.value, outcome.value)

    def _hold(self, follow: Any, *given: Any) -> None:
        try:
            follow(*given)
        except Divergence as error:  # whoever is on the path may swallow it; the world does not
            self._diverged(error)
            raise

    def _diverged(self, error: BaseException) -> None:
        if self.found is None:
            self._say(f"DIVERGENCE: {error!r}")
            self.found = error if isinstance(error, AssertionError) else AssertionError(repr(error))

    def _say(self, what: str) -> None:
        if self._said is not None:
            self._said.append(f"{self._scheduler.time():8.1f} s  {what}")

    # ------------------------------------------------------------------ misfortune and people

    def _fate(self) -> Fate:
        self._requests += 1
        fate = self._plan.fates.get(self._requests, self._plan.usual)
        self.met.add(f"far {fate}")
        if fate not in (Fate.DONE, Fate.SLOW):
            self._reference.shaken = True
        self._say(f"far end: request {self._requests} will be {fate}")
        return fate

    def _troubled(self, trouble: Trouble) -> None:
        self._say(f"the store: {trouble}")
        self.met.add(f"store {trouble}")
        self._reference.shaken = self._reference.two = True

    def _jump(self, seconds: float) -> None:
        self._say(f"the wall clock is set by {seconds:+g} s")
        self.met.add("fault clock " + ("forward" if seconds > 0 else "back"))
        self._set_clocks(seconds)
        self._reference.shaken = self._reference.two = True

    def _set_clocks(self, seconds: float) -> None:
        self._shared.wall_us += int(seconds * SECOND_US)
        for clock in self._shared.clocks:
            clock.jump_wall(seconds)

    def _ask_people(self, approval_id: str) -> None:
        person = self._plan.person
        if person.after_s is not None:
            for who in PEOPLE[: 1 + person.twice]:
                self._scheduler.call_later(person.after_s, self._spawn, self._answer, approval_id, who)

    def _spawn(self, does: Callable[..., Coroutine[Any, Any, None]], *given: Any) -> None:
        self._scheduler.start(Host("person"), does(*given))

    async def _answer(self, approval_id: str, who: Principal) -> None:
        plane = self._console.plane
        with suppress(Conflict, NotEntitled, LedgerError):
            asked = await approval(plane, approval_id, FIRST_TENANT)
            shown = asked.request
            decision: Said = "approve" if self._plan.person.approves else "reject"
            said = Answer(decision=decision, digest=shown["approval"], nonce=shown["nonce"])
            await answer(plane, approval_id, said, who)
            self.met.add(f"person {decision}s")

    async def _turn(self, stop: bool) -> None:
        with suppress(LedgerError):
            await self._console.plane.switch.turn(Scope.ALL, "", OPERATOR, stop=stop)
            self._say("an operator " + ("stops everything" if stop else "lets everything go on"))
            self.met.add("fault stopped")
            self._reference.shaken = True

    # ------------------------------------------------------------------ the end

    async def _heal(self) -> None:
        """No more faults; everybody advances; what is unknown is settled; nothing may be left."""
        self._quiet.set()
        self._say("the world is healed")
        plan = self._plan
        plan.fates, plan.crashes, plan.jump = {}, {}, (0, 0.0)
        self.store.trouble, self.store.cut = {}, False
        if plan.stop is not None:
            await self._turn(False)
        for process in self._processes:
            if plan.gentle:
                process.all.cancel()
            else:
                self._scheduler.kill(process.host)
        self._set_clocks(40_000_000.0)  # beyond whatever was promised while a clock was wrong
        self._reference.shaken = True
        await anyio.sleep(130.0)
        healer = self._console
        calls = self._reference.calls
        for _ in range(_HEALING_MAX):
            await healer.engine.look(healer.store, healer.advance)
            if all(call.status in ("closed", "unknown") for call in calls.values()):
                break
            await anyio.sleep(40_000.0)
        for call_id, call in list(calls.items()):
            if call.status == "unknown":
                self.met.add("person settles")
                self.met.add(f"call {call.tool} unknown")
                truth = "done" if call.effects else "failed"
                await settle(healer.plane, healer.claim, call_id, truth, OPERATOR, "the far end says so")
        self._hold(self._reference.settled)
        await self._ask_again(healer)
        await self._compare()

    async def _ask_again(self, process: Process) -> None:
        """Asking again by name gives the outcome that stands."""
        run_id = self._shared.run_id
        for wish in self._plan.wishes:
            call = named(run_id, wish)
            if call.call_id not in self._reference.calls:
                continue  # nobody came so far as to propose it
            outcome = await call_tool(call, process.plane)
            known = self._reference.calls[outcome.call_id]  # its own, or the fallback's
            late = outcome.call_id != call.call_id  # whoever would have fallen back died, and it is made up for now
            same = outcome.kind.value == known.told and (outcome.repeated or late)
            _agree(same, f"{wish.name} is {known.told} and asked again {outcome.kind} ({outcome.code})")
            self._told(call.call_id, outcome)
            self.met.add(f"call {wish.tool} {outcome.kind.value}")

    async def _compare(self) -> None:
        """Ledger, folds, projections and reference say the same."""
        for row in await self.store.rows("tool_call"):
            known = self._reference.calls[row["call_id"]]
            _agree((row["status"], row["outcome"]) == (known.status, known.told), f"a row is {row}, not {known}")
        run_id = self._shared.run_id
        if run_id:
            events = await self.store.read(run_id)
            state = RunState(run_id, FIRST_TENANT)
            state.absorb(events)
            wrong = [each.call_id for each in state.calls.values() if each.status != "closed"]
            _agree(not wrong, f"the fold has {wrong} open")
            if len(events) % 8 == 0:
                _agree(first_bad(events) == 0, "the chain does not hold")


def _agree(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Divergence(otherwise)


def leaves(error: BaseException | None) -> list[BaseException]:
    """The errors of a group, and of the groups in it; of a single one that one."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in leaves(each)]
    return [] if error is None else [error]

"""The one path. `call_tool` is the only way to run a tool, for everybody; it reads from top to bottom.

ToolCall -> validate -> authorize -> limit -> verify -> approve -> execute -> screen -> Outcome
                                   (record: around all of it)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import anyio

from interlock.approvals.approve import approve
from interlock.approvals.request import Approvals
from interlock.core.call import Outcome, ToolCall
from interlock.core.call_state import CallState
from interlock.core.clock import Clock
from interlock.core.ids import IdMaker, fallback_call_id
from interlock.core.principal import Principal
from interlock.core.run import RunState
from interlock.core.tool import Tool
from interlock.errors import InterlockError
from interlock.execution.batch import AtOnce, Batch, Turn, dependencies, fill
from interlock.execution.execute import execute
from interlock.execution.executor import Executor
from interlock.execution.reconcile import FarEnd
from interlock.grounding.grounding import Asking, Grounding
from interlock.ledger.conversation import Conversation, Ledger
from interlock.ledger.definitions import Definitions
from interlock.ledger.loaded import Loaded
from interlock.ledger.record import Entry, Stopped
from interlock.ledger.rollouts import judge
from interlock.ledger.switch import StopSwitch
from interlock.limits.limit import Limits, limit
from interlock.limits.meter import RunMeter
from interlock.policy.authorize import Ask, Resolve, Rules, authorize, unstopped
from interlock.policy.flags import Flags
from interlock.registry.registry import Registry
from interlock.registry.validate import Trace, validate
from interlock.screening.screen import Screens, screen, screen_failure
from interlock.verification.verify import Verification, verify


async def _nothing(principal: Principal) -> frozenset[str]:
    return frozenset()


async def _as_it_is(loaded: Loaded) -> None:
    return


class Driver(Protocol):
    """Says which calls a run makes: an agent's loop, a saga's steps. It keeps nothing; it goes by the fold alone."""

    def due(self, conversation: Conversation) -> bool:
        """Whether there is something to do here and now, besides the calls that were lost or answered."""
        ...

    async def drive(self, plane: Plane, conversation: Conversation) -> None:
        """Go on until the run is over or waits, and say so in the ledger: with `run.finished` or `run.waiting`.

        Called with the run claimed and its lost and answered calls settled. Asking twice does once what is due.
        """
        ...


@dataclass(slots=True, kw_only=True)
class Plane:
    """What each gate works with.

    `policy` and `registry` may be replaced while calls run: a call that has passed the gate keeps what it was
    decided by, the next one meets the new.

    Attributes:
        registry: The tools.
        policy: The rules.
        switch: What is stopped, and what is rolled out.
        limits, verification, approvals, executor, screens: The other gates' parts.
        ledger: Where everything is recorded.
        clock, new_id: Time and ids.
        drivers: What says which calls a run makes, by `RunState.driver`; a run of `calls` has none.
        definitions: What servers list and people accepted of it; None for a plane that has no servers.
        grounding: Where the values of calls come from.
        unseen: Names of tools that servers do not show a principal, who is not offered them (T43).
        lacking: Of a principal, server to why its tools cannot be called before they logged in to it.
        take_up: Puts the policy in force that was loaded last, by whichever process.
    """

    registry: Registry
    policy: Rules
    switch: StopSwitch
    limits: Limits
    verification: Verification
    approvals: Approvals
    executor: Executor
    screens: Screens
    ledger: Ledger
    clock: Clock
    new_id: IdMaker
    drivers: dict[str, Driver] = field(default_factory=dict)
    definitions: Definitions | None = None
    grounding: Grounding = field(default_factory=Grounding)
    unseen: Callable[[Principal], Awaitable[frozenset[str]]] = _nothing
    lacking: Callable[[Principal], Mapping[str, str]] = field(default=lambda principal: {})
    take_up: Callable[[Loaded], Awaitable[None]] = _as_it_is

    async def tools_now(self) -> Registry:
        """The tools, as they are accepted now: what a person accepted binds the next call of every process.

        Raises:
            StoreUnavailable: What was accepted cannot be read.
        """
        if self.definitions is not None:
            self.registry = await self.definitions.current(self.registry)
        return self.registry

    async def tools_of(self, principal: Principal) -> Registry:
        """The same as one principal has them: what servers show them, each in the version that is rolled out to them.

        Raises:
            StoreUnavailable: What was accepted, or is rolled out, cannot be read.
        """
        unseen = await self.unseen(principal)
        rollouts = (await self.switch.standing(principal.tenant)).rollouts
        return (await self.tools_now()).as_had(principal, rollouts).without(unseen).withholding(self.lacking(principal))

    def asking(self, run: RunState) -> Asking:
        """For `grounding`: this run, at this moment, by the tools that there are here."""
        return Asking(run, self._tool_of, self.clock.wall_us())

    def tracing(self, run: RunState) -> Trace:
        """Says where the arguments of the run's calls come from."""
        return partial(self.grounding.trace, self.asking(run))

    def _tool_of(self, call: CallState) -> Tool | None:
        known = self.registry.version(call.tool, call.version)
        return None if known is None else known.tool

    def working(self, tools: Iterable[Tool]) -> list[Tool]:
        """Those of the tools that are of use now, in their order: the far end answers, or that of a fallback does."""
        return [tool for tool in tools if self._works(tool, set())]

    def _works(self, tool: Tool, asked: set[str]) -> bool:
        if not self.executor.breakers.shut(tool) and not self.executor.health.objection(tool):
            return True
        asked.add(tool.name)
        other = self.registry.find(tool.fallback)
        if other is None or other.withheld or other.tool.name in asked:
            return False
        return self._works(other.tool, asked)


async def call_tool(call: ToolCall, plane: Plane, turn: Turn = AtOnce()) -> Outcome:  # noqa: B008  # it has no state
    """Turn one proposed call into a decided, durable effect, or say why not. Asking twice is asking once.

    Args:
        turn: When it may run, for a call of a batch.

    Raises:
        LedgerError: What happened could not be recorded; before an effect, nothing has run.
        NotFound: The run does not exist for this principal.
    """
    resolve = _reads(call, plane)
    tenant = call.principal.tenant
    try:
        async with Entry(call, plane.ledger) as entry:
            try:
                fresh = entry.through(entry.recall())
                standing = await plane.switch.standing(tenant)
                await plane.take_up(standing.loaded)
                tools = (await plane.tools_now()).withholding(plane.lacking(call.principal))
                valid = entry.through(validate(fresh, tools, standing.rollouts, plane.tracing(entry.run)))
                allowed = entry.through(
                    await authorize(valid, plane.policy, entry.run, _ask(standing.flags, plane, resolve))
                )
                limited = entry.through(await limit(allowed, plane.limits, entry.run, entry.step))
                verified = entry.through(await verify(limited, plane.verification, entry, _meter(call, plane, entry)))
                approved = entry.through(await approve(verified, plane.approvals, entry.run, entry.step))
                if await turn.wait(approved):
                    approved = entry.through(unstopped(approved, await plane.switch.flags(tenant)))
                far_end = FarEnd(plane.registry, resolve)
                result = entry.through(await execute(approved, plane.executor, entry, far_end, turn.seat))
                outcome = entry.through(plane.executor.reads.screened(result, screen(result, plane.screens)))
            except Stopped as stopped:
                outcome = screen_failure(stopped.stop.outcome, plane.screens)
            outcome = await entry.close(outcome)
        if entry.doubted:
            await judge(plane.switch, plane.ledger.store, tenant, entry.doubted, plane.ledger.reach)
        if outcome.fallback:
            plane.ledger.reach("fallback.before")
            outcome = await call_tool(_instead(call, outcome), plane)
        return outcome
    finally:
        turn.over()


async def call_tools(calls: Sequence[tuple[str, ToolCall]], plane: Plane) -> list[Outcome]:
    """Run calls that were proposed together; outcomes in the same order.

    Everything whose arguments are known is decided before anything runs. Reads run together, writes one
    after the other for each thing that they act on. `{"$result": id, "pointer": "/path"}` in the arguments
    stands for a part of the result of an earlier call of the batch, which then runs first; where that one is
    not done, the dependent call is refused.

    Args:
        calls: Each with its id within the batch; empty for one that no other refers to.

    Raises:
        BadInput: More than 64 calls, an id twice, or a reference to no earlier call. Nothing has run.
        LedgerError: A call could not be recorded; the others were cut off, each with its record.
    """
    needs = dependencies(calls)
    batch = Batch(sum(not needed for needed in needs))
    turns = [batch.turn(late=bool(needed)) for needed in needs]
    outcomes: dict[int, Outcome] = {}
    failed: list[InterlockError] = []
    finished = [anyio.Event() for _ in calls]

    async def one(index: int) -> None:
        call = replace(calls[index][1], place=index + 1)
        for needed in needs[index].values():
            await finished[needed].wait()
        if needs[index]:
            call = fill(call, {name: outcomes[needed] for name, needed in needs[index].items()})
        try:
            outcomes[index] = await call_tool(call, plane, turns[index])
            finished[index].set()
        except InterlockError as error:
            failed.append(error)  # told as itself, not within the task group's
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for index in range(len(calls)):
            tasks.start_soon(one, index)
    if failed:
        raise failed[0]
    return [outcomes[index] for index in range(len(calls))]


async def call_in_order(
    needs: Mapping[str, frozenset[str]],
    made: Callable[[str], ToolCall | None],
    done: Callable[[str, Outcome], bool],
    plane: Plane,
) -> None:
    """Run calls, each as soon as those that it comes after are done: reads together, writes in order for each thing.

    Args:
        needs: For each call, by its name, which others of them it comes after.
        made: The call of that name, asked for when those are done; None where it is not to run (any more): for those
            that come after it, that counts as done.
        done: Told what came of a call; whether those that come after it may run.

    Raises:
        LedgerError: A call could not be recorded; the others were cut off, each with its record.
    """
    batch = Batch(0)
    left, met = dict(needs), set[str]()
    failed: list[InterlockError] = []

    async def one(name: str, call: ToolCall) -> None:
        try:
            if done(name, await call_tool(call, plane, batch.turn(late=True))):
                met.add(name)
                start()
        except InterlockError as error:
            failed.append(error)  # told as itself, not within the task group's
            tasks.cancel_scope.cancel()

    def start() -> None:
        while ready := [name for name, needed in left.items() if needed <= met]:
            for name in ready:
                del left[name]
                if (call := made(name)) is not None:
                    tasks.start_soon(one, name, call)
                else:
                    met.add(name)

    async with anyio.create_task_group() as tasks:
        start()
    if failed:
        raise failed[0]


def _reads(call: ToolCall, plane: Plane) -> Resolve:
    """Makes governed reads for a call, each a call of its own, as the same principal."""

    async def resolve(tool: str, arguments: Mapping[str, Any]) -> Outcome:
        read = ToolCall(
            run_id=call.run_id,
            call_id=plane.new_id("call"),
            tool=tool,
            arguments=arguments,
            principal=call.principal,
            parent_id=call.call_id,
            trace=call.trace,
        )
        return await call_tool(read, plane)

    return resolve


def _meter(call: ToolCall, plane: Plane, entry: Entry) -> RunMeter:
    """What pays where a model reads the call."""
    return RunMeter(plane.limits, entry.conversation, call.principal, plane.clock)


def _ask(flags: Flags, plane: Plane, resolve: Resolve) -> Ask:
    """What `authorize` may ask of the world."""
    return Ask(flags, plane.clock.wall_us(), resolve)


def _instead(call: ToolCall, failed: Outcome) -> ToolCall:
    """The call of the fallback: the same for the same call, however often it is asked."""
    return replace(
        call, call_id=fallback_call_id(call.run_id, call.call_id), tool=failed.fallback, parent_id=call.call_id, name=""
    )

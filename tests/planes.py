"""A plane that a test owns: time stands still, ids count, no pause lasts, and what its tools did is written down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from interlock import Answer, Interlock, Principal, Run, Settings, Tool, World, foreign_tool, open_plane
from interlock.approvals.decide import Said
from interlock.approvals.delegation import Delegations
from interlock.approvals.grants import Grants
from interlock.approvals.people import Entitlement
from interlock.core.call import Outcome, ToolCall
from interlock.core.canonical import Json
from interlock.core.decision import Mode
from interlock.core.event import Event
from interlock.core.run import RunState
from interlock.core.tool import CallContext
from interlock.errors import StoreUnavailable
from interlock.ledger.conversation import Ledger
from interlock.ledger.store import Append, MemoryStore
from interlock.ledger.switch import StopSwitch
from interlock.policy.cedar import Policy
from interlock.policy.rules import Source
from interlock.testing import CountedIds, FrozenClock

ANA = Principal("ana", roles=frozenset({"support"}))
BOB = Principal("bob", roles=frozenset({"approver"}))
CAY = Principal("cay", roles=frozenset({"approver", "admin"}))
OPA = Principal("opa", roles=frozenset({"operator"}))
"""On whose behalf calls run; two who may approve; one who settles."""

PERMIT = "permit (principal, action, resource);"
NUMBER = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "note": {"type": "string"}},
    "required": ["n"],
    "additionalProperties": False,
}
Does = Callable[[dict[str, Any], CallContext], Awaitable[object]]


@dataclass
class Far:
    """The far end of a test's tools: what ran, in order, with the key and the attempt that it bore."""

    ran: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    contexts: list[CallContext] = field(default_factory=list)

    def tool(self, name: str, effect: str = "read", does: Does | None = None, **options: Any) -> Tool:
        """A tool that takes a number, writes down that it ran, and does `does` or answers with its number."""

        async def body(arguments: dict[str, Any], context: CallContext) -> object:
            self.ran.append((name, arguments))
            self.contexts.append(context)
            return {"n": arguments["n"]} if does is None else await does(arguments, context)

        schema = options.pop("input_schema", NUMBER)
        description = options.pop("description", f"Does {name} with a number.")
        return foreign_tool(name, "local", description, schema, body, effect=effect, **options)

    @property
    def names(self) -> list[str]:
        """The tools that ran, in order."""
        return [name for name, _ in self.ran]


@dataclass
class Stage:
    """An open plane with its parts in a test's hands."""

    plane: Interlock
    clock: FrozenClock
    paused: list[float]

    def run(self, principal: Principal = ANA, words: str | None = "do it") -> Any:
        """See `Interlock.run`."""
        return self.plane.run(principal, words=words)

    async def state(self, run_id: str, tenant: str = "default") -> RunState:
        """The run's fold, current."""
        conversation = await self.plane.plane.ledger.conversation(run_id, tenant)
        await conversation.refresh()
        return conversation.state

    async def events(self, run_id: str, call_id: str = "") -> list[Event]:
        """The events of a run, or of one call of it."""
        return [event for event in await self.plane.store.read(run_id) if call_id in ("", event.fact.call_id)]

    async def said(self, run_id: str, call_id: str = "") -> list[str]:
        """The same in short: `kind`, or `kind/outcome` where the event says one."""
        facts = [event.fact for event in await self.events(run_id, call_id)]
        return [f"{fact.kind}/{fact.outcome}" if fact.outcome else str(fact.kind) for fact in facts]

    async def shown(self, run_id: str, held: Outcome) -> dict[str, Any]:
        """What somebody who looks at the request is shown."""
        state = await self.state(run_id)
        return state.approvals[held.approval_id].request

    async def answer(
        self, run_id: str, held: Outcome, person: Principal = BOB, decision: Said = "approve", **more: Any
    ) -> None:
        """Answer a held call as somebody who saw it."""
        said = saying(await self.shown(run_id, held), decision, **more)
        await self.plane.answer(held.approval_id, said, person)

    def obey(self, text: str, mode: Mode = Mode.ENFORCE) -> None:
        """Put another policy in force."""
        self.plane.plane.policy = Policy([Source("test.cedar", text)], self.plane.plane.registry.tools, mode=mode)

    def store_in(self, store: Any) -> None:
        """Let everything that follows go through another store."""
        self.plane.plane.ledger = Ledger(store, self.plane.plane.ledger.reach)
        self.plane.plane.switch = StopSwitch(store)
        approvals = self.plane.plane.approvals
        entitlement = Entitlement(approvals.entitlement.people, Delegations(store))
        grants = Grants(store, approvals.clock, approvals.new_id, entitlement)
        self.plane.plane.approvals = replace(approvals, grants=grants, entitlement=entitlement)


def saying(request: dict[str, Any], decision: Said = "approve", **more: Any) -> Answer:
    """The answer of somebody who was shown the request."""
    return Answer(decision=decision, digest=request["approval"], nonce=request["nonce"], **more)


@asynccontextmanager
async def staged(
    *tools: Tool, ledger: Path | None = None, world: World | None = None, settings: dict[str, Any] | None = None
) -> AsyncIterator[Stage]:
    """A plane over these tools without an engine; in memory unless a file is named."""
    given = None if world is None else world.clock
    clock, paused = given if isinstance(given, FrozenClock) else FrozenClock(), []

    async def pause(seconds: float) -> None:
        paused.append(seconds)
        clock.advance(seconds)

    world = world or World(clock=clock, new_id=CountedIds(), pause=pause)
    made = Settings(**{"ledger": ledger, "folder": (ledger or Path()).parent} | (settings or {}))
    async with open_plane(made, tools=tools, world=world, engine=False) as plane:
        yield Stage(plane, clock, paused)


def proposed(run: Run, tool: str, arguments: Any = None, call_id: str = "call_x", **options: Any) -> ToolCall:
    """A call as the path gets it, with an id that the test chose."""
    return ToolCall(
        run_id=run.run_id, call_id=call_id, tool=tool, arguments={"n": 1} if arguments is None else arguments,
        principal=run.principal, **options,
    )  # fmt: skip


class WatchedStore(MemoryStore):
    """A store in memory that yields at every call, as a database does, and fails when it is told to.

    Attributes:
        fail_at: Number of the append that fails, from 1; 0 for none.
        lose_at: The same, but it is written before it fails: the answer is lost.
        appends: What was asked to be written, in order.
    """

    def __init__(self, clock: FrozenClock) -> None:
        super().__init__(clock)
        self.fail_at: set[int] = set()
        self.lose_at: set[int] = set()
        self.appends: list[Append] = []

    async def append(self, append: Append) -> list[Event]:
        """See `Store.append`."""
        self.appends.append(append)
        with anyio.CancelScope(shield=True):
            await checkpoint()
        if len(self.appends) in self.fail_at:
            raise StoreUnavailable("the disk is full", code="ledger.full")
        events = await super().append(append)
        if len(self.appends) in self.lose_at:
            raise StoreUnavailable("the connection broke", code="ledger.lost")
        return events

    async def read(self, chain: str, after: int = 0, limit: int | None = None) -> list[Event]:
        """See `Store.read`."""
        await checkpoint()
        return await super().read(chain, after, limit)


class CutAt:
    """Awaits something and cancels a scope or a task when it suspends for the n-th time.

    Attributes:
        suspended: How often it suspended.
    """

    def __init__(self, awaitable: Awaitable[Any], scope: anyio.CancelScope | asyncio.Task[Any], nth: int) -> None:
        self._awaitable = awaitable
        self._scope = scope
        self._nth = nth
        self.suspended = 0

    def __await__(self) -> Any:
        """Pass every suspension on to the loop."""
        inner = self._awaitable.__await__()
        sent, error = None, None
        while True:
            try:
                waiting = inner.throw(error) if error is not None else inner.send(sent)
            except StopIteration as done:
                return done.value
            self.suspended += 1
            if self.suspended == self._nth:
                self._scope.cancel()
            sent, error = None, None
            try:
                sent = yield waiting
            except BaseException as thrown:
                error = thrown


def kinds(outcomes: Sequence[Outcome]) -> list[str]:
    """What each call came to."""
    return [outcome.kind.value for outcome in outcomes]


def codes(outcomes: Sequence[Outcome]) -> list[str]:
    """Why, of each call."""
    return [outcome.code for outcome in outcomes]


def as_text(value: Json) -> str:
    """A value as a model could see any of it."""
    return repr(value)

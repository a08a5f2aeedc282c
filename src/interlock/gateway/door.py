"""What a client can ask for at the door, whatever the protocol: the tools that it may call, and a call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import anyio

from interlock.app import Interlock
from interlock.compose import World
from interlock.core.call import Outcome, OutcomeKind, ToolCall, ValidCall
from interlock.core.canonical import Json
from interlock.core.decision import Mode
from interlock.core.ids import named_call_id
from interlock.core.progress import Heard
from interlock.core.proposal import proposal_digest
from interlock.core.run import speaker
from interlock.core.tool import Tool
from interlock.engine.beside import beside
from interlock.errors import NotEntitled, NotFound
from interlock.gateway.caller import Asked, Caller
from interlock.gateway.continuation import Continuations, Ref
from interlock.gateway.conversations import Conversations, Talk
from interlock.ledger.conversation import Conversation
from interlock.pipeline import call_tool
from interlock.registry.validate import validate
from interlock.runs import own_run
from interlock.screening.screen import screen_aside
from interlock.settings import Settings
from interlock.sources.reads import GET, READ
from interlock.sources.relay import Client

_READS = frozenset({READ, GET})
"""Tools that clients reach by requests of their own."""

_IDLE_EVERY_S = 15.0
"""Seconds between two looks for conversations that stood idle."""

_LOOK_S = 0.05
"""Seconds between two looks at a held call whose client waits."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a client is told of its call.

    Attributes:
        outcome: What became of it.
        run_id: The run that it was made in.
        continuation: What to come back with for a held one; empty for every other.
    """

    outcome: Outcome
    run_id: str
    continuation: str = ""


@dataclass(frozen=True, slots=True)
class Front:
    """Who is there while a call runs.

    Attributes:
        heard: Told how far it is; None where nobody wants to know.
        client: Answers what a server behind asks, as far as the operator allows it; None where nobody can.
    """

    heard: Heard | None = None
    client: Client | None = None


ALONE = Front()


class Door:
    """One for each process, over its plane.

    Args:
        wait_s: Seconds that a client which comes back for a held call is kept waiting for the person's word.
        link: Address that opens a request for approval, with `{approval_id}` in it; empty for none.
        traces: Whether a client may say whose trace its calls belong to.
    """

    def __init__(
        self, plane: Interlock, conversations: Conversations, continuations: Continuations, wait_s: float,
        link: str = "", traces: bool = True,
    ) -> None:  # fmt: skip
        self.plane = plane
        self.conversations = conversations
        self.link = link
        self.continuations = continuations
        self.wait_s = wait_s
        self._traces = traces
        self._calls = 0
        self._idle = anyio.Event()

    def clean(self, said: Json) -> Json:
        """What may be told of what a server says beside results: how far it is, what it asks, logs and suggests."""
        return cast(Json, screen_aside(said, self.plane.plane.screens).value)

    async def offered(self, caller: Caller) -> Sequence[Tool]:
        """The tools that this principal could call, in the versions that it has, in the order of registration."""
        if not caller.may_call:
            return ()
        tools = await self.plane.tools_for(caller.principal)
        had = [tool for tool in tools if tool.name not in _READS and self._may_have(caller, tool)]
        return await self.plane.routing.offered(had, caller.principal, None)

    async def tool(self, caller: Caller, name: str) -> Tool | None:
        """The definition by that name that this principal has now; None where there is none."""
        standing = await self.plane.plane.switch.standing(caller.principal.tenant)
        known = self.plane.plane.registry.had(name, caller.principal, standing.rollouts)
        return None if known is None else known.tool

    def may_read(self, caller: Caller, tool: str) -> bool:
        """Whether this principal could read at all what servers behind have besides tools.

        Args:
            tool: `READ` or `GET`.
        """
        known = self.plane.plane.registry.find(tool)
        return known is not None and caller.may_call and self._may_have(caller, known.tool)

    async def from_server(self, caller: Caller, name: str) -> bool:
        """Whether a tool's results are those of a server of the protocol, to be handed on as they came."""
        if name in _READS:
            return True
        tool = await self.tool(caller, name)
        return tool is not None and tool.server in self.plane.fleet.servers

    def _may_have(self, caller: Caller, tool: Tool) -> bool:
        policy = self.plane.plane.policy
        return policy.mode is not Mode.ENFORCE or policy.may_have(caller.principal, tool)

    async def call(self, caller: Caller, asked: Asked, front: Front = ALONE) -> Reply:
        """Make a call on the one path, or tell what became of one that was held.

        A client comes back for a held call by what it was given to come back with, by its own name of the call, or by
        making the same call again in the same conversation: nothing is decided or run by that, and it is kept waiting
        for a while where the person has not spoken yet.

        Args:
            front: Who is there while it runs.

        Raises:
            NotEntitled: The key opens no tools.
            BadInput: What it comes back with is not for this principal and this call.
            NotFound, Conflict, StaleClaim: The handle names no run that this call can be made in.
            LedgerError: Nothing was recorded; before an effect, nothing has run.
        """
        if not caller.may_call:
            raise NotEntitled(
                "this key opens no tools", code="gateway.scope", remedy="Ask an administrator for a key that does."
            )
        self._calls += 1
        try:
            return await self._call(caller, asked, front)
        finally:
            self._calls -= 1
            if not self._calls:
                self._idle.set()

    async def drained(self, within_s: float) -> None:
        """Wait until no call is under way, at most so many seconds."""
        with anyio.move_on_after(within_s):
            while self._calls:
                self._idle = anyio.Event()
                await self._idle.wait()

    async def _call(self, caller: Caller, asked: Asked, front: Front) -> Reply:
        if asked.continuation:
            proposal = proposal_digest(asked.tool, asked.arguments)
            ref = self.continuations.open(asked.continuation, caller.principal, proposal)
            conversation = await own_run(self.plane.plane, caller.principal, ref.run_id)
            reply = await self._back(caller, asked, conversation, ref.call_id)
            if (open_here := self.conversations.known(ref.run_id)) is not None:
                _note(open_here, ref.call_id, reply.outcome)  # an equal call from here on is a new one
            return reply
        async with self.conversations.talk(caller, asked) as talk:
            call = self._made(caller, asked, talk)
            call_id, outcome = await self._waited_for(call, talk), None
            if not call_id:
                call_id, outcome = call.call_id, await self._made_before(call, front)
            if outcome is None or (outcome.kind is OutcomeKind.HELD and outcome.repeated):
                reply = await self._back(caller, asked, talk.conversation, call_id)
            else:
                reply = self._reply(caller, asked, talk.run.run_id, outcome)
            _note(talk, call_id, reply.outcome)
        return reply

    async def _made_before(self, call: ToolCall, front: Front) -> Outcome:
        """Make the call while somebody is there who hears of it and may be asked."""
        plane = self.plane.plane
        with ExitStack() as stack:
            if front.heard is not None:
                stack.enter_context(plane.executor.listeners.to(call.call_id, front.heard))
            if front.client is not None:
                stack.enter_context(self.plane.fleet.relay.attach(call.call_id, front.client))
            return await call_tool(call, plane)

    def _made(self, caller: Caller, asked: Asked, talk: Talk) -> ToolCall:
        run_id = talk.run.run_id
        call_id = named_call_id(run_id, asked.name) if asked.name else self.plane.plane.new_id("call")
        # By who the caller is now, not by who they were when the conversation began: roles may have been taken.
        return ToolCall(
            run_id=run_id, call_id=call_id, tool=asked.tool, arguments=asked.arguments, principal=caller.principal,
            name=asked.name, trace=asked.trace if self._traces else None,
        )  # fmt: skip

    async def _waited_for(self, call: ToolCall, talk: Talk) -> str:
        """The held call of the conversation that this one is the same as; empty for none."""
        if call.name or not talk.waiting:
            return ""
        standing = await self.plane.plane.switch.standing(call.principal.tenant)
        valid = validate(call, self.plane.plane.registry, standing.rollouts)
        return talk.waiting.get(valid.digest, "") if isinstance(valid, ValidCall) else ""

    async def _back(self, caller: Caller, asked: Asked, conversation: Conversation, call_id: str) -> Reply:
        """What became of a held call, as soon as that is known; held still when the time is up."""
        if call_id not in conversation.state.calls:
            raise NotFound(f"no call {call_id!r} in this run", code="call.not_found")
        outcome = None
        with anyio.move_on_after(self.wait_s):
            while True:
                await conversation.refresh()
                outcome = _told(conversation, call_id)
                if outcome is not None and outcome.kind is not OutcomeKind.HELD:
                    break
                await anyio.sleep(_LOOK_S)
        outcome = outcome or conversation.state.calls[call_id].outcome
        assert outcome is not None, "what is waited for was told once that it is held"
        return self._reply(caller, asked, conversation.state.run_id, replace(outcome, repeated=True))

    def _reply(self, caller: Caller, asked: Asked, run_id: str, outcome: Outcome) -> Reply:
        if outcome.kind is not OutcomeKind.HELD:
            return Reply(outcome, run_id)
        proposal = proposal_digest(asked.tool, asked.arguments)
        sealed = self.continuations.seal(Ref(run_id, outcome.call_id), caller.principal, proposal)
        return Reply(outcome, run_id, sealed)


@asynccontextmanager
async def open_door(settings: Settings, plane: Interlock, world: World) -> AsyncIterator[Door]:
    """The door of a plane; its runs are left when the block is."""
    said = settings.gateway
    conversations = Conversations(plane, world.clock, said.idle_minutes * 60, settings.provenance.mandates)
    continuations = Continuations(plane.plane.executor.deployment_key, world.clock, world.entropy)
    try:
        async with beside(partial(_leave_idle, conversations)):
            traces = settings.telemetry.otlp.accept_trace
            yield Door(plane, conversations, continuations, said.wait_s, settings.notify.link, traces)
    finally:
        with anyio.CancelScope(shield=True):
            await conversations.close()


async def _leave_idle(conversations: Conversations) -> None:
    while True:
        await anyio.sleep(_IDLE_EVERY_S)
        await conversations.close_idle()


def _note(talk: Talk, call_id: str, outcome: Outcome) -> None:
    """Remember a held call until its client was told how it ended.

    Args:
        call_id: The call that was asked about; the outcome may be of another, made in its place.
    """
    if outcome.kind is OutcomeKind.HELD:
        talk.waiting[talk.conversation.state.calls[call_id].digest] = call_id
    elif outcome.closes and talk.waiting:
        talk.waiting = {mark: other for mark, other in talk.waiting.items() if other != call_id}


def _told(conversation: Conversation, call_id: str) -> Outcome | None:
    """What was last told of a call, or of what was made in its place; None while that is being made."""
    call = speaker(conversation.state, call_id)
    return None if call is None else call.outcome

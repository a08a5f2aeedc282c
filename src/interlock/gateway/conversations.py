"""Which run a client's call is made in, and when that run is over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakValueDictionary

import anyio

from interlock.app import Interlock
from interlock.core.clock import Clock
from interlock.core.event import Fact, Kind
from interlock.core.principal import FIRST_TENANT, Principal
from interlock.gateway.caller import Asked, Caller
from interlock.ledger.conversation import Conversation
from interlock.runs import Run, open_run
from interlock.starting import Start

TALKS_MAX: Final = 256
"""Conversations of one principal that are open at once: the one that stood idle longest is left for a new one."""

Key = tuple[str, ...]


@dataclass(slots=True)
class Talk:
    """One conversation of one principal: a run that is open here.

    Attributes:
        run, conversation: The run, and its fold.
        since_s: When it was last used, monotonic.
        busy: Requests that use it now.
        lasting: Whether it is over only when the process is.
        waiting: Call digest to the held call of it whose end its client was not told yet.
    """

    run: Run
    conversation: Conversation
    since_s: float
    busy: int = 0
    lasting: bool = False
    waiting: dict[str, str] = field(default_factory=dict)
    _leave: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def leave(self) -> None:
        """Finish the run where nothing of it waits, and give its claim back."""
        await self._leave.aclose()


class Conversations:
    """The runs that are open at a door, each found by whoever may use it and by nobody else.

    In this order: the run whose handle the request names, which must be the principal's own; the run of the
    transport's session, or of the process; the run that this principal and client have open. One that stands idle
    is left, and the next call begins another.

    Args:
        idle_s: Seconds without a call after which a run is left, but for that of a process.
        mandates: Id of a principal of the first tenant to the tools that their runs are started with as asked for.
    """

    def __init__(
        self, plane: Interlock, clock: Clock, idle_s: float, mandates: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:  # fmt: skip
        self._plane = plane
        self._clock = clock
        self._idle_s = idle_s
        self._mandates = mandates or {}
        self._talks: dict[str, Talk] = {}
        self._found: dict[Key, str] = {}
        self._opening: WeakValueDictionary[Key, anyio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def talk(self, caller: Caller, request: Asked) -> AsyncIterator[Talk]:
        """The conversation that a request belongs to, for as long as it is worked on.

        Raises:
            NotFound: The handle names no run of this principal.
            Conflict: It names a run that something else drives.
            StaleClaim: It names a run that another process works on.
            LedgerError: A new run, or what the user says now, could not be recorded.
        """
        found = await self._of(_key(caller, request.run), caller, request)
        try:
            yield found
        finally:
            found.busy -= 1
            found.since_s = self._clock.mono_s()

    def known(self, run_id: str) -> Talk | None:
        """The conversation of a run that is open here; None for every other."""
        return self._talks.get(run_id)

    async def close_idle(self) -> int:
        """Leave what stood idle for too long; how many were left."""
        before_s = self._clock.mono_s() - self._idle_s
        idle = [
            talk for talk in self._talks.values() if not talk.busy and not talk.lasting and talk.since_s <= before_s
        ]
        for talk in idle:
            if not talk.busy:  # still: somebody may have come back while another one was left
                await self._drop(talk)
        return len(idle)

    async def end(self, session: str) -> None:
        """A transport's session is over: leave its run, unless it is in use."""
        for run_id in [run_id for key, run_id in self._found.items() if key[0] == "session" and key[-1] == session]:
            talk = self._talks.get(run_id)
            if talk is not None and not talk.busy:
                await self._drop(talk)

    async def close(self) -> None:
        """Leave every run."""
        for talk in list(self._talks.values()):
            await self._drop(talk)

    async def _of(self, key: Key, caller: Caller, request: Asked) -> Talk:
        """The conversation, counted as busy from before anything else is awaited."""
        opening = self._opening.setdefault(key, anyio.Lock())  # of two that come first at once, one opens it
        async with opening:
            talk = self._known(key) or await self._opened(key, caller, request)
            talk.busy += 1
            try:
                await _hear(talk, request.words)
            except BaseException:
                talk.busy -= 1
                raise
        return talk

    async def _opened(self, key: Key, caller: Caller, request: Asked) -> Talk:
        with anyio.CancelScope(
            shield=True
        ):  # a run that was started and that nobody knows of would be claimed for ever
            await self._make_room(caller)
            talk = await self._open(caller, request)
            self._talks[talk.run.run_id] = talk
            self._found[key] = talk.run.run_id
        return talk

    def _known(self, key: Key) -> Talk | None:
        *_, tenant, principal_id, name = key
        talk = self._talks.get(name if key[0] == "run" else self._found.get(key, ""))
        if talk is not None and (talk.run.principal.tenant, talk.run.principal.id) == (tenant, principal_id):
            return talk
        return None  # by another's handle: the ledger says whose it is

    async def _open(self, caller: Caller, request: Asked) -> Talk:
        stack = AsyncExitStack()
        start = Start(words=request.words, mandates=self._asked_for(caller.principal), via="mcp")
        run = await stack.enter_async_context(
            open_run(self._plane.plane, self._plane.claim, caller.principal, start, request.run)
        )
        conversation = await self._plane.plane.ledger.conversation(run.run_id, run.principal.tenant)
        held = {call.digest: call.call_id for call in conversation.state.calls.values() if call.status == "held"}
        lasting = caller.lasting and not request.run
        return Talk(run, conversation, self._clock.mono_s(), lasting=lasting, waiting=held, _leave=stack)

    def _asked_for(self, principal: Principal) -> tuple[str, ...]:
        """What the operator says that a principal asks for, of the tools that are here: others have no mandate."""
        named = self._mandates.get(principal.id, ()) if principal.tenant == FIRST_TENANT else ()
        return tuple(name for name in named if self._plane.plane.registry.find(name) is not None)

    async def _make_room(self, caller: Caller) -> None:
        whose = caller.principal.tenant, caller.principal.id
        own = [t for t in self._talks.values() if (t.run.principal.tenant, t.run.principal.id) == whose]
        idle = [talk for talk in own if not talk.busy and not talk.lasting]
        if len(own) >= TALKS_MAX and idle:
            await self._drop(min(idle, key=lambda talk: talk.since_s))

    async def _drop(self, talk: Talk) -> None:
        run_id = talk.run.run_id
        del self._talks[run_id]
        for key in [key for key, found in self._found.items() if found == run_id]:
            del self._found[key]
        await talk.leave()


async def _hear(talk: Talk, words: str | None) -> None:
    """Record what the user says now, once for however many calls it is said with."""
    state = talk.conversation.state
    before = "" if state.words is None else f"\n\n{state.words}"
    if words is None or state.status != "open" or before.endswith(f"\n\n{words}"):
        return
    said = {"text": words.encode(errors="backslashreplace").decode()}
    fact = Fact(Kind.RUN_WORDS, said, step=state.seq, principal_id=talk.run.principal.id)
    await talk.conversation.append([fact])


def _key(caller: Caller, handle: str) -> Key:
    """By what the conversation is found: the kind of name, whose it is, the name."""
    kind, name = ("run", handle) if handle else ("session", caller.session) if caller.session else ("", caller.client)
    return (kind, caller.principal.tenant, caller.principal.id, name)

"""One run of an agent, in the hands of whoever started it or came back to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from interlock.agent.result import AgentResult, result_of
from interlock.agent.stream import Finished, Listener, Listeners, StreamEvent
from interlock.core.principal import Principal
from interlock.core.progress import ProgressListeners
from interlock.errors import InterlockError, StaleClaim
from interlock.ledger.conversation import Conversation

_LOOK_S = 0.05


class Work(Protocol):
    """What goes on with a run and with those below it."""

    async def go_on(self) -> None:
        """As far as it goes now."""
        ...

    async def waiting(self) -> tuple[str, ...]:
        """Ids of the approval requests that the runs below it wait for."""
        ...

    async def cancel(self, by: str, reason: str) -> None:
        """End it here and now, and all below it."""
        ...


class AgentRun:
    """An agent's run: its result, its events as they come, its end. All that it knows stands in the ledger.

    Attributes:
        run_id: Which; name it to come back to it.
        principal: On whose behalf.
    """

    def __init__(
        self, conversation: Conversation, principal: Principal, work: Work,
        listeners: Listeners, progress: ProgressListeners, tasks: TaskGroup,
    ) -> None:  # fmt: skip
        self.run_id = conversation.state.run_id
        self.principal = principal
        self._conversation = conversation
        self._work = work
        self._listeners = listeners
        self._progress = progress
        self._tasks = tasks
        self._working = anyio.CancelScope()
        self._begun = False
        self._stopped = anyio.Event()
        self._error: InterlockError | None = None

    async def result(self, *, wait_s: float = 0.0) -> AgentResult:
        """Go on until the run is over or waits for a person, and say how it stands.

        Args:
            wait_s: Seconds that it may wait for that person, and for whoever goes on with it then: an engine, here or
                in another process.

        Raises:
            LedgerError: Something could not be recorded; what was recorded before stands.
        """
        self._begin()
        await self._settled(wait_s)
        if self._error is not None:
            raise self._error
        return result_of(self._conversation.state, await self._work.waiting())

    async def stream(self, *, wait_s: float = 0.0) -> AsyncIterator[StreamEvent]:
        """What happens in the run from now on, as it happens: text, calls, outcomes, waits and, last, its end.

        What another process does is not heard here, but for the end. Whoever is slow misses events, and is told how
        many; the run does not wait for them.

        Args:
            wait_s: As of `result`; then the stream ends without the run's end.

        Raises:
            LedgerError: As `result`.
        """
        listener = self._listeners.join(self.run_id)
        try:
            with self._progress.to_run(self.run_id, listener.hear):
                self._begin()
                self._tasks.start_soon(self._until_the_end, listener, wait_s)
                async for event in listener:
                    yield event
            if self._error is not None:
                raise self._error
        finally:
            self._listeners.leave(self.run_id, listener)

    async def cancel(self, reason: str = "") -> AgentResult:
        """End the run here and now: what is under way is cut off, with a record of what may have left; held calls fall.

        Nothing happens to a run that is over.

        Raises:
            LedgerError: It could not be recorded; the run is not cancelled.
        """
        self._working.cancel()
        if self._begun:
            await self._stopped.wait()
        self._begun = True
        self._stopped.set()
        await self._work.cancel(self.principal.id, reason)
        return result_of(self._conversation.state)

    def _begin(self) -> None:
        """Work on the run, once, beside whoever listens."""
        if not self._begun:
            self._begun = True
            self._tasks.start_soon(self._worked)

    async def _worked(self) -> None:
        try:
            with self._working:
                await self._work.go_on()
        except StaleClaim:
            pass  # the claim lapsed, and another worker goes on: what it does is read
        except InterlockError as error:
            self._error = error  # told to whoever asks for the result, as itself
        finally:
            self._stopped.set()

    async def _settled(self, wait_s: float) -> None:
        """Until this process has done what it can, and then until the run is over or the time is."""
        await self._stopped.wait()
        await self._conversation.refresh()
        with anyio.move_on_after(wait_s):
            while self._error is None and self._conversation.state.status == "open":
                await anyio.sleep(_LOOK_S)
                await self._conversation.refresh()

    async def _until_the_end(self, listener: Listener, wait_s: float) -> None:
        try:
            await self._settled(wait_s)
        except InterlockError as error:
            self._error = error
        over = self._conversation.state.status != "open"
        listener.end(Finished(result_of(self._conversation.state)) if over and self._error is None else None)
